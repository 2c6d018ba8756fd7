//! The embedded server: comes up, keeps its promises, survives rough treatment, and says what is wrong.
//!
//! Started by root these tests also prove that PostgreSQL runs under another account; a part of them is run again
//! as an unprivileged user.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy does not see that these are tests"
)]

mod crashing;
mod refusing;
mod starting;

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use embedded::{EmbeddedError, EmbeddedOptions, EmbeddedServer};
use rustix::process::{Pid, test_kill_process};
use store::{PoolOptions, Store};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Runs the server once, and tells which program it is and which account it runs as.
async fn learn_program(data_dir: &Path) -> (PathBuf, (u32, u32)) {
    let server = start(data_dir).await.unwrap();
    let store = connect(&server).await;
    let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let asked = "select setting from pg_config where name = 'BINDIR'";
    let directory: String = client.query_one(asked, &[]).await.unwrap().get("setting");
    drop((client, store));
    server.stop().await.unwrap();
    let owner = data_dir.join("postgres").metadata().unwrap();
    (Path::new(&directory).join("postgres"), (owner.uid(), owner.gid()))
}

/// A directory with a short path, which the account that runs PostgreSQL can get to.
fn place() -> TempDir {
    let place = tempfile::Builder::new().prefix("th").tempdir().unwrap();
    std::fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    place
}

/// A place whose first start is over: a copy, because `initdb` takes seconds.
async fn initialised_place() -> TempDir {
    static ORIGINAL: OnceCell<(PathBuf, Child)> = OnceCell::const_new();
    let (original, _) = ORIGINAL
        .get_or_init(async || {
            let place = place();
            start(place.path()).await.unwrap().stop().await.unwrap();
            let path = place.keep();
            // Nothing static is dropped at the end of a process, but its pipes are closed.
            let mut remover = Command::new("sh");
            remover
                .args(["-c", r#"read -r _; rm -rf "$1""#, "sh"])
                .arg(&path)
                .stdin(Stdio::piped());
            let remover = remover
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            (path, remover)
        })
        .await;
    let copy = place();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(original.join("."))
        .arg(copy.path())
        .status()
        .unwrap();
    assert!(copied.success());
    copy
}

fn options(data_dir: &Path) -> EmbeddedOptions {
    EmbeddedOptions::from_env(data_dir)
}

async fn start(data_dir: &Path) -> Result<EmbeddedServer, EmbeddedError> {
    EmbeddedServer::start(options(data_dir)).await
}

async fn connect(server: &EmbeddedServer) -> Store {
    Store::connect(&server.url(), PoolOptions::default())
        .await
        .unwrap()
}

/// Runs, and is not merely waiting for its parent to notice its end.
fn is_alive(pid: i32) -> bool {
    let zombie = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')));
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok() && !zombie
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
