use clap::Args;
use client::{Error, Exit, read::Endpoint};

use super::reading;
use crate::{args::Output, context::Context};

/// Show the org, member and scopes of the token
#[derive(Debug, Args)]
pub(crate) struct Whoami {
    #[command(flatten)]
    output: Output,
}

impl Whoami {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        reading::show(Endpoint::Me, &self.output, context).await
    }
}
