use clap::{Args, builder::PossibleValuesParser};
use client::{
    Error, Exit,
    read::{Filter, Question},
};
use model::Outcome;

use super::reading;
use crate::{args::Page, context::Context};

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
    #[arg(long, value_parser = PossibleValuesParser::new(Outcome::ALL.iter().map(|outcome| outcome.as_str())))]
    outcome: Option<String>,
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
            ..Filter::default()
        };
        let filter = self.page.filter(filter, context);
        reading::show(Question::Events, &filter, self.page.format.as_deref(), context).await
    }
}
