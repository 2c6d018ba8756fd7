//! Runs that are stopped, repeated, or run side by side.

use std::{collections::BTreeSet, fs, time::Duration};

use client::{Exit, upload::Request};
use model::limits::Limits;

use crate::{
    Home, assert_done,
    hub::{Fault, Hub},
    line, small,
};

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
async fn only_what_changed_since_the_last_complete_upload_is_read_again() {
    let home = Home::with(5);
    let hub = Hub::without_faults().await;
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
    let hub = Hub::without_faults().await;
    let (a, b) = tokio::join!(home.upload(&hub, small()), home.upload(&hub, small()));
    assert_done(&a);
    assert_done(&b);
    let expected: BTreeSet<String> = (0..300).map(|n| format!("toolu_{n:05}")).collect();
    assert_eq!(hub.stored(), expected);
}
