use clap::Args;
use client::{Error, Exit, read::Endpoint};

use super::reading;
use crate::{args::formats, context::Context};

/// Show who the token speaks for, and what it may do
#[derive(Debug, Args)]
pub(crate) struct Whoami {
    /// How the answer is laid out: table, json, csv or markdown
    #[arg(long, value_parser = formats())]
    format: Option<String>,
}

impl Whoami {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        reading::show(Endpoint::Me, self.format.as_deref(), context).await
    }
}
