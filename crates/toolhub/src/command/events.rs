use chrono::{DateTime, Utc};
use clap::Args;
use client::{
    Error, Exit,
    read::{Filter, Question},
};

use super::reading;
use crate::{
    args::{Page, since},
    context::Context,
};

/// Show what was called, newest first
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Only this tool
    #[arg(long, value_name = "TOOL_ID")]
    tool: Option<String>,
    /// Only this member
    #[arg(long, value_name = "HANDLE")]
    member: Option<String>,
    /// Only this project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Only this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only events that ended like this
    #[arg(long, value_parser = ["success", "failure", "abandoned", "unknown"])]
    outcome: Option<String>,
    /// Only events from then on: a time, a day, or 7d for seven days ago
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<DateTime<Utc>>,
    /// Only events before then
    #[arg(long, value_name = "TIME", value_parser = since)]
    until: Option<DateTime<Utc>>,
    #[command(flatten)]
    page: Page,
}

impl Events {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let filter = Filter {
            tool: self.tool,
            member: self.member,
            project: self.project,
            session: self.session,
            outcome: self.outcome,
            since: self.since,
            until: self.until,
            ..Filter::default()
        };
        let filter = self.page.filter(filter, context);
        reading::show(Question::Events, &filter, self.page.format.as_deref(), context).await
    }
}
