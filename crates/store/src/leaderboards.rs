//! Leaderboards of tools, members and projects over a window of days.
//!
//! A board over everything is read from `board_scores`, which the refresher updates. A board over a part (one project,
//! one member, one kind of tools on the boards of members and projects) is counted from the rollup on request; its
//! windows end on the same day.

use chrono::NaiveDate;
use deadpool_postgres::Object;
use model::{
    Kind, OrgId,
    api::{
        AllOr, Board, Compare, LeaderboardRow, Period, Previous,
        query::{LeaderboardQuery, ListQuery},
    },
    team::MemberKind,
};
use tokio_postgres::{
    GenericClient, Row,
    types::{ToSql, Type},
};

use crate::{
    Store, StoreError, filters,
    page::{self, Page},
    row,
    scores::read_tally,
    session::plan_for_any_org,
};

/// True when the board is one that `board_scores` holds.
fn is_precomputed(board: Board, query: &LeaderboardQuery) -> bool {
    query.project.is_none()
        && query.member.is_none()
        && query.from.is_none()
        && query.to.is_none()
        && !matches!(query.compare, Some(Compare::With(..)))
        && (board == Board::Tools || query.kind.is_none_or(|kind| kind == AllOr::All))
}

/// A page of a board, and its days.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// The rows.
    pub page: Page<LeaderboardRow>,
    /// The days that count.
    pub period: Period,
}

impl Store {
    /// One board, for the window or the period of the query.
    ///
    /// Members who opted out are left out of the board of members. Where the org hides names, members are shown
    /// under pseudonyms, and the board cannot be filtered by member.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when no page of this list gave the cursor; [`StoreError::Invalid`] when the filter would reveal
    /// the member behind a pseudonym, or the days contradict each other.
    pub async fn leaderboard(
        &self,
        org: OrgId,
        board: Board,
        query: &LeaderboardQuery,
    ) -> Result<Ranking, StoreError> {
        let limit = query.page_rows();
        let offset: i64 = page::read_cursor(query.cursor())?.unwrap_or(0);
        let mut client = self.client().await?;
        let scope = read_scope(&client, org, query.member.as_deref()).await?;
        let period = Period::of(query.window, (query.from, query.to), query.compare, scope.today)
            .map_err(StoreError::Invalid)?;
        if board == Board::Members && query.member.is_some() && !scope.show_names {
            return Err(StoreError::Invalid(
                "the org hides names on the board of members; `member` cannot be asked for there".to_owned(),
            ));
        }
        if board != Board::Members && query.member_kind.is_some() {
            return Err(StoreError::Invalid(
                "`member_kind` is a filter of the board of members".to_owned(),
            ));
        }
        let question = Question {
            org,
            board,
            period,
            query,
            offset,
            limit: i64::from(limit) + 1,
        };
        let rows = if is_precomputed(board, query) {
            question.precomputed_rows(&client).await?
        } else {
            let transaction = client.transaction().await?;
            if query.member.is_some() || query.project.is_some() {
                plan_for_any_org(&transaction).await?;
            }
            let rows = question.live_rows(&*transaction, &scope).await?;
            transaction.commit().await?;
            rows
        };
        let next = page::cursor(&(offset + i64::from(limit)));
        let mut page = Page::from_rows(&rows, limit, |row| Ok((read(row, board, &period)?, next.clone())))?;
        for (row, rank) in page.rows.iter_mut().zip(offset + 1..) {
            // Members have theirs: each kind is ranked on its own.
            if board != Board::Members {
                row.rank = rank;
            }
        }
        Ok(Ranking { page, period })
    }
}

/// How often a member called a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberCalls {
    /// The handle of the member.
    pub member: String,
    /// The tool.
    pub tool_id: String,
    /// Calls.
    pub events: i64,
}

impl Store {
    /// How often each of these members called each of these tools, in the window and the project of the query; pairs
    /// without a call are left out.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn calls_by_member(
        &self,
        org: OrgId,
        query: &LeaderboardQuery,
        members: &[&str],
        tools: &[&str],
    ) -> Result<Vec<MemberCalls>, StoreError> {
        let mut client = self.client().await?;
        let scope = read_scope(&client, org, None).await?;
        let period = Period::of(query.window, (query.from, query.to), None, scope.today)
            .map_err(StoreError::Invalid)?;
        let transaction = client.transaction().await?;
        plan_for_any_org(&transaction).await?;
        let rows = match period.first {
            Some(first) => {
                let statement = transaction
                    .prepare_cached(include_str!("leaderboards/calls_by_member.sql"))
                    .await?;
                let asked: [&(dyn ToSql + Sync); 6] =
                    [&org.0, &members, &tools, &first, &period.last, &query.project];
                transaction.query(&statement, &asked).await?
            }
            None => {
                let statement = transaction
                    .prepare_cached(include_str!("leaderboards/all_calls_by_member.sql"))
                    .await?;
                let asked: [&(dyn ToSql + Sync); 4] = [&org.0, &members, &tools, &query.project];
                transaction.query(&statement, &asked).await?
            }
        };
        transaction.commit().await?;
        let read = |row: &Row| -> Result<MemberCalls, StoreError> {
            Ok(MemberCalls {
                member: row.try_get("handle")?,
                tool_id: row.try_get("tool_id")?,
                events: row.try_get("events")?,
            })
        };
        rows.iter().map(read).collect()
    }
}

/// Which rows of which board are requested.
struct Question<'q> {
    org: OrgId,
    board: Board,
    period: Period,
    query: &'q LeaderboardQuery,
    offset: i64,
    limit: i64,
}

