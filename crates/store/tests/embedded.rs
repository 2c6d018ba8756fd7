//! The embedded server: comes up, keeps its promises, survives rough treatment, and says what is wrong.
//!
//! Started by root these tests also prove that PostgreSQL runs under another account; a part of them is run again
//! as an unprivileged user.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process, test_kill_process};
use store::embedded::{EmbeddedError, EmbeddedOptions, EmbeddedServer, running_url};
use store::{PoolOptions, Store, StoreError};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn it_starts_serves_stops_and_keeps_what_it_was_given() {
    let place = place();
    assert_eq!(running_url(place.path()).unwrap(), None);

    let server = start(place.path()).await.unwrap();
    assert_eq!(running_url(place.path()).unwrap(), Some(server.url()));
    let store = connect(&server).await;
    assert!(
        store.durability().await.unwrap().is_durable(),
        "fsync and synchronous_commit are on"
    );
    store.migrate().await.unwrap();
    drop(store);
    let pid = server.pid();
    assert!(is_alive(pid));
    assert_private_and_unprivileged(place.path(), pid);
    server.stop().await.unwrap();
    assert!(!is_alive(pid));
    assert_eq!(running_url(place.path()).unwrap(), None);

    let server = start(place.path()).await.unwrap();
    connect(&server)
        .await
        .check_schema()
        .await
        .expect("the schema is still there");
    server.stop().await.unwrap();
}

/// Nobody but its account reaches the data, and the server is not root.
fn assert_private_and_unprivileged(data_dir: &Path, pid: i32) {
    let home = data_dir.join("postgres");
    for private in [home.clone(), home.join("data"), home.join("run")] {
        assert_eq!(
            private.metadata().unwrap().mode() & 0o077,
            0,
            "{} is open to others",
            private.display()
        );
    }
    let owner = home.metadata().unwrap().uid();
    assert_ne!(owner, 0);
    if let Ok(process) = std::fs::metadata(format!("/proc/{pid}")) {
        assert_eq!(process.uid(), owner);
    }
}

