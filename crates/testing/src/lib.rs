//! Real databases for tests: each test gets its own, a clone of one migrated template.
//!
//! The server is the first available of: `TOOLHUB_TEST_DATABASE_URL`; a container, where a Docker engine answers and
//! has or can pull the image; the PostgreSQL programs of this machine, as the embedded server finds them. If there is
//! none, the test fails and says what to install. All processes of a test run share the server, which stops a few
//! seconds after the last of them; its settings are those of production, `fsync` included.

#![warn(missing_docs)]

mod container;
mod shared_server;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::OnceCell;
use tokio_postgres::SimpleQueryMessage;

use store::session::{Session, SessionLimits};
use store::{PoolOptions, Store, StoreError, migrate};

/// Prefix of the name of every database created here.
const PREFIX: &str = "toolhub_test_";

/// A clone older than this belongs to a test that was killed.
const FORGOTTEN: Duration = Duration::from_secs(6 * 3600);

/// Limits of the sessions that make and drop databases.
const LIMITS: SessionLimits = SessionLimits {
    statement: Duration::from_secs(120),
    lock: Duration::ZERO,
    idle_in_transaction: Duration::from_secs(60),
};

/// Key of the advisory lock under which the template is made.
const TEMPLATE_LOCK: i64 = 0x746f_6f6c_6875_6202;

/// A database of one test, dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
    server: &'static str,
}

impl TestDatabase {
    /// A database with the schema of this program.
    ///
    /// # Panics
    /// If there is no PostgreSQL to test with, saying what to install.
    pub async fn new() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let server = server().await;
        let template = TEMPLATE.get_or_init(|| template(server)).await;
        Self::create(server, template).await
    }

    /// A database without any schema.
    ///
    /// # Panics
    /// As [`TestDatabase::new`].
    pub async fn empty() -> Self {
        Self::create(server().await, "template1").await
    }

    async fn create(server: &'static str, template: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}_{}_{number}", seconds_since_1970(), std::process::id());
        let session = admin(server).await;
        run(&session, &format!("create database {name} template {template}")).await;
        Self {
            url: with_database(server, &name),
            name,
            server,
        }
    }

    /// The address of the database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A new store on the database, with the default pool.
    ///
    /// # Panics
    /// If the server does not answer any more.
    pub async fn store(&self) -> Store {
        Store::connect(&self.url, PoolOptions::default())
            .await
            .expect("the test server answers")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A thread, because a destructor cannot wait in the test's own runtime.
        let (server, name) = (self.server, self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let session = Session::connect(server, "toolhub tests", &LIMITS).await?;
                let statement = format!("drop database if exists {name} with (force)");
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(session.batch_execute(&statement).await?)
            })
        });
        if let Ok(Err(error)) = dropped.join() {
            // A later run deletes it.
            tracing::warn!(%error, database = %self.name, "a test database was not dropped");
        }
    }
}

/// A session on a test's database for the test itself: reads what a store wrote, or holds a lock.
pub struct Beside(Session);

impl Beside {
    /// A session on the database at `url`.
    ///
    /// # Panics
    /// If the database does not answer.
    pub async fn of(url: &str) -> Self {
        Self(admin(url).await)
    }

    /// Runs statements and returns the rows of all of them as text; null is empty.
    ///
    /// # Panics
    /// If a statement fails.
    pub async fn ask(&self, statements: &str) -> Vec<Vec<String>> {
        let messages = match self.0.simple_query(statements).await {
            Ok(messages) => messages,
            Err(error) => panic!("{statements}: {}", StoreError::from(error)),
        };
        messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(
                    (0..row.len())
                        .map(|at| row.get(at).unwrap_or_default().to_owned())
                        .collect(),
                ),
                _ => None,
            })
            .collect()
    }

    /// The only value of the only row.
    ///
    /// # Panics
    /// If the statement fails, or returns anything other than a number.
    pub async fn number(&self, statement: &str) -> i64 {
        let rows = self.ask(statement).await;
        rows[0][0].parse().expect("the statement answers a number")
    }
}

/// The server of this run: the address of its maintenance database.
async fn server() -> &'static str {
    static SERVER: OnceCell<String> = OnceCell::const_new();
    SERVER
        .get_or_init(|| async {
            let url = find_server().await;
            sweep(&url).await;
            url
        })
        .await
}

