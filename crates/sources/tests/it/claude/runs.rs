//! What ran inside a call that started an agent.

use model::MicroUsd;
use serde_json::{Value, json};

use super::{call, record, result, text, with};
use crate::collect;

/// A response of an agent, or without one of the session itself, that calls a tool. It costs as many USD as millions of
/// tokens are given.
fn asks(agent: Option<&str>, message: &str, id: &str, tool: &str, millions: u64, second: u32) -> Value {
    let message_of = json!({
        "id": message,
        "model": "claude-haiku-4-5",
        "content": [{"type": "tool_use", "id": id, "name": tool, "input": {}}],
        "usage": {"input_tokens": millions * 1_000_000, "output_tokens": 1},
    });
    let more = json!({"isSidechain": agent.is_some(), "agentId": agent, "message": message_of});
    with(call(message, id, tool, second), more)
}

/// The result of a call that started an agent.
fn ended(agent: Option<&str>, id: &str, started: &str, second: u32) -> Value {
    with(
        result(id, "done", false, second),
        json!({"isSidechain": agent.is_some(), "agentId": agent,
            "toolUseResult": {"status": "completed", "agentId": started}}),
    )
}

fn run_costs(files: &[&[Value]]) -> Vec<(String, Option<f64>)> {
    let texts: Vec<String> = files.iter().map(|records| text(records)).collect();
    let named: Vec<(String, &String)> = (0..).map(|n: u8| format!("{n}.jsonl")).zip(&texts).collect();
    let read: Vec<(&str, &[u8])> = named
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    let collected = collect(&read);
    let events = collected.events();
    events
        .map(|event| {
            (
                event.uuid.unwrap_or_default(),
                event.run_cost.map(MicroUsd::as_usd),
            )
        })
        .filter(|(_, cost)| cost.is_some())
        .collect()
}

#[test]
fn a_call_has_the_cost_of_the_agent_that_it_started_and_of_the_agents_below() {
    let (outer, inner) = ("a8142b541a8824078", "a9b5ff2a03aace134");
    let session = [
        asks(None, "m1", "toolu_outer", "Agent", 1, 0),
        ended(None, "toolu_outer", outer, 9),
    ];
    let of_outer = [
        asks(Some(outer), "m2", "toolu_bash", "Bash", 2, 1),
        asks(Some(outer), "m3", "toolu_inner", "Agent", 4, 2),
        ended(Some(outer), "toolu_inner", inner, 5),
    ];
    let of_inner = [asks(Some(inner), "m4", "toolu_read", "Read", 8, 3)];
    let expected = |costs: Vec<(String, Option<f64>)>| {
        let at = |id: &str| {
            costs
                .iter()
                .find(|(uuid, _)| uuid == id)
                .and_then(|(_, cost)| *cost)
        };
        assert_eq!(costs.len(), 2, "{costs:?}");
        // A token of output of three responses, and of one.
        assert!(
            (at("toolu_outer").unwrap() - 14.000_015).abs() < 1e-9,
            "{costs:?}"
        );
        assert!((at("toolu_inner").unwrap() - 8.000_005).abs() < 1e-9, "{costs:?}");
    };
    expected(run_costs(&[&session, &of_outer, &of_inner]));
    expected(run_costs(&[&of_inner, &of_outer, &session]));
    // A fork copies all of it under a session of its own.
    let forked = |records: &[Value]| -> Vec<Value> {
        let fork = json!({"sessionId": "fork"});
        records
            .iter()
            .map(|record| with(record.clone(), fork.clone()))
            .collect()
    };
    let (session_2, outer_2) = (forked(&session), forked(&of_outer));
    expected(run_costs(&[&session_2, &outer_2, &of_inner, &of_outer, &session]));
}

#[test]
fn a_progress_record_states_the_call_and_the_run_and_counts_once() {
    let inlined = |message: &str, second: u32| {
        record(
            "progress",
            &format!("p{second}"),
            second,
            json!({
                "parentToolUseID": "toolu_outer",
                "data": {"type": "agent_progress", "agentId": "a8142b5", "message": {
                    "type": "assistant",
                    "message": {"id": message, "model": "claude-haiku-4-5", "content": [],
                        "usage": {"input_tokens": 3_000_000, "output_tokens": 0}},
                }},
            }),
        )
    };
    let records = [
        asks(None, "m1", "toolu_outer", "Task", 1, 0),
        inlined("m2", 1),
        inlined("m2", 2),
        ended(None, "toolu_outer", "a8142b5", 9),
    ];
    assert_eq!(run_costs(&[&records]), [("toolu_outer".to_owned(), Some(3.0))]);
}

#[test]
fn runs_that_claim_to_have_started_each_other_end() {
    let (a, b) = ("agent-aaaaaaaaaaaa", "agent-bbbbbbbbbbbb");
    let records = [
        asks(Some(b), "m1", "toolu_a", "Agent", 1, 0),
        ended(Some(b), "toolu_a", a, 1),
        asks(Some(a), "m2", "toolu_b", "Agent", 1, 2),
        ended(Some(a), "toolu_b", b, 3),
    ];
    assert_eq!(run_costs(&[&records]).len(), 2);
}
