//! What a backup needs to know of the database, and what a restored one needs.

use std::time::Duration;

use crate::{Store, StoreError, row, session::SessionLimits};

/// Statistics of all tables are made in seconds; the limit is for a disk that does not answer.
const LIMITS: SessionLimits = SessionLimits {
    statement: Duration::from_secs(3600),
    lock: Duration::from_secs(30),
    idle_in_transaction: Duration::from_secs(60),
};

impl Store {
    /// The major version of the server, such as 17.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn server_major(&self) -> Result<u32, StoreError> {
        let statement =
            "/* backup::server_major */ select current_setting('server_version_num')::int / 10000";
        let major: i32 = row::only(&self.client().await?.query_one(statement, &[]).await?)?;
        Ok(major.unsigned_abs())
    }

    /// Makes the planner's statistics, which a restored database lacks.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn analyze(&self) -> Result<(), StoreError> {
        let session = self.session("analyze", &LIMITS).await?;
        session.batch_execute("/* backup::analyze */ analyze").await?;
        Ok(())
    }
}
