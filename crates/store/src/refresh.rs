//! Refreshing the materialized view `tool_scores`, and knowing how fresh it is.

use std::time::Duration;

use chrono::{DateTime, Utc};
use model::{OrgId, api::RefreshState};

use crate::{Store, StoreError, session::SessionLimits};

/// A refresh of ten million events takes seconds; one that takes minutes is stuck.
const LIMITS: SessionLimits = SessionLimits {
    statement: Duration::from_secs(600),
    lock: Duration::from_secs(10),
    idle_in_transaction: Duration::from_secs(60),
};

/// What a refresh did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// The scores now hold every event committed before `started_at`.
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

impl Store {
    /// Refreshes the scores on a connection of its own, without blocking readers. Never two at once: the loser of the
    /// advisory lock answers [`Refresh::Busy`] at once.
    ///
    /// # Errors
    /// When the refresh fails; the error is also recorded for [`Store::refresh_state`].
    pub async fn refresh(&self) -> Result<Refresh, StoreError> {
        match self.refresh_once().await {
            Err(error) => {
                let client = self.client().await?;
                let statement = client
                    .prepare_cached(include_str!("refresh/record_error.sql"))
                    .await?;
                client.execute(&statement, &[&error.to_string()]).await?;
                Err(error)
            }
            done => done,
        }
    }

    async fn refresh_once(&self) -> Result<Refresh, StoreError> {
        let mut client = self.session("refresh", &LIMITS).await?;
        let transaction = client.transaction().await?;
        if !transaction
            .query_one(include_str!("refresh/lock.sql"), &[])
            .await?
            .try_get::<_, bool>(0)?
        {
            return Ok(Refresh::Busy);
        }
        // Read before the pending marks are: what they name is committed, so the view's snapshot holds it.
        let started_at: DateTime<Utc> = transaction
            .query_one("-- refresh::clock\nselect clock_timestamp()", &[])
            .await?
            .try_get(0)?;
        transaction
            .execute(include_str!("refresh/delete_pending.sql"), &[])
            .await?;
        let populated: bool = transaction
            .query_one(include_str!("refresh/populated.sql"), &[])
            .await?
            .try_get(0)?;
        // A view that was never filled cannot be compared with its old contents.
        let statement = if populated {
            "refresh materialized view concurrently tool_scores"
        } else {
            "refresh materialized view tool_scores"
        };
        transaction.batch_execute(statement).await?;
        let rows_changed: i64 = transaction
            .query_opt(include_str!("refresh/changed.sql"), &[])
            .await?
            .map_or(Ok(0), |row| row.try_get(0))?;
        let row = transaction
            .query_one(include_str!("refresh/record.sql"), &[&started_at, &rows_changed])
            .await?;
        let duration_ms = row.try_get(1)?;
        transaction.commit().await?;
        Ok(Refresh::Done {
            started_at,
            duration_ms,
            rows_changed,
        })
    }

    /// How fresh the scores are, and whether events of the org wait.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn refresh_state(&self, org: OrgId) -> Result<RefreshState, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("refresh/state.sql")).await?;
        let row = client.query_one(&statement, &[&org.0]).await?;
        let started_at: Option<DateTime<Utc>> = row.try_get(0)?;
        Ok(RefreshState {
            as_of: started_at,
            started_at,
            duration_ms: row.try_get(2)?,
            rows_changed: row.try_get(3)?,
            last_error: row.try_get(4)?,
            pending: row.try_get(5)?,
        })
    }

    /// When the scores were last refreshed: they hold every event committed before.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn scores_as_of(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "-- refresh::as_of\nselect started_at from score_refresh where view_name = 'tool_scores'",
            )
            .await?;
        Ok(client.query_one(&statement, &[]).await?.try_get(0)?)
    }

    /// True while some upload is not in the scores.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn refresh_needed(&self) -> Result<bool, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(include_str!("refresh/any_pending.sql"))
            .await?;
        Ok(client.query_one(&statement, &[]).await?.try_get(0)?)
    }
}
