use clap::Args;
use client::{
    Error, Exit,
    read::{Filter, Question},
};

use super::reading;
use crate::{
    args::{Page, kinds, windows},
    context::Context,
};

/// Show the score of every tool, over all its events
///
/// `works` is the share of successes among the calls that were decided; `at least` is the lower bound of its 95 %
/// Wilson interval, by which boards rank: few calls prove little.
#[derive(Debug, Args)]
pub(crate) struct Scores {
    /// Only this tool, in depth: outcomes, operations, members, projects, versions, days
    #[arg(value_name = "TOOL_ID", conflicts_with_all = ["kind", "min_sample", "sort"])]
    tool: Option<String>,
    /// How far to look back at that tool, in UTC days
    #[arg(long, value_parser = windows(), requires = "tool")]
    window: Option<String>,
    /// Only tools of this kind
    #[arg(long, value_parser = kinds())]
    kind: Option<String>,
    /// Only tools with at least this many events
    #[arg(long, value_name = "N")]
    min_sample: Option<u64>,
    /// The column to sort by
    #[arg(long, value_parser = ["wilson_low", "events", "success_rate", "avg_cost_usd", "median_duration_ms", "last_used_at"])]
    sort: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Scores {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let filter = Filter {
            window: self.window,
            kind: self.kind,
            min_sample: self.min_sample,
            sort: self.sort,
            ..Filter::default()
        };
        let filter = self.page.filter(filter, context);
        let question = self.tool.map_or(Question::Scores, Question::Score);
        reading::show(question, &filter, self.page.format.as_deref(), context).await
    }
}
