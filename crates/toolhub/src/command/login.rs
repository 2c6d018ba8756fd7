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
/// The token is read from standard input, so that it is neither in the history of the shell nor in the list of processes: `pass toolhub | toolhub login --with-token --url https://toolhub.example.org`
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// Read the token from standard input
    #[arg(long, required = true)]
    with_token: bool,
}

impl Login {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let url = context.url()?;
        if io::stdin().is_terminal() {
            talk::note(&format!("Paste a token for {url} and press Enter:"));
        }
        let mut line = String::new();
        io::stdin()
            .lock()
            .read_line(&mut line)
            .map_err(|error| Error::Usage(format!("cannot read the token from standard input: {error}")))?;
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
