//! What the scores promise, against a real PostgreSQL.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    CallResult, Event, MemberId, MicroUsd, OrgId, Reason, ToolId,
    api::{
        self, AllOr, Score,
        query::{DeadWeightQuery, ListQuery, ScoreQuery},
    },
    team::{MemberKind, Role},
};
use store::{Store, derived::refresh::Refresh};
use testing::TestDatabase;
use uuid::Uuid;

use crate::random::{RESULTS, Random};
use crate::sample::batch;

fn now() -> DateTime<Utc> {
    "2026-11-01T12:00:00Z".parse().unwrap()
}

async fn acme(store: &Store) -> (OrgId, MemberId) {
    let org = store.org_create("acme", now()).await.unwrap();
    let ann = store
        .member_add(org, "ann", MemberKind::Person, Role::Member, now())
        .await
        .unwrap();
    (org, ann)
}

fn event(tool: &str, result: CallResult, duration_ms: Option<i64>, days_ago: i64) -> Event {
    Event {
        uuid: Some(Uuid::new_v4().to_string()),
        duration_ms,
        ..Event::new(
            ToolId::parse(tool).unwrap(),
            result,
            now() - TimeDelta::days(days_ago),
        )
    }
}

async fn refresh(store: &Store) -> Refresh {
    store.refresh_boards(now().date_naive()).await.unwrap()
}

async fn score(store: &Store, org: OrgId, tool: &str) -> Score {
    let query = ScoreQuery::default();
    store
        .tool_snapshot(org, tool, &query)
        .await
        .unwrap()
        .unwrap()
        .score
}

async fn send(store: &Store, org: OrgId, member: MemberId, events: Vec<Event>) {
    let batch = batch(member, events);
    store.ingest(org, &[batch], now()).await.unwrap();
}

#[tokio::test]
async fn the_median_is_the_middle_of_odd_counts_and_between_the_two_of_even_counts() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, ann) = acme(&store).await;
    let timed = |tool: &'static str, durations: &[Option<i64>]| -> Vec<Event> {
        durations
            .iter()
            .map(|ms| event(tool, CallResult::SUCCESS, *ms, 0))
            .collect()
    };
    send(
        &store,
        org,
        ann,
        timed("mcp:odd", &[Some(90), Some(10), Some(20), None]),
    )
    .await;
    send(
        &store,
        org,
        ann,
        timed("mcp:even", &[Some(10), Some(40), Some(15), Some(2)]),
    )
    .await;
    send(&store, org, ann, timed("mcp:none", &[None])).await;
    store.refresh().await.unwrap();
    for (tool, median) in [
        ("mcp:odd", Some(20.0)),
        ("mcp:even", Some(12.5)),
        ("mcp:none", None),
    ] {
        let score = score(&store, org, tool).await;
        assert_eq!(score.tally.median_duration_ms, median, "{tool}");
    }
}

#[tokio::test]
async fn rates_count_what_the_tool_decided_and_cost_only_what_has_one() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, ann) = acme(&store).await;
    let mut events = vec![
        event("skill:x", CallResult::SUCCESS, None, 0),
        event("skill:x", CallResult::SUCCESS, None, 1),
        event("skill:x", CallResult::SUCCESS, None, 2),
        event("skill:x", CallResult::because(Reason::Error), None, 3),
        event("skill:x", CallResult::because(Reason::Rejected), None, 4),
        event("skill:x", CallResult::UNKNOWN, None, 5),
    ];
    events[0].cost = Some(MicroUsd(10_000));
    events[1].cost = Some(MicroUsd(30_000));
    send(&store, org, ann, events).await;
    store.refresh().await.unwrap();
    let tally = score(&store, org, "skill:x").await.tally;
    assert_eq!(
        (
            tally.events,
            tally.successes,
            tally.failures,
            tally.abandoned,
            tally.unknown
        ),
        (6, 3, 1, 1, 1)
    );
    assert_eq!(tally.success_rate, Some(0.5));
    assert_eq!(tally.decided_rate, Some(0.75));
    assert_eq!(tally.avg_cost_usd, Some(0.02));
    assert_eq!(tally.members, 1);
    assert_eq!(tally.first_used_at, Some(now() - TimeDelta::days(5)));
    assert_eq!(tally.last_used_at, Some(now()));
    // 3 of 4, by the formula in the paper.
    let low = tally.wilson_low.unwrap();
    assert!((low - 0.300_641_842_582_402_5).abs() < 1e-12, "{low}");
}

