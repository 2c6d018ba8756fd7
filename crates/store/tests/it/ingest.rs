//! What `Store::ingest` promises, against a real PostgreSQL.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    CallResult, Event, MemberId, MicroUsd, OrgId, Reason, ToolId,
    api::query::{EventsQuery, ListQuery},
    event::Source,
    team::{MemberKind, Role},
};
use proptest::{prelude::*, test_runner::TestRunner};
use store::{
    Store,
    ingest::{Batch, Counts},
};
use testing::TestDatabase;
use uuid::Uuid;

fn now() -> DateTime<Utc> {
    "2026-11-01T12:00:00Z".parse().unwrap()
}

async fn org(store: &Store, slug: &str) -> OrgId {
    store.org_create(slug, now()).await.unwrap()
}

async fn member(store: &Store, org: OrgId, handle: &str) -> MemberId {
    store
        .member_add(org, handle, MemberKind::Person, Role::Member, now())
        .await
        .unwrap()
}

fn event(uuid: &str, tool: &str, result: CallResult) -> Event {
    Event {
        uuid: Some(uuid.to_owned()),
        ..Event::new(ToolId::parse(tool).unwrap(), result, now())
    }
}

fn batch(member: MemberId, events: Vec<Event>) -> Batch {
    Batch {
        member,
        upload_id: Uuid::now_v7(),
        source: Source::Jsonl,
        client: Some("test".into()),
        ci: None,
        hash: "0".repeat(64),
        rejected: 0,
        events,
        unnamed: Vec::new(),
        unkeyed: 0,
    }
}

async fn send(store: &Store, org: OrgId, batch: Batch) -> Counts {
    store.ingest(org, &[batch], now()).await.unwrap()[0].counts
}

/// Every stored event of an org by its uuid, as the API would show it; without what depends on the upload.
async fn stored(store: &Store, org: OrgId) -> BTreeMap<(String, String), String> {
    let page = store
        .event_list(org, &EventsQuery::default().with_page(Some(500), None))
        .await
        .unwrap();
    assert_eq!(page.next_cursor, None, "the test expects one page");
    page.rows
        .into_iter()
        .map(|row| {
            let facts = format!(
                "{} {:?} {:?} {:?} {:?} {:?} {:?}",
                row.tool_id, row.outcome, row.reason, row.duration_ms, row.cost_usd, row.project, row.model
            );
            ((row.member, row.uuid), facts)
        })
        .collect()
}

#[tokio::test]
async fn sending_anything_twice_changes_nothing() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = org(&store, "acme").await;
    let ann = member(&store, org, "ann").await;
    let events: Vec<Event> = (0..300)
        .map(|i| event(&format!("toolu_{i}"), "mcp:linear", CallResult::SUCCESS))
        .collect();
    let first = send(&store, org, batch(ann, events.clone())).await;
    assert_eq!(
        first,
        Counts {
            inserted: 300,
            ..Counts::default()
        }
    );
    let before = stored(&store, org).await;
    let second = send(&store, org, batch(ann, events)).await;
    assert_eq!(
        second,
        Counts {
            duplicate: 300,
            ..Counts::default()
        }
    );
    assert_eq!(stored(&store, org).await, before);
}

#[tokio::test]
async fn events_without_uuid_are_all_kept() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = org(&store, "acme").await;
    let ann = member(&store, org, "ann").await;
    let anonymous = Event {
        uuid: None,
        ..event("", "skill:x", CallResult::SUCCESS)
    };
    for _ in 0..2 {
        let counts = send(&store, org, batch(ann, vec![anonymous.clone(); 3])).await;
        assert_eq!(counts.inserted, 3);
    }
    assert_eq!(store.event_count(org, None).await.unwrap(), 6);
}

