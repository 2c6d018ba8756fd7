//! The days of subjects: `board_days`.

use tokio_postgres::Transaction;

use super::Scope;
use crate::StoreError;

/// Counts the days that changed.
pub(super) async fn count(transaction: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
    for sql in [
        include_str!("days/drop_empty.sql"),
        include_str!("days/count.sql"),
    ] {
        transaction.execute(sql, &[&scope.org.0]).await?;
    }
    Ok(())
}
