use clap::Args;
use client::{Error, Exit, Server};

use crate::{context::Context, talk};

/// Revoke the stored token of a server, and delete it
#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// Delete the token without revoking it
    #[arg(long)]
    keep_token: bool,
}

impl Logout {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let url = context.url()?;
        let mut credentials = context.credentials()?;
        if !credentials.contains(&url) {
            return Err(Error::NoCredentials { url });
        }
        if !self.keep_token
            && let Some(token) = credentials.token(&url)
        {
            match Server::new(&url, Some(token))?.delete("/v1/tokens/current").await {
                Ok(()) => {}
                // The token is not valid any more.
                Err(Error::Unauthorized { .. }) => {}
                Err(error) => {
                    talk::error(
                        "the token was not revoked and is still stored; use --keep-token to delete it without revoking it",
                    );
                    return Err(error);
                }
            }
        }
        credentials.forget(&url);
        credentials.write()?;
        talk::note(&format!("Logged out of {url}"));
        Ok(Exit::Done)
    }
}