#[tokio::test]
async fn a_second_server_on_the_directory_is_refused_with_the_holder() {
    let place = initialised_place().await;
    let server = start(place.path()).await.unwrap();
    let error = start(place.path()).await.map(drop).unwrap_err();
    let own = std::process::id().to_string();
    assert!(
        matches!(&error, EmbeddedError::InUse { pid, .. } if *pid == own),
        "{error}"
    );
    assert!(
        error.to_string().contains(&own) && error.to_string().contains("--data-dir"),
        "{error}"
    );
    connect(&server)
        .await
        .ping()
        .await
        .expect("the first is not disturbed");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn killing_the_owner_takes_the_server_along_and_the_next_start_works() {
    let place = initialised_place().await;
    for round in 0..2 {
        let mut owner = Owner::start(place.path());
        assert!(is_alive(owner.server));
        owner.process.kill().unwrap();
        owner.process.wait().unwrap();
        if round == 0 {
            // The watcher ends it; the other round does not wait for that.
            until("the server is gone", || !is_alive(owner.server)).await;
        }
        let server = start(place.path()).await.expect("the next start");
        connect(&server).await.ping().await.unwrap();
        server.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_left_behind_without_a_watcher_is_stopped_by_the_next_start() {
    let place = initialised_place().await;
    let (program, account) = learn_program(place.path()).await;
    let mut leftover = spawn_postgres(&program, account, place.path());
    until("the leftover is ready", || {
        running_url(place.path()).unwrap().is_some()
    })
    .await;

    let server = start(place.path()).await.expect("the leftover is stopped");
    let pid = leftover.id().cast_signed();
    assert!(leftover.try_wait().unwrap().is_some(), "the leftover has ended");
    assert_ne!(server.pid(), pid);
    connect(&server).await.ping().await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_a_hard_killed_server_leaves_does_not_block_and_costs_nothing_committed() {
    let place = initialised_place().await;
    let server = start(place.path()).await.unwrap();
    let store = connect(&server).await;
    store.migrate().await.unwrap();
    kill_process(Pid::from_raw(server.pid()).unwrap(), Signal::KILL).unwrap();
    drop((store, server));
    assert!(
        place.path().join("postgres/data/postmaster.pid").exists(),
        "the server could not clean up"
    );

    let server = start(place.path()).await.expect("it recovers");
    connect(&server).await.check_schema().await.unwrap();
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_process_that_got_the_number_of_a_dead_server_is_left_alone() {
    let place = initialised_place().await;
    let (_, (uid, gid)) = learn_program(place.path()).await;
    // Of the same account, which PostgreSQL itself would take for a running server.
    let mut sleep = Command::new("sleep");
    sleep.arg("600");
    if geteuid().is_root() {
        sleep.uid(uid).gid(gid);
    }
    let mut bystander = sleep.spawn().unwrap();
    let data = place.path().join("postgres/data");
    let pid_file = format!(
        "{}\n{}\n1\n5432\n/nowhere\n\n  1 1\nready\n",
        bystander.id(),
        data.display()
    );
    std::fs::write(data.join("postmaster.pid"), pid_file).unwrap();
    assert_eq!(
        running_url(place.path()).unwrap(),
        None,
        "a stranger is not a server"
    );

    let started = start(place.path()).await;
    assert!(bystander.try_wait().unwrap().is_none(), "the stranger lives");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
    started
        .expect("the stale file does not block")
        .stop()
        .await
        .unwrap();
}

#[tokio::test]
async fn an_interrupted_first_start_is_begun_again() {
    let place = initialised_place().await;
    let home = place.path().join("postgres");
    // What is there when the machine loses power in the middle of initdb.
    std::fs::rename(home.join("data"), home.join("data.unfinished")).unwrap();
    std::fs::remove_file(home.join("data.unfinished/global/pg_control")).unwrap();
    let server = start(place.path()).await.expect("it starts from the beginning");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn data_of_another_major_version_is_refused_naming_both() {
    let place = initialised_place().await;
    let (program, _) = learn_program(place.path()).await;
    std::fs::write(place.path().join("postgres/data/PG_VERSION"), "99\n").unwrap();
    let options = EmbeddedOptions {
        bin: program.parent().map(Path::to_owned),
        ..options(place.path())
    };
    let error = EmbeddedServer::start(options).await.map(drop).unwrap_err();
    let EmbeddedError::OtherMajor { data: 99, server, .. } = &error else {
        panic!("{error}")
    };
    let text = error.to_string();
    assert!(
        text.contains("PostgreSQL 99") && text.contains(&format!("PostgreSQL {server}")),
        "{text}"
    );
}

#[tokio::test]
async fn a_path_that_cannot_be_used_is_named() {
    let place = place();
    let closed = place.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::write(closed.join("something"), "of somebody").unwrap();
    std::fs::set_permissions(
        &closed,
        Permissions::from_mode(if geteuid().is_root() { 0o700 } else { 0o500 }),
    )
    .unwrap();
    let inside = closed.join("data");
    let error = start(&inside).await.map(drop).unwrap_err();
    let text = error.to_string();
    if geteuid().is_root() {
        assert!(
            matches!(&error, EmbeddedError::NotTraversable { blocked, .. } if *blocked == closed),
            "{error}"
        );
        assert!(
            text.contains(&format!("chmod o+x {}", closed.display())),
            "{text}"
        );
    } else {
        assert!(
            matches!(&error, EmbeddedError::Path { path, .. } if *path == inside),
            "{error}"
        );
    }
    assert!(text.contains("--data-dir"), "{text}");
}

#[tokio::test]
async fn other_files_in_the_data_directory_keep_their_owner() {
    let place = place();
    let data_dir = place.path().join("shared");
    std::fs::create_dir(&data_dir).unwrap();
    std::fs::set_permissions(&data_dir, Permissions::from_mode(0o755)).unwrap();
    std::fs::write(data_dir.join("notes.txt"), "mine").unwrap();
    let server = start(&data_dir).await.unwrap();
    assert_eq!(data_dir.metadata().unwrap().uid(), geteuid().as_raw());
    assert_eq!(
        data_dir.join("notes.txt").metadata().unwrap().uid(),
        geteuid().as_raw()
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_served_over_loopback_with_a_password() {
    let place = place();
    let data_dir = place.path().join("x".repeat(100));
    let server = start(&data_dir).await.unwrap();
    assert!(server.url().contains("@127.0.0.1:"), "{}", server.url());
    assert_eq!(running_url(&data_dir).unwrap(), Some(server.url()));
    connect(&server).await.ping().await.unwrap();

    let (scheme, rest) = server
        .url()
        .split_once("//toolhub:")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let (password, host) = rest.split_once('@').unwrap();
    assert!(password.len() >= 32, "a password that is not guessed");
    let wrong = format!("{scheme}//toolhub:guess@{host}");
    let error = Store::connect(&wrong, PoolOptions::default())
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(error.sqlstate(), Some("28P01"), "{error}");
    assert!(
        !error.is_temporary() && !error.to_string().contains("guess"),
        "{error}"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_would_lose_commits_is_refused() {
    let place = initialised_place().await;
    let settings = vec![("fsync".to_owned(), "off".to_owned())];
    let error = EmbeddedServer::start(EmbeddedOptions {
        settings,
        ..options(place.path())
    })
    .await
    .map(drop)
    .unwrap_err();
    assert!(
        matches!(&error, EmbeddedError::NotDurable { found, .. } if found == "off"),
        "{error}"
    );
    until("the refused server is gone", || {
        running_url(place.path()).unwrap().is_none()
    })
    .await;
}

#[tokio::test]
async fn a_server_that_does_not_start_says_why() {
    let place = initialised_place().await;
    std::fs::write(
        place.path().join("postgres/data/local.conf"),
        "shared_buffers = many\n",
    )
    .unwrap();
    let error = start(place.path()).await.map(drop).unwrap_err();
    assert!(matches!(error, EmbeddedError::NotStarted { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("invalid value for parameter \"shared_buffers\""),
        "{error}"
    );

    // The operator's own settings count once they make sense.
    std::fs::write(
        place.path().join("postgres/data/local.conf"),
        "max_connections = 23\n",
    )
    .unwrap();
    std::fs::set_permissions(
        place.path().join("postgres/data/local.conf"),
        Permissions::from_mode(0o644),
    )
    .unwrap();
    let server = start(place.path()).await.unwrap();
    assert_eq!(
        connect(&server).await.pool_status().max_size,
        5,
        "a quarter of the 20 that are not reserved"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_ends_by_itself_is_noticed() {
    let place = initialised_place().await;
    let mut server = start(place.path()).await.unwrap();
    let store = connect(&server).await;
    kill_process(Pid::from_raw(server.pid()).unwrap(), Signal::INT).unwrap();
    tokio::time::timeout(DEADLINE, server.ended())
        .await
        .expect("it is noticed");
    let error = store.ping().await.unwrap_err();
    assert!(
        matches!(error, StoreError::Unavailable { .. }) && error.is_temporary(),
        "{error}"
    );
}

/// What root's tests cannot show: the same without any privilege.
#[test]
fn an_unprivileged_user_can_run_it_too() {
    if !geteuid().is_root() {
        // Then every other test of this file has shown it.
        return;
    }
    let place = place();
    std::os::unix::fs::chown(place.path(), Some(65534), Some(65534)).unwrap();
    // The build directory may be closed to other accounts.
    let program = place.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(&program)
        .args([
            "--exact",
            "it_starts_serves_stops_and_keeps_what_it_was_given",
            "a_path_that_cannot_be_used_is_named",
        ])
        .env("TMPDIR", place.path())
        .env("HOME", place.path())
        .current_dir(place.path())
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("2 passed"), "{text}");
}

/// Not a test: the process that [`Owner`] starts and kills.
#[tokio::test]
#[ignore = "run by other tests as a process of its own"]
async fn owner() {
    let data_dir = std::env::var_os("EMBEDDED_OWNER").expect("started by Owner::start");
    let server = start(Path::new(&data_dir)).await.unwrap();
    println!("server={}", server.pid());
    std::future::pending::<()>().await;
}

/// A toolhub in a process of its own.
struct Owner {
    process: Child,
    server: i32,
}

impl Owner {
    fn start(data_dir: &Path) -> Self {
        use std::io::{BufRead, BufReader};

        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "owner", "--ignored", "--nocapture"])
            .env("EMBEDDED_OWNER", data_dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let server = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once("server=").and_then(|(_, pid)| pid.parse().ok()))
            .expect("the owner starts its server");
        Self { process, server }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs the server once, and tells which program it is and which account it runs as.
async fn learn_program(data_dir: &Path) -> (PathBuf, (u32, u32)) {
    let server = start(data_dir).await.unwrap();
    let store = connect(&server).await;
    let (client, connection) = tokio_postgres::connect(&server.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let asked = "select setting from pg_config where name = 'BINDIR'";
    let directory: String = client.query_one(asked, &[]).await.unwrap().get(0);
    drop((client, store));
    server.stop().await.unwrap();
    let owner = data_dir.join("postgres").metadata().unwrap();
    (Path::new(&directory).join("postgres"), (owner.uid(), owner.gid()))
}

/// Starts PostgreSQL without toolhub.
fn spawn_postgres(program: &Path, (uid, gid): (u32, u32), data_dir: &Path) -> Child {
    let mut command = Command::new(program);
    command
        .arg("-D")
        .arg(data_dir.join("postgres/data"))
        .current_dir("/")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if geteuid().is_root() {
        command.uid(uid).gid(gid);
    }
    command.spawn().unwrap()
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
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
