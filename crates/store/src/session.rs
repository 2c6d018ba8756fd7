//! One connection outside the pool, and the limits every connection has.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database_url::DatabaseUrl;
use crate::error::{MIN_POSTGRES_MAJOR, StoreError};
use crate::options::PoolOptions;
use crate::row;

/// Limits of a session. A zero duration means no limit, as in PostgreSQL.
#[derive(Clone, Debug)]
pub struct SessionLimits {
    /// Longest run of one statement.
    pub statement: Duration,
    /// Longest wait for a lock.
    pub lock: Duration,
    /// Longest silence inside a transaction.
    pub idle_in_transaction: Duration,
}

impl SessionLimits {
    /// What every session of ours sets: names and values.
    fn settings(&self) -> [(&'static str, String); 5] {
        let milliseconds = |limit: Duration| limit.as_millis().to_string();
        [
            ("statement_timeout", milliseconds(self.statement)),
            ("lock_timeout", milliseconds(self.lock)),
            (
                "idle_in_transaction_session_timeout",
                milliseconds(self.idle_in_transaction),
            ),
            ("TimeZone", "UTC".to_owned()),
            // Our statements are short, compiling one takes longer than running it.
            ("jit", "off".to_owned()),
        ]
    }

    /// The same as statements, for a session that a pooler made without our options.
    pub(crate) fn statements(&self) -> String {
        let set = |(name, value)| format!("set {name} = '{value}'");
        let statements: Vec<String> = self.settings().into_iter().map(set).collect();
        format!("/* session::statements */ {}", statements.join("; "))
    }
}

/// A connection outside the pool.
pub struct Session {
    client: Client,
    task: JoinHandle<()>,
    pooled: bool,
}

impl Session {
    /// A session with the database at `url` for a program that has no [`Store`](crate::Store).
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], [`StoreError::Certificates`], [`StoreError::Unavailable`] or [`StoreError::ServerTooOld`].
    pub async fn connect(url: &str, purpose: &str, limits: &SessionLimits) -> Result<Self, StoreError> {
        let url: DatabaseUrl = url.parse()?;
        let options = PoolOptions::default();
        let config = session_config(&url, purpose, limits, &options);
        Self::open(
            &config,
            &crate::tls::connector(&url)?,
            &url,
            options.create_timeout,
        )
        .await?
        .limited(limits)
        .await
    }

    pub(crate) async fn open(
        config: &Config,
        tls: &MakeRustlsConnect,
        url: &DatabaseUrl,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        let connecting = tokio::time::timeout(timeout, config.connect(tls.clone())).await;
        let (client, connection) = match connecting {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => {
                return Err(refused_options(url, &error)
                    .unwrap_or_else(|| StoreError::unavailable(url.to_string(), error)));
            }
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
        let mut session = Self {
            client,
            task,
            pooled: false,
        };
        // Not prepared: behind a pooler the next statement may run in another session.
        let rows = session
            .query_typed(
                "/* session::open */ select current_setting('server_version_num')::int as number, \
                 current_setting('server_version') as version, \
                 current_setting('toolhub.session', true) is distinct from 'on' as pooled",
                &[],
            )
            .await?;
        let row = rows.first().ok_or(StoreError::Unreadable("server_version"))?;
        refuse_old(row.try_get("number")?, row.try_get("version")?)?;
        session.pooled = row.try_get("pooled")?;
        Ok(session)
    }

    /// The session with its limits, also where a pooler has dropped them.
    pub(crate) async fn limited(self, limits: &SessionLimits) -> Result<Self, StoreError> {
        if self.pooled {
            self.batch_execute(&limits.statements()).await?;
        }
        Ok(self)
    }

    /// A pooler has dropped the options of the connection.
    pub(crate) fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// Connections the server offers to ordinary sessions.
    pub(crate) async fn max_connections(&self) -> Result<usize, StoreError> {
        let row = self
            .query_one(
                "/* session::max_connections */ select current_setting('max_connections')::int \
                 - current_setting('superuser_reserved_connections')::int",
                &[],
            )
            .await?;
        Ok(usize::try_from(row::only::<i32>(&row)?).unwrap_or(0))
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

/// Plans the statements of a transaction independently of the org: for an org that is not in the statistics yet, the
/// planner estimates one row, and then any index seems as good as the key.
pub(crate) async fn plan_for_any_org(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    transaction
        .execute_typed(include_str!("session/plan_for_any_org.sql"), &[])
        .await?;
    Ok(())
}

/// The error of a connection that PgBouncer refused for its start-up options; says what to set.
fn refused_options(url: &DatabaseUrl, error: &tokio_postgres::Error) -> Option<StoreError> {
    let message = error.as_db_error()?.message();
    message.contains("unsupported startup parameter").then(|| {
        StoreError::Pooler(format!(
            "{url} is PgBouncer and refuses the options of a connection ({message}). Set `ignore_startup_parameters = \
             options` and `pool_mode = session` there, or connect directly to PostgreSQL"
        ))
    })
}

/// `number` is `server_version_num`: 150018 for 15.18.
fn refuse_old(number: i32, version: String) -> Result<(), StoreError> {
    if number / 10_000 < MIN_POSTGRES_MAJOR.cast_signed() {
        return Err(StoreError::ServerTooOld { found: version });
    }
    Ok(())
}

/// The driver's configuration with every limit set. Limits travel as start-up options, which `RESET ALL` and a
/// failed `SET` cannot undo; options of the address come after ours, so an operator's own value wins.
pub(crate) fn session_config(
    url: &DatabaseUrl,
    name: &str,
    limits: &SessionLimits,
    options: &PoolOptions,
) -> Config {
    let mut config = url.config();
    let mut start_up = String::new();
    for (name, value) in limits.settings() {
        start_up.push_str(&format!("-c {name}={value} "));
    }
    // Tells a session that has these options from one that a pooler made.
    start_up.push_str("-c toolhub.session=on");
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
    // A server that disappeared is noticed when data stays unacknowledged, or by keepalives when idle.
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(options.statement_timeout.max(Duration::from_secs(10)));
    }
    config.keepalives_idle(Duration::from_secs(30));
    config.keepalives_interval(Duration::from_secs(10));
    config.keepalives_retries(3);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_reach_the_server_as_start_up_options_and_the_address_has_the_last_word() {
        let url: DatabaseUrl = "host=h options='-c statement_timeout=77' application_name=mine"
            .parse()
            .unwrap();
        let options = PoolOptions::default();
        let limits = SessionLimits {
            statement: Duration::from_secs(10),
            lock: Duration::from_secs(5),
            idle_in_transaction: Duration::ZERO,
        };
        let config = session_config(&url, "toolhub", &limits, &options);
        let start_up = config.get_options().unwrap();
        assert!(
            start_up.starts_with("-c statement_timeout=10000 -c lock_timeout=5000"),
            "{start_up}"
        );
        assert!(start_up.ends_with("-c statement_timeout=77"), "{start_up}");
        assert_eq!(config.get_application_name(), Some("mine"));
        assert_eq!(config.get_connect_timeout(), Some(&options.create_timeout));
        assert!(config.get_tcp_user_timeout().is_some());
    }

    #[test]
    fn a_server_that_is_too_old_is_refused_with_both_versions() {
        refuse_old(150_000, "15.0".to_owned()).unwrap();
        refuse_old(180_001, "18.1".to_owned()).unwrap();
        let error = refuse_old(140_022, "14.22 (Debian)".to_owned())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("14.22") && error.contains("15 or newer"),
            "{error}"
        );
    }
}
