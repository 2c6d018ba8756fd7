//! PostgreSQL's own directory: made once by `initdb`, its configuration written anew at each start.

use std::path::Path;

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::EmbeddedError;
use crate::home::{Home, path_error};

/// The role and the database of an embedded server.
pub(crate) const ROLE: &str = "toolhub";

/// Where the server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// On the Unix socket in the private directory.
    Socket,
    /// On this port of the loopback interface.
    Loopback(u16),
}

/// The major version of the data, `None` before `initdb`.
pub(crate) fn major_version(home: &Home) -> Result<Option<u32>, EmbeddedError> {
    let path = home.data().join("PG_VERSION");
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| EmbeddedError::Path {
            path,
            doing: "understood",
            reason: format!("it says {:?} where a version number belongs", text.trim()),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(path_error(&path, "read", &error)),
    }
}

/// Makes the data directory. It appears under its name only when it is complete, so that an interrupted first start
/// is simply begun again.
pub(crate) async fn create(home: &Home, binaries: &Binaries, account: &Account) -> Result<(), EmbeddedError> {
    tracing::info!(directory = %home.data().display(), major = binaries.major, "creating the embedded database");
    account
        .write_private_file(&home.password(), &new_password()?)
        .await?;
    let unfinished = home.root().join("data.unfinished");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(|error| path_error(&unfinished, "removed", &error))?;
    }
    let output = account
        .command(binaries.program("initdb"), home.root())
        .arg("--pgdata")
        .arg(&unfinished)
        .arg("--pwfile")
        .arg(home.password())
        .args(["--username", ROLE, "--encoding", "UTF8"])
        // Byte order: the same on every machine, and indexes do not break when the C library is upgraded.
        .arg("--locale=C")
        // The socket's directory is closed to other accounts; loopback is not.
        .args(["--auth-local=trust", "--auth-host=scram-sha-256"])
        .args(["--data-checksums", "--no-instructions"])
        .output()
        .await
        .map_err(|error| path_error(&binaries.program("initdb"), "run", &error))?;
    if !output.status.success() {
        return Err(EmbeddedError::Program {
            program: "initdb",
            status: output.status,
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        });
    }
    std::fs::rename(&unfinished, home.data()).map_err(|error| path_error(&home.data(), "created", &error))
}

/// Writes `postgresql.conf`, every line with its reason.
pub(crate) async fn configure(
    home: &Home,
    binaries: &Binaries,
    account: &Account,
    listen: Listen,
) -> Result<(), EmbeddedError> {
    let (addresses, port, sockets) = match listen {
        Listen::Socket => ("", 5432, home.run().to_string_lossy().replace('\'', "''")),
        Listen::Loopback(port) => ("127.0.0.1", port, String::new()),
    };
    let compression = if supports_lz4(home, binaries, account).await {
        "lz4"
    } else {
        "on"
    };
    let text = format!(
        "\
# Written by toolhub at each start. Put your own settings into local.conf beside this file; they win.

# Reached by this machine's toolhub only.
listen_addresses = '{addresses}'
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 100

# An event is acknowledged after its commit is on disk. toolhub refuses to start with fsync off.
fsync = on
synchronous_commit = on
full_page_writes = on

# Events arrive under random keys: after each checkpoint every page touched is logged whole. Compress these pages, and
# make checkpoints rare. The price is a longer recovery after a crash.
wal_compression = {compression}
max_wal_size = 2GB
checkpoint_timeout = 15min

# Sized for a laptop that does other things as well.
shared_buffers = 256MB
work_mem = 16MB
maintenance_work_mem = 128MB
random_page_cost = 1.1    # solid state: an index scan is not punished for jumping
jit = off                 # our statements are short, compiling them would take longer than running them

# One time zone and one language, whatever the machine's.
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%m [%p] %a '
log_checkpoints = off     # the log is for problems
log_min_duration_statement = 1s

include_if_exists = 'local.conf'
"
    );
    account
        .write_private_file(&home.data().join("postgresql.conf"), &text)
        .await
}

/// Asks the server itself: it may have been built without lz4.
async fn supports_lz4(home: &Home, binaries: &Binaries, account: &Account) -> bool {
    let answer = account
        .command(binaries.program("postgres"), home.root())
        .arg("-D")
        .arg(home.data())
        .args(["-c", "wal_compression=lz4", "-C", "wal_compression"])
        .output()
        .await;
    answer.is_ok_and(|output| output.status.success())
}

/// The password made when the directory was.
pub(crate) fn password(home: &Home) -> Result<String, EmbeddedError> {
    let path = home.password();
    let text = std::fs::read_to_string(&path).map_err(|error| path_error(&path, "read", &error))?;
    Ok(text.trim().to_owned())
}

fn new_password() -> Result<String, EmbeddedError> {
    let random = || {
        getrandom::u64().map_err(|error| EmbeddedError::Path {
            path: Path::new("/dev/urandom").to_owned(),
            doing: "read",
            reason: error.to_string(),
        })
    };
    Ok(format!(
        "{:016x}{:016x}{:016x}\n",
        random()?,
        random()?,
        random()?
    ))
}
