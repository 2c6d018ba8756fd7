//! Leaderboards of tools, members and projects over a window of days.
//!
//! A board over everything is read from `board_scores`, which the refresher keeps. A board over a part (one project,
//! one member, one kind of tools on the boards of members and projects) is counted when it is asked for, from the
//! rollup; its windows end on the same day.

use chrono::{Days, NaiveDate};
use model::{
    Kind, OrgId,
    api::{
        AllOr, Board, LeaderboardRow, Previous, Window,
        query::{LeaderboardQuery, ListQuery},
    },
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

/// True when the board is one that `board_scores` holds.
fn is_precomputed(board: Board, query: &LeaderboardQuery) -> bool {
    query.project.is_none()
        && query.member.is_none()
        && (board == Board::Tools || query.kind.is_none_or(|kind| kind == AllOr::All))
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
    /// One board, for the window of the query.
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
        query: &LeaderboardQuery,
    ) -> Result<Ranking, StoreError> {
        let window = query.window.unwrap_or_default();
        let limit = query.page_rows();
        let offset: i64 = page::read_cursor(query.cursor())?.unwrap_or(0);
        let rows_wanted = i64::from(limit) + 1;
        let least = query.min_sample.unwrap_or(1).max(1);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(include_str!("leaderboards/scope.sql"))
            .await?;
        let scope = client.query_one(&statement, &[&org.0, &query.member]).await?;
        let today: NaiveDate = scope.try_get(0)?;
        let first_day = window.first_day(today);
        let member_id: Option<i64> = scope.try_get(2)?;
        if board == Board::Members && query.member.is_some() && !scope.try_get::<_, bool>(1)? {
            return Err(StoreError::Invalid(
                "the org hides names on the board of members; `member` cannot be asked for there".to_owned(),
            ));
        }
        let rows = if is_precomputed(board, query) {
            let builtins = query.kind.is_some();
            let kind = query.kind.and_then(AllOr::only).map(Kind::as_str);
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
            let kind = query.kind.map(|kind| kind.to_string());
            let before = first_day.map(|day| day - Days::new(u64::from(window.days())));
            // A handle that nobody has is no member's number.
            let member = query.member.as_ref().map(|_| member_id.unwrap_or(-1));
            // Planned with these very values: the best plan for one member is not the best for one kind.
            client
                .query_typed(
                    include_str!("leaderboards/live.sql"),
                    &[
                        (&org.0, Type::INT8),
                        (&board.as_str(), Type::TEXT),
                        (&first_day, Type::DATE),
                        (&before, Type::DATE),
                        (&kind, Type::TEXT),
                        (&query.project, Type::TEXT),
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
