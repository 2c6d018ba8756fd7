use clap::Args;
use client::{
    Error, Exit,
    read::{Endpoint, segment},
    server::Method,
};
use model::api::{Decision, DecisionRequest, query::DecisionsQuery};

use super::{managing, reading};
use crate::{
    args::{Page, word},
    context::Context,
};

/// Decide about a tool, or list what is decided
///
/// Audits leave a tool out while a decision about it holds. Deciding needs an admin; without a tool the decisions that
/// stand are listed.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// Only list, or decide about, this tool
    #[arg(value_name = "TOOL_ID")]
    tool: Option<String>,
    /// Only given to decide: what to do about the tool
    #[arg(requires = "tool", value_parser = word::<Decision>(Decision::ALL.iter().map(|one| one.as_str())))]
    decision: Option<Decision>,
    /// Why [default: no note]
    #[arg(long, requires = "decision")]
    note: Option<String>,
    /// Last day (UTC) on which it holds, such as 2026-12-31 [default: no end]
    #[arg(long, value_name = "DAY", requires = "decision")]
    until: Option<chrono::NaiveDate>,
    /// Who looks after the tool [default: none]
    #[arg(long, requires = "decision")]
    owner: Option<String>,
    /// Take the decision about the tool back
    #[arg(long, requires = "tool", conflicts_with = "decision")]
    undo: bool,
    /// List decisions that were replaced or taken back, too
    #[arg(long, conflicts_with_all = ["decision", "undo"])]
    history: bool,
    #[command(flatten)]
    page: Page,
}

impl Decide {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let path = |tool: &str| format!("/v1/decisions/{}", segment(tool));
        match (self.tool, self.decision) {
            (Some(tool), Some(decision)) => {
                let request = DecisionRequest {
                    decision,
                    note: self.note,
                    until: self.until,
                    owner: self.owner,
                };
                managing::send(context, Method::PUT, &path(&tool), &request, |answer| {
                    let until = match answer["until"].as_str() {
                        Some(day) => format!(" until {day}"),
                        None => String::new(),
                    };
                    format!("decided: {decision} {tool}{until}")
                })
                .await
            }
            (Some(tool), None) if self.undo => {
                managing::send(
                    context,
                    Method::DELETE,
                    &path(&tool),
                    &serde_json::json!({}),
                    |_| format!("nothing is decided about {tool} any more"),
                )
                .await
            }
            (tool_id, _) => {
                let query = DecisionsQuery {
                    tool_id,
                    history: self.history.then_some(true),
                    ..DecisionsQuery::default()
                };
                let endpoint = Endpoint::Decisions(self.page.of(query, context));
                reading::show(endpoint, &self.page.output, context).await
            }
        }
    }
}
