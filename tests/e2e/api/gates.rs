//! `POST /v1/gates`: the calls of a run, and whether they pass its gates.

use crate::harness::{Caller, Hub, sample::event};
use model::{
    api::Run,
    team::{Role, Scope},
};
use reqwest::Method;
use serde_json::{Value, json};

async fn judge(caller: &Caller, body: &Value) -> Run {
    let request = caller.request(Method::POST, "/v1/gates").body(body.to_string());
    caller.send(request).await.ok()
}

fn call(uuid: &str, tool: &str, session: &str, outcome: &str, cost: f64) -> Value {
    let mut call = event(uuid, tool);
    call["session_id"] = json!(session);
    call["outcome"] = json!(outcome);
    call["cost_usd"] = json!(cost);
    call
}

#[tokio::test]
async fn gates_are_judged_on_the_callers_own_events_of_the_sessions_alone() {
    let hub = Hub::start().await;
    let (acme, rival) = (hub.org("acme").await, hub.org("rival").await);
    // CI has a token that only uploads.
    let ci = hub.member_with(&acme, "ci", Role::Member, &[Scope::Upload]).await;
    let (bob, eve) = (hub.member(&acme, "bob").await, hub.member(&rival, "eve").await);
    ci.upload(&[
        call("call_1", "mcp:linear", "s1", "success", 1.0),
        call("call_2", "mcp:linear", "s1", "failure", 1.25),
        call("call_3", "cli:make", "s2", "success", 0.25),
        call("call_4", "mcp:linear", "earlier", "failure", 9.0),
    ])
    .await;
    for other in [&bob, &eve] {
        other
            .upload(&[call("call_9", "mcp:linear", "s1", "failure", 70.0)])
            .await;
    }
    let gates = [
        "mcp:linear success_rate>=0.9",
        "cost<=2.50",
        "failures<1",
        "skill:pdf success_rate>=0.5",
        "skill:pdf events==0",
    ];
    let run = judge(&ci, &json!({ "sessions": ["s1", "s2", "s1"], "gates": gates })).await;
    let verdicts: Vec<(&str, bool, Option<f64>)> = run
        .gates
        .iter()
        .map(|gate| (gate.gate.as_str(), gate.passed, gate.value))
        .collect();
    assert_eq!(
        verdicts,
        [
            (gates[0], false, Some(0.5)),
            (gates[1], true, Some(2.5)),
            (gates[2], false, Some(1.0)),
            (gates[3], false, None),
            (gates[4], true, Some(0.0)),
        ]
    );
    assert!(!run.passed);
    assert_eq!((run.totals.events, run.totals.cost_usd), (3, Some(2.5)));
    let tools: Vec<(Option<&str>, i64)> = run
        .tools
        .iter()
        .map(|tool| (tool.tool_id.as_deref(), tool.events))
        .collect();
    assert_eq!(tools, [(Some("mcp:linear"), 2), (Some("cli:make"), 1)]);
    let foreign = judge(&eve, &json!({ "sessions": ["s2", "earlier"] })).await;
    assert_eq!(foreign.totals.events, 0);
    assert!(foreign.passed, "without a gate there is nothing to fail");
}

#[tokio::test]
async fn what_is_not_a_gate_and_too_many_sessions_are_refused_with_what_to_write() {
    let hub = Hub::start().await;
    let ci = hub.member(&hub.org("acme").await, "ci").await;
    let sessions: Vec<String> = (0..1_001).map(|n| format!("s{n}")).collect();
    for (body, says) in [
        (json!({ "gates": ["price<=1"] }), "is not a gate: write"),
        (json!({ "sessions": sessions }), "at most 1000"),
        (json!({ "gates": vec!["cost<=1"; 101] }), "at most 100"),
    ] {
        let request = ci.request(Method::POST, "/v1/gates").body(body.to_string());
        let problem = ci.send(request).await.problem(400);
        assert!(problem.detail.contains(says), "{}", problem.detail);
    }
}
