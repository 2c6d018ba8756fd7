//! An embedded PostgreSQL server: found on the machine or downloaded, initialised, started and stopped.
//!
//! Knows nothing of toolhub's schema or statements: its result is an address that any client can connect to. Copies of
//! databases are made here too, because PostgreSQL's programs make them.
//! One server per data directory, reached through a Unix socket in a private directory, or over loopback with a
//! generated password where the path is too long for a socket. `fsync` stays on. A killed toolhub takes its server
//! along, and the next start copes if it did not.

#![warn(missing_docs)]

mod account;
mod binaries;
mod cluster;
mod download;
mod dump;
mod error;
mod home;
mod postmaster;

use std::error::Error;
use std::io::PipeReader;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use etcetera::BaseStrategy;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_postgres::{Config, NoTls};

use account::Account;
use binaries::{Binaries, Found};
use cluster::{Listen, ROLE};
pub use dump::{dump, restore};
pub use error::EmbeddedError;
use home::{Home, Lock};
use postmaster::{Lifeline, PidFile, Postmaster};

/// The oldest PostgreSQL major version that is started.
pub const MIN_POSTGRES_MAJOR: u32 = 15;

/// What [`EmbeddedServer::start`] needs to know.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// Where the data lives; created if missing. See [`default_data_dir`].
    pub data_dir: PathBuf,
    /// The directory of `postgres` and `initdb`. `None`: searched for, and downloaded if there is none.
    pub bin: Option<PathBuf>,
    /// As root: the account that runs PostgreSQL. `None`: the owner of the data, else the first of `toolhub`,
    /// `postgres` and `nobody` that exists.
    pub user: Option<String>,
    /// Further PostgreSQL settings, name and value; they win over toolhub's own and over `local.conf`.
    pub settings: Vec<(String, String)>,
}

impl EmbeddedOptions {
    /// The options for `data_dir`, with `TOOLHUB_PG_BIN` and `TOOLHUB_PG_USER` from the environment.
    #[must_use]
    pub fn from_env(data_dir: impl Into<PathBuf>) -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            data_dir: data_dir.into(),
            bin: set("TOOLHUB_PG_BIN").map(PathBuf::from),
            user: set("TOOLHUB_PG_USER").map(|value| value.to_string_lossy().into_owned()),
            settings: Vec::new(),
        }
    }
}

/// A PostgreSQL server that belongs to this process. Stop it with [`EmbeddedServer::stop`]; dropped or killed, it
/// stops by itself a moment later.
#[derive(Debug)]
pub struct EmbeddedServer {
    postmaster: Postmaster,
    home: Home,
    url: String,
    _lock: Lock,
}

impl EmbeddedServer {
    /// Starts the server of `options.data_dir`, making it first if need be.
    ///
    /// # Errors
    /// Any [`EmbeddedError`]; each says what to do.
    pub async fn start(options: EmbeddedOptions) -> Result<Self, EmbeddedError> {
        Self::start_with(options, Lifeline::OwnPipe).await
    }

    /// Starts the server as [`EmbeddedServer::start`] does, but lets it run for as long as the write end of `pipe` is
    /// open in any process, whatever happens to this one. Call [`EmbeddedServer::detach`] before this value is dropped.
    ///
    /// # Errors
    /// As [`EmbeddedServer::start`].
    pub async fn start_until_closed(
        options: EmbeddedOptions,
        pipe: PipeReader,
    ) -> Result<Self, EmbeddedError> {
        Self::start_with(options, Lifeline::Given(pipe)).await
    }

