use clap::Args;
use client::{Error, Exit, Server};

use crate::{context::Context, talk};

/// Revoke the token that was kept for a server, and forget it
#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// Only forget the token; it stays valid
    #[arg(long)]
    keep_token: bool,
}

impl Logout {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let url = context.url()?;
        let mut credentials = context.credentials()?;
        if credentials.entry(&url).is_none() {
            return Err(Error::NoCredentials { url });
        }
        if !self.keep_token
            && let Some(token) = credentials.token(&url)
        {
            match Server::new(&url, Some(token))?.delete("/v1/tokens/current").await {
                Ok(()) => {}
                // It is not valid any more: as good as revoked.
                Err(Error::Unauthorized { .. }) => {}
                Err(error) => {
                    talk::complain(
                        "the token is not revoked, so it is not forgotten; --keep-token only forgets it",
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
