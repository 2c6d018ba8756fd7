//! The connection pool.
//!
//! Nothing here waits without a limit: getting, making and checking a connection, a statement, a lock and an idle
//! transaction each have their timeout.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database_url::DatabaseUrl;
use crate::error::StoreError;
use crate::long::{self, LongRequests, Place};
use crate::options::PoolOptions;
use crate::session::{Session, SessionLimits, session_config};
use crate::{pooler, row, tls};

/// Run on a connection before it is handed out again. Fails (by a division by zero) on a server that has become
/// read-only, so that a pool full of connections to a demoted primary empties itself: such a server still answers
/// `select 1` and then refuses every write with 25006. A closed connection fails it, too.
const RECYCLE_CHECK: &str =
    "/* pool::connect */ select 1 / (current_setting('transaction_read_only') = 'off')::int";

/// Whether an acknowledged commit survives a crash of the server and of its machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durability {
    /// `fsync`: the write-ahead log is forced to disk.
    pub fsync: bool,
    /// `synchronous_commit`: `off` acknowledges before the log is on disk.
    pub synchronous_commit: String,
}

impl Durability {
    /// Both settings keep what was acknowledged.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.fsync && self.synchronous_commit != "off"
    }
}

impl std::fmt::Display for Durability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fsync = if self.fsync { "on" } else { "off" };
        write!(
            f,
            "fsync = {fsync}, synchronous_commit = {}",
            self.synchronous_commit
        )
    }
}

/// Load of the pool at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// Most connections there can be.
    pub max_size: usize,
    /// Connections in use.
    pub in_use: usize,
    /// Callers waiting for one.
    pub waiting: usize,
}

/// The store: a handle to one PostgreSQL database. Cheap to clone; all clones share one pool.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    /// Connections for deletions, which may take minutes.
    long_pool: Pool,
    long: LongRequests,
    url: DatabaseUrl,
    tls: MakeRustlsConnect,
    options: PoolOptions,
    max_size: usize,
}

