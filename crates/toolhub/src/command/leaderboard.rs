use chrono::NaiveDate;
use clap::Args;
use client::{Error, Exit, read::Endpoint};
use model::{
    Kind,
    api::{AllOr, Board, Compare, Window, query::LeaderboardQuery, read_day},
    team::MemberKind,
};

use super::reading;
use crate::{
    args::{Page, kinds, windows, word},
    context::Context,
};

/// Rank tools, members or projects
///
/// Tools rank by `at least`, members by the number of tools that they use, projects by events. `works` is the share of
/// successes among the decided calls (successes and failures), `at least` the lower bound of its 95 % Wilson interval, and
/// `trend` the change of `works` since the previous window, in percentage points. Built-in tools are
/// excluded unless --kind includes them.
#[derive(Debug, Args)]
pub(crate) struct Leaderboard {
    /// Subject to rank
    #[arg(
        value_name = "SUBJECT",
        default_value_t = Board::Tools,
        value_parser = word::<Board>(Board::ALL.iter().map(|board| board.as_str()))
    )]
    board: Board,
    /// Window in UTC days [default: 30d]
    #[arg(long, value_parser = windows())]
    window: Option<Window>,
    /// First UTC day of a period, in place of a window, such as 2026-10-01 [default: no beginning]
    #[arg(long, value_name = "DAY", value_parser = read_day, conflicts_with = "window")]
    from: Option<NaiveDate>,
    /// Last UTC day of the period [default: today]
    #[arg(long, value_name = "DAY", value_parser = read_day, conflicts_with = "window")]
    to: Option<NaiveDate>,
    /// Period that the trend is the difference to: previous, or two days such as 2026-09-01..2026-09-30 [default:
    /// previous]
    #[arg(long, value_name = "PERIOD")]
    compare: Option<Compare>,
    /// Only count tools of this kind [default: all except builtin]
    #[arg(long, value_parser = kinds())]
    kind: Option<AllOr<Kind>>,
    /// Only show rows with at least N events [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    min_sample: Option<i64>,
    /// Only count events of this member
    #[arg(long, value_name = "HANDLE")]
    member: Option<String>,
    /// Only rank members of this kind: person or ci
    #[arg(long, value_name = "KIND", value_parser = word::<MemberKind>(MemberKind::ALL.iter().map(|kind| kind.as_str())))]
    member_kind: Option<MemberKind>,
    /// Only count events of this project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Leaderboard {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let settings = &context.settings;
        let query = LeaderboardQuery {
            window: if self.from.is_none() && self.to.is_none() {
                context.option(self.window, "window", settings.window.as_ref())?
            } else {
                None
            },
            from: self.from,
            to: self.to,
            compare: self.compare,
            kind: context.option(self.kind, "kind", settings.kind.as_ref())?,
            min_sample: self.min_sample.or(settings.min_sample),
            member: self.member,
            member_kind: self.member_kind,
            project: self.project,
            ..LeaderboardQuery::default()
        };
        let endpoint = Endpoint::Leaderboard(self.board, self.page.of(query, context));
        reading::show(endpoint, &self.page.output, context).await
    }
}
