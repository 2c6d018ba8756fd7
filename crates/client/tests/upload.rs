//! Uploads to a server that misbehaves: nothing is lost, nothing is believed that is no receipt, nobody waits in vain.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hub;

use std::{collections::BTreeSet, fs, path::Path, sync::Arc, time::Duration};

use client::{
    Environment, Exit, Server,
    upload::{self, Encoding, Finished, Request},
};
use hub::{Fault, Hub};
use model::{limits::Limits, token::Token};

/// A home with one log of `events` calls.
struct Home {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, &'static str)>,
}

impl Home {
    fn with(events: usize) -> Home {
        let ids: Vec<String> = (0..events).map(|n| format!("toolu_{n:05}")).collect();
        Home::with_ids(&ids)
    }

    fn with_ids(ids: &[String]) -> Home {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join(".claude/projects/-work-api");
        fs::create_dir_all(&project).unwrap();
        let log: String = ids.iter().map(|id| line(id)).collect();
        fs::write(project.join("session.jsonl"), log).unwrap();
        Home {
            folder,
            variables: Vec::new(),
        }
    }

    fn environment(&self) -> Environment {
        Environment::new(
            self.folder.path(),
            self.folder.path(),
            self.variables.iter().copied(),
        )
    }

    async fn upload(&self, hub: &Hub, request: Request) -> Finished {
        self.upload_to(&hub.url, request).await
    }

    async fn upload_to(&self, url: &str, request: Request) -> Finished {
        let server = Server::new(url, Some(token())).unwrap();
        upload::upload(&request, &self.environment(), Some(server), &quiet(), None).await
    }

    fn journals(&self) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.folder.path().join(".local/state/toolhub/journal")) else {
            return Vec::new();
        };
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".journal")).collect()
    }
}

fn line(id: &str) -> String {
    format!(
        r#"{{"type":"assistant","sessionId":"s","cwd":"/work/api","timestamp":"2026-01-02T03:04:05.000Z","message":{{"id":"m{id}","content":[{{"type":"tool_use","id":"{id}","name":"Bash","input":{{}}}}]}}}}"#
    ) + "\n"
}

fn token() -> Token {
    Token::from_random(&[7; 64]).unwrap()
}

fn quiet() -> upload::Observer {
    Arc::new(|_| {})
}

fn small() -> Request {
    Request {
        batch_events: Some(50),
        ..Request::default()
    }
}

fn assert_done(finished: &Finished) {
    assert!(finished.error.is_none(), "{:?}", finished.error);
    let report = &finished.report;
    let sum = report.inserted + report.upgraded + report.duplicate + report.conflict + report.rejected;
    assert_eq!(sum, report.received, "{report:?}");
}

