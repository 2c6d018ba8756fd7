//! A pooler, such as PgBouncer, between toolhub and PostgreSQL.
//!
//! A pooler drops the start-up options in which our limits travel. One that keeps a session for each client is as good as
//! PostgreSQL, once the limits are set again. One that gives each transaction another session is refused: locks, limits
//! and prepared statements belong to a session.

use crate::database_url::DatabaseUrl;
use crate::error::StoreError;
use crate::row;
use crate::session::Session;

/// How often two sessions are compared. A pooler hands the session that was free last to the next transaction; another
/// client may take it first, but not every time.
const COMPARISONS: usize = 8;

/// Refuses a pooler that our sessions do not survive. `first` came through it, and so does `second`.
///
/// # Errors
/// [`StoreError::Pooler`], besides those of a request.
pub(crate) async fn check(
    url: &DatabaseUrl,
    first: &Session,
    second: &mut Session,
) -> Result<(), StoreError> {
    if url.config().get_options().is_some() {
        return Err(StoreError::Pooler(format!(
            "{url} is a pooler, such as PgBouncer, and does not forward the `options` in the address. Leave them out, \
             or connect directly to PostgreSQL"
        )));
    }
    for _ in 0..COMPARISONS {
        let before = backend(&**first).await?;
        let transaction = second.transaction().await?;
        let other = backend(&transaction).await?;
        let after = backend(&**first).await?;
        transaction.rollback().await?;
        if before == other || before != after {
            return Err(StoreError::Pooler(format!(
                "{url} is a pooler that gives each transaction another session, such as PgBouncer with `pool_mode = \
                 transaction`. toolhub keeps locks, limits and prepared statements in its sessions: set `pool_mode = \
                 session` for this database, or connect directly to PostgreSQL"
            )));
        }
    }
    Ok(())
}

/// The process of PostgreSQL that answers. Not a prepared statement: those are what may not survive.
async fn backend(client: &impl tokio_postgres::GenericClient) -> Result<i32, StoreError> {
    let statement = "/* pooler::backend */ select pg_backend_pid()";
    let rows = client.query_typed(statement, &[]).await?;
    row::only(rows.first().ok_or(StoreError::Unreadable("pg_backend_pid"))?)
}
