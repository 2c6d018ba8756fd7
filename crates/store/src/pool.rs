//! The connection pool, and connections outside it for work that must not starve requests.
//!
//! Nothing here waits without a limit: getting, making and checking a connection, a statement, a lock and an idle
//! transaction each have their timeout.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database_url::DatabaseUrl;
use crate::error::{OLDEST_POSTGRES, StoreError};
use crate::tls;

/// Run on a connection before it is handed out again. Fails (by a division by zero) on a server that has become
/// read-only, so that a pool full of connections to a demoted primary empties itself: such a server still answers
/// `select 1` and then refuses every write with 25006. A closed connection fails it, too.
const RECYCLE_CHECK: &str =
    "/* pool::recycle */ select 1 / (current_setting('transaction_read_only') = 'off')::int";

/// Limits of a session. A zero duration means no limit, as in PostgreSQL.
#[derive(Clone, Debug)]
pub(crate) struct SessionLimits {
    /// Longest run of one statement.
    pub(crate) statement: Duration,
    /// Longest wait for a lock.
    pub(crate) lock: Duration,
    /// Longest silence inside a transaction.
    pub(crate) idle_in_transaction: Duration,
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

/// How [`Store::connect`] sets its pool up.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// Most connections. `None`: a quarter of what the server offers, at least 2 and at most 8 per processor, so
    /// that several toolhub processes, a refresher and an operator's `psql` find room.
    pub max_size: Option<usize>,
    /// Longest wait for a free connection; then [`StoreError::PoolTimeout`].
    pub wait_timeout: Duration,
    /// Longest time to make a connection.
    pub create_timeout: Duration,
    /// Longest time to check a connection before it is used again.
    pub recycle_timeout: Duration,
    /// Longest run of a statement of a request.
    pub statement_timeout: Duration,
    /// Longest wait of a request's statement for a lock.
    pub lock_timeout: Duration,
    /// Longest silence of a request inside a transaction.
    pub idle_in_transaction_timeout: Duration,
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
            lock_timeout: Duration::from_secs(5),
            idle_in_transaction_timeout: Duration::from_secs(15),
            application_name: "toolhub".to_owned(),
        }
    }
}

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
    url: DatabaseUrl,
    tls: MakeRustlsConnect,
    options: PoolOptions,
    max_size: usize,
}