#[tokio::test]
async fn every_event_arrives_once_whatever_the_server_does() {
    let faults = [
        Fault::Reset,
        Fault::Status(503),
        Fault::ResetAfterStoring,
        Fault::Status(429),
        Fault::Portal,
        Fault::OtherBatch,
        Fault::HalfReceipt,
        Fault::Status(500),
        Fault::Status(409),
    ];
    let home = Home::with(1_000);
    let planted = faults.clone();
    let hub = Hub::start(Limits::default(), move |nth, seen| {
        if seen.path == "/v1/events" {
            planted.get(nth).cloned()
        } else {
            None
        }
    })
    .await;
    let finished = home.upload(&hub, small()).await;
    assert_done(&finished);
    let report = finished.report;
    assert_eq!(hub.stored().len(), 1_000);
    assert_eq!(
        (report.events, report.received, report.batches),
        (1_000, 1_000, 20)
    );
    // Three faults come after the events were stored; several of them may hit the same batch.
    assert_eq!(report.inserted + report.duplicate, 1_000);
    assert!([50, 100, 150].contains(&report.duplicate), "{}", report.duplicate);
    assert_eq!(hub.uploads().len(), 20 + faults.len());
    assert_eq!(home.journals(), [""; 0]);
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved_and_one_event_never_blocks_the_others() {
    let home = Home::with(100);
    let hub = Hub::start(Limits::default(), |_, seen| {
        let body = String::from_utf8_lossy(&seen.body);
        let too_large =
            seen.path == "/v1/events" && (body.lines().count() > 7 || body.contains("toolu_00042"));
        too_large.then_some(Fault::Status(413))
    })
    .await;
    let finished = home.upload(&hub, small()).await;
    assert_done(&finished);
    assert_eq!(finished.exit(), Exit::Rejected);
    assert_eq!((finished.report.inserted, finished.report.rejected), (99, 1));
    let [quarantined] = &finished.report.quarantined[..] else {
        panic!("{:?}", finished.report.quarantined)
    };
    assert_eq!(quarantined.uuid.as_deref(), Some("toolu_00042"));
    assert!(quarantined.detail.contains("planted"), "{quarantined:?}");
}

#[tokio::test]
async fn the_servers_limits_are_obeyed_without_being_told_twice() {
    let home = Home::with(100);
    let limits = Limits {
        batch_events: 30,
        decoded_bytes: 4_000,
        wire_bytes: 2_000,
        ..Limits::default()
    };
    let hub = Hub::start(limits, |_, _| None).await;
    let finished = home
        .upload(
            &hub,
            Request {
                encoding: Encoding::Identity,
                ..Request::default()
            },
        )
        .await;
    assert_done(&finished);
    assert_eq!(hub.stored().len(), 100);
    for upload in hub.uploads() {
        assert!(upload.body.len() <= 2_000, "{} bytes", upload.body.len());
    }
}

#[tokio::test]
async fn an_encoding_that_the_server_does_not_know_gives_way_to_the_next() {
    for (refused, used) in [(vec!["zstd"], Some("gzip")), (vec!["zstd", "gzip"], None)] {
        let home = Home::with(100);
        let hub = Hub::start(Limits::default(), move |_, seen| {
            let encoding = seen.headers.get("content-encoding")?;
            refused.contains(&encoding.as_str()).then_some(Fault::Status(415))
        })
        .await;
        let finished = home.upload(&hub, small()).await;
        assert_done(&finished);
        assert_eq!(hub.stored().len(), 100);
        let last = hub.uploads().pop().unwrap();
        assert_eq!(last.headers.get("content-encoding").map(String::as_str), used);
    }
}

#[tokio::test]
async fn a_run_that_was_stopped_goes_on_where_it_was_and_a_complete_one_starts_over() {
    let home = Home::with(500);
    let one_at_a_time = || Request {
        in_flight: 1,
        ..small()
    };
    let hub = Hub::start(Limits::default(), |nth, _| {
        (nth == 4).then_some(Fault::Status(401))
    })
    .await;
    let stopped = home.upload(&hub, one_at_a_time()).await;
    assert_eq!(stopped.exit(), Exit::NotAllowed);
    assert_eq!((stopped.report.received, hub.stored().len()), (200, 200));
    assert_eq!(home.journals().len(), 1);

    let resumed = home.upload(&hub, one_at_a_time()).await;
    assert_done(&resumed);
    assert_eq!(
        (
            resumed.report.resumed,
            resumed.report.inserted,
            resumed.report.duplicate
        ),
        (200, 300, 0)
    );
    assert_eq!(hub.stored().len(), 500);
    assert_eq!(home.journals(), [""; 0]);

    let again = home.upload(&hub, one_at_a_time()).await;
    assert_done(&again);
    assert_eq!((again.report.resumed, again.report.duplicate), (0, 500));
}

#[tokio::test]
async fn an_answer_that_is_no_receipt_advances_nothing() {
    for fault in [Fault::Portal, Fault::OtherBatch, Fault::HalfReceipt] {
        let home = Home::with(10);
        let planted = fault.clone();
        let hub = Hub::start(Limits::default(), move |_, seen| {
            (seen.path == "/v1/events").then(|| planted.clone())
        })
        .await;
        let finished = home
            .upload(
                &hub,
                Request {
                    retry_for: Some(Duration::ZERO),
                    ..small()
                },
            )
            .await;
        assert_eq!(finished.exit(), Exit::Failed, "{fault:?}");
        let text = finished.error.unwrap().to_string();
        assert!(text.contains("not like a toolhub server"), "{text}");
        assert_eq!(finished.report.received, 0);
        let honest = Hub::honest().await;
        let other_address = home.upload(&honest, small()).await;
        assert_eq!(other_address.report.resumed, 0);
    }
}

#[tokio::test]
async fn what_will_never_work_is_not_tried_twice() {
    for (status, exit) in [
        (400, Exit::Failed),
        (401, Exit::NotAllowed),
        (403, Exit::NotAllowed),
        (422, Exit::Failed),
    ] {
        let home = Home::with(10);
        let hub = Hub::start(Limits::default(), move |_, seen| {
            (seen.path == "/v1/events").then_some(Fault::Status(status))
        })
        .await;
        let finished = home.upload(&hub, small()).await;
        assert_eq!(finished.exit(), exit, "{status}");
        assert!(
            finished
                .error
                .unwrap()
                .to_string()
                .contains("planted by the test"),
            "{status}"
        );
        assert_eq!(hub.uploads().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn patience_ends_and_says_to_try_again() {
    let home = Home::with(10);
    let hub = Hub::start(Limits::default(), |_, seen| {
        (seen.path == "/v1/events").then_some(Fault::Status(503))
    })
    .await;
    let finished = home
        .upload(
            &hub,
            Request {
                retry_for: Some(Duration::from_secs(1)),
                ..small()
            },
        )
        .await;
    assert_eq!(finished.exit(), Exit::TryAgain);
    assert!(
        finished
            .error
            .unwrap()
            .to_string()
            .contains("planted by the test")
    );
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let home = Home::with(10);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let finished = home
        .upload_to(
            &url,
            Request {
                retry_for: Some(Duration::ZERO),
                ..small()
            },
        )
        .await;
    assert_eq!(finished.exit(), Exit::TryAgain);
    let text = finished.error.unwrap().to_string();
    assert!(
        text.contains(&url) && text.contains("connection refused"),
        "{text}"
    );

    let strangers = Server::new(&url, None).unwrap();
    let error = strangers.get("/v1/scores", &[]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot reach {}: connection refused. Start one with `toolhub serve`, or name yours with --url",
            url
        )
    );
}

#[tokio::test]
async fn rejected_events_are_told_and_not_remembered_as_sent() {
    let mut ids: Vec<String> = (0..60).map(|n| format!("toolu_{n}")).collect();
    ids[3] = "bad".into();
    let home = Home::with_ids(&ids);
    let one_at_a_time = || Request {
        in_flight: 1,
        ..small()
    };
    let hub = Hub::start(Limits::default(), |nth, _| {
        (nth == 1).then_some(Fault::Status(401))
    })
    .await;
    let stopped = home.upload(&hub, one_at_a_time()).await;
    assert_eq!((stopped.report.received, stopped.report.rejected), (50, 1));
    let resumed = home.upload(&hub, one_at_a_time()).await;
    assert_done(&resumed);
    assert_eq!(resumed.exit(), Exit::Rejected, "the second run tells of it again");
    assert_eq!((resumed.report.resumed, resumed.report.rejected), (0, 1));
}

#[tokio::test]
async fn a_dry_run_opens_no_connection_and_prints_what_would_be_sent() {
    let home = Home::with(120);
    let hub = Hub::honest().await;
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
    let hub = Hub::honest().await;
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
    let hub = Hub::honest().await;
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
async fn the_machines_tools_are_sent_from_a_laptop_and_neither_from_ci_nor_where_unwanted() {
    let mut home = Home::with(1);
    install_a_skill(home.folder.path());
    let hub = Hub::honest().await;
    assert_done(&home.upload(&hub, small()).await);
    let machine = hub.inventories().remove(0).machine.unwrap();
    assert_eq!(machine.tools[0].tool_id.as_str(), "skill:pdf");

    let unwanted = Hub::honest().await;
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

#[tokio::test]
async fn only_what_changed_since_the_last_complete_upload_is_read_again() {
    let home = Home::with(5);
    let hub = Hub::honest().await;
    let changed = || Request {
        changed: true,
        ..small()
    };
    let log = home
        .folder
        .path()
        .join(".claude/projects/-work-api/session.jsonl");
    let old = std::time::SystemTime::now() - Duration::from_secs(3_600);
    fs::File::options()
        .append(true)
        .open(&log)
        .unwrap()
        .set_modified(old)
        .unwrap();
    let first = home.upload(&hub, changed()).await;
    assert_eq!(
        (first.report.files, first.report.inserted),
        (1, 5),
        "nothing was complete yet"
    );
    let second = home.upload(&hub, changed()).await;
    assert_done(&second);
    assert_eq!(second.report.files, 0);
    fs::write(&log, line("toolu_new")).unwrap();
    let third = home.upload(&hub, changed()).await;
    assert_eq!(third.report.inserted, 1);
}

#[tokio::test]
async fn two_runs_at_once_lose_nothing() {
    let home = Home::with(300);
    let hub = Hub::honest().await;
    let (a, b) = tokio::join!(home.upload(&hub, small()), home.upload(&hub, small()));
    assert_done(&a);
    assert_done(&b);
    let expected: BTreeSet<String> = (0..300).map(|n| format!("toolu_{n:05}")).collect();
    assert_eq!(hub.stored(), expected);
}
