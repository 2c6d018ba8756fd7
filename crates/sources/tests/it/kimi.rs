//! Kimi CLI.

use sources::Collected;

use crate::{FIXTURES, collect};

fn line(second: u64, kind: &str, payload: &str) -> String {
    format!(
        r#"{{"timestamp":{}.5,"message":{{"type":"{kind}","payload":{payload}}}}}"#,
        1_772_442_000 + second
    )
}

fn asks(second: u64, id: &str, name: &str, arguments: &str) -> String {
    line(
        second,
        "ToolCall",
        &format!(
            r#"{{"type":"function","id":"{id}","function":{{"name":"{name}","arguments":"{arguments}"}}}}"#
        ),
    )
}

fn answers(second: u64, id: &str, value: &str) -> String {
    line(
        second,
        "ToolResult",
        &format!(r#"{{"tool_call_id":"{id}","return_value":{{{value}}}}}"#),
    )
}

fn response(second: u64, id: &str) -> String {
    line(
        second,
        "StatusUpdate",
        &format!(r#"{{"token_usage":{{"input_other":1,"output":2}},"message_id":"{id}"}}"#),
    )
}

fn read_at(path: &str, lines: &[String]) -> Collected {
    let text = format!(
        "{}\n{}\n",
        r#"{"type":"metadata","protocol_version":"1.9"}"#,
        lines.join("\n")
    );
    collect(&[(path, text.as_bytes())])
}

fn read(lines: &[String]) -> Collected {
    read_at("sessions/0a1b/s-1/wire.jsonl", lines)
}

fn told(collected: &Collected) -> Vec<String> {
    let tell = |event: model::Event| {
        let reason = event.result.reason().map_or("-", model::Reason::as_str);
        format!("{} {} {reason}", event.tool, event.result.outcome().as_str())
    };
    let mut told: Vec<String> = collected.events().map(tell).collect();
    told.sort();
    told
}

fn uuids(collected: &Collected) -> Vec<String> {
    let mut uuids: Vec<String> = collected.events().filter_map(|event| event.uuid).collect();
    uuids.sort();
    uuids
}

#[test]
fn a_call_has_its_session_and_duration_and_what_the_log_lacks_is_absent() {
    let collected = read(&[
        line(0, "TurnBegin", r#"{"user_input":"go"}"#),
        asks(1, "Shell:0", "Shell", "{}"),
        response(2, "chatcmpl-1"),
        answers(
            3,
            "Shell:0",
            r#""is_error":false,"output":"x","message":"","display":[]"#,
        ),
    ]);
    let event = collected.events().next().unwrap();
    assert_eq!(event.uuid.as_deref(), Some("chatcmpl-1/Shell:0"));
    assert_eq!(event.tool.as_str(), "builtin:Shell");
    assert_eq!(event.agent.as_deref(), Some("kimi-cli"));
    assert_eq!(event.session.as_deref(), Some("s-1"));
    assert_eq!(event.duration_ms, Some(2000));
    assert_eq!((event.model, event.cost, event.project), (None, None, None));
    assert_eq!(
        (collected.totals.tokens.input, collected.totals.tokens.output),
        (1, 2)
    );
}

#[test]
fn the_programs_explanation_tells_how_a_call_ended_and_its_output_does_not() {
    for (value, expected) in [
        (
            r#""is_error":false,"output":"The tool call is rejected by the user.","message":"","display":[]"#,
            "builtin:Shell success -",
        ),
        (
            r#""is_error":true,"output":"The tool call is rejected by the user.","message":"Command failed with exit code: 1.","display":[]"#,
            "builtin:Shell failure error",
        ),
        (
            r#""is_error":true,"output":"","message":"The tool call is rejected by the user. User feedback: no","display":[]"#,
            "builtin:Shell abandoned rejected",
        ),
        (
            r#""is_error":true,"output":"","message":"Not in this branch","display":[{"type":"brief","text":"Hook blocked"}]"#,
            "builtin:Shell abandoned denied",
        ),
        (
            r#""is_error":true,"output":"","message":"Error validating JSON arguments: 'command' is a required property","display":[]"#,
            "builtin:Shell failure invalid_input",
        ),
        (
            r#""is_error":true,"output":"","message":"Tool `Shell` not found","display":[]"#,
            "builtin:Shell failure unknown_tool",
        ),
    ] {
        let collected = read(&[
            asks(1, "Shell:0", "Shell", "{}"),
            response(2, "m"),
            answers(3, "Shell:0", value),
        ]);
        assert_eq!(told(&collected), [expected], "{value}");
    }
}

#[test]
fn a_result_that_does_not_say_how_it_ended_is_unknown_and_counted() {
    let collected = read(&[
        asks(1, "Shell:0", "Shell", "{}"),
        response(2, "m"),
        answers(3, "Shell:0", r#""output":"x""#),
    ]);
    assert_eq!(told(&collected), ["builtin:Shell unknown -"]);
    let is_counted = |problem: &sources::Problem| problem.code.as_str() == "unclassified_error";
    assert!(collected.problems.iter().any(is_counted));
}

#[test]
fn ids_begin_again_in_every_step_and_results_come_in_any_order() {
    let failed = r#""is_error":true,"output":"","message":"x","display":[]"#;
    let succeeded = r#""is_error":false,"output":"","message":"","display":[]"#;
    let collected = read(&[
        line(0, "StepBegin", r#"{"n":1}"#),
        asks(1, "Shell:0", "Shell", "{}"),
        answers(2, "Shell:0", failed),
        response(3, "m1"),
        line(4, "StepBegin", r#"{"n":2}"#),
        asks(5, "Shell:0", "Shell", "{}"),
        response(6, "m2"),
        answers(7, "Shell:0", succeeded),
        // A step that was stopped before its response had an id.
        line(8, "StepBegin", r#"{"n":3}"#),
        asks(9, "Shell:0", "Shell", "{}"),
        line(10, "StepInterrupted", "{}"),
    ]);
    assert_eq!(
        told(&collected),
        [
            "builtin:Shell abandoned unanswered",
            "builtin:Shell failure error",
            "builtin:Shell success -"
        ]
    );
    assert_eq!(
        uuids(&collected),
        ["kimi:1772442009.5/Shell:0", "m1/Shell:0", "m2/Shell:0"]
    );
}

#[test]
fn what_a_subagent_did_counts_once_though_two_files_hold_it() {
    let (_, parent) = FIXTURES
        .into_iter()
        .find(|(name, _)| *name == "kimi/wire.jsonl")
        .unwrap();
    let own = [
        asks(40, "Shell:0", "Shell", "{}"),
        response(41, "chatcmpl-3"),
        answers(
            42,
            "Shell:0",
            r#""is_error":true,"output":"","message":"The tool call is rejected by the user.","display":[]"#,
        ),
    ]
    .join("\n");
    let alone = collect(&[("sessions/d/s/wire.jsonl", parent.as_bytes())]);
    let both = collect(&[
        ("sessions/d/s/wire.jsonl", parent.as_bytes()),
        ("sessions/d/s/subagents/a1/wire.jsonl", own.as_bytes()),
    ]);
    assert_eq!(uuids(&both), uuids(&alone));
    assert_eq!(told(&both), told(&alone));
    assert_eq!(both.totals.tokens.groups, 3);
    assert_eq!(both.totals.sessions, 1);
}

#[test]
fn a_fork_counts_once_and_a_moved_file_has_the_same_uuids() {
    let lines = [
        asks(1, "Shell:0", "Shell", "{}"),
        response(2, "m"),
        asks(3, "ReadFile:1", "ReadFile", "{}"),
    ];
    let here = read_at("sessions/a/s-1/wire.jsonl", &lines);
    let there = read_at("b/renamed.jsonl", &lines);
    assert_eq!(uuids(&here), uuids(&there));
    assert_eq!(there.events().next().unwrap().session, None);
}

#[test]
fn servers_subagents_and_skills_have_their_names() {
    let servers = r#"{"mcp_status":{"servers":[{"name":"ctx7","tools":["get_docs"]}]}}"#;
    let collected = read(&[
        line(0, "TurnBegin", r#"{"user_input":"/skill:pdf make one"}"#),
        line(1, "StatusUpdate", servers),
        asks(2, "get_docs:0", "get_docs", "{}"),
        asks(3, "Agent:1", "Agent", r#"{\"subagent_type\":\"plan\"}"#),
        asks(4, "Agent:2", "Agent", "{}"),
        asks(5, "Task:3", "Task", r#"{\"subagent_name\":\"mine\"}"#),
        response(6, "m"),
        line(
            7,
            "TurnBegin",
            r#"{"user_input":[{"type":"text","text":"/skill:none"}]}"#,
        ),
        line(
            8,
            "ContentPart",
            r#"{"type":"text","text":"Unknown slash command \"/skill:none\"."}"#,
        ),
    ]);
    let mut tools: Vec<String> = collected
        .events()
        .map(|event| format!("{} {}", event.tool, event.operation.unwrap_or_default()))
        .collect();
    tools.sort();
    assert_eq!(
        tools,
        [
            "agent:coder ",
            "agent:mine ",
            "agent:plan ",
            "mcp:ctx7 get_docs",
            "skill:pdf user-slash"
        ]
    );
}
