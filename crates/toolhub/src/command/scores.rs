use clap::Args;
use client::{Error, Exit, read::Endpoint};
use model::{
    Kind,
    api::{
        AllOr, ScoreSort, Window,
        query::{ScoreQuery, ScoresQuery},
    },
};

use super::reading;
use crate::{
    args::{Page, kinds, windows, word},
    context::Context,
};

/// Show the scores of tools over all their events
///
/// `works` is the share of successes among the decided calls (successes and failures). `at least` is the lower bound of its
/// 95 % Wilson interval, which is low for tools with few calls; leaderboards rank by it.
#[derive(Debug, Args)]
pub(crate) struct Scores {
    /// Show one tool in detail: outcomes, operations, members, projects, versions and days [default: all tools]
    #[arg(value_name = "TOOL_ID", conflicts_with_all = ["kind", "min_sample", "sort"])]
    tool: Option<String>,
    /// Window of the details in UTC days [default: 30d]
    #[arg(long, value_parser = windows(), requires = "tool")]
    window: Option<Window>,
    /// Only show tools of this kind [default: all]
    #[arg(long, value_parser = kinds())]
    kind: Option<AllOr<Kind>>,
    /// Only show tools with at least N events [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    min_sample: Option<i64>,
    /// Column to sort by [default: wilson_low]
    #[arg(long, value_parser = word::<ScoreSort>(ScoreSort::ALL.iter().map(|sort| sort.as_str())))]
    sort: Option<ScoreSort>,
    #[command(flatten)]
    page: Page,
}

impl Scores {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let settings = &context.settings;
        let endpoint = match self.tool {
            None => {
                let query = ScoresQuery {
                    kind: context.option(self.kind, "kind", settings.kind.as_ref())?,
                    min_sample: self.min_sample.or(settings.min_sample),
                    sort: self.sort,
                    ..ScoresQuery::default()
                };
                Endpoint::Scores(self.page.of(query, context))
            }
            Some(tool) => {
                let query = ScoreQuery {
                    window: context.option(self.window, "window", settings.window.as_ref())?,
                    ..ScoreQuery::default()
                };
                Endpoint::Score(tool, self.page.of(query, context))
            }
        };
        reading::show(endpoint, &self.page.output, context).await
    }
}
