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

async fn put(caller: &Caller, body: &Value) {
    let request = caller
        .request(Method::PUT, "/v1/inventory")
        .body(body.to_string());
    let _: InventoryReceipt = caller.send(request).await.ok();
}

/// A session of some days ago that carried a tool in its requests.
fn carried(session: &str, days_ago: i64, tool: &Value) -> Value {
    let observed_at = text(now() - TimeDelta::days(days_ago));
    json!({ "sessions": [{
        "session_id": session, "agent": "claude-code", "observed_at": observed_at, "tools": [tool],
    }] })
}

async fn row(caller: &Caller, query: &str, tool: &str) -> DeadWeightRow {
    let rows = dead(caller, query).await;
    let found = rows.iter().find(|row| row.tool_id == tool).cloned();
    found.unwrap_or_else(|| panic!("{tool} is not in {rows:?}"))
}

#[tokio::test]
async fn what_a_tool_costs_is_in_tokens_and_dollars_and_what_no_log_says_is_null() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    ann.upload(&[event_at("e", "cli:make", now() - TimeDelta::days(80))])
        .await;
    let tool = |requests: i64, cost: i64| {
        json!({
            "tool_id": "mcp:figma", "context_bytes": 480, "context_tokens": 100, "requests": requests,
            "carried_tokens": 100 * requests, "cost_micro_usd": cost, "invoke_tokens": 700,
        })
    };
    put(&ann, &carried("s1", 1, &tool(10, 3_000))).await;
    put(&ann, &carried("s2", 2, &tool(20, 6_000))).await;
    // The same session, when it has gone on; and an older state of it.
    put(&ann, &carried("s2", 2, &tool(50, 12_000))).await;
    put(&ann, &carried("s2", 2, &tool(20, 6_000))).await;
    put(&ann, &carried("s3", 60, &tool(1_000, 900_000))).await;
    loaded(&ann, "s1", 1, &[("skill:plain", 96), ("skill:nameless", 0)]).await;
    ann.refreshed().await;
    for query in ["?days=30&verdict=all", "?days=30&verdict=all&member=ann", "?days=20&verdict=all"] {
        let figma = row(&ann, query, "mcp:figma").await;
        assert_eq!(
            (figma.context_tokens, figma.requests, figma.carried_tokens, figma.invoke_tokens),
            (Some(100), Some(60), Some(6_000), Some(700)),
            "{query}"
        );
        let month = if query.contains("20") { 0.0225 } else { 0.015 };
        assert_eq!(figma.est_cost_usd_month, Some(month), "{query}");
        let plain = row(&ann, query, "skill:plain").await;
        assert_eq!(
            (plain.context_tokens, plain.requests, plain.est_cost_usd_month, plain.invoke_tokens),
            (Some(20), None, None, None),
            "estimated from the bytes, and the rest is not known"
        );
        let nameless = row(&ann, query, "skill:nameless").await;
        assert_eq!(nameless.context_tokens, None, "a size that is not known is not 0");
    }
    assert_eq!(hub.store.rebuild().await.unwrap().differences, 0);
}

#[tokio::test]
async fn each_verdict_says_what_it_rests_on_and_accuses_no_tool_that_is_called() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let mut team = vec![ann.clone()];
    for handle in ["bob", "cyd", "dee"] {
        team.push(hub.member(&acme, handle).await);
    }
    let before = now() - TimeDelta::days(70);
    ann.upload(&[
        event_at("old", "skill:quiet", before),
        event_at("twin", "mcp:plugin_db_db", now()),
        event_at("work", "cli:make", before),
    ])
    .await;
    let calls: Vec<Value> = (0..6)
        .map(|nth| event_at(&format!("few{nth}"), "skill:rare", now()))
        .collect();
    ann.upload(&calls).await;
    for (nth, member) in team.iter().enumerate() {
        let tools = ["skill:quiet", "skill:silent", "skill:rare", "mcp:db", "agent:Explore"];
        let tools: Vec<(&str, i64)> = tools.iter().map(|tool| (*tool, 100)).collect();
        for (days, session) in [(65, "old"), (1, "new")] {
            loaded(member, &format!("{session}{nth}"), days, &tools).await;
        }
        let observed_at = text(now() - TimeDelta::days(40 * i64::from(nth == 0)));
        let waiting = json!({ "sessions": [{
            "session_id": format!("w{nth}"), "observed_at": observed_at, "tools": [], "unreachable": ["mcp:down"],
        }, {
            "session_id": format!("v{nth}"), "observed_at": text(now()), "tools": [], "unreachable": ["mcp:down"],
        }] });
        put(member, &waiting).await;
    }
    ann.refreshed().await;
    let verdicts = |rows: &[DeadWeightRow]| -> Vec<(String, String)> {
        let mut verdicts: Vec<_> = rows
            .iter()
            .map(|row| (row.tool_id.clone(), row.verdict.to_string()))
            .collect();
        verdicts.sort();
        verdicts
    };
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    let expected = owned(&[
        ("agent:Explore", "ships_with_agent"),
        ("mcp:db", "duplicate"),
        ("mcp:down", "too_new"),
        ("mcp:plugin_db_db", "too_little_evidence"),
        ("skill:quiet", "dormant"),
        ("skill:rare", "used_by_few"),
        ("skill:silent", "unused"),
    ]);
    let rows = dead(&ann, "?days=30&verdict=all").await;
    let known = verdicts(&rows);
    for (tool, verdict) in &expected {
        assert!(known.contains(&(tool.clone(), verdict.clone())), "{tool}: {known:?}");
    }
    let silent = rows.iter().find(|row| row.tool_id == "skill:silent").unwrap();
    let evidence = &silent.evidence;
    assert_eq!(
        (evidence.days, evidence.sessions, evidence.members, evidence.users, evidence.calls),
        (30, 4, 4, 0, 0)
    );
    assert!(evidence.first_seen_at.unwrap() < evidence.last_seen_at.unwrap());
    assert_eq!(silent.confidence, 0.185);
    let twin = rows.iter().find(|row| row.tool_id == "mcp:db").unwrap();
    assert_eq!(twin.evidence.duplicate_of.as_deref(), Some("mcp:plugin_db_db"));
    let accused = ["unused", "dormant", "never_loaded", "unreachable", "duplicate"];
    for row in &rows {
        assert!(
            row.events == 0 || !accused.contains(&row.verdict.as_str()),
            "{} is in use",
            row.tool_id
        );
    }
}