impl Question<'_> {
    /// Reads the rows from the board that the latest refresh has stored.
    async fn precomputed_rows(&self, client: &Object) -> Result<Vec<Row>, StoreError> {
        let builtins = self.query.kind.is_some();
        let kind = self.query.kind.and_then(AllOr::only).map(Kind::as_str);
        let days = i32::from(self.query.window.unwrap_or_default().days());
        let min_sample = self.query.min_sample.unwrap_or(1).max(1);
        if self.board == Board::Members {
            let statement = client
                .prepare_cached(include_str!("leaderboards/precomputed_members.sql"))
                .await?;
            let asked: [&(dyn ToSql + Sync); 7] = [
                &self.org.0,
                &days,
                &builtins,
                &min_sample,
                &self.offset,
                &self.limit,
                &self.member_kind(),
            ];
            return Ok(client.query(&statement, &asked).await?);
        }
        let statement = client
            .prepare_cached(include_str!("leaderboards/precomputed.sql"))
            .await?;
        let board = self.board.as_str();
        let asked: [&(dyn ToSql + Sync); 8] = [
            &self.org.0,
            &board,
            &days,
            &builtins,
            &kind,
            &min_sample,
            &self.offset,
            &self.limit,
        ];
        Ok(client.query(&statement, &asked).await?)
    }

    fn member_kind(&self) -> Option<&'static str> {
        self.query.member_kind.map(MemberKind::as_str)
    }

    /// Counts the rows from the rollup, in a transaction that plans those of one member or project for any org. The
    /// others read all days of the period, which is planned best with the actual values.
    async fn live_rows(&self, client: &impl GenericClient, scope: &Scope) -> Result<Vec<Row>, StoreError> {
        let kind = self.query.kind.map(|kind| kind.to_string());
        let Period {
            first,
            last,
            previous,
        } = self.period;
        let (previous_first, previous_last) = previous.unzip();
        // The days that are read: from the earliest to the latest of both periods.
        let earliest = first.map(|first| previous_first.map_or(first, |day| first.min(day)));
        let latest = previous_last.map_or(last, |day| last.max(day));
        let min_sample = self.query.min_sample.unwrap_or(1).max(1);
        let rows = client
            .query_typed(
                &live_statement(self.query, earliest.is_some()),
                &[
                    (&self.org.0, Type::INT8),
                    (&self.board.as_str(), Type::TEXT),
                    (&first, Type::DATE),
                    (&previous_first, Type::DATE),
                    (&kind, Type::TEXT),
                    (&self.query.project, Type::TEXT),
                    (&scope.member_id, Type::INT8),
                    (&min_sample, Type::INT8),
                    (&self.offset, Type::INT8),
                    (&self.limit, Type::INT8),
                    (&self.member_kind(), Type::TEXT),
                    (&last, Type::DATE),
                    (&previous_last, Type::DATE),
                    (&earliest, Type::DATE),
                    (&latest, Type::DATE),
                ],
            )
            .await?;
        Ok(rows)
    }
}

/// The statement of a board that is counted on request: one for each combination of filters. `begins`: the days have a
/// first one.
pub fn live_statement(query: &LeaderboardQuery, begins: bool) -> String {
    let mut given = [true; 15];
    given[5] = query.project.is_some();
    given[6] = query.member.is_some();
    given[10] = query.member_kind.is_some();
    given[13] = begins;
    filters::with_given(include_str!("leaderboards/live.sql"), &given)
}

/// The scope of an org's boards and of its dead weight.
pub(crate) struct Scope {
    /// The UTC day on which windows end.
    pub(crate) today: NaiveDate,
    /// Members are shown by their handles.
    pub(crate) show_names: bool,
    /// The requested member; -1, which no member has, when the org has no such member.
    pub(crate) member_id: Option<i64>,
}

/// Reads the scope of a query about the org, or about the member with this handle.
pub(crate) async fn read_scope(
    client: &Object,
    org: OrgId,
    member: Option<&str>,
) -> Result<Scope, StoreError> {
    let statement = client
        .prepare_cached(include_str!("leaderboards/scope.sql"))
        .await?;
    let row = client.query_one(&statement, &[&org.0, &member]).await?;
    let found: Option<i64> = row.try_get("member_id")?;
    Ok(Scope {
        today: row.try_get("today")?,
        show_names: row.try_get("show_names")?,
        member_id: member.map(|_| found.unwrap_or(-1)),
    })
}

fn read(row: &Row, board: Board, period: &Period) -> Result<LeaderboardRow, StoreError> {
    let subject: String = row.try_get("subject")?;
    let previous = match period.previous {
        None => None,
        Some(_) => Some(Previous {
            events: row.try_get("previous_events")?,
            decided_rate: row.try_get("previous_decided_rate")?,
            wilson_low: row.try_get("previous_wilson_low")?,
        }),
    };
    let mut ranked = LeaderboardRow {
        rank: 0,
        tool_id: None,
        kind: None,
        member: None,
        member_kind: None,
        project: None,
        tools: (board != Board::Tools)
            .then(|| row.try_get("tools"))
            .transpose()?,
        previous,
        tally: read_tally(row)?,
    };
    match board {
        Board::Tools => {
            ranked.kind = subject.split_once(':').map(|(kind, _)| kind.to_owned());
            ranked.tool_id = Some(subject);
        }
        Board::Members => {
            ranked.member = Some(subject);
            ranked.member_kind = row::optional_word(row, "member_kind")?;
            ranked.rank = row.try_get("rank")?;
        }
        Board::Projects => ranked.project = Some(subject),
    }
    Ok(ranked)
}