#[tokio::test]
async fn the_same_uuid_of_two_members_or_two_orgs_is_two_events() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (acme, other) = (org(&store, "acme").await, org(&store, "other").await);
    let (ann, bob) = (
        member(&store, acme, "ann").await,
        member(&store, acme, "bob").await,
    );
    let eve = member(&store, other, "ann").await;
    for (org, member) in [(acme, ann), (acme, bob), (other, eve)] {
        let counts = send(
            &store,
            org,
            batch(member, vec![event("toolu_1", "skill:x", CallResult::SUCCESS)]),
        )
        .await;
        assert_eq!(counts.inserted, 1);
    }
    assert_eq!(store.event_count(acme, None).await.unwrap(), 2);
    assert_eq!(store.event_count(other, None).await.unwrap(), 1);
}

#[tokio::test]
async fn another_tool_under_a_known_uuid_is_a_conflict_and_the_stored_event_stands() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = org(&store, "acme").await;
    let ann = member(&store, org, "ann").await;
    send(
        &store,
        org,
        batch(ann, vec![event("toolu_1", "skill:x", CallResult::UNANSWERED)]),
    )
    .await;
    let before = stored(&store, org).await;
    let counts = send(
        &store,
        org,
        batch(
            ann,
            vec![
                event("toolu_1", "skill:y", CallResult::SUCCESS),
                event("toolu_2", "skill:a", CallResult::SUCCESS),
                event("toolu_2", "skill:b", CallResult::SUCCESS),
            ],
        ),
    )
    .await;
    assert_eq!(
        counts,
        Counts {
            inserted: 1,
            conflict: 2,
            ..Counts::default()
        }
    );
    let mut after = stored(&store, org).await;
    let second = after.remove(&("ann".to_owned(), "toolu_2".to_owned())).unwrap();
    assert!(
        second.starts_with("skill:a"),
        "the first to arrive is stored: {second}"
    );
    assert_eq!(after, before);
}

#[tokio::test]
async fn a_late_answer_upgrades_the_event_and_nothing_takes_it_back() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = org(&store, "acme").await;
    let ann = member(&store, org, "ann").await;
    let pending = event("toolu_1", "mcp:linear", CallResult::UNANSWERED);
    let answered = Event {
        duration_ms: Some(120),
        cost: Some(MicroUsd(5_000)),
        ..event("toolu_1", "mcp:linear", CallResult::SUCCESS)
    };
    for (sent, expected) in [
        (
            &pending,
            Counts {
                inserted: 1,
                ..Counts::default()
            },
        ),
        (
            &answered,
            Counts {
                upgraded: 1,
                ..Counts::default()
            },
        ),
        (
            &pending,
            Counts {
                duplicate: 1,
                ..Counts::default()
            },
        ),
        (
            &answered,
            Counts {
                duplicate: 1,
                ..Counts::default()
            },
        ),
    ] {
        assert_eq!(send(&store, org, batch(ann, vec![sent.clone()])).await, expected);
    }
    let facts = stored(&store, org).await.into_values().next().unwrap();
    assert!(facts.contains("Success None Some(120) Some(0.005)"), "{facts}");
}

/// What can be known about one call: each report of it knows a part.
#[derive(Clone, Debug)]
struct Report {
    key: usize,
    knows: [bool; 4],
}

fn truth(key: usize) -> Event {
    let result = match key % 3 {
        0 => CallResult::SUCCESS,
        1 => CallResult::because(Reason::Error),
        _ => CallResult::because(Reason::Rejected),
    };
    Event {
        duration_ms: Some(i64::try_from(key).unwrap() * 10),
        cost: Some(MicroUsd(1_000)),
        project: Some(format!("project-{}", key % 2)),
        ..event(&format!("toolu_{key}"), "mcp:linear", result)
    }
}

fn told(report: &Report) -> Event {
    let truth = truth(report.key);
    let [result, duration, cost, project] = report.knows;
    Event {
        result: if result {
            truth.result
        } else {
            CallResult::UNANSWERED
        },
        duration_ms: truth.duration_ms.filter(|_| duration),
        cost: if cost { truth.cost } else { Some(MicroUsd(400)) },
        project: truth.project.clone().filter(|_| project),
        ..truth
    }
}

