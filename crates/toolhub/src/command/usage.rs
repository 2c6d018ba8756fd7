use chrono::NaiveDate;
use clap::Args;
use client::{Error, Exit, read::Endpoint};
use model::api::{UsageBy, Window, query::UsageQuery, read_day};

use super::reading;
use crate::{
    args::{Page, windows, word},
    context::Context,
};

/// Show what the responses of models used and cost
///
/// Responses that call no tool count, too: this is what the agents spent, while the costs of tools are those of their calls.
/// A response counts once, and once for the org when several members upload it.
#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// What a row is about [default: model]
    #[arg(long, value_parser = word::<UsageBy>(UsageBy::ALL.iter().map(|by| by.as_str())))]
    by: Option<UsageBy>,
    /// Window in UTC days [default: 30d]
    #[arg(long, value_parser = windows())]
    window: Option<Window>,
    /// First UTC day of a period, in place of a window, such as 2026-10-01 [default: no beginning]
    #[arg(long, value_name = "DAY", value_parser = read_day, conflicts_with = "window")]
    from: Option<NaiveDate>,
    /// Last UTC day of the period [default: today]
    #[arg(long, value_name = "DAY", value_parser = read_day, conflicts_with = "window")]
    to: Option<NaiveDate>,
    /// Only count responses of this member
    #[arg(long, value_name = "HANDLE")]
    member: Option<String>,
    /// Only count responses of this project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Only count responses of this model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Usage {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let query = UsageQuery {
            by: self.by,
            window: if self.from.is_none() && self.to.is_none() {
                context.option(self.window, "window", context.settings.window.as_ref())?
            } else {
                None
            },
            from: self.from,
            to: self.to,
            member: self.member,
            project: self.project,
            model: self.model,
            ..UsageQuery::default()
        };
        let endpoint = Endpoint::Usage(self.page.of(query, context));
        reading::show(endpoint, &self.page.output, context).await
    }
}
