//! Refreshing the views that are derived from the events, and reporting how fresh they are.
//!
//! There are two refreshes, because their costs differ: the scores of the tools ([`View::Scores`]), which people wait
//! for, and the boards of all windows with the data of dead weight ([`View::Boards`]), which sort every event by member
//! and by project. Each has its row in `score_refresh`, its lock, and its own connection with its own limits.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use model::{
    OrgId,
    api::{RefreshState, ViewRefresh},
};
use tokio_postgres::{GenericClient, Transaction, types::Type};
use uuid::Uuid;

use crate::{Store, StoreError, row, session::SessionLimits};

/// A refresh of ten million events takes seconds; one that takes ten minutes is stuck.
const LIMITS: SessionLimits = SessionLimits {
    statement: Duration::from_secs(600),
    lock: Duration::from_secs(10),
    idle_in_transaction: Duration::from_secs(60),
};

/// What can be refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// `tool_scores`.
    Scores,
    /// `board_scores` and `loaded_tools`.
    Boards,
}

impl View {
    /// Its row in `score_refresh`.
    pub fn as_str(self) -> &'static str {
        match self {
            View::Scores => "tool_scores",
            View::Boards => "board_scores",
        }
    }

    /// The materialized views that belong to it.
    fn relations(self) -> &'static [&'static str] {
        match self {
            View::Scores => &["tool_scores"],
            View::Boards => &["board_scores", "loaded_tools"],
        }
    }
}

/// The result of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// The view now holds every event committed before `started_at`.
    Done {
        /// When it began, by the database's clock.
        started_at: DateTime<Utc>,
        /// How long it took, in ms.
        duration_ms: i64,
        /// Rows of the view that it changed.
        rows_changed: i64,
    },
    /// Another process is refreshing.
    Busy,
}

/// How fresh everything is, at one moment.
#[derive(Clone, Debug)]
pub struct Freshness {
    /// The moment, by the database's clock.
    pub at: DateTime<Utc>,
    /// How fresh it is.
    pub state: RefreshState,
}

/// Which views are out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The scores: they lack an upload.
    pub scores: bool,
    /// The boards: the scores have newer uploads, or the windows end on another day.
    pub boards: bool,
}

impl Store {
    /// Refreshes everything, windows ending today by the database's clock. Returns the result of the refresh of the
    /// scores.
    ///
    /// # Errors
    /// When a refresh fails; the error is also recorded for [`Store::freshness`].
    pub async fn refresh(&self) -> Result<Refresh, StoreError> {
        let today = self.clock().await?.date_naive();
        let scores = self.refresh_view(View::Scores, today).await?;
        match self.refresh_view(View::Boards, today).await? {
            Refresh::Busy => Ok(Refresh::Busy),
            Refresh::Done { .. } => Ok(scores),
        }
    }

    /// Refreshes one view on a separate connection, without blocking readers. Never two at once: without the advisory
    /// lock it returns [`Refresh::Busy`] immediately. `today` is the UTC day on which windows end.
    ///
    /// # Errors
    /// When the refresh fails; the error is also recorded for [`Store::freshness`].
    pub async fn refresh_view(&self, view: View, today: NaiveDate) -> Result<Refresh, StoreError> {
        match self.refresh_once(view, today).await {
            Err(error) => {
                let client = self.client().await?;
                let statement = client
                    .prepare_cached(include_str!("refresh/record_error.sql"))
                    .await?;
                client
                    .execute(&statement, &[&view.as_str(), &error.to_string()])
                    .await?;
                Err(error)
            }
            done => done,
        }
    }

    async fn refresh_once(&self, view: View, today: NaiveDate) -> Result<Refresh, StoreError> {
        let mut session = self.session("refresh", &LIMITS).await?;
        let transaction = session.transaction().await?;
        // A refresh sorts and hashes much data in one session, where a request does little in many.
        transaction
            .batch_execute("/* refresh::refresh_once (memory) */ set local work_mem = '64MB'")
            .await?;
        let locked = transaction
            .query_one(include_str!("refresh/lock.sql"), &[&view.as_str()])
            .await?;
        if !row::only::<bool>(&locked)? {
            return Ok(Refresh::Busy);
        }
        // Read before the pending marks are: what they name is committed, so the view's snapshot holds it.
        let clock = transaction
            .query_one("-- refresh::refresh_once (clock)\nselect clock_timestamp()", &[])
            .await?;
        let started_at: DateTime<Utc> = row::only(&clock)?;
        let news = match view {
            View::Scores => {
                analyze_new_tables(&transaction).await?;
                transaction
                    .execute(include_str!("refresh/delete_pending.sql"), &[])
                    .await?
                    > 0
            }
            View::Boards => {
                transaction
                    .execute(include_str!("refresh/today.sql"), &[&today])
                    .await?;
                false
            }
        };
        for relation in view.relations() {
            refresh_relation(&transaction, relation).await?;
        }
        let changed = transaction
            .query_one(include_str!("refresh/changed.sql"), &[])
            .await?;
        let rows_changed: i64 = row::only(&changed)?;
        let recorded = transaction
            .query_one(
                include_str!("refresh/record.sql"),
                &[&view.as_str(), &started_at, &rows_changed, &news],
            )
            .await?;
        let duration_ms = recorded.try_get("duration_ms")?;
        transaction.commit().await?;
        Ok(Refresh::Done {
            started_at,
            duration_ms,
            rows_changed,
        })
    }

