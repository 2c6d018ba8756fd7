use std::io::{self, BufRead, IsTerminal};

use clap::Args;
use client::{Error, Exit, Server, address, login, server::Method};
use model::{
    administration::{INVITATION, IssuedToken, RotateRequest},
    api::Me,
    team::Scope,
    token::Token,
};

use super::open::start_browser;
use crate::{
    args::{self, Scopes},
    context::Context,
    talk,
};

/// Log in to a server, and make that server the default
///
/// Opens a page of the server in the browser, where you confirm the code that the terminal shows, and stores the token that this machine then gets. No token needs to be typed: on a machine without a browser, open the address elsewhere.
///
/// With `--with-token`, a token that you have is read from standard input, without showing it on a terminal, so that it is neither in the history of the shell nor in the list of processes: `pass toolhub | toolhub login https://toolhub.example.org --with-token`. A token of `--token` or TOOLHUB_TOKEN is stored as it is.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// Address of the server, as `--url` [default: that of the last login, else http://127.0.0.1:7700]
    #[arg(value_name = "URL")]
    server: Option<String>,
    /// Read the token from standard input
    #[arg(long)]
    with_token: bool,
    /// What the token should be allowed to do: at most what you may do yourself [default: upload,read]
    #[arg(long, value_name = "SCOPES", value_parser = args::scopes, conflicts_with = "with_token")]
    scope: Option<Scopes>,
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
        let url = match &self.server {
            Some(server) => address::normalize_url(server)?,
            None => context.url()?,
        };
        let given = if self.with_token {
            Some(("the text on standard input", read_line(&url).await?))
        } else {
            context
                .given_token()
                .map(|token| ("the given token", token.to_owned()))
        };
        match given {
            Some((what, text)) => {
                let token =
                    Token::parse(text.trim()).map_err(|error| Error::Usage(format!("{what} is {error}")))?;
                store_given(context, &url, token).await
            }
            None => {
                let token = confirmed(&url, self.scope.map(|Scopes(scopes)| scopes)).await?;
                store(context, &url, &token).await
            }
        }
    }
}

/// The token of a login that a person confirms in a browser.
async fn confirmed(url: &str, scopes: Option<Vec<Scope>>) -> Result<Token, Error> {
    let server = Server::new(url, None)?;
    let started = login::begin(&server, scopes).await?;
    let page = format!("{}{}", server.url(), started.path);
    if start_browser(&page) {
        talk::note(&format!(
            "Confirm the code {} in the browser. If it shows no page, open {page}",
            started.user_code
        ));
    } else {
        talk::note(&format!(
            "Open {page} in a browser, and confirm the code {}",
            started.user_code
        ));
    }
    Ok(login::wait(&server, &started).await?.token)
}

async fn store_given(context: &Context, url: &str, token: Token) -> Result<Exit, Error> {
    let server = Server::new(url, Some(token.clone()))?;
    let me: Me = server.get_as("/v1/me", &[]).await?;
    // The sender of an invitation knows its token: replace it with one that only this machine knows.
    if me.token_name == INVITATION {
        let request = RotateRequest {
            overlap_hours: Some(0),
            name: Some("login".to_owned()),
        };
        let path = "/v1/tokens/current/rotate";
        let body = server.send(Method::POST, path, &[], Some(&request)).await?;
        let issued: IssuedToken = server.read(&body)?;
        return store(context, url, &issued.token).await;
    }
    store(context, url, &token).await
}

async fn store(context: &Context, url: &str, token: &Token) -> Result<Exit, Error> {
    let server = Server::new(url, Some(token.clone()))?;
    let me: Me = server.get_as("/v1/me", &[]).await?;
    let mut credentials = context.credentials()?;
    credentials.set(url, token, &me.org, &me.member)?;
    credentials.write()?;
    let end = match me.token_expires_at {
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
