//! The schema and its versions: `migrations/V<n>__<what>.sql`, embedded in the program and applied in order.
//!
//! refinery takes no lock, so several processes that start at once would conflict; here they wait for an advisory lock,
//! and all but the first find nothing left to do.

use std::time::Duration;

use tokio_postgres::types::ToSql;

use crate::error::StoreError;
use crate::pool::Store;
use crate::row;
use crate::session::{Session, SessionLimits};

mod embedded {
    refinery::embed_migrations!("../../migrations");
}

/// Key of the advisory lock under which the schema is changed. Part of the protocol between toolhub versions.
const LOCK: i64 = 0x746f_6f6c_6875_6201;

/// Limits of the session that migrates. Waiting for another process's migration and building an index may take long; an
/// `alter table` that waits for a lock blocks every later query on the table, so it gives up early.
const LIMITS: SessionLimits = SessionLimits {
    statement: Duration::from_secs(3600),
    lock: Duration::from_secs(30),
    idle_in_transaction: Duration::from_secs(60),
};

/// What [`Store::migrate`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Version before; `None` for an empty database.
    pub from: Option<i32>,
    /// Version after; `None` only if this program has no migrations.
    pub to: Option<i32>,
    /// Names of the migrations that were applied, such as `V2__rollup`.
    pub applied: Vec<String>,
}

/// The newest schema version this program knows; 0 if it has none.
#[must_use]
pub fn newest_version() -> i32 {
    embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(|migration| migration.version())
        .max()
        .unwrap_or(0)
}

/// Version and SQL of every embedded migration, by version.
#[must_use]
pub fn embedded_migrations() -> Vec<(String, String)> {
    let mut migrations = embedded::migrations::runner().get_migrations().clone();
    migrations.sort();
    migrations
        .iter()
        .map(|migration| {
            (
                migration.to_string(),
                migration.sql().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

impl Store {
    /// Brings the schema to this program's version. Safe to call from many processes at once and on every start.
    ///
    /// # Errors
    /// [`StoreError::SchemaNewer`] if a newer toolhub has been here, [`StoreError::Migration`] if a migration fails
    /// (it is rolled back; those before it stay) or an applied one was edited, [`StoreError::LockLost`] behind a
    /// transaction-mode pooler.
    pub async fn migrate(&self) -> Result<Migrated, StoreError> {
        let mut session = self.session("migrate", &LIMITS).await?;
        lock(&session).await?;
        let from = applied_version(&session).await?;
        refuse_newer(from)?;
        let report = embedded::migrations::runner().run_async(&mut *session).await?;
        let applied: Vec<String> = report
            .applied_migrations()
            .iter()
            .map(ToString::to_string)
            .collect();
        let to = applied_version(&session).await?;
        for name in &applied {
            tracing::info!(migration = %name, "schema migrated");
        }
        // Closing the session would release the lock as well, but only when the server notices.
        session
            .query_one("/* migrate::migrate */ select pg_advisory_unlock($1)", &[&LOCK])
            .await?;
        Ok(Migrated { from, to, applied })
    }

    /// The version of the newest migration applied to the database; `None` if there is none.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn schema_version(&self) -> Result<Option<i32>, StoreError> {
        let client = self.client().await?;
        applied_version(&client).await
    }

    /// Refuses a schema that is not this program's.
    ///
    /// # Errors
    /// [`StoreError::SchemaNewer`] or [`StoreError::SchemaOlder`], besides those of a request.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let database = self.schema_version().await?;
        refuse_newer(database)?;
        let binary = newest_version();
        if database.unwrap_or(0) < binary {
            return Err(StoreError::SchemaOlder { database, binary });
        }
        Ok(())
    }
}

fn refuse_newer(database: Option<i32>) -> Result<(), StoreError> {
    let binary = newest_version();
    match database {
        Some(database) if database > binary => Err(StoreError::SchemaNewer { database, binary }),
        _ => Ok(()),
    }
}

async fn lock(session: &Session) -> Result<(), StoreError> {
    // Another process's migration may take long; only our own statements have a short timeout.
    session
        .batch_execute("/* migrate::lock */ set lock_timeout = 0")
        .await?;
    session
        .query_one("/* migrate::lock */ select pg_advisory_lock($1)", &[&LOCK])
        .await?;
    // Not `reset`: behind a pooler that is another value than ours.
    session
        .batch_execute(&format!(
            "/* migrate::lock */ set lock_timeout = {}",
            LIMITS.lock.as_millis()
        ))
        .await?;
    let [high, low] = [LOCK >> 32, LOCK & 0xffff_ffff];
    let parameters: [&(dyn ToSql + Sync); 2] = [&high, &low];
    let locked = session
        .query_one(
            "/* migrate::lock */ select exists (select from pg_locks where locktype = 'advisory' and granted \
             and pid = pg_backend_pid() and classid::int8 = $1 and objid::int8 = $2 and objsubid = 1)",
            &parameters,
        )
        .await?;
    if row::only(&locked)? {
        Ok(())
    } else {
        Err(StoreError::LockLost {
            purpose: "migrating the schema",
        })
    }
}

async fn applied_version(client: &tokio_postgres::Client) -> Result<Option<i32>, StoreError> {
    let table = client
        .query_one(
            "/* migrate::applied_version (version) */ select to_regclass('refinery_schema_history') is not null",
            &[],
        )
        .await?;
    if !row::only::<bool>(&table)? {
        return Ok(None);
    }
    let newest = client
        .query_one(
            "/* migrate::applied_version (version) */ select max(version) from refinery_schema_history",
            &[],
        )
        .await?;
    row::only(&newest)
}
