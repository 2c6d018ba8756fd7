//! What is sent, and what is not.

use std::{fs, path::Path};

use client::{
    Server,
    upload::{self, Encoding, Request},
};
use model::limits::Limits;
use sha2::{Digest, Sha256};

use crate::{
    Home, assert_done,
    hub::{Fault, Hub},
    quiet, small, token,
};

fn install_a_skill(home: &Path) {
    let skill = home.join(".claude/skills/pdf");
    fs::create_dir_all(&skill).unwrap();
    fs::write(
        skill.join("SKILL.md"),
        "---\nname: pdf\ndescription: Reads PDFs\n---\n",
    )
    .unwrap();
}

#[tokio::test]
async fn every_request_respects_the_servers_limits_and_none_is_refused() {
    // Ids that do not compress.
    let random = |n: u32| {
        let digest = Sha256::digest(n.to_le_bytes());
        digest.iter().map(|byte| format!("{byte:03}")).collect()
    };
    let ids: Vec<String> = (0..200).map(random).collect();
    let home = Home::with_ids(&ids);
    let unlimited = Limits::default();
    // Each of these limits is the one that decides on the batches.
    for (limit, limits) in [
        (
            "events",
            Limits {
                batch_events: 30,
                ..unlimited.clone()
            },
        ),
        (
            "decoded bytes",
            Limits {
                decoded_bytes: 4_000,
                ..unlimited.clone()
            },
        ),
        (
            "bytes on the wire",
            Limits {
                wire_bytes: 2_000,
                ..unlimited.clone()
            },
        ),
    ] {
        for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
            let hub = Hub::start(limits.clone(), |_, _| None).await;
            let request = Request {
                encoding,
                ..Request::default()
            };
            assert_done(&home.upload(&hub, request).await);
            assert_eq!(hub.stored().len(), 200, "{limit}, {encoding:?}");
            let uploads = hub.uploads();
            for upload in &uploads {
                let events = upload
                    .body
                    .split(|&byte| byte == b'\n')
                    .filter(|line| !line.is_empty());
                assert!(events.count() <= limits.batch_events, "{limit}, {encoding:?}");
                assert!(upload.body.len() <= limits.decoded_bytes, "{limit}, {encoding:?}");
                assert!(upload.wire_bytes <= limits.wire_bytes, "{limit}, {encoding:?}");
            }
            // 200 events of more than 200 bytes: each limit decides on the number of requests.
            let at_least = match limit {
                "events" => 7,
                "decoded bytes" => 10,
                _ => 3,
            };
            assert!(
                uploads.len() >= at_least,
                "{limit}, {encoding:?}: {}",
                uploads.len()
            );
        }
    }
}

#[tokio::test]
async fn a_dry_run_opens_no_connection_and_prints_what_would_be_sent() {
    let home = Home::with(120);
    let hub = Hub::without_faults().await;
    let mut printed = Vec::new();
    let mut print = |event: &[u8]| {
        printed.extend_from_slice(event);
        printed.push(b'\n');
        Ok(())
    };
    let server = Server::new(&hub.url, Some(token())).unwrap();
    let request = Request {
        dry_run: true,
        ..small()
    };
    let dry = upload::upload(
        &request,
        &home.environment(),
        Some(server),
        &quiet(),
        Some(&mut print),
    )
    .await;
    assert_done(&dry);
    assert_eq!(
        (dry.report.events, dry.report.batches, dry.report.received),
        (120, 3, 0)
    );
    assert!(hub.seen().is_empty());
    assert!(
        !home.folder.path().join(".local").exists(),
        "a dry run remembers nothing"
    );

    let sent = home
        .upload(
            &hub,
            Request {
                in_flight: 1,
                ..small()
            },
        )
        .await;
    assert_done(&sent);
    let bodies: Vec<u8> = hub.uploads().into_iter().flat_map(|upload| upload.body).collect();
    assert_eq!(
        String::from_utf8_lossy(&printed),
        String::from_utf8_lossy(&bodies)
    );
}

#[tokio::test]
async fn a_request_says_who_sends_what_from_where() {
    let mut home = Home::with(1);
    home.variables = vec![("GITHUB_ACTIONS", "true"), ("GITHUB_REPOSITORY", "acme/api")];
    let hub = Hub::without_faults().await;
    assert_done(&home.upload(&hub, small()).await);
    let upload = hub.uploads().remove(0);
    let header = |name: &str| upload.headers.get(name).map(String::as_str);
    assert_eq!(
        header("authorization"),
        Some(format!("Bearer {}", token().reveal()).as_str())
    );
    assert_eq!(header("content-type"), Some("application/x-ndjson"));
    assert_eq!(header("content-encoding"), Some("zstd"));
    assert_eq!(header("toolhub-source"), Some("jsonl"));
    assert_eq!(
        header("toolhub-ci"),
        Some(r#"{"provider":"github","repository":"acme/api"}"#)
    );
    assert!(header("user-agent").unwrap().starts_with("toolhub/"));
}

#[tokio::test]
async fn waiting_ends_when_nothing_is_pending() {
    let home = Home::with(1);
    let hub = Hub::without_faults().await;
    assert_done(
        &home
            .upload(
                &hub,
                Request {
                    wait: true,
                    ..small()
                },
            )
            .await,
    );
    let looks = hub
        .seen()
        .iter()
        .filter(|seen| seen.path == "/v1/refresh")
        .count();
    assert_eq!(looks, 3);
}

#[tokio::test]
async fn the_machines_tools_are_sent_from_a_laptop_and_neither_from_ci_nor_where_unwanted() {
    let mut home = Home::with(1);
    install_a_skill(home.folder.path());
    let hub = Hub::without_faults().await;
    assert_done(&home.upload(&hub, small()).await);
    let machine = hub.inventories().remove(0).machine.unwrap();
    assert_eq!(machine.tools[0].tool_id.as_str(), "skill:pdf");

    let unwanted = Hub::without_faults().await;
    assert_done(
        &home
            .upload(
                &unwanted,
                Request {
                    inventory: false,
                    ..small()
                },
            )
            .await,
    );
    home.variables = vec![("CI", "true")];
    assert_done(&home.upload(&unwanted, small()).await);
    assert_eq!(unwanted.inventories(), []);
}

#[tokio::test]
async fn a_server_without_inventory_still_takes_the_events() {
    let home = Home::with(1);
    install_a_skill(home.folder.path());
    let hub = Hub::start(Limits::default(), |_, seen| {
        (seen.path == "/v1/inventory").then_some(Fault::Status(404))
    })
    .await;
    let finished = home.upload(&hub, small()).await;
    assert_done(&finished);
    assert_eq!(finished.report.inventory, None);
}
