//! What the scores promise, against a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    Event, MemberId, MicroUsd, OrgId, Reason, ToolId, Verdict,
    event::Source,
    team::{MemberKind, Role},
};
use store::{
    Store,
    ingest::Batch,
    leaderboards::{Board, BoardFilter},
    refresh::Refresh,
    testing::TestDatabase,
};
use uuid::Uuid;

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

fn event(tool: &str, verdict: Verdict, duration_ms: Option<i64>, days_ago: i64) -> Event {
    Event {
        uuid: Some(Uuid::new_v4().to_string()),
        duration_ms,
        ..Event::new(
            ToolId::parse(tool).unwrap(),
            verdict,
            now() - TimeDelta::days(days_ago),
        )
    }
}

async fn send(store: &Store, org: OrgId, member: MemberId, events: Vec<Event>) {
    let batch = Batch {
        member,
        upload_id: Uuid::now_v7(),
        source: Source::Api,
        client: None,
        ci: None,
        hash: String::new(),
        rejected: 0,
        events,
    };
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
            .map(|ms| event(tool, Verdict::SUCCESS, *ms, 0))
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
        let score = store.score_get(org, tool).await.unwrap().unwrap();
        assert_eq!(score.tally.median_duration_ms, median, "{tool}");
    }
}

#[tokio::test]
async fn rates_count_what_the_tool_decided_and_cost_only_what_has_one() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, ann) = acme(&store).await;
    let mut events = vec![
        event("skill:x", Verdict::SUCCESS, None, 0),
        event("skill:x", Verdict::SUCCESS, None, 1),
        event("skill:x", Verdict::SUCCESS, None, 2),
        event("skill:x", Verdict::because(Reason::Error), None, 3),
        event("skill:x", Verdict::because(Reason::Rejected), None, 4),
        event("skill:x", Verdict::UNKNOWN, None, 5),
    ];
    events[0].cost = Some(MicroUsd(10_000));
    events[1].cost = Some(MicroUsd(30_000));
    send(&store, org, ann, events).await;
    store.refresh().await.unwrap();
    let tally = store.score_get(org, "skill:x").await.unwrap().unwrap().tally;
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
    assert!(!store.refresh_needed().await.unwrap());
    send(
        &store,
        org,
        ann,
        vec![event("skill:x", Verdict::SUCCESS, None, 0)],
    )
    .await;
    assert!(store.refresh_state(org).await.unwrap().pending);
    let before = store.clock().await.unwrap();
    let Refresh::Done {
        rows_changed,
        started_at,
        ..
    } = store.refresh().await.unwrap()
    else {
        panic!("nobody else refreshes")
    };
    assert_eq!(rows_changed, 1);
    assert!(started_at >= before);
    let state = store.refresh_state(org).await.unwrap();
    assert_eq!(
        (state.pending, state.as_of, state.last_error),
        (false, Some(started_at), None)
    );
    let Refresh::Done { rows_changed, .. } = store.refresh().await.unwrap() else {
        panic!("nobody else refreshes")
    };
    assert_eq!(
        rows_changed, 0,
        "a refresh without news writes no row of the view"
    );
}

#[tokio::test]
async fn boards_look_at_their_window_and_leave_builtins_out_unless_asked() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, ann) = acme(&store).await;
    send(
        &store,
        org,
        ann,
        vec![
            event("skill:new", Verdict::SUCCESS, Some(5), 1),
            event("skill:old", Verdict::SUCCESS, Some(5), 50),
            event("builtin:Bash", Verdict::SUCCESS, Some(5), 1),
        ],
    )
    .await;
    store.refresh().await.unwrap();
    let board = async |since, kind: Option<&str>| -> Vec<String> {
        let filter = BoardFilter {
            kind: kind.map(str::to_owned),
            ..BoardFilter::default()
        };
        let page = store
            .leaderboard(org, Board::Tools, since, &filter, None, 50)
            .await
            .unwrap();
        page.rows.into_iter().filter_map(|row| row.tool_id).collect()
    };
    let month = Some(now() - TimeDelta::days(30));
    assert_eq!(board(month, None).await, ["skill:new"]);
    assert_eq!(board(None, None).await, ["skill:new", "skill:old"]);
    assert_eq!(board(month, Some("all")).await, ["builtin:Bash", "skill:new"]);
    assert_eq!(board(month, Some("builtin")).await, ["builtin:Bash"]);
}

#[tokio::test]
async fn dead_weight_is_what_nobody_used_in_the_window() {
    let database = TestDatabase::new().await;
    let store = database.store().await;
    let (org, ann) = acme(&store).await;
    send(
        &store,
        org,
        ann,
        vec![
            event("skill:used", Verdict::SUCCESS, None, 3),
            event("skill:stale", Verdict::SUCCESS, None, 40),
            event("skill:stale", Verdict::SUCCESS, None, 60),
        ],
    )
    .await;
    store.refresh().await.unwrap();
    let dead = async |days: i64| -> Vec<String> {
        let page = store
            .dead_weight(org, now() - TimeDelta::days(days), None, None, 50)
            .await
            .unwrap();
        page.rows.into_iter().map(|row| row.tool_id).collect()
    };
    assert_eq!(dead(30).await, ["skill:stale"]);
    assert_eq!(dead(45).await, Vec::<String>::new());
    assert_eq!(dead(2).await, ["skill:stale", "skill:used"]);
}
