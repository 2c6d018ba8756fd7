//! `/v1/decisions`: what is decided about a tool leaves it out of audits until it expires.

use chrono::TimeDelta;
use model::{
    api::{DeadWeight, Decision, Decisions, Savings, ToolDecision},
    team::{Role, Scope},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Caller, Hub,
    sample::{event_at, now, text},
};

async fn put(caller: &Caller, tool: &str, body: Value) -> Answer {
    let request = caller
        .request(Method::PUT, &format!("/v1/decisions/{tool}"))
        .json(&body);
    caller.send(request).await
}

async fn decided(caller: &Caller, query: &str) -> Vec<ToolDecision> {
    let answer: Decisions = caller.get(&format!("/v1/decisions{query}")).await.ok();
    answer.decisions
}

/// The tools of the audit, each with the decision about it.
async fn audited(caller: &Caller, query: &str) -> Vec<(String, Option<Decision>)> {
    let answer: DeadWeight = caller.get(&format!("/v1/dead-weight{query}")).await.ok();
    let rows = answer.dead_weight.into_iter();
    rows.map(|row| (row.tool_id, row.decision)).collect()
}

#[tokio::test]
async fn audits_leave_out_what_is_decided_until_it_expires_and_the_history_stays() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let tools = ["mcp:a", "mcp:b"];
    for tool in tools {
        olga.upload(&[event_at(tool, tool, now() - TimeDelta::days(90))])
            .await;
    }
    let session = json!({ "sessions": [{
        "session_id": "s1", "observed_at": text(now() - TimeDelta::days(1)),
        "tools": [{ "tool_id": "mcp:a", "context_bytes": 900 }],
    }] });
    let request = olga.request(Method::PUT, "/v1/inventory").json(&session);
    assert_eq!(olga.send(request).await.status, 200);
    olga.refreshed().await;
    let both = [("mcp:a".to_owned(), None), ("mcp:b".to_owned(), None)];
    // 29 days are counted when they are asked for, 30 beforehand.
    for days in ["?days=30", "?days=29"] {
        assert_eq!(audited(&olga, days).await, both);
    }
    let rows: DeadWeight = olga.get("/v1/dead-weight?days=30").await.ok();
    assert_eq!(rows.dead_weight[0].loaded_by, ["olga"]);

    let until = (now() + TimeDelta::days(30)).date_naive();
    let body = json!({ "decision": "retire", "note": "nobody called it", "until": until, "owner": "olga" });
    let made: ToolDecision = put(&olga, "mcp:a", body).await.ok();
    assert_eq!(
        (made.decision, made.until, made.active),
        (Decision::Retire, Some(until), true)
    );
    assert_eq!(
        (made.decided_by.as_str(), made.owner.as_deref()),
        ("olga", Some("olga"))
    );
    for days in ["?days=30", "?days=29"] {
        assert_eq!(audited(&olga, days).await, both[1..]);
        let all = audited(&olga, &format!("{days}&decided=true")).await;
        assert_eq!(
            all,
            [("mcp:a".to_owned(), Some(Decision::Retire)), both[1].clone()]
        );
        assert_eq!(audited(&olga, &format!("{days}&verdict=all")).await, all);
    }

    let again: ToolDecision = put(&olga, "mcp:a", json!({ "decision": "watch" })).await.ok();
    assert_eq!(again.until, None);
    let standing = decided(&olga, "").await;
    assert_eq!(standing.len(), 1);
    assert_eq!(standing[0].decision, Decision::Watch);
    let history = decided(&olga, "?history=true&tool_id=mcp:a").await;
    let words: Vec<(Decision, bool)> = history.iter().map(|one| (one.decision, one.active)).collect();
    assert_eq!(words, [(Decision::Watch, true), (Decision::Retire, false)]);

    // The last day has passed.
    let beside = hub.beside().await;
    beside
        .ask("update tool_decisions set until = (now() at time zone 'UTC')::date - 1 where ended_at is null")
        .await;
    assert_eq!(audited(&olga, "?days=30").await, both);
    assert!(!decided(&olga, "").await[0].active);

    let undo = |tool: &str| olga.request(Method::DELETE, &format!("/v1/decisions/{tool}"));
    assert_eq!(olga.send(undo("mcp:a")).await.status, 204);
    assert_eq!(olga.send(undo("mcp:a")).await.problem(404).code, "not_found");
    assert_eq!(decided(&olga, "").await, []);
    let log = olga.get("/v1/audit").await.json();
    let actions: Vec<&str> = log["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        &actions[..3],
        ["tool.decision_ended", "tool.decided", "tool.decided"]
    );
}

