//! Temporary and permanent faults.

use std::time::Duration;

use client::{Exit, Server, upload::Request};
use model::limits::Limits;

use crate::{
    Home, assert_done,
    hub::{Fault, Hub},
    small,
};

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
        let working = Hub::without_faults().await;
        let other_address = home.upload(&working, small()).await;
        assert_eq!(other_address.report.resumed, 0);
    }
}

#[tokio::test]
async fn a_permanent_error_is_not_retried() {
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
async fn the_end_of_the_retries_is_try_again() {
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
async fn an_unreachable_server_is_reported_with_its_address() {
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

    let without_token = Server::new(&url, None).unwrap();
    let error = without_token.get("/v1/scores", &[]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot reach {}: connection refused. Start one with `toolhub serve`, or name yours with --url",
            url
        )
    );
}
