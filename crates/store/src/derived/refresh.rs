//! Refreshing what is derived from the events, and reporting how fresh it is.
//!
//! One process at a time refreshes, whatever the number of servers: it holds an advisory lock, and pauses by what the
//! database says of the refresh before, so that many servers together take no larger share than one. The boards come
//! first, org by org: the cost follows the orgs that changed, and an org whose data makes its refresh fail does not stop
//! the others. `tool_scores`, a view over all orgs, follows at its own pace: it is what SQL readers see, and what
//! [`super::rebuild`] compares the boards with.

mod cycle;

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use model::{
    OrgId,
    api::{RefreshState, ViewRefresh},
};
use tokio_postgres::GenericClient;

pub use self::cycle::Refresher;
pub(super) use self::cycle::{clock, record_org, snapshot};
use crate::{Store, StoreError, row};

/// What can be refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The tables that the API reads: `board_scores` and `loaded_tools`.
    Boards,
    /// The materialized view `tool_scores`.
    Scores,
}

impl View {
    /// Its row in `score_refresh`.
    pub fn as_str(self) -> &'static str {
        match self {
            View::Boards => "board_scores",
            View::Scores => "tool_scores",
        }
    }
}

/// The result of a refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Everything committed before `started_at` is included now.
    Done {
        /// When it began, by the database's clock.
        started_at: DateTime<Utc>,
        /// How long it took, in ms.
        duration_ms: i64,
        /// Rows that it wrote.
        rows_changed: i64,
        /// Orgs whose windows end on an earlier day are left: they were more than one refresh takes on.
        more: bool,
    },
    /// Nothing was out of date.
    Unneeded,
    /// The refresh before was so recent that the database gets a rest of this length first.
    Resting(Duration),
    /// Another process is refreshing.
    Busy,
}

/// How fresh everything is for an org, at one moment.
#[derive(Clone, Debug)]
pub struct Freshness {
    /// The moment, by the database's clock.
    pub at: DateTime<Utc>,
    /// How fresh it is.
    pub state: RefreshState,
}

impl Store {
    /// Refreshes everything of all orgs, windows ending today by the database's clock, without a rest. Returns the
    /// result of the refresh of the boards.
    ///
    /// # Errors
    /// When a refresh fails; the error is also recorded for [`Store::freshness`].
    pub async fn refresh(&self) -> Result<Refresh, StoreError> {
        let today = self.clock().await?.date_naive();
        let mut refresher = self.refresher().await?;
        let mut boards = refresher.boards(today, 0).await?;
        while let Refresh::Done { more: true, .. } = boards {
            boards = refresher.boards(today, 0).await?;
        }
        match refresher.scores(0).await? {
            Refresh::Busy => Ok(Refresh::Busy),
            _ => Ok(boards),
        }
    }

    /// Refreshes the boards of all orgs without a rest, windows ending on `today`.
    ///
    /// # Errors
    /// As [`Refresher::boards`].
    pub async fn refresh_boards(&self, today: NaiveDate) -> Result<Refresh, StoreError> {
        self.refresher().await?.boards(today, 0).await
    }

    /// How fresh the boards of the org and the view are, and whether the org has events that they lack.
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
                as_of: row.try_get("as_of")?,
                finished_at: row.try_get("finished_at")?,
                duration_ms: row.try_get("duration_ms")?,
                rows_changed: row.try_get("rows_changed")?,
                last_error: row.try_get("last_error")?,
                age_ms: row.try_get("age_ms")?,
                pending: row.try_get("pending")?,
            });
        }
        let unreadable = || StoreError::Unreadable("score_refresh.view_name");
        let boards = views
            .iter()
            .find(|view| view.view == View::Boards.as_str())
            .ok_or_else(unreadable)?;
        let state = RefreshState {
            as_of: boards.as_of,
            started_at: boards.as_of,
            duration_ms: boards.duration_ms,
            rows_changed: boards.rows_changed,
            last_error: boards.last_error.clone(),
            pending: boards.pending,
            views,
        };
        let at = rows.first().ok_or_else(unreadable)?.try_get("at")?;
        Ok(Freshness { at, state })
    }
}

/// Since when the boards of an org include everything, in the caller's transaction.
pub(crate) async fn as_of(
    client: &impl GenericClient,
    org: OrgId,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    row::only(
        &client
            .query_one(include_str!("refresh/as_of.sql"), &[&org.0])
            .await?,
    )
}

/// The UTC day on which the windows of an org end: that of its last refresh, or today.
pub(crate) async fn last_day(client: &impl GenericClient, org: OrgId) -> Result<NaiveDate, StoreError> {
    row::only(
        &client
            .query_one(include_str!("refresh/last_day.sql"), &[&org.0])
            .await?,
    )
}
