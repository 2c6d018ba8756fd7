//! What the daily rollup promises, against a real PostgreSQL.

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    CallResult, Event, MemberId, MicroUsd, OrgId, Reason, ToolId,
    team::{MemberKind, Role},
};
use proptest::{prelude::*, test_runner::TestRunner};
use store::{Store, ingest::Batch};
use testing::TestDatabase;
use uuid::Uuid;

use crate::sample::batch;

fn now() -> DateTime<Utc> {
    "2026-11-01T12:00:00Z".parse().unwrap()
}

async fn acme(store: &Store) -> (OrgId, Vec<MemberId>) {
    let org = store
        .org_create(&format!("acme-{}", Uuid::new_v4().simple()), now())
        .await
        .unwrap();
    let mut members = Vec::new();
    for handle in ["ann", "bob", "cem"] {
        let member = store.member_add(org, handle, MemberKind::Person, Role::Member, now());
        members.push(member.await.unwrap());
    }
    (org, members)
}

async fn connect(database: &TestDatabase) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

/// A report of one of a few calls that knows some of its facts. Its times lie on both sides of a UTC midnight.
fn report() -> impl Strategy<Value = (usize, Event)> {
    let result = prop_oneof![
        Just(CallResult::UNANSWERED),
        Just(CallResult::UNKNOWN),
        Just(CallResult::SUCCESS),
        Just(CallResult::because(Reason::Error)),
        Just(CallResult::because(Reason::Rejected)),
    ];
    let midnight: DateTime<Utc> = "2026-10-31T00:00:00Z".parse().unwrap();
    let facts = (
        result,
        any::<Option<bool>>(),
        proptest::option::of(0..9_i64),
        -3..3_i64,
    );
    (0..3_usize, 0..12_usize, facts).prop_map(move |(member, key, (result, project, cost, minutes))| {
        let event = Event {
            uuid: Some(format!("toolu_{key}")),
            project: project.map(|web| if web { "web" } else { "api" }.to_owned()),
            cost: cost.map(MicroUsd),
            ..Event::new(
                ToolId::parse(["mcp:linear", "skill:x"][key % 2]).unwrap(),
                result,
                midnight + TimeDelta::minutes(minutes),
            )
        };
        (member, event)
    })
}

#[test]
fn after_any_uploads_the_rollup_is_what_the_events_add_up_to() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_database, store) = runtime.block_on(async {
        let database = TestDatabase::new().await;
        let store = database.store().await;
        (database, store)
    });
    TestRunner::new(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
    .run(
        &prop::collection::vec(prop::collection::vec(report(), 1..9), 1..9),
        |uploads| {
            runtime.block_on(async {
                let (org, members) = acme(&store).await;
                for upload in uploads {
                    let mut batches: Vec<Batch> =
                        members.iter().map(|member| batch(*member, vec![])).collect();
                    for (member, event) in upload {
                        batches[member].events.push(event);
                    }
                    store.ingest(org, &batches, now()).await.unwrap();
                }
                let rebuilt = store.rebuild().await.unwrap();
                prop_assert_eq!(rebuilt.differences, 0);
                Ok(())
            })
        },
    )
    .unwrap();
    let rows = runtime.block_on(store.rebuild()).unwrap().days;
    assert!(rows > 100, "the cases made rows to compare: {rows}");
}

#[tokio::test]
async fn an_event_that_learns_its_project_moves_there_with_its_time() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, members) = acme(&store).await;
    let event = |uuid: &str, hour: i64, project: Option<&str>| Event {
        uuid: Some(uuid.to_owned()),
        project: project.map(str::to_owned),
        ..Event::new(
            ToolId::parse("mcp:linear").unwrap(),
            CallResult::SUCCESS,
            now() - TimeDelta::hours(hour),
        )
    };
    let first = batch(
        members[0],
        vec![event("a", 5, None), event("b", 3, None), event("c", 1, None)],
    );
    store.ingest(org, &[first], now()).await.unwrap();
    let rows = async || -> Vec<(String, i32, DateTime<Utc>, DateTime<Utc>)> {
        let sql = "select project, events, first_used_at, last_used_at from usage_days order by project";
        let rows = connect(&database).await.query(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| {
                (
                    row.get("project"),
                    row.get("events"),
                    row.get("first_used_at"),
                    row.get("last_used_at"),
                )
            })
            .collect()
    };
    let at = |hour: i64| now() - TimeDelta::hours(hour);
    assert_eq!(rows().await, [(String::new(), 3, at(5), at(1))]);
    store
        .ingest(org, &[batch(members[0], vec![event("a", 5, Some("web"))])], now())
        .await
        .unwrap();
    assert_eq!(
        rows().await,
        [
            (String::new(), 2, at(3), at(1)),
            ("web".to_owned(), 1, at(5), at(5))
        ]
    );
    let rest = vec![event("b", 3, Some("web")), event("c", 1, Some("web"))];
    store
        .ingest(org, &[batch(members[0], rest)], now())
        .await
        .unwrap();
    assert_eq!(
        rows().await,
        [("web".to_owned(), 3, at(5), at(1))],
        "an empty row does not stay"
    );
}