impl Store {
    /// Connects to the database at `url` (`postgresql://…` or libpq's `key=value` form). The schema is not looked at;
    /// see [`Store::migrate`] and [`Store::check_schema`].
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], [`StoreError::Certificates`], [`StoreError::Unavailable`], or
    /// [`StoreError::ServerTooOld`].
    pub async fn connect(url: &str, options: PoolOptions) -> Result<Self, StoreError> {
        let url: DatabaseUrl = url.parse()?;
        let tls = tls::connector(&url)?;
        let limits = SessionLimits {
            statement: options.statement_timeout,
            lock: options.lock_timeout,
            idle_in_transaction: options.idle_in_transaction_timeout,
        };
        let config = session_config(&url, &options.application_name, &limits, &options);

        let first = Session::open(&config, &tls, &url, options.create_timeout).await?;
        let room = first.room().await?;
        drop(first);
        let max_size = options.max_size.unwrap_or_else(|| default_size(room)).max(1);

        let manager = Manager::from_config(
            config,
            tls.clone(),
            ManagerConfig {
                recycling_method: RecyclingMethod::Custom(RECYCLE_CHECK.to_owned()),
            },
        );
        let pool = Pool::builder(manager)
            .max_size(max_size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(options.wait_timeout))
            .create_timeout(Some(options.create_timeout))
            .recycle_timeout(Some(options.recycle_timeout))
            .build()
            .expect("a runtime is given, the only thing the builder can miss");
        Ok(Self {
            inner: Arc::new(Inner {
                pool,
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
        let inner = &self.inner;
        inner.pool.get().await.map_err(|error| {
            StoreError::from_pool(
                error,
                inner.url.to_string(),
                inner.options.wait_timeout,
                inner.max_size,
            )
        })
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
        Session::open(&config, &inner.tls, &inner.url, inner.options.create_timeout).await
    }

    /// Asks the database for an answer.
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
        Ok(self.client().await?.query_one(statement, &[]).await?.try_get(0)?)
    }

    /// What time it is for the database.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn clock(&self) -> Result<DateTime<Utc>, StoreError> {
        let row = self
            .client()
            .await?
            .query_one("/* pool::clock */ select clock_timestamp()", &[])
            .await?;
        Ok(row.try_get(0)?)
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
                "/* pool::durability */ select current_setting('fsync') = 'on', current_setting('synchronous_commit')",
                &[],
            )
            .await?;
        Ok(Durability {
            fsync: row.try_get(0)?,
            synchronous_commit: row.try_get(1)?,
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
    }
}

/// A connection outside the pool.
pub(crate) struct Session {
    client: Client,
    task: JoinHandle<()>,
}

impl Session {
    /// A session with the database at `url`, for whoever has no [`Store`].
    #[cfg(feature = "testing")]
    pub(crate) async fn to(url: &str, purpose: &str, limits: &SessionLimits) -> Result<Self, StoreError> {
        let url: DatabaseUrl = url.parse()?;
        let options = PoolOptions::default();
        let config = session_config(&url, purpose, limits, &options);
        Self::open(&config, &tls::connector(&url)?, &url, options.create_timeout).await
    }

    async fn open(
        config: &Config,
        tls: &MakeRustlsConnect,
        url: &DatabaseUrl,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        let connecting = tokio::time::timeout(timeout, config.connect(tls.clone())).await;
        let (client, connection) = match connecting {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return Err(StoreError::unavailable(url.to_string(), error)),
            Err(_) => {
                return Err(StoreError::Unavailable {
                    address: url.to_string(),
                    reason: format!("no answer within {:.0} s", timeout.as_secs_f64()),
                    source: None,
                });
            }
        };
        // What the server says as notices is for its own log; errors reach us through the client.
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a database session ended");
            }
        });
        let session = Self { client, task };
        let row = session
            .query_one(
                "/* pool::open */ select current_setting('server_version_num')::int, current_setting('server_version')",
                &[],
            )
            .await?;
        let number: i32 = row.try_get(0)?;
        if number / 10_000 < OLDEST_POSTGRES.cast_signed() {
            return Err(StoreError::ServerTooOld {
                found: row.try_get(1)?,
            });
        }
        Ok(session)
    }

    /// Connections the server offers to ordinary sessions.
    async fn room(&self) -> Result<usize, StoreError> {
        let row = self
            .query_one(
                "/* pool::room */ select current_setting('max_connections')::int \
                 - current_setting('superuser_reserved_connections')::int",
                &[],
            )
            .await?;
        Ok(usize::try_from(row.try_get::<_, i32>(0)?).unwrap_or(0))
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn default_size(room: usize) -> usize {
    let processors = available_parallelism().map_or(2, usize::from);
    (room / 4).clamp(2, processors * 8)
}

/// The driver's configuration with every limit set. Limits travel as start-up options, which `RESET ALL` and a
/// failed `SET` cannot undo; options of the address come after ours, so an operator's own value wins.
fn session_config(url: &DatabaseUrl, name: &str, limits: &SessionLimits, options: &PoolOptions) -> Config {
    let mut config = url.config();
    let mut start_up = format!(
        "-c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={} -c TimeZone=UTC",
        limits.statement.as_millis(),
        limits.lock.as_millis(),
        limits.idle_in_transaction.as_millis(),
    );
    if let Some(own) = config.get_options() {
        start_up.push(' ');
        start_up.push_str(own);
    }
    config.options(start_up);
    if config.get_application_name().is_none() {
        config.application_name(name);
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(options.create_timeout);
    }
    // A server that vanished without a word is noticed when data stays unacknowledged, or by keepalives when idle.
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(options.statement_timeout.max(Duration::from_secs(10)));
    }
    config.keepalives_idle(Duration::from_secs(30));
    config.keepalives_interval(Duration::from_secs(10));
    config.keepalives_retries(3);
    config
}

#[cfg(test)]
mod tests;
