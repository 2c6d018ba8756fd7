//! It starts, for root and for other users, in the given directory; and it stops.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use embedded::running_url;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use store::{PoolOptions, Store, StoreError};

use crate::{DEADLINE, connect, initialised_place, is_alive, place, start};

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

/// Only its account can read the data, and the server does not run as root.
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
            "starting::it_starts_serves_stops_and_keeps_what_it_was_given",
            "refusing::a_path_that_cannot_be_used_is_named",
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