#[tokio::test]
async fn a_rebuild_finds_and_corrects_wrong_sums() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, members) = acme(&store).await;
    let events = ["mcp:a", "mcp:b", "mcp:c"]
        .map(|tool| Event::new(ToolId::parse(tool).unwrap(), CallResult::SUCCESS, now()))
        .to_vec();
    store
        .ingest(org, &[batch(members[0], events)], now())
        .await
        .unwrap();
    let client = connect(&database).await;
    client
        .batch_execute(
            "update usage_days set successes = 7 where tool_id = 'mcp:a'; \
             delete from usage_days where tool_id = 'mcp:b'; \
             insert into usage_days select org_id, member_id, day - 9, events, successes, failures, abandoned, unknown, unknown_tool, \
             costed, cost_micro_usd, first_used_at, last_used_at, tool_id, project, timed from usage_days where tool_id = 'mcp:c'",
        )
        .await
        .unwrap();
    assert_eq!(
        store.rebuild().await.unwrap().differences,
        6,
        "three days, and three totals that are no longer their sum"
    );
    assert_eq!(store.rebuild().await.unwrap().differences, 0);
    for broken in [
        "update usage_totals set timed = timed + 1 where tool_id = 'mcp:a'",
        "delete from usage_totals where tool_id = 'mcp:b'",
        "insert into usage_totals select org_id, member_id, events, successes, failures, abandoned, unknown, unknown_tool, \
         costed, timed, cost_micro_usd, first_used_at, last_used_at, 'mcp:none', project from usage_totals limit 1",
    ] {
        client.batch_execute(broken).await.unwrap();
        assert_eq!(store.rebuild().await.unwrap().differences, 1, "{broken}");
        assert_eq!(store.rebuild().await.unwrap().differences, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_one_member_and_of_many_neither_deadlock_nor_miscount() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, members) = acme(&store).await;
    let mut writers = Vec::new();
    for writer in 0..12_usize {
        let (store, members) = (store.clone(), members.clone());
        writers.push(tokio::spawn(async move {
            for round in 0..6_usize {
                let mut events: Vec<Event> = (0..80_usize)
                    .map(|i| {
                        let known = (writer + round + i) % 3 == 0;
                        Event {
                            uuid: Some(format!("toolu_{}", i + 40 * (round % 2))),
                            project: known.then(|| "web".to_owned()),
                            ..Event::new(
                                ToolId::parse(["mcp:a", "mcp:b", "skill:c"][(i + 40 * (round % 2)) % 3])
                                    .unwrap(),
                                if known {
                                    CallResult::SUCCESS
                                } else {
                                    CallResult::UNANSWERED
                                },
                                now() - TimeDelta::hours(i64::try_from(i).unwrap()),
                            )
                        }
                    })
                    .collect();
                events.rotate_left((writer * 7) % 80);
                let batches = [
                    batch(members[writer % 3], events.clone()),
                    batch(members[(writer + 1) % 3], events),
                ];
                store.ingest(org, &batches, now()).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(store.deadlocks().await.unwrap(), 0);
    assert_eq!(store.rebuild().await.unwrap().differences, 0);
}

/// Waits until so many sessions wait for a lock.
async fn waiting(watcher: &tokio_postgres::Client, sessions: i64) {
    let sql = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    for _ in 0..1000 {
        if watcher.query_one(sql, &[]).await.unwrap().get::<_, i64>("count") == sessions {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{sessions} sessions never waited for a lock");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_meet_at_one_event_are_merged_one_after_the_other() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, members) = acme(&store).await;
    let report = |result: CallResult, cost: i64, duration_ms: Option<i64>, project: Option<&str>| Event {
        uuid: Some("toolu_1".to_owned()),
        cost: Some(MicroUsd(cost)),
        duration_ms,
        project: project.map(str::to_owned),
        ..Event::new(ToolId::parse("mcp:linear").unwrap(), result, now())
    };
    let ann = members[0];
    let first = report(CallResult::UNANSWERED, 1, None, None);
    store
        .ingest(org, &[batch(ann, vec![first])], now())
        .await
        .unwrap();

    let (mut holder, watcher) = (connect(&database).await, connect(&database).await);
    let held = holder.transaction().await.unwrap();
    held.query_one("select from usage_events for update", &[])
        .await
        .unwrap();
    // Each finds the stored event outdated and waits for its row; the third then learns that it is not.
    let mut uploads = Vec::new();
    for (report, raised) in [
        (report(CallResult::SUCCESS, 3, Some(5), None), 1),
        (
            report(CallResult::because(Reason::Error), 2, Some(9), Some("web")),
            1,
        ),
        (
            report(CallResult::because(Reason::Rejected), 3, Some(7), Some("api")),
            0,
        ),
    ] {
        let store = store.clone();
        uploads.push(tokio::spawn(async move {
            let stored = store
                .ingest(org, &[batch(ann, vec![report])], now())
                .await
                .unwrap();
            assert_eq!(
                (stored[0].counts.upgraded, stored[0].counts.duplicate),
                (raised, 1 - raised)
            );
        }));
        waiting(&watcher, i64::try_from(uploads.len()).unwrap()).await;
    }
    held.commit().await.unwrap();
    for upload in uploads {
        upload.await.unwrap();
    }
    let row = watcher
        .query_one(
            "select outcome::text, reason::text, cost_micro_usd, duration_ms, project from usage_events",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>("outcome"), "success");
    assert_eq!(row.get::<_, Option<&str>>("reason"), None);
    assert_eq!(
        (
            row.get::<_, i64>("cost_micro_usd"),
            row.get::<_, i64>("duration_ms")
        ),
        (3, 5)
    );
    assert_eq!(row.get::<_, &str>("project"), "web");
    assert_eq!(store.rebuild().await.unwrap().differences, 0);
}
