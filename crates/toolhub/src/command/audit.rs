use clap::Args;
use client::{Error, Exit, read::Endpoint};
use model::api::query::AuditQuery;

use super::reading;
use crate::{args::Page, context::Context};

/// List the administrative actions in the org, newest first (admins only)
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Only list actions of this member, or of `operator`
    #[arg(long, value_name = "HANDLE")]
    actor: Option<String>,
    /// Only list actions of this type, such as `token.revoked`, or `token` for all actions on tokens
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Audit {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let query = AuditQuery {
            actor: self.actor,
            action: self.action,
            ..AuditQuery::default()
        };
        let endpoint = Endpoint::Audit(self.page.of(query, context));
        reading::show(endpoint, &self.page.output, context).await
    }
}
