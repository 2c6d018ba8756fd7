//! The limits of the connection pool.

use std::time::Duration;

/// How [`Store::connect`](crate::Store::connect) sets its pool up.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Most connections. `None`: a quarter of what the server offers, at least 2 and at most 8 per processor, so
    /// that several toolhub processes, a refresher and an operator's `psql` find room.
    pub max_size: Option<usize>,
    /// Longest wait for a free connection; then [`StoreError::PoolTimeout`](crate::StoreError::PoolTimeout).
    pub wait_timeout: Duration,
    /// Longest time to make a connection.
    pub create_timeout: Duration,
    /// Longest time to check a connection before it is used again.
    pub recycle_timeout: Duration,
    /// Longest run of a statement of a request.
    pub statement_timeout: Duration,
    /// Longest wait of a request's statement for a lock: it waits with a connection of the pool in hand.
    pub lock_timeout: Duration,
    /// Longest silence of a request inside a transaction.
    pub idle_in_transaction_timeout: Duration,
    /// How long an export waits for a reader who takes nothing.
    pub export_stall: Duration,
    /// What `pg_stat_activity` shows.
    pub application_name: String,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            max_size: None,
            wait_timeout: Duration::from_secs(2),
            create_timeout: Duration::from_secs(3),
            recycle_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_millis(500),
            idle_in_transaction_timeout: Duration::from_secs(15),
            export_stall: Duration::from_secs(10),
            application_name: "toolhub".to_owned(),
        }
    }
}