/// Reports of a few calls, in some order, split into batches in some way.
fn uploads() -> impl Strategy<Value = (Vec<Report>, Vec<usize>)> {
    let report = (0..5_usize, any::<[bool; 4]>()).prop_map(|(key, knows)| Report { key, knows });
    prop::collection::vec(report, 1..24).prop_flat_map(|reports| {
        (
            Just(reports).prop_shuffle(),
            prop::collection::vec(1..6_usize, 24),
        )
    })
}

/// In any order and in any split the stored state is what the reports know together, and the counts add up.
#[test]
fn whatever_the_order_of_arrival_the_end_state_is_the_same() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (_database, store) = runtime.block_on(async {
        let database = TestDatabase::new().await;
        let store = database.store().await;
        (database, store)
    });
    TestRunner::new(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
    .run(&uploads(), |(reports, sizes)| {
        runtime.block_on(async {
            let org = org(&store, &format!("case-{}", Uuid::new_v4().simple())).await;
            let ann = member(&store, org, "ann").await;
            let mut expected: BTreeMap<usize, Event> = BTreeMap::new();
            for report in &reports {
                let event = told(report);
                expected
                    .entry(report.key)
                    .and_modify(|known| {
                        known.merge(&event);
                    })
                    .or_insert(event);
            }
            let (mut rest, mut sizes, mut inserted) = (&reports[..], sizes.iter().cycle(), 0);
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                rest = later;
                let counts = send(&store, org, batch(ann, now.iter().map(told).collect())).await;
                let sum = counts.inserted + counts.upgraded + counts.duplicate + counts.conflict;
                prop_assert_eq!(sum, now.len() as u64);
                prop_assert_eq!(counts.conflict, 0);
                inserted += counts.inserted;
            }
            prop_assert_eq!(inserted, expected.len() as u64);
            let expected: BTreeMap<(String, String), String> = expected
                .into_values()
                .map(|event| {
                    let facts = format!(
                        "{} {:?} {:?} {:?} {:?} {:?} {:?}",
                        event.tool,
                        event.result.outcome(),
                        event.result.reason(),
                        event.duration_ms,
                        event.cost.map(MicroUsd::as_usd),
                        event.project,
                        event.model
                    );
                    (("ann".to_owned(), event.uuid.unwrap()), facts)
                })
                .collect();
            prop_assert_eq!(stored(&store, org).await, expected);
            Ok(())
        })
    })
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_the_same_events_in_different_orders_never_deadlock() {
    const WRITERS: usize = 16;
    const EVENTS: usize = 400;
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let org = org(&store, "acme").await;
    let ann = member(&store, org, "ann").await;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            let mut total = Counts::default();
            for round in 0..4 {
                let mut events: Vec<Event> = (0..EVENTS)
                    .map(|i| {
                        let result = if (writer + round) % 2 == 0 {
                            CallResult::SUCCESS
                        } else {
                            CallResult::UNANSWERED
                        };
                        Event {
                            occurred_at: now() + TimeDelta::seconds(i64::try_from(i).unwrap()),
                            ..event(&format!("toolu_{i}"), &format!("mcp:server-{}", i % 7), result)
                        }
                    })
                    .collect();
                events.rotate_left((writer * 37 + round * 101) % EVENTS);
                if writer % 2 == 0 {
                    events.reverse();
                }
                let counts = send(&store, org, batch(ann, events)).await;
                total.inserted += counts.inserted;
                total.upgraded += counts.upgraded;
                total.duplicate += counts.duplicate;
            }
            total
        }));
    }
    let (mut inserted, mut all) = (0, 0);
    for writer in writers {
        let total = writer.await.unwrap();
        inserted += total.inserted;
        all += total.inserted + total.upgraded + total.duplicate;
    }
    assert_eq!(inserted, EVENTS as u64);
    assert_eq!(all, (WRITERS * EVENTS * 4) as u64);
    assert_eq!(store.event_count(org, None).await.unwrap(), EVENTS as i64);
    assert_eq!(store.deadlocks().await.unwrap(), 0);
}
