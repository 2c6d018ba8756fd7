//! `/v1/dead-weight`: what is loaded and paid for, and not used.

use crate::harness::{
    Caller, Hub,
    sample::{event_at, now, text},
};
use chrono::TimeDelta;
use model::{
    api::{DeadWeight, DeadWeightRow},
    inventory::InventoryReceipt,
};
use reqwest::Method;
use serde_json::{Value, json};

async fn dead(caller: &Caller, query: &str) -> Vec<DeadWeightRow> {
    let answer: DeadWeight = caller.get(&format!("/v1/dead-weight{query}")).await.ok();
    answer.dead_weight
}

fn names(rows: &[DeadWeightRow]) -> Vec<&str> {
    rows.iter().map(|row| row.tool_id.as_str()).collect()
}

async fn loaded(caller: &Caller, session: &str, days_ago: i64, tools: &[(&str, i64)]) {
    let tools: Vec<Value> = tools
        .iter()
        .map(|(tool, bytes)| json!({ "tool_id": tool, "context_bytes": bytes }))
        .collect();
    let observed_at = text(now() - TimeDelta::days(days_ago));
    let body = json!({ "sessions": [{ "session_id": session, "observed_at": observed_at, "tools": tools }] });
    let request = caller
        .request(Method::PUT, "/v1/inventory")
        .body(body.to_string());
    let _: InventoryReceipt = caller.send(request).await.ok();
}

#[tokio::test]
async fn a_tool_that_was_not_called_in_the_window_is_dead_weight() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    for (days, tool) in [(2, "skill:used"), (20, "skill:quiet"), (200, "skill:forgotten")] {
        ann.upload(&[event_at(tool, tool, now() - TimeDelta::days(days))])
            .await;
    }
    ann.refreshed().await;
    assert_eq!(names(&dead(&ann, "").await), ["skill:forgotten"]);
    assert_eq!(
        names(&dead(&ann, "?days=7").await),
        ["skill:forgotten", "skill:quiet"]
    );
    assert_eq!(names(&dead(&ann, "?days=365").await), Vec::<&str>::new());
    let rows = dead(&ann, "?days=7").await;
    assert!(
        rows.iter()
            .all(|row| row.events == 0 && row.last_used_at.is_some())
    );
    for query in ["?days=0", "?days=-3", "?days=1000000", "?kind=colour"] {
        assert_eq!(
            ann.get(&format!("/v1/dead-weight{query}"))
                .await
                .problem(400)
                .code,
            "invalid_parameter",
            "{query}"
        );
    }
}

#[tokio::test]
async fn what_it_costs_is_what_the_sessions_of_the_window_loaded() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    loaded(
        &ann,
        "s1",
        1,
        &[("mcp:figma", 4_000), ("skill:small", 10), ("cli:make", 7)],
    )
    .await;
    loaded(&ann, "s2", 2, &[("mcp:figma", 5_000)]).await;
    loaded(&ann, "s3", 90, &[("mcp:figma", 9_999)]).await;
    loaded(&bob, "s1", 3, &[("mcp:figma", 1_000)]).await;
    ann.upload(&[event_at("call_1", "cli:make", now() - TimeDelta::days(1))])
        .await;
    ann.refreshed().await;
    let rows = dead(&ann, "?days=30").await;
    assert_eq!(
        names(&rows),
        ["mcp:figma", "skill:small"],
        "the heaviest first, and nothing that was called"
    );
    let figma = &rows[0];
    assert_eq!(
        (figma.sessions_loaded, figma.members_loaded, figma.context_bytes),
        (3, 2, 10_000)
    );
    assert_eq!((figma.events, figma.last_used_at), (0, None));
    assert!(!figma.reason.is_empty());
    // The same inventory again is not another session.
    loaded(&ann, "s2", 2, &[("mcp:figma", 5_000)]).await;
    assert_eq!(dead(&ann, "?days=30").await, rows);
    assert_eq!(names(&dead(&ann, "?kind=skill").await), ["skill:small"]);
}

#[tokio::test]
async fn the_default_window_follows_the_events_and_what_is_too_new_can_be_left_out() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    assert_eq!(ann.get("/v1/dead-weight").await.json()["data_since"], Value::Null);
    for (days_ago, window) in [(3, 7), (10, 7), (20, 14), (40, 30)] {
        let at = now() - TimeDelta::days(days_ago);
        let tool = format!("skill:known-for-{days_ago}");
        ann.upload(&[event_at(&tool, &tool, at)]).await;
        ann.refreshed().await;
        let answer = ann.get("/v1/dead-weight").await.json();
        assert_eq!(answer["days"], window, "events since {days_ago} days ago");
        assert_eq!(answer["data_since"], at.date_naive().to_string());
        assert_eq!(ann.get("/v1/dead-weight?days=30").await.json()["days"], 30);
    }
    loaded(&ann, "s", 0, &[("skill:new", 10)]).await;
    ann.refreshed().await;
    let all = dead(&ann, "?days=30").await;
    let judged = dead(&ann, "?days=30&judged=true").await;
    assert!(names(&all).contains(&"skill:new"), "{all:?}");
    assert_eq!(names(&judged), ["skill:known-for-40"]);
    let page = ann
        .get("/v1/dead-weight?days=30&judged=true&limit=1")
        .await
        .json();
    assert_eq!(
        page["next_cursor"],
        Value::Null,
        "what is left out makes no further page: {page}"
    );
}