#[tokio::test]
async fn a_refresh_says_what_it_changed_and_nothing_waits_after_it() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, ann) = acme(&store).await;
    send(
        &store,
        org,
        ann,
        vec![event("skill:x", CallResult::SUCCESS, None, 0)],
    )
    .await;
    assert!(store.freshness(org).await.unwrap().state.pending);
    let before = store.clock().await.unwrap();
    let Refresh::Done {
        rows_changed,
        started_at,
        ..
    } = refresh(&store).await
    else {
        panic!("no other process refreshes")
    };
    // All time and three windows, with the built-in tools and without, of the tool and of the member.
    assert_eq!(rows_changed, 16);
    assert!(started_at >= before);
    let state = store.freshness(org).await.unwrap().state;
    assert_eq!((state.pending, state.last_error), (false, None));
    assert!(state.as_of >= Some(started_at));
    let Refresh::Done { rows_changed, .. } = refresh(&store).await else {
        panic!("no other process refreshes")
    };
    assert_eq!(rows_changed, 0, "a refresh without news writes nothing");
}

#[tokio::test]
async fn dead_weight_is_what_was_not_used_in_the_window() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, ann) = acme(&store).await;
    send(
        &store,
        org,
        ann,
        vec![
            event("skill:used", CallResult::SUCCESS, None, 3),
            event("skill:stale", CallResult::SUCCESS, None, 40),
            event("skill:stale", CallResult::SUCCESS, None, 60),
        ],
    )
    .await;
    refresh(&store).await;
    let dead = async |days: i64| -> Vec<String> {
        let query = DeadWeightQuery {
            days: Some(days),
            ..DeadWeightQuery::default()
        };
        let page = store.dead_weight(org, &query).await.unwrap();
        page.rows.into_iter().map(|row| row.tool_id).collect()
    };
    assert_eq!(dead(30).await, ["skill:stale"]);
    assert_eq!(dead(45).await, Vec::<String>::new());
    assert_eq!(dead(2).await, ["skill:stale", "skill:used"]);
}