    /// How fresh the scores and the boards are, and whether the org has events that they lack.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn freshness(&self, org: OrgId) -> Result<Freshness, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("refresh/state.sql")).await?;
        let rows = client.query(&statement, &[&org.0]).await?;
        let mut views = Vec::new();
        for row in &rows {
            views.push(ViewRefresh {
                view: row.try_get("view_name")?,
                as_of: row.try_get("started_at")?,
                finished_at: row.try_get("finished_at")?,
                duration_ms: row.try_get("duration_ms")?,
                rows_changed: row.try_get("rows_changed")?,
                last_error: row.try_get("last_error")?,
                age_ms: row.try_get("age_ms")?,
                pending: row.try_get::<_, Option<bool>>("pending")?.unwrap_or(false),
            });
        }
        let unreadable = || StoreError::Unreadable("score_refresh.view_name");
        let scores = views
            .iter()
            .find(|view| view.view == View::Scores.as_str())
            .ok_or_else(unreadable)?;
        let state = RefreshState {
            as_of: scores.as_of,
            started_at: scores.as_of,
            duration_ms: scores.duration_ms,
            rows_changed: scores.rows_changed,
            last_error: scores.last_error.clone(),
            pending: scores.pending,
            views,
        };
        let at = rows.first().ok_or_else(unreadable)?.try_get("at")?;
        Ok(Freshness { at, state })
    }

    /// Which views are out of date, in any org. `today` is the UTC day on which windows should end.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn refresh_needed(&self, today: NaiveDate) -> Result<Needed, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("refresh/needed.sql")).await?;
        let row = client.query_one(&statement, &[&today]).await?;
        Ok(Needed {
            scores: row.try_get("scores")?,
            boards: row.try_get("boards")?,
        })
    }
}

/// Refreshes one materialized view.
async fn refresh_relation(transaction: &Transaction<'_>, relation: &str) -> Result<(), StoreError> {
    let populated = transaction
        .query_one(include_str!("refresh/populated.sql"), &[&relation])
        .await?;
    if row::only(&populated)? {
        transaction
            .batch_execute(&format!("refresh materialized view concurrently {relation}"))
            .await?;
    } else {
        // A view that was never filled cannot be compared with its old contents, and has no statistics: without them
        // its boards are joined row by row.
        transaction
            .batch_execute(&format!(
                "refresh materialized view {relation}; analyze {relation}"
            ))
            .await?;
    }
    Ok(())
}

/// Gives the planner its first statistics of a table that has rows, without waiting for autovacuum: a statement planned
/// without statistics looks an event up by its member alone and reads all events of the member.
async fn analyze_new_tables(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let tables = transaction
        .query(include_str!("refresh/never_analyzed.sql"), &[])
        .await?;
    for table in tables {
        let table: String = row::only(&table)?;
        transaction.batch_execute(&format!("analyze {table}")).await?;
    }
    Ok(())
}

/// When a view was last refreshed, in the caller's transaction.
pub(crate) async fn as_of(
    client: &impl GenericClient,
    view: View,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let statement = "-- refresh::as_of\nselect started_at from score_refresh where view_name = $1";
    row::only(&client.query_one(statement, &[&view.as_str()]).await?)
}

/// Records that an upload, or another change with this id, is not in the scores yet. Part of the transaction that makes
/// the change.
pub(crate) async fn mark(client: &impl GenericClient, org: OrgId, change: Uuid) -> Result<(), StoreError> {
    let values = [(&org.0 as _, Type::INT8), (&change as _, Type::UUID)];
    client
        .execute_typed(include_str!("refresh/mark.sql"), &values)
        .await?;
    Ok(())
}