impl Store {
    /// Connects to the database at `url` (`postgresql://…` or libpq's `key=value` form). The schema is not checked;
    /// see [`Store::migrate`] and [`Store::check_schema`].
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], [`StoreError::Certificates`], [`StoreError::Unavailable`],
    /// [`StoreError::ServerTooOld`], or [`StoreError::Pooler`].
    pub async fn connect(url: &str, options: PoolOptions) -> Result<Self, StoreError> {
        let url: DatabaseUrl = url.parse()?;
        let tls = tls::connector(&url)?;
        let limits = SessionLimits {
            statement: options.statement_timeout,
            lock: options.lock_timeout,
            idle_in_transaction: options.idle_in_transaction_timeout,
        };
        let config = session_config(&url, &options.application_name, &limits, &options);

        let open = || Session::open(&config, &tls, &url, options.create_timeout);
        let first = open().await?;
        let pooled = first.is_pooled();
        if pooled {
            pooler::check(&url, &first, &mut open().await?).await?;
        }
        let offered = first.max_connections().await?;
        drop(first);
        let max_size = options.max_size.unwrap_or_else(|| default_size(offered)).max(1);

        let pool_of = |max_size: usize| {
            let manager = Manager::from_config(
                config.clone(),
                tls.clone(),
                ManagerConfig {
                    recycling_method: RecyclingMethod::Custom(RECYCLE_CHECK.to_owned()),
                },
            );
            let mut builder = Pool::builder(manager);
            if pooled {
                let statements = limits.statements();
                builder = builder.post_create(Hook::async_fn(move |client: &mut ClientWrapper, _| {
                    let statements = statements.clone();
                    Box::pin(async move {
                        client
                            .batch_execute(&statements)
                            .await
                            .map_err(HookError::Backend)
                    })
                }));
            }
            builder
                .max_size(max_size)
                .runtime(Runtime::Tokio1)
                .wait_timeout(Some(options.wait_timeout))
                .create_timeout(Some(options.create_timeout))
                .recycle_timeout(Some(options.recycle_timeout))
                .build()
                .expect("a runtime is given, the only thing the builder can miss")
        };
        Ok(Self {
            inner: Arc::new(Inner {
                pool: pool_of(max_size),
                long_pool: pool_of(long::ALL),
                long: LongRequests::default(),
                url,
                tls,
                options,
                max_size,
            }),
        })
    }

    /// A connection of the pool, checked to be alive and to accept writes.
    ///
    /// # Errors
    /// [`StoreError::PoolTimeout`] when all are busy, [`StoreError::Unavailable`] when none can be made.
    pub(crate) async fn client(&self) -> Result<Object, StoreError> {
        self.client_of(&self.inner.pool).await
    }

    /// A connection for a request that may take minutes, which has a place among the long requests.
    pub(crate) async fn long_client(&self, _place: &Place) -> Result<Object, StoreError> {
        self.client_of(&self.inner.long_pool).await
    }

    /// The long requests that run.
    pub(crate) fn long(&self) -> &LongRequests {
        &self.inner.long
    }

    /// How long an export waits for a reader who takes nothing.
    pub(crate) fn export_stall(&self) -> Duration {
        self.inner.options.export_stall
    }

    async fn client_of(&self, pool: &Pool) -> Result<Object, StoreError> {
        let Inner { url, options, .. } = &*self.inner;
        // The pool's own limits hold per connection that it tries; behind a dead network it would try them all.
        let limit = options.wait_timeout + options.create_timeout;
        match tokio::time::timeout(limit, pool.get()).await {
            Ok(got) => got.map_err(|error| {
                StoreError::from_pool(error, url.to_string(), options.wait_timeout, self.inner.max_size)
            }),
            Err(_) => Err(StoreError::Unavailable {
                address: url.to_string(),
                reason: format!(
                    "none of its connections answers within {:.0} s",
                    limit.as_secs_f64()
                ),
                source: None,
            }),
        }
    }

    /// A connection outside the pool, with its own limits: for migrations, refreshes and whatever holds a session
    /// lock or runs longer than a request may. Closed when dropped.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::ServerTooOld`].
    pub(crate) async fn session(&self, purpose: &str, limits: &SessionLimits) -> Result<Session, StoreError> {
        let inner = &self.inner;
        let name = format!("{} {purpose}", inner.options.application_name);
        let config = session_config(&inner.url, &name, limits, &inner.options);
        Session::open(&config, &inner.tls, &inner.url, inner.options.create_timeout)
            .await?
            .limited(limits)
            .await
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    /// Those of a request: no connection in time, or the statement failed.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.client()
            .await?
            .simple_query("/* pool::ping */ select 1")
            .await?;
        Ok(())
    }

    /// How many deadlocks the database has seen since its statistics began.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn deadlocks(&self) -> Result<i64, StoreError> {
        let statement =
            "/* pool::deadlocks */ select deadlocks from pg_stat_database where datname = current_database()";
        row::only(&self.client().await?.query_one(statement, &[]).await?)
    }

    /// The current time of the database.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn clock(&self) -> Result<DateTime<Utc>, StoreError> {
        let row = self
            .client()
            .await?
            .query_one("/* pool::clock */ select clock_timestamp()", &[])
            .await?;
        row::only(&row)
    }

    /// Reads whether commits survive a crash. Ask at start: an acknowledgement is worth this much.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn durability(&self) -> Result<Durability, StoreError> {
        let row = self
            .client()
            .await?
            .query_one(
                "/* pool::durability */ select current_setting('fsync') = 'on' as fsync, \
                 current_setting('synchronous_commit') as synchronous_commit",
                &[],
            )
            .await?;
        Ok(Durability {
            fsync: row.try_get("fsync")?,
            synchronous_commit: row.try_get("synchronous_commit")?,
        })
    }

    /// The load of the pool right now.
    #[must_use]
    pub fn pool_status(&self) -> PoolStatus {
        let status = self.inner.pool.status();
        PoolStatus {
            max_size: status.max_size,
            in_use: status.size.saturating_sub(status.available),
            waiting: status.waiting,
        }
    }

    /// Where the store is connected to, without password.
    #[must_use]
    pub fn address(&self) -> String {
        self.inner.url.to_string()
    }

    /// Closes the pool: connections in use finish, new ones are refused.
    pub fn close(&self) {
        self.inner.pool.close();
        self.inner.long_pool.close();
    }
}

fn default_size(offered: usize) -> usize {
    let processors = available_parallelism().map_or(2, usize::from);
    (offered / 4).clamp(2, processors * 8)
}

#[cfg(test)]
mod tests;
