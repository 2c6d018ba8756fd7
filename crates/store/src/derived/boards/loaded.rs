//! In how many sessions tools were loaded: `loaded_days` and `loaded_tools`.

use tokio_postgres::Transaction;

use super::Scope;
use crate::StoreError;

/// Returns how many rows were written.
pub(super) async fn count(transaction: &Transaction<'_>, scope: &Scope) -> Result<u64, StoreError> {
    let Scope {
        org, today, windows, ..
    } = scope;
    for sql in [
        include_str!("loaded/drop_empty_days.sql"),
        include_str!("loaded/count_days.sql"),
    ] {
        transaction.execute(sql, &[&org.0]).await?;
    }
    let gone = transaction
        .execute(
            include_str!("loaded/drop_empty.sql"),
            &[&org.0, today, &scope.all(), windows],
        )
        .await?;
    let counted = transaction
        .execute(
            include_str!("loaded/count.sql"),
            &[&org.0, today, windows, &scope.all()],
        )
        .await?;
    Ok(gone + counted)
}
