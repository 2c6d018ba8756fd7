use clap::Args;
use client::{Error, Exit, read::Endpoint};

use super::reading;
use crate::{args::formats, context::Context};

/// Show the org, member and scopes of the token
#[derive(Debug, Args)]
pub(crate) struct Whoami {
    /// Output format [default: table]
    #[arg(long, value_parser = formats())]
    format: Option<String>,
}

impl Whoami {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        reading::show(Endpoint::Me, self.format.as_deref(), context).await
    }
}
