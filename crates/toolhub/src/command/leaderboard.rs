use clap::Args;
use client::{Error, Exit, read::Endpoint};
use model::{
    Kind,
    api::{AllOr, Board, Window, query::LeaderboardQuery},
};

use super::reading;
use crate::{
    args::{Page, kinds, windows, word},
    context::Context,
};

/// Rank tools, members or projects
///
/// Tools rank by how surely they work, members by adoption. Built-in tools are left out unless `--kind` asks for them.
#[derive(Debug, Args)]
pub(crate) struct Leaderboard {
    /// What to rank
    #[arg(
        value_name = "SUBJECT",
        default_value_t = Board::Tools,
        value_parser = word::<Board>(Board::ALL.iter().map(|board| board.as_str()))
    )]
    board: Board,
    /// How far to look back, in UTC days
    #[arg(long, value_parser = windows())]
    window: Option<Window>,
    /// Only tools of this kind
    #[arg(long, value_parser = kinds())]
    kind: Option<AllOr<Kind>>,
    /// Only rows with at least this many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    min_sample: Option<i64>,
    /// Only this member's events
    #[arg(long, value_name = "HANDLE")]
    member: Option<String>,
    /// Only this project's events
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Leaderboard {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let settings = &context.settings;
        let query = LeaderboardQuery {
            window: context.option(self.window, "window", settings.window.as_ref())?,
            kind: context.option(self.kind, "kind", settings.kind.as_ref())?,
            min_sample: self.min_sample.or(settings.min_sample),
            member: self.member,
            project: self.project,
            ..LeaderboardQuery::default()
        };
        let endpoint = Endpoint::Leaderboard(self.board, self.page.of(query, context));
        reading::show(endpoint, self.page.format.as_deref(), context).await
    }
}
