//! What an operator asks about the database: does it take writes, how far behind are the boards, how large is it.

use std::time::Duration;

use uuid::Uuid;

use crate::{Store, StoreError, row};

/// How far behind the derived data is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lag {
    /// Since when the oldest change waits to be counted by the boards; zero when none waits.
    pub waiting: Duration,
    /// Since when the latest refresh of the boards is over; `None` before the first.
    pub boards_age: Option<Duration>,
    /// Since when the latest refresh of `tool_scores` is over; `None` before the first.
    pub scores_age: Option<Duration>,
    /// Why the latest refresh of a view or of an org failed, if one did.
    pub last_error: Option<String>,
}

/// The database as metrics show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseState {
    /// Version of PostgreSQL, such as `17.2`.
    pub version: String,
    /// Bytes on disk.
    pub bytes: i64,
    /// Deadlocks since its statistics began.
    pub deadlocks: i64,
    /// Connections of all programs to it.
    pub connections: i64,
}

impl Store {
    /// Whether the database takes writes: false on a standby, and on a server that was made read-only.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn is_writable(&self) -> Result<bool, StoreError> {
        let statement = "/* health::is_writable */ select not pg_is_in_recovery() \
                         and current_setting('transaction_read_only') = 'off'";
        row::only(&self.client().await?.query_one(statement, &[]).await?)
    }

    /// How far behind the boards of all orgs are.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn lag(&self) -> Result<Lag, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("health/lag.sql")).await?;
        let row = client.query_one(&statement, &[]).await?;
        let seconds = |age: Option<f64>| age.map(|age| Duration::from_secs_f64(age.max(0.0)));
        let now: f64 = row.try_get("now")?;
        let oldest: Option<Uuid> = row.try_get("oldest_change")?;
        // The id of a change holds the time at which it was made. It is shown, and decides nothing.
        let made = oldest
            .and_then(|change| change.get_timestamp())
            .map(|made| Duration::from_secs(made.to_unix().0).as_secs_f64());
        Ok(Lag {
            waiting: seconds(made.map(|made| now - made)).unwrap_or_default(),
            boards_age: seconds(row.try_get("boards_age")?),
            scores_age: seconds(row.try_get("scores_age")?),
            last_error: row.try_get("last_error")?,
        })
    }

    /// Version, size and counters of the database.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn database_state(&self) -> Result<DatabaseState, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("health/database.sql")).await?;
        let row = client.query_one(&statement, &[]).await?;
        Ok(DatabaseState {
            version: row.try_get("version")?,
            bytes: row.try_get("bytes")?,
            deadlocks: row.try_get("deadlocks")?,
            connections: row.try_get("connections")?,
        })
    }
}