#[tokio::test]
async fn a_server_that_sessions_wait_for_and_never_get_is_unreachable() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    ann.upload(&[event_at("call", "mcp:down", now() - TimeDelta::days(50))])
        .await;
    for session in ["s1", "s2", "s3", "s3"] {
        let observed_at = text(now());
        let body = json!({ "sessions": [{
            "session_id": session, "observed_at": observed_at, "tools": [], "unreachable": ["mcp:down"],
        }] });
        put(&ann, &body).await;
    }
    ann.refreshed().await;
    for query in ["?days=30", "?days=20&verdict=unreachable", "?days=30&member=ann"] {
        let down = row(&ann, query, "mcp:down").await;
        assert_eq!((down.verdict.as_str(), down.evidence.sessions), ("unreachable", 3), "{query}");
        assert_eq!(down.remove.as_deref(), Some("claude mcp remove down"));
    }
    loaded(&ann, "s4", 0, &[("mcp:down", 40)]).await;
    ann.refreshed().await;
    assert_eq!(row(&ann, "?days=30", "mcp:down").await.verdict.as_str(), "too_little_evidence");
}

#[tokio::test]
async fn what_removes_a_tool_is_where_it_is_declared_and_groups_are_removed_together() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    let machine = json!({ "machine": { "machine_id": "m", "observed_at": text(now()), "tools": [
        { "tool_id": "plugin:cave@talk", "source": "plugin:cave", "marketplace": "market" },
        { "tool_id": "mcp:linear", "source": "user", "path": "~/.claude.json:12" },
        { "tool_id": "mcp:db", "source": "project", "path": "./.mcp.json:3" },
        { "tool_id": "skill:pdf", "source": "user", "path": "~/.claude/skills/pdf" },
    ] } });
    put(&ann, &machine).await;
    let tools = [("plugin:cave@talk", 480), ("plugin:cave@walk", 480), ("mcp:linear", 48), ("skill:pdf", 96)];
    loaded(&ann, "s1", 1, &tools).await;
    loaded(&bob, "s2", 1, &tools[..1]).await;
    bob.upload(&[event_at("e", "plugin:cave@walk", now())]).await;
    ann.refreshed().await;
    let rows = dead(&ann, "?days=30&verdict=all").await;
    let of = |tool: &str| rows.iter().find(|row| row.tool_id == tool).unwrap();
    let removed = ["plugin:cave@talk", "mcp:linear", "mcp:db", "skill:pdf"].map(|tool| of(tool).remove.as_deref().unwrap());
    assert_eq!(
        removed,
        [
            "claude plugin disable cave",
            "claude mcp remove linear (~/.claude.json:12)",
            "entry db of ./.mcp.json:3",
            "folder ~/.claude/skills/pdf",
        ]
    );
    assert_eq!(of("mcp:linear").declared_in, ["~/.claude.json:12"]);
    assert_eq!((of("plugin:cave@talk").group.as_str(), of("skill:pdf").group.as_str()), ("plugin:cave", "skill:pdf"));
    let groups = |by: &str| {
        let path = format!("/v1/dead-weight?days=30&group_by={by}");
        let ann = ann.clone();
        async move { ann.get(&path).await.json()["groups"].clone() }
    };
    let removal = groups("removal").await;
    let cave = removal
        .as_array()
        .unwrap()
        .iter()
        .find(|group| group["group"] == "plugin:cave")
        .unwrap();
    assert_eq!(
        (&cave["tools"], &cave["tools_without_calls"], &cave["events"], &cave["context_tokens"]),
        (&json!(2), &json!(1), &json!(1), &json!(200))
    );
    assert_eq!(cave["loaded_by"], json!(["ann", "bob"]));
    assert_eq!(cave["remove"], "claude plugin disable cave");
    let names = |groups: &Value| -> Vec<String> {
        let groups = groups.as_array().unwrap();
        groups.iter().map(|group| group["group"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&groups("marketplace").await), ["market"]);
    assert_eq!(names(&groups("plugin").await), ["plugin:cave"]);
    assert_eq!(names(&groups("server").await), ["mcp:linear", "mcp:db"]);
    assert_eq!(ann.get("/v1/dead-weight?group_by=colour").await.problem(400).code, "invalid_parameter");
    assert!(ann.get("/v1/dead-weight").await.json().get("groups").is_none());
}
