//! Leaderboards of tools, members and projects over a window of days.

use std::str::FromStr;

use chrono::{DateTime, Days, NaiveTime, Utc};
use model::{OrgId, api::LeaderboardRow};

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

/// The days that a board looks at, today included. Days are UTC days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last so many days.
    Days(u16),
    /// Everything.
    All,
}

impl Window {
    /// The first moment of the window; `None` when it has none.
    pub fn since(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Window::Days(days) => {
                let first = now.date_naive() - Days::new(u64::from(days.saturating_sub(1)));
                Some(first.and_time(NaiveTime::MIN).and_utc())
            }
            Window::All => None,
        }
    }

    /// The word on the wire.
    pub fn as_str(self) -> String {
        match self {
            Window::Days(days) => format!("{days}d"),
            Window::All => "all".to_owned(),
        }
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(word: &str) -> Result<Window, String> {
        match word {
            "7d" => Ok(Window::Days(7)),
            "30d" => Ok(Window::Days(30)),
            "90d" => Ok(Window::Days(90)),
            "all" => Ok(Window::All),
            _ => Err("`window` is one of 7d, 30d, 90d, all".to_owned()),
        }
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

impl Store {
    /// One board for one window.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when the cursor is not one of ours.
    pub async fn leaderboard(
        &self,
        org: OrgId,
        board: Board,
        since: Option<DateTime<Utc>>,
        filter: &BoardFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<LeaderboardRow>, StoreError> {
        let offset: i64 = page::read_cursor(cursor)?.unwrap_or(0);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(include_str!("leaderboards/board.sql"))
            .await?;
        let rows = client
            .query(
                &statement,
                &[
                    &org.0,
                    &since,
                    &filter.kind,
                    &filter.project,
                    &filter.member,
                    &filter.min_sample.max(1),
                    &offset,
                    &(i64::from(limit) + 1),
                    &board.as_str(),
                ],
            )
            .await?;
        let next = page::cursor(&(offset + i64::from(limit)));
        let mut page = Page::from_rows(&rows, limit, |row| {
            let subject: String = row.try_get(0)?;
            let kind = subject.split_once(':').map(|(kind, _)| kind.to_owned());
            let tools = Some(row.try_get(1)?);
            let mut ranked = LeaderboardRow {
                rank: 0,
                tool_id: None,
                kind: None,
                member: None,
                project: None,
                tools: None,
                tally: read_tally(row, 2)?,
            };
            match board {
                Board::Tools => (ranked.tool_id, ranked.kind) = (Some(subject), kind),
                Board::Members => (ranked.member, ranked.tools) = (Some(subject), tools),
                Board::Projects => (ranked.project, ranked.tools) = (Some(subject), tools),
            }
            Ok((ranked, next.clone()))
        })?;
        for (row, rank) in page.rows.iter_mut().zip(offset + 1..) {
            row.rank = rank;
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_whole_utc_days_with_today() {
        let now = "2026-03-08T13:00:00Z".parse().unwrap();
        let since = "7d".parse::<Window>().unwrap().since(now);
        assert_eq!(since, Some("2026-03-02T00:00:00Z".parse().unwrap()));
        assert_eq!("all".parse::<Window>().unwrap().since(now), None);
        assert!("8d".parse::<Window>().is_err());
    }
}