async fn find_server() -> String {
    if let Some(url) = std::env::var("TOOLHUB_TEST_DATABASE_URL")
        .ok()
        .filter(|url| !url.is_empty())
    {
        return url;
    }
    let place = shared_place();
    let container = match container::url(&place).await {
        Ok(url) => return url,
        Err(reason) => reason,
    };
    match shared_server::url(&place).await {
        Ok(url) => url,
        Err(error) => panic!(
            "these tests need a real PostgreSQL, and there is none.\n\
             1. TOOLHUB_TEST_DATABASE_URL is not set (a role that may create databases on PostgreSQL 15 or newer);\n\
             2. no container: {container};\n\
             3. no server of our own: {error}"
        ),
    }
}

/// The directory where the processes of a run find each other: short, because it contains a Unix socket, and one per
/// user.
fn shared_place() -> PathBuf {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};

    let uid = rustix::process::geteuid().as_raw();
    let place = std::env::temp_dir().join(format!("toolhub-test-{uid}"));
    // The account that runs PostgreSQL must be able to traverse it; other users see nothing useful.
    let made = std::fs::DirBuilder::new().mode(0o711).create(&place);
    let found = std::fs::symlink_metadata(&place)
        .unwrap_or_else(|_| panic!("{} cannot be created: {made:?}", place.display()));
    assert!(
        found.is_dir() && found.uid() == uid,
        "{} belongs to another user; remove it",
        place.display()
    );
    place
}

/// The name of the migrated template, made if it is not there. Its name holds a digest of the migrations: branches
/// with different schemas can share a server.
async fn template(server: &str) -> String {
    let mut hasher = DefaultHasher::new();
    migrate::embedded_migrations().hash(&mut hasher);
    let name = format!("{PREFIX}template_{:016x}", hasher.finish());
    let session = admin(server).await;
    session
        .query_one("select pg_advisory_lock($1)", &[&TEMPLATE_LOCK])
        .await
        .expect("the template lock");
    let exists = session
        .query_one(
            "select exists (select from pg_database where datname = $1)",
            &[&name],
        )
        .await
        .expect("the list of databases");
    if !exists.get::<_, bool>("exists") {
        // Created under another name until it is complete, because this may be interrupted.
        let unfinished = format!("{name}_unfinished");
        run(
            &session,
            &format!("drop database if exists {unfinished} with (force)"),
        )
        .await;
        run(&session, &format!("create database {unfinished}")).await;
        let options = PoolOptions {
            max_size: Some(1),
            ..PoolOptions::default()
        };
        let store = Store::connect(&with_database(server, &unfinished), options)
            .await
            .expect("the new template");
        store
            .migrate()
            .await
            .expect("the migrations apply to an empty database");
        store.close();
        // A database with sessions cannot be renamed, and ours may take a moment to end.
        let others = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1";
        session
            .query(others, &[&unfinished])
            .await
            .expect("sessions on the template end");
        run(&session, &format!("alter database {unfinished} rename to {name}")).await;
    }
    name
}

/// Drops what killed tests left on a server that outlives the run.
async fn sweep(server: &str) {
    let session = admin(server).await;
    let names = session
        .query(
            "select datname from pg_database where starts_with(datname, $1)",
            &[&PREFIX],
        )
        .await;
    let now = seconds_since_1970();
    for row in names.expect("the list of databases") {
        let name: String = row.get("datname");
        let made = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('_').next()?.parse::<u64>().ok());
        if made.is_some_and(|made| made + FORGOTTEN.as_secs() < now) {
            // Another process may be sweeping as well.
            let _ = session
                .batch_execute(&format!("drop database if exists {name} with (force)"))
                .await;
        }
    }
}

async fn admin(server: &str) -> Session {
    Session::connect(server, "toolhub tests", &LIMITS)
        .await
        .unwrap_or_else(|error| panic!("the test server: {error}"))
}

async fn run(session: &Session, statement: &str) {
    if let Err(error) = session.batch_execute(statement).await {
        panic!("{statement}: {}", StoreError::from(error));
    }
}

/// The same server, another database.
fn with_database(url: &str, database: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return format!("{url} dbname={database}");
    };
    let (rest, query) = rest
        .split_once('?')
        .map_or((rest, String::new()), |(rest, query)| (rest, format!("?{query}")));
    let host = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{host}/{database}{query}")
}

fn seconds_since_1970() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn the_database_of_an_address_is_exchanged_and_nothing_else() {
        for (url, expected) in [
            (
                "postgresql://u:p%2F@h:1/a?sslmode=disable",
                "postgresql://u:p%2F@h:1/new?sslmode=disable",
            ),
            ("postgres://%2Frun%2Fpg", "postgres://%2Frun%2Fpg/new"),
            (
                "postgres://h?connect_timeout=3",
                "postgres://h/new?connect_timeout=3",
            ),
            ("host=h dbname=a", "host=h dbname=a dbname=new"),
        ] {
            assert_eq!(with_database(url, "new"), expected);
        }
    }
}
