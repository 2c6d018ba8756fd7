//! `toolhub admin member erase-data`, killed in the middle: everything is there, or nothing.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    CallResult, Event, MemberId, OrgId, ToolId,
    event::Source,
    team::{MemberKind, Role},
};
use store::{Store, ingest::Batch};
use testing::TestDatabase;
use uuid::Uuid;

const EVENTS: usize = 40_000;

fn now() -> DateTime<Utc> {
    "2026-11-01T12:00:00Z".parse().unwrap()
}

async fn fill(store: &Store, org: OrgId, member: MemberId) {
    for part in 0..EVENTS / 5_000 {
        let events = (0..5_000_i64)
            .map(|number| Event {
                uuid: Some(format!("call-{part}-{number}")),
                ..Event::new(
                    ToolId::parse(&format!("cli:tool-{}", number % 50)).unwrap(),
                    CallResult::SUCCESS,
                    now() - TimeDelta::minutes(number * 10),
                )
            })
            .collect();
        let batch = Batch {
            member,
            upload_id: Uuid::now_v7(),
            source: Source::Jsonl,
            client: None,
            ci: None,
            hash: String::new(),
            rejected: 0,
            unnamed: Vec::new(),
            unkeyed: 0,
            events,
        };
        store.ingest(org, &[batch], now()).await.unwrap();
    }
}

fn erase(url: &str) -> Child {
    let home = std::env::temp_dir();
    Command::new(env!("CARGO_BIN_EXE_toolhub"))
        .args([
            "admin",
            "member",
            "erase-data",
            "ann",
            "--org",
            "acme",
            "--confirm",
            "ann",
        ])
        .env("TOOLHUB_DATABASE_URL", url)
        .env("HOME", home)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What is left: events, rows of the rollup, and whether the member has a cut.
async fn left(store: &Store, org: OrgId, member: MemberId) -> (i64, i64, bool) {
    let rebuilt = store.rebuild().await.unwrap();
    assert_eq!(rebuilt.differences, 0);
    let cut = store.my_settings(org, member).await.unwrap().events_before;
    (
        store.event_count(org, None).await.unwrap(),
        rebuilt.days,
        cut.is_some(),
    )
}

#[tokio::test]
async fn a_deletion_that_is_killed_has_happened_whole_or_not_at_all() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = store.org_create("acme", now()).await.unwrap();
    let member = store
        .member_add(org, "ann", MemberKind::Person, Role::Member, now())
        .await
        .unwrap();
    fill(&store, org, member).await;
    let (all, days, _) = left(&store, org, member).await;
    assert_eq!(all, i64::try_from(EVENTS).unwrap());
    let mut whole = 0;
    for kill in 0..20_u64 {
        let mut child = erase(database.url());
        // Not waiting for anything: a kill at whatever point the program has reached by then.
        tokio::time::sleep(Duration::from_millis(kill * 15)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        settled(&store, org).await;
        match left(&store, org, member).await {
            (events, rows, false) => {
                assert_eq!((events, rows), (all, days), "kill {kill}: nothing has happened")
            }
            (events, rows, true) => {
                assert_eq!((events, rows), (0, 0), "kill {kill}: all has happened");
                whole += 1;
                let again = model::administration::MyChange {
                    accept_deleted: Some(true),
                    ..Default::default()
                };
                let act = store::audit::Act::by_operator(org, now());
                store.my_change(&act, member, &again).await.unwrap();
                fill(&store, org, member).await;
            }
        }
    }
    // Undisturbed, it ends.
    assert!(
        erase(database.url()).wait().unwrap().success(),
        "after {whole} of 20 that ended before the kill"
    );
    assert_eq!(left(&store, org, member).await, (0, 0, true));
}

/// Waits for the transaction of the killed program: it holds the lock of the org until it has ended.
async fn settled(store: &Store, org: OrgId) {
    let nothing = model::administration::OrgChange::default();
    let act = store::audit::Act::by_operator(org, now());
    store.org_change(&act, &nothing).await.unwrap();
}