    async fn start_with(options: EmbeddedOptions, lifeline: Lifeline) -> Result<Self, EmbeddedError> {
        let home = Home::in_data_dir(&options.data_dir)?;
        let account = Account::choose(home.data_dir(), home.root(), options.user.as_deref()).await?;
        home.prepare(&account).await?;
        let lock = home.lock()?;

        let major = cluster::major_version(&home)?;
        let binaries = binaries_for(&home, options.bin.as_deref(), major).await?;
        account.check_can_enter(&binaries.program("postgres")).await?;
        postmaster::stop_leftover(&home).await?;
        if major.is_none() {
            cluster::create(&home, &binaries, &account).await?;
        }
        let listen = if home.has_room_for_socket() {
            Listen::Socket
        } else {
            Listen::Loopback(free_port(&home)?)
        };
        cluster::configure(&home, &binaries, &account, listen).await?;
        let postmaster =
            start_when_memory_is_free(&home, &binaries, &account, &lifeline, &options.settings).await?;
        let url = url(&home, listen)?;
        let server = Self {
            postmaster,
            home,
            url,
            _lock: lock,
        };
        server.complete().await?;
        tracing::info!(
            pid = server.pid(),
            major = binaries.major,
            account = account.name(),
            data = %server.home.data_dir().display(),
            "the embedded PostgreSQL runs"
        );
        Ok(server)
    }

    /// The address to connect to. Holds the password when the server listens on loopback.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The server's process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.postmaster.pid().as_raw_pid()
    }

    /// Completes when the server ends without being asked to, with the reason, its log and the end of that: the caller
    /// should stop, too.
    pub async fn ended(&mut self) -> String {
        self.postmaster.ended(&self.home).await
    }

    /// Stops the server: fast, and if that takes too long, immediately.
    ///
    /// # Errors
    /// [`EmbeddedError::DoesNotStop`].
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        self.postmaster.stop().await
    }

    /// Releases the running server without stopping it; see [`EmbeddedServer::start_until_closed`].
    pub fn detach(self) {
        self.postmaster.detach();
    }

    /// Makes the database on the first start, and refuses a server that would lose what it acknowledged.
    async fn complete(&self) -> Result<(), EmbeddedError> {
        let failed = |error: tokio_postgres::Error| EmbeddedError::NotConnected {
            reason: chain(&error),
        };
        let mut config: Config = self.url.parse().map_err(failed)?;
        config.dbname("postgres").connect_timeout(Duration::from_secs(10));
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        let connection = tokio::spawn(connection);
        let row = client
            .query_one("/* embedded::complete */ show fsync", &[])
            .await
            .map_err(failed)?;
        let fsync: String = row.try_get("fsync").map_err(failed)?;
        if fsync != "on" {
            return Err(EmbeddedError::NotDurable {
                path: self.home.data_dir().to_owned(),
                found: fsync,
            });
        }
        let database = "/* embedded::complete */ select from pg_database where datname = $1";
        if client
            .query_opt(database, &[&ROLE])
            .await
            .map_err(failed)?
            .is_none()
        {
            client
                .batch_execute("/* embedded::complete */ create database toolhub")
                .await
                .map_err(failed)?;
        }
        drop(client);
        let _ = connection.await;
        Ok(())
    }
}

/// The default data directory: `/var/lib/toolhub` for root, else the XDG data directory.
///
/// # Errors
/// [`EmbeddedError::NoHome`].
pub fn default_data_dir() -> Result<PathBuf, EmbeddedError> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/toolhub"));
    }
    let places = etcetera::choose_base_strategy().map_err(|_| EmbeddedError::NoHome)?;
    Ok(places.data_dir().join("toolhub"))
}

/// The address of the server that runs on `data_dir` right now, for programs beside the one that started it.
/// `None`: none runs.
///
/// # Errors
/// [`EmbeddedError::Path`] if the directory is there and may not be read: it belongs to another account.
pub fn running_url(data_dir: &Path) -> Result<Option<String>, EmbeddedError> {
    if !data_dir.exists() {
        return Ok(None);
    }
    let home = Home::existing(data_dir)?;
    // Asked for its error: a pid file that may not be read must not look like one that is not there.
    if cluster::major_version(&home)?.is_none() {
        return Ok(None);
    }
    let Some(file) = PidFile::read(&home.data()) else {
        return Ok(None);
    };
    if !file.ready || !postmaster::is_postmaster_of(file.pid, &home.data()) {
        return Ok(None);
    }
    let listen = match file.port {
        Some(port) if file.listens_on_loopback => Listen::Loopback(port),
        _ => Listen::Socket,
    };
    url(&home, listen).map(Some)
}

