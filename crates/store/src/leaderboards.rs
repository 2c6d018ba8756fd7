//! Leaderboards of tools, members and projects over a window of days.
//!
//! A board over everything is read from `board_scores`, which the refresher keeps. A board over a part (one project,
//! one member, one kind of tools on the boards of members and projects) is counted when it is asked for, from the
//! rollup; its windows end on the same day.

use std::str::FromStr;

use chrono::{Days, NaiveDate};
use model::{
    OrgId,
    api::{LeaderboardRow, Previous},
};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use crate::{
    Store, StoreError,
    page::{self, Page},
    scores::read_tally,
};

/// What a board ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Board {
    /// Tools, by the lower bound of their decided rate.
    Tools,
    /// Members, by how many tools they use and how well that goes; not by volume.
    Members,
    /// Projects, by events.
    Projects,
}

impl Board {
    /// The last part of the board's route.
    pub fn as_str(self) -> &'static str {
        match self {
            Board::Tools => "tools",
            Board::Members => "members",
            Board::Projects => "projects",
        }
    }
}

/// The days that a board looks at: the last so many UTC days, that of the latest refresh included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// `7d`.
    Week,
    /// `30d`.
    Month,
    /// `90d`.
    Quarter,
    /// Everything.
    All,
}

impl Window {
    /// Every window, the shortest first.
    pub const ALL: [Window; 4] = [Window::Week, Window::Month, Window::Quarter, Window::All];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Window::Week => "7d",
            Window::Month => "30d",
            Window::Quarter => "90d",
            Window::All => "all",
        }
    }

    /// Its length in days; 0 for [`Window::All`].
    pub fn days(self) -> u16 {
        match self {
            Window::Week => 7,
            Window::Month => 30,
            Window::Quarter => 90,
            Window::All => 0,
        }
    }

    /// Its first day, when `today` is its last; `None` when it has none.
    pub fn first_day(self, today: NaiveDate) -> Option<NaiveDate> {
        (self != Window::All).then(|| today - Days::new(u64::from(self.days() - 1)))
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(word: &str) -> Result<Window, String> {
        Window::ALL
            .into_iter()
            .find(|window| window.as_str() == word)
            .ok_or_else(|| "`window` is one of 7d, 30d, 90d, all".to_owned())
    }
}

/// Which events a board counts.
#[derive(Clone, Debug, Default)]
pub struct BoardFilter {
    /// Tools of this kind; `all` for every kind. `None` leaves the built-ins out.
    pub kind: Option<String>,
    /// Events in this project.
    pub project: Option<String>,
    /// Events of the member with this handle.
    pub member: Option<String>,
    /// Subjects with at least so many events.
    pub min_sample: i64,
}

impl BoardFilter {
    /// The board is one that `board_scores` holds.
    fn is_precomputed(&self, board: Board) -> bool {
        self.project.is_none()
            && self.member.is_none()
            && (board == Board::Tools || self.kind.as_deref().is_none_or(|kind| kind == "all"))
    }
}

/// A page of a board, and its days.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// The rows.
    pub page: Page<LeaderboardRow>,
    /// The first UTC day that counts; `None` in the window of everything.
    pub first_day: Option<NaiveDate>,
    /// The last UTC day.
    pub last_day: NaiveDate,
}