#[tokio::test]
async fn a_decision_that_makes_no_sense_is_refused_with_what_would() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    olga.upload(&[event_at("1", "mcp:a", now())]).await;
    for (body, words) in [
        (json!({ "decision": "remove" }), "keep, retire, watch"),
        (json!({}), "decision"),
        (json!({ "decision": "keep", "until": "soon" }), "2026-12-31"),
        (
            json!({ "decision": "keep", "until": "2001-01-01" }),
            "before today",
        ),
        (json!({ "decision": "keep", "note": "x".repeat(2_001) }), "2000"),
        (json!({ "decision": "keep", "why": "x" }), "why"),
    ] {
        let answer = put(&olga, "mcp:a", body.clone()).await;
        assert!([400, 422].contains(&answer.status.as_u16()), "{body}: {answer:?}");
        assert!(answer.text.contains(words), "{body}: {}", answer.text);
    }
    let unknown = put(&olga, "mcp:b", json!({ "decision": "keep" })).await;
    assert_eq!(unknown.problem(404).code, "not_found");
    // A time is taken for its day.
    let later = json!({ "decision": "keep", "until": text(now() + TimeDelta::days(2)) });
    let made: ToolDecision = put(&olga, "mcp:a", later).await.ok();
    assert_eq!(made.until, Some((now() + TimeDelta::days(2)).date_naive()));
}

#[tokio::test]
async fn savings_compare_a_retired_tool_with_before_and_say_who_still_has_it_and_who_needed_it() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let bob = hub.member(&acme, "bob").await;
    let session = |id: &str, days: i64, tool: &str| {
        json!({ "sessions": [{
            "session_id": id, "observed_at": text(now() - TimeDelta::days(days)),
            "tools": [{
                "tool_id": tool, "context_bytes": 480, "requests": 10, "carried_tokens": 1_000, "cost_micro_usd": 3_000,
            }],
        }] })
    };
    let load = async |caller: &Caller, id: &str, days: i64, tool: &str| {
        let request = caller
            .request(Method::PUT, "/v1/inventory")
            .json(&session(id, days, tool));
        assert_eq!(caller.send(request).await.status, 200);
    };
    for days in 0..30 {
        load(&olga, &format!("o{days}"), 10 + days, "mcp:a").await;
        load(&bob, &format!("b{days}"), 10 + days, "mcp:a").await;
    }
    load(&olga, "other", 20, "mcp:b").await;
    olga.upload(&[event_at("old", "mcp:a", now() - TimeDelta::days(30))])
        .await;
    olga.refreshed().await;
    let empty: Value = olga.get("/v1/savings").await.json();
    assert_eq!(
        (&empty["savings"], &empty["total"]["tokens"]),
        (&json!([]), &Value::Null)
    );
    for (tool, decision) in [("mcp:a", "retire"), ("mcp:b", "keep")] {
        put(&olga, tool, json!({ "decision": decision })).await;
    }
    // The decision is ten days old.
    hub.beside()
        .await
        .ask("update tool_decisions set decided_at = decided_at - interval '10 days'")
        .await;
    load(&bob, "still", 3, "mcp:a").await;
    let mut missed = event_at("missed", "mcp:a", now() - TimeDelta::days(1));
    missed["outcome"] = json!("failure");
    missed["reason"] = json!("unknown_tool");
    bob.upload(&[missed]).await;
    olga.refreshed().await;
    let savings: Savings = olga.get("/v1/savings").await.ok();
    assert_eq!(savings.savings.len(), 1, "only what is retired: {savings:?}");
    let row = &savings.savings[0];
    assert_eq!(row.tool_id, "mcp:a");
    assert_eq!(
        (row.after.sessions, row.after.tokens, row.after.requests),
        (1, Some(1_000), Some(10))
    );
    assert!(
        (29..=30).contains(&row.before.days) && (58..=60).contains(&row.before.sessions),
        "{row:?}"
    );
    assert!((10..=11).contains(&row.after.days), "{row:?}");
    // Two sessions a day before, and one since.
    let (saved, days) = (row.saved.tokens.unwrap(), row.after.days);
    let expected = row.before.sessions * 1_000 * days / row.before.days - 1_000;
    assert_eq!(saved, expected);
    assert!((row.saved.cost_usd.unwrap() - 0.003 * expected as f64 / 1_000.0).abs() < 1e-5);
    assert_eq!(
        (savings.total.tokens, savings.total.sessions),
        (Some(saved), row.saved.sessions)
    );
    assert_eq!(row.still_loaded_by, ["bob"]);
    assert_eq!((row.needed.calls, row.needed.unknown_tool), (1, 1));
    assert_eq!(row.needed.members, ["bob"]);
    assert_eq!(olga.get("/v1/savings?tool_id=mcp:none").await.status, 404);
    let none = olga.request(Method::DELETE, "/v1/decisions/mcp:a");
    assert_eq!(olga.send(none).await.status, 204);
    let savings: Savings = olga.get("/v1/savings").await.ok();
    assert_eq!(
        savings.savings,
        [],
        "a decision that was taken back saves nothing"
    );
}
