use clap::Args;
use client::{Error, Exit, read::Endpoint};
use model::api::query::SavingsQuery;

use super::reading;
use crate::{args::Page, context::Context};

/// Show what retired tools saved, against before
///
/// Lists the tools that `toolhub decide TOOL_ID retire` names: what they cost before and since, who still loads them, and
/// whether somebody called them after all.
#[derive(Debug, Args)]
pub(crate) struct Savings {
    /// Only show this tool
    #[arg(value_name = "TOOL_ID")]
    tool: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Savings {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let query = SavingsQuery {
            tool_id: self.tool,
            ..SavingsQuery::default()
        };
        let endpoint = Endpoint::Savings(self.page.of(query, context));
        reading::show(endpoint, &self.page.output, context).await
    }
}