impl Store {
    /// One board for one window.
    ///
    /// Members who opted out are left out of the board of members. Where the org hides names, members stand under
    /// pseudonyms, and the board cannot be asked for the row of one of them.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when the cursor is not one of ours; [`StoreError::Invalid`] when the filter would tell
    /// whose pseudonym is whose.
    pub async fn leaderboard(
        &self,
        org: OrgId,
        board: Board,
        window: Window,
        filter: &BoardFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Ranking, StoreError> {
        let offset: i64 = page::read_cursor(cursor)?.unwrap_or(0);
        let rows_wanted = i64::from(limit) + 1;
        let least = filter.min_sample.max(1);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(include_str!("leaderboards/scope.sql"))
            .await?;
        let scope = client.query_one(&statement, &[&org.0, &filter.member]).await?;
        let today: NaiveDate = scope.try_get(0)?;
        let first_day = window.first_day(today);
        let member_id: Option<i64> = scope.try_get(2)?;
        if board == Board::Members && filter.member.is_some() && !scope.try_get::<_, bool>(1)? {
            return Err(StoreError::Invalid(
                "the org hides names on the board of members; `member` cannot be asked for there".to_owned(),
            ));
        }
        let rows = if filter.is_precomputed(board) {
            let builtins = filter.kind.is_some();
            let kind = filter.kind.as_deref().filter(|kind| *kind != "all");
            let days = i32::from(window.days());
            if board == Board::Members {
                let statement = client
                    .prepare_cached(include_str!("leaderboards/precomputed_members.sql"))
                    .await?;
                let asked: [&(dyn ToSql + Sync); 6] =
                    [&org.0, &days, &builtins, &least, &offset, &rows_wanted];
                client.query(&statement, &asked).await?
            } else {
                let statement = client
                    .prepare_cached(include_str!("leaderboards/precomputed.sql"))
                    .await?;
                let word = board.as_str();
                let asked: [&(dyn ToSql + Sync); 8] = [
                    &org.0,
                    &word,
                    &days,
                    &builtins,
                    &kind,
                    &least,
                    &offset,
                    &rows_wanted,
                ];
                client.query(&statement, &asked).await?
            }
        } else {
            let before = first_day.map(|day| day - Days::new(u64::from(window.days())));
            // A handle that nobody has is no member's number.
            let member = filter.member.as_ref().map(|_| member_id.unwrap_or(-1));
            // Planned with these very values: the best plan for one member is not the best for one kind.
            client
                .query_typed(
                    include_str!("leaderboards/live.sql"),
                    &[
                        (&org.0, Type::INT8),
                        (&board.as_str(), Type::TEXT),
                        (&first_day, Type::DATE),
                        (&before, Type::DATE),
                        (&filter.kind, Type::TEXT),
                        (&filter.project, Type::TEXT),
                        (&member, Type::INT8),
                        (&least, Type::INT8),
                        (&offset, Type::INT8),
                        (&rows_wanted, Type::INT8),
                    ],
                )
                .await?
        };
        let next = page::cursor(&(offset + i64::from(limit)));
        let mut page = Page::from_rows(&rows, limit, |row| Ok((read(row, board, window)?, next.clone())))?;
        for (row, rank) in page.rows.iter_mut().zip(offset + 1..) {
            row.rank = rank;
        }
        Ok(Ranking {
            page,
            first_day,
            last_day: today,
        })
    }
}

fn read(row: &Row, board: Board, window: Window) -> Result<LeaderboardRow, tokio_postgres::Error> {
    let subject: String = row.try_get(0)?;
    let previous = match window {
        Window::All => None,
        _ => Some(Previous {
            events: row.try_get(15)?,
            decided_rate: row.try_get(16)?,
            wilson_low: row.try_get(17)?,
        }),
    };
    let mut ranked = LeaderboardRow {
        rank: 0,
        tool_id: None,
        kind: None,
        member: None,
        project: None,
        tools: (board != Board::Tools).then(|| row.try_get(1)).transpose()?,
        previous,
        tally: read_tally(row, 2)?,
    };
    match board {
        Board::Tools => {
            ranked.kind = subject.split_once(':').map(|(kind, _)| kind.to_owned());
            ranked.tool_id = Some(subject);
        }
        Board::Members => ranked.member = Some(subject),
        Board::Projects => ranked.project = Some(subject),
    }
    Ok(ranked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_whole_utc_days_with_today() {
        let today = "2026-03-08".parse().unwrap();
        let first = "7d".parse::<Window>().unwrap().first_day(today);
        assert_eq!(first, Some("2026-03-02".parse().unwrap()));
        assert_eq!("all".parse::<Window>().unwrap().first_day(today), None);
        assert!("8d".parse::<Window>().is_err());
    }
}
