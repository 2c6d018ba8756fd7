//! What it refuses, and that it says why.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use embedded::{EmbeddedError, EmbeddedOptions, EmbeddedServer, running_url};
use rustix::process::geteuid;

use crate::{connect, initialised_place, learn_program, options, place, start, until};

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
    std::fs::write(closed.join("something"), "of another user").unwrap();
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
async fn data_put_there_by_root_is_not_given_away_silently() {
    if !geteuid().is_root() {
        // Only root can put it there.
        return;
    }
    let place = place();
    std::fs::create_dir(place.path().join("postgres")).unwrap();
    let error = start(place.path()).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("chown -R"), "{error}");
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
