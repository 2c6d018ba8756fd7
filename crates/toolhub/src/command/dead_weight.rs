use clap::Args;
use client::{
    Error, Exit,
    read::{Filter, Question},
};

use super::reading;
use crate::{
    args::{Page, kinds},
    context::Context,
};

/// Find the tools that are loaded and paid for, and that nobody uses
#[derive(Debug, Args)]
pub(crate) struct DeadWeight {
    /// How many UTC days to look back, today included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
    /// Only tools of this kind
    #[arg(long, value_parser = kinds())]
    kind: Option<String>,
    /// Only what this member has: a personal removal list
    #[arg(long, value_name = "HANDLE")]
    member: Option<String>,
    /// Only what this project has
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Tools with this verdict, also used ones; without it, the tools that nobody called
    #[arg(long, value_parser = [
        "all", "unused", "never_loaded", "single_user", "failing", "phantom", "too_new", "too_little_evidence",
        "in_use",
    ])]
    verdict: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl DeadWeight {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let filter = Filter {
            days: self.days,
            kind: self.kind,
            member: self.member,
            project: self.project,
            verdict: self.verdict,
            ..Filter::default()
        };
        let filter = self.page.filter(filter, context);
        reading::show(
            Question::DeadWeight,
            &filter,
            self.page.format.as_deref(),
            context,
        )
        .await
    }
}
