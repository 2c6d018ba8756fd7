use std::io::{self, BufRead, IsTerminal};

use clap::Args;
use client::{Error, Exit, Server, server::Method};
use model::{
    administration::{INVITATION, IssuedToken, RotateRequest},
    api::Me,
    token::Token,
};

use crate::{context::Context, talk};

/// Store a token for a server, and make that server the default
///
/// The token is read from standard input, without showing it on a terminal, so that it is neither in the history of the shell nor in the list of processes: `pass toolhub | toolhub login --with-token --url https://toolhub.example.org`
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// Read the token from standard input
    #[arg(long, required = true)]
    with_token: bool,
}

/// Reads a line from standard input. A terminal does not show it.
async fn read_line(url: &str) -> Result<String, Error> {
    let is_terminal = io::stdin().is_terminal();
    // Dropped when Ctrl-C ends this function, too.
    let _hidden = is_terminal.then(Hidden::input);
    if is_terminal {
        talk::note(&format!(
            "Paste a token for {url} and press Enter; it is not shown:"
        ));
    }
    let mut line = String::new();
    let read = tokio::task::spawn_blocking(move || io::stdin().lock().read_line(&mut line).map(|_| line));
    let read = read.await.map_err(io::Error::other).and_then(|read| read);
    read.map_err(|error| Error::Usage(format!("cannot read the token from standard input: {error}")))
}

/// While it exists, the terminal does not show what is typed.
struct Hidden {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

#[cfg(unix)]
impl Hidden {
    fn input() -> Hidden {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut hidden) = before.clone() {
            hidden.local_modes.remove(LocalModes::ECHO);
            // A terminal that cannot do that shows the token, as it would without this.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &hidden);
        }
        Hidden { before }
    }
}

#[cfg(not(unix))]
impl Hidden {
    fn input() -> Hidden {
        Hidden {}
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(before) = &self.before {
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, before);
        }
    }
}

impl Login {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let url = context.url()?;
        let line = read_line(&url).await?;
        let token = Token::parse(line.trim())
            .map_err(|error| Error::Usage(format!("the text on standard input is {error}")))?;
        let server = Server::new(&url, Some(token.clone()))?;
        let me: Me = server.get_as("/v1/me", &[]).await?;
        // The sender of an invitation knows its token: replace it with one that only this machine knows.
        let (token, ends) = if me.token_name == INVITATION {
            let request = RotateRequest {
                overlap_hours: Some(0),
                name: Some("login".to_owned()),
            };
            let path = "/v1/tokens/current/rotate";
            let body = server.send(Method::POST, path, &[], Some(&request)).await?;
            let issued: IssuedToken = server.read(&body)?;
            (issued.token, issued.info.expires_at)
        } else {
            (token, me.token_expires_at)
        };
        let mut credentials = context.credentials()?;
        credentials.set(&url, &token, &me.org, &me.member)?;
        credentials.write()?;
        let end = match ends {
            Some(end) => format!("expires on {}", end.date_naive()),
            None => "does not expire".to_owned(),
        };
        talk::note(&format!(
            "Logged in to {url} as {} of {}; the token {end} and is in {}",
            model::text::clean(&me.member),
            model::text::clean(&me.org),
            credentials.path().display()
        ));
        Ok(Exit::Done)
    }
}
