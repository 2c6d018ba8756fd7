use clap::{Args, ValueEnum};
use client::{
    Error, Exit,
    read::{Board, Filter, Question},
};

use super::reading;
use crate::{
    args::{Page, kinds, windows},
    context::Context,
};

/// Rank tools, members or projects
///
/// Tools rank by how surely they work, members by adoption. Built-in tools are left out unless `--kind` asks for them.
#[derive(Debug, Args)]
pub(crate) struct Leaderboard {
    /// What to rank
    #[arg(value_enum, default_value_t = Subject::Tools)]
    subject: Subject,
    /// How far to look back, in UTC days
    #[arg(long, value_parser = windows())]
    window: Option<String>,
    /// Only tools of this kind
    #[arg(long, value_parser = kinds())]
    kind: Option<String>,
    /// Only rows with at least this many events
    #[arg(long, value_name = "N")]
    min_sample: Option<u64>,
    /// Only this member's events
    #[arg(long, value_name = "HANDLE")]
    member: Option<String>,
    /// Only this project's events
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    #[command(flatten)]
    page: Page,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Subject {
    Tools,
    Members,
    Projects,
}

impl Leaderboard {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let board = match self.subject {
            Subject::Tools => Board::Tools,
            Subject::Members => Board::Members,
            Subject::Projects => Board::Projects,
        };
        let filter = Filter {
            window: self.window,
            kind: self.kind,
            min_sample: self.min_sample,
            member: self.member,
            project: self.project,
            ..Filter::default()
        };
        let filter = self.page.filter(filter, context);
        reading::show(
            Question::Leaderboard(board),
            &filter,
            self.page.format.as_deref(),
            context,
        )
        .await
    }
}