#[tokio::test]
async fn the_pages_of_dead_weight_together_are_the_whole_list_for_every_verdict() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, ann) = acme(&store).await;
    // Of twelve tools every third was called in the window; the others longest ago first.
    let last_use = |n: i64| if n % 3 == 0 { 1 + n } else { 80 - n };
    let events = (0..12)
        .map(|n| event(&format!("skill:n{n:02}"), CallResult::SUCCESS, None, last_use(n)))
        .collect();
    send(&store, org, ann, events).await;
    refresh(&store).await;
    let list = async |query: &DeadWeightQuery, limit: u32| -> Vec<String> {
        let (mut tools, mut cursor) = (Vec::new(), None);
        loop {
            let query = query.clone().with_page(Some(limit), cursor);
            let page = store.dead_weight(org, &query).await.unwrap();
            assert!(page.rows.len() <= limit as usize);
            tools.extend(page.rows.into_iter().map(|row| row.tool_id));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return tools;
            }
        }
    };
    let only = |verdict| Some(AllOr::Only(verdict));
    // 30 days are counted at the refresh, 29 when they are asked for.
    for days in [30, 29] {
        for (verdict, tools) in [
            (None, 8),
            (Some(AllOr::All), 12),
            (only(api::Verdict::NotKnown), 8),
            (only(api::Verdict::NeverLoaded), 0),
            (only(api::Verdict::TooLittleEvidence), 4),
            (only(api::Verdict::Failing), 0),
        ] {
            let query = DeadWeightQuery {
                days: Some(days),
                verdict,
                ..DeadWeightQuery::default()
            };
            let whole = list(&query, 500).await;
            assert_eq!(whole.len(), tools, "{verdict:?} in {days} days: {whole:?}");
            for limit in [1, 3, 4, 12] {
                assert_eq!(list(&query, limit).await, whole, "{verdict:?}, {limit} a page");
            }
        }
        let query = DeadWeightQuery {
            days: Some(days),
            ..DeadWeightQuery::default()
        };
        let oldest_first = ["n01", "n02", "n04", "n05", "n07", "n08", "n10", "n11"];
        assert_eq!(
            list(&query, 500).await,
            oldest_first.map(|name| format!("skill:{name}"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_read_in_one_snapshot_while_the_scores_are_refreshed() {
    const ROUNDS: usize = 20;

    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, ann) = acme(&store).await;
    send(
        &store,
        org,
        ann,
        vec![event("skill:x", CallResult::SUCCESS, None, 0)],
    )
    .await;
    refresh(&store).await;
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        // How many events the scores hold since each refresh.
        let mut refreshes = HashMap::new();
        for events in 2..2 + ROUNDS as i64 {
            send(
                &writer,
                org,
                ann,
                vec![event("skill:x", CallResult::SUCCESS, None, 0)],
            )
            .await;
            refresh(&writer).await;
            let as_of = writer.freshness(org).await.unwrap().state.as_of;
            refreshes.insert(as_of.unwrap(), events);
        }
        refreshes
    });
    let mut seen = Vec::new();
    while !writing.is_finished() {
        let query = ScoreQuery::default();
        let tool = store
            .tool_snapshot(org, "skill:x", &query)
            .await
            .unwrap()
            .unwrap();
        seen.push((tool.as_of.unwrap(), tool.score.tally.events));
    }
    let refreshes = writing.await.unwrap();
    let mut compared = 0;
    for (as_of, events) in seen {
        if let Some(expected) = refreshes.get(&as_of) {
            assert_eq!(events, *expected, "as of {as_of}");
            compared += 1;
        }
    }
    assert!(compared > 0, "no read fell between two refreshes");
}

/// Every row of a query, as text.
async fn rows(client: &tokio_postgres::Client, sql: &str) -> Vec<String> {
    let rows = client
        .query(
            &format!("select (r.*)::text as line from ({sql}) r order by 1"),
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get("line")).collect()
}

/// The scores as design has them: one plain query over the events, without rollup, index or view. Floating point
/// numbers are compared by their bits.
const PLAIN: &str = "select org_id, tool_id, count(*) as events, \
    count(*) filter (where outcome = 'success') as successes, count(*) filter (where outcome = 'failure') as failures, \
    count(*) filter (where outcome = 'abandoned') as abandoned, count(*) filter (where outcome = 'unknown') as unknown, \
    float8send(count(*) filter (where outcome = 'success')::float8 / count(*)) as success_rate, \
    float8send(sum(cost_micro_usd)::float8 / nullif(count(cost_micro_usd), 0) / 1e6) as avg_cost_usd, \
    float8send(percentile_cont(0.5) within group (order by duration_ms)) as median, \
    count(distinct member_id) as members, min(occurred_at) as first_used_at, max(occurred_at) as last_used_at \
    from usage_events where not already_counted group by org_id, tool_id";

const SCORED: &str = "select org_id, tool_id, events, successes, failures, abandoned, unknown, \
    float8send(success_rate) as success_rate, float8send(avg_cost_usd) as avg_cost_usd, \
    float8send(median_duration_ms) as median, members, first_used_at, last_used_at from tool_scores";

#[tokio::test]
async fn after_random_inserts_upgrades_and_deletes_the_scores_are_exact_to_the_last_bit() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, ann) = acme(&store).await;
    let bob = store
        .member_add(org, "bob", MemberKind::Person, Role::Member, now())
        .await
        .unwrap();
    let (client, connection) = tokio_postgres::connect(database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut random = Random(0x9e37_79b9);
    for round in 0..12 {
        for member in [ann, bob] {
            let events = (0..40)
                .map(|_| {
                    let key = random.below(160);
                    Event {
                        uuid: Some(format!("toolu_{key}")),
                        duration_ms: (random.below(4) > 0).then(|| random.signed(5_000)),
                        cost: (random.below(3) == 0).then(|| MicroUsd(random.signed(90_000))),
                        project: (random.below(2) == 0).then(|| "web".to_owned()),
                        ..event(
                            ["mcp:a", "mcp:b", "skill:c", "builtin:Bash"][usize::try_from(key % 4).unwrap()],
                            random.one(&RESULTS),
                            None,
                            (key % 40).cast_signed(),
                        )
                    }
                })
                .collect();
            send(&store, org, member, events).await;
        }
        if round % 4 == 3 {
            // As a deletion does it: events first, then the member's days.
            client
                .batch_execute("delete from usage_events where substr(uuid, 7)::int % 7 = 3")
                .await
                .unwrap();
            assert!(
                store.rebuild().await.unwrap().differences > 0,
                "a deletion by hand is seen"
            );
        }
        store.refresh().await.unwrap();
        assert_eq!(
            rows(&client, SCORED).await,
            rows(&client, PLAIN).await,
            "after round {round}"
        );
        assert_eq!(
            store.rebuild().await.unwrap().differences,
            0,
            "after round {round}"
        );
    }
}

#[tokio::test]
async fn the_first_refresh_gives_the_planner_statistics_of_what_is_stored() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (client, connection) = tokio_postgres::connect(database.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    // Autovacuum would do it a minute later.
    client
        .batch_execute("alter table usage_events set (autovacuum_enabled = off)")
        .await
        .unwrap();
    let known = async || -> f32 {
        let sql = "select reltuples from pg_class where oid = 'usage_events'::regclass";
        client.query_one(sql, &[]).await.unwrap().get("reltuples")
    };
    refresh(&store).await;
    assert!(known().await < 0.0, "nothing is known of an empty table");
    let (org, ann) = acme(&store).await;
    let events = (0..30)
        .map(|n| event("mcp:a", CallResult::SUCCESS, None, n))
        .collect();
    send(&store, org, ann, events).await;
    refresh(&store).await;
    assert!((known().await - 30.0).abs() < 0.5, "{}", known().await);
}
