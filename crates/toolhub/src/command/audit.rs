use clap::Args;
use client::{
    Error, Exit,
    read::{Filter, Question},
};

use super::reading;
use crate::{args::Page, context::Context};

/// Show who did what in the org, newest first; for its admins
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only acts of this member, or of `operator`
    #[arg(long, value_name = "HANDLE")]
    actor: Option<String>,
    /// Only acts of this kind: `token.revoked`, or `token` for all of tokens
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Audit {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let filter = Filter {
            actor: self.actor,
            action: self.action,
            ..Filter::default()
        };
        let filter = self.page.filter(filter, context);
        reading::show(Question::Audit, &filter, self.page.format.as_deref(), context).await
    }
}