fn url(home: &Home, listen: Listen) -> Result<String, EmbeddedError> {
    Ok(match listen {
        Listen::Socket => socket_url(&home.run()),
        Listen::Loopback(port) => loopback_url(port, &cluster::password(home)?),
    })
}

/// The address of a server that listens on a Unix socket in `directory`.
fn socket_url(directory: &Path) -> String {
    let host = utf8_percent_encode(&directory.to_string_lossy(), NON_ALPHANUMERIC).to_string();
    format!("postgresql://{ROLE}@{host}/{ROLE}")
}

/// The address of a server that listens on this machine's loopback interface.
fn loopback_url(port: u16, password: &str) -> String {
    let password = utf8_percent_encode(password, NON_ALPHANUMERIC);
    format!("postgresql://{ROLE}:{password}@127.0.0.1:{port}/{ROLE}?sslmode=disable")
}

/// The error and its causes on one line: the driver's own text is often only "db error".
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

async fn binaries_for(
    home: &Home,
    named: Option<&Path>,
    major: Option<u32>,
) -> Result<Binaries, EmbeddedError> {
    let unfit = match binaries::find(named, major)? {
        Found::Fit(binaries) => return Ok(binaries),
        Found::Unfit(binaries) => Some(binaries),
        Found::None => None,
    };
    let supported = major.is_none_or(|major| major >= MIN_POSTGRES_MAJOR);
    let download = match download::cache_directory() {
        Some(cache) if named.is_none() && supported => download::download(&cache, major).await,
        _ => Err("there is nowhere to keep it".to_owned()),
    };
    match (download, major, unfit) {
        (Ok(binaries), ..) => Ok(binaries),
        (Err(_), Some(data), Some(unfit)) => Err(EmbeddedError::OtherMajor {
            path: home.data_dir().to_owned(),
            data,
            binaries: unfit.directory,
            server: unfit.major,
        }),
        (Err(reason), major, _) => Err(EmbeddedError::NoPostgres {
            major,
            download: Some(reason),
        }),
    }
}

/// Starts the server. Processes of one that was killed hard may hold its shared memory for a moment longer; they
/// notice that their parent is gone and end by themselves.
async fn start_when_memory_is_free(
    home: &Home,
    binaries: &Binaries,
    account: &Account,
    lifeline: &Lifeline,
    settings: &[(String, String)],
) -> Result<Postmaster, EmbeddedError> {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        match Postmaster::start(home, binaries, account, lifeline, settings).await {
            Err(EmbeddedError::NotStarted { reason, .. })
                if reason.contains("pre-existing shared memory block") && Instant::now() < deadline =>
            {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            outcome => return outcome,
        }
    }
}

/// A free port.
fn free_port(home: &Home) -> Result<u16, EmbeddedError> {
    let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    address
        .map(|address| address.port())
        .map_err(|error| EmbeddedError::NotStarted {
            path: home.data_dir().to_owned(),
            reason: format!("there is no free port on 127.0.0.1: {error}"),
        })
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

    use super::*;

    #[test]
    fn a_socket_directory_with_special_characters_survives_the_address() {
        let directory = Path::new("/tmp/a b%/é?&=/run");
        let config: Config = socket_url(directory).parse().unwrap();
        assert_eq!(config.get_hosts(), [Host::Unix(directory.to_owned())]);
    }

    #[test]
    fn a_password_with_special_characters_survives_the_address() {
        let config: Config = loopback_url(5433, "a/b@c:d?e%").parse().unwrap();
        assert_eq!(config.get_password(), Some(&b"a/b@c:d?e%"[..]));
        assert_eq!(config.get_ports(), [5433]);
    }
}
