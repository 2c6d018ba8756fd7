//! Telemetry and logs of the same calls, in any order and in any split into transactions.

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    CallResult, Event, MemberId, OrgId, Reason, ToolId,
    api::query::{EventsQuery, ListQuery},
    event::UnnamedCall,
    team::{MemberKind, Role},
};
use proptest::{prelude::*, test_runner::TestRunner};
use store::{Store, ingest::Batch};
use testing::TestDatabase;

use crate::sample;

fn now() -> DateTime<Utc> {
    "2026-11-01T12:00:00Z".parse().unwrap()
}

/// A report of one of three calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Report {
    /// The log has no answer yet.
    Unanswered,
    /// The log has it, and disagrees with the telemetry.
    Answered,
    /// Telemetry with the name of the tool, which reports a success.
    Named,
    /// The same without the name.
    Unnamed,
    /// A decision of telemetry against the call, without the name.
    Denied,
}

/// Of the log: the evening before the telemetry, so that the day of the call depends on who is right.
fn by_log(call: usize, result: CallResult, duration_ms: Option<i64>) -> Event {
    Event {
        uuid: Some(format!("toolu_{call}a")),
        session: Some("s".into()),
        project: Some("api".into()),
        duration_ms,
        ..Event::new(
            ToolId::parse("mcp:linear").unwrap(),
            result,
            now() - TimeDelta::hours(13),
        )
    }
}

fn unnamed(call: usize, result: CallResult, duration_ms: Option<i64>) -> UnnamedCall {
    UnnamedCall {
        uuid: format!("toolu_{call}a"),
        session: Some("s".into()),
        agent: Some("claude-code".into()),
        agent_version: None,
        result,
        duration_ms,
        occurred_at: now() - TimeDelta::hours(11),
    }
}

fn batch(member: MemberId, reports: &[(usize, Report)]) -> Batch {
    let mut batch = sample::batch(member, Vec::new());
    for &(call, report) in reports {
        let success = unnamed(call, CallResult::SUCCESS, Some(40));
        match report {
            Report::Unanswered => batch.events.push(by_log(call, CallResult::UNANSWERED, None)),
            Report::Answered => {
                let failed = CallResult::because(Reason::Error);
                batch.events.push(by_log(call, failed, Some(278)));
            }
            Report::Named => batch
                .events
                .push(success.named(ToolId::parse("mcp:linear").unwrap())),
            Report::Unnamed => batch.unnamed.push(success),
            Report::Denied => {
                let denied = CallResult::because(Reason::Denied);
                batch.unnamed.push(unnamed(call, denied, None));
            }
        }
    }
    batch
}

/// What is stored about each call, and whether the rollup agrees.
async fn stored(store: &Store, org: OrgId) -> Vec<String> {
    let page = store
        .event_list(org, &EventsQuery::default().with_page(Some(500), None))
        .await
        .unwrap();
    let mut rows: Vec<String> = page
        .rows
        .into_iter()
        .map(|row| {
            format!(
                "{} {} {:?} {:?} {:?} {:?} {:?} {}",
                row.uuid,
                row.tool_id,
                row.outcome,
                row.reason,
                row.duration_ms,
                row.session_id,
                row.agent,
                row.occurred_at
            )
        })
        .collect();
    rows.sort();
    rows
}

async fn setting(store: &Store, slug: &str) -> (OrgId, MemberId) {
    let org = store.org_create(slug, now()).await.unwrap();
    let ann = store
        .member_add(org, "ann", MemberKind::Person, Role::Member, now())
        .await
        .unwrap();
    (org, ann)
}

async fn send(store: &Store, org: OrgId, batch: Batch) -> store::ingest::Counts {
    let (events, unnamed) = (batch.events.len() as u64, batch.unnamed.len() as u64);
    let counts = store.ingest(org, &[batch], now()).await.unwrap()[0].counts;
    let sum = counts.inserted + counts.upgraded + counts.duplicate + counts.conflict + counts.refused;
    // A call without a name is an event of the receipt where its event is stored.
    assert!((events..=events + unnamed).contains(&sum), "{counts:?}");
    counts
}

#[tokio::test]
async fn a_call_without_a_name_waits_until_the_log_names_it() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, ann) = setting(&store, "acme").await;
    send(&store, org, batch(ann, &[(1, Report::Unnamed)])).await;
    assert_eq!(stored(&store, org).await, [""; 0]);
    send(&store, org, batch(ann, &[(1, Report::Answered)])).await;
    let named = stored(&store, org).await;
    assert!(
        named[0].contains("mcp:linear Failure Some(Error) Some(40)"),
        "{named:?}"
    );
    // It comes again, as from a collector: nothing waits, nothing changes.
    send(&store, org, batch(ann, &[(1, Report::Unnamed)])).await;
    assert_eq!(stored(&store, org).await, named);
}

#[tokio::test]
async fn a_denial_beats_a_failure_in_either_order() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    for (slug, reports) in [
        ("first", [Report::Denied, Report::Unnamed, Report::Unanswered]),
        ("last", [Report::Unnamed, Report::Denied, Report::Unanswered]),
        ("late", [Report::Unanswered, Report::Unnamed, Report::Denied]),
    ] {
        let (org, ann) = setting(&store, slug).await;
        for report in reports {
            send(&store, org, batch(ann, &[(1, report)])).await;
        }
        let rows = stored(&store, org).await;
        assert!(
            rows[0].contains("Abandoned Some(Denied) Some(40)"),
            "{slug}: {rows:?}"
        );
    }
}

/// Any interleaving of logs and telemetry, alone or in shared transactions, ends in the same rows and in a rollup that a
/// rebuild would not change.
#[test]
fn logs_and_telemetry_end_in_the_same_rows_in_every_order() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let (_database, store) = runtime.block_on(async {
        let database = TestDatabase::new().await;
        let store = database.store().await;
        (database, store)
    });
    let report = prop_oneof![
        Just(Report::Unanswered),
        Just(Report::Answered),
        Just(Report::Named),
        Just(Report::Unnamed),
        Just(Report::Denied),
    ];
    let reports = prop::collection::vec((0..3_usize, report), 1..12);
    let strategy = reports.prop_flat_map(|reports| {
        let other = Just(reports.clone()).prop_shuffle();
        (Just(reports), other, prop::collection::vec(1..4_usize, 12))
    });
    TestRunner::new(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
    .run(&strategy, |(reports, other, sizes)| {
        let mut ends = Vec::new();
        for (order, sizes) in [(&reports, &[1; 12][..]), (&other, &sizes[..]), (&other, &[12])] {
            let end = runtime.block_on(async {
                let (org, ann) = setting(&store, &format!("case-{}", uuid::Uuid::new_v4().simple())).await;
                let (mut rest, mut sizes) = (&order[..], sizes.iter().cycle());
                while !rest.is_empty() {
                    let (now, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                    rest = later;
                    send(&store, org, batch(ann, now)).await;
                }
                // Once more, all of it: nothing is left to learn.
                let again = send(&store, org, batch(ann, order)).await;
                assert_eq!((again.inserted, again.upgraded), (0, 0), "{order:?}");
                stored(&store, org).await
            });
            ends.push(end);
        }
        prop_assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:#?}");
        Ok(())
    })
    .unwrap();
    let rebuilt = runtime.block_on(store.rebuild()).unwrap();
    assert_eq!(rebuilt.differences, 0);
}
