//! pi.

use sources::Collected;

use crate::collect;

const HEADER: &str =
    r#"{"type":"session","version":3,"id":"p-1","timestamp":"2026-03-02T09:00:00.000Z","cwd":"/w/api"}"#;

/// An entry that holds a message, written `second` seconds after nine.
fn entry(id: &str, second: u64, message: &str) -> String {
    format!(
        r#"{{"type":"message","id":"{id}","parentId":"x","timestamp":"2026-03-02T09:00:{second:02}.000Z","message":{{{message},"timestamp":{}}}}}"#,
        1_772_442_000_000 + second * 1000
    )
}

fn asks(second: u64, call: &str, name: &str, arguments: &str) -> String {
    entry(
        "a",
        second,
        &format!(
            r#""role":"assistant","content":[{{"type":"toolCall","id":"{call}","name":"{name}","arguments":{arguments}}}],"provider":"anthropic","model":"claude-sonnet-4-5","usage":{{"input":1,"output":2,"cacheRead":3,"cacheWrite":4,"cost":{{"total":0.25}}}},"stopReason":"toolUse""#
        ),
    )
}

fn answers(second: u64, call: &str, name: &str, text: &str, more: &str) -> String {
    entry(
        "b",
        second,
        &format!(
            r#""role":"toolResult","toolCallId":"{call}","toolName":"{name}","content":[{{"type":"text","text":"{text}"}}]{more}"#
        ),
    )
}

fn read(lines: &[String]) -> Collected {
    let text = format!("{HEADER}\n{}\n", lines.join("\n"));
    collect(&[("session.jsonl", text.as_bytes())])
}

fn told(collected: &Collected) -> Vec<String> {
    let tell = |event: model::Event| {
        let reason = event.result.reason().map_or("-", model::Reason::as_str);
        format!("{} {} {reason}", event.tool, event.result.outcome().as_str())
    };
    collected.events().map(tell).collect()
}

#[test]
fn a_call_has_its_session_project_model_duration_tokens_and_stated_cost() {
    let collected = read(&[
        asks(1, "toolu_01A", "read", "{}"),
        answers(3, "toolu_01A", "read", "x", r#","isError":false"#),
    ]);
    let event = collected.events().next().unwrap();
    assert_eq!(event.uuid.as_deref(), Some("toolu_01A"));
    assert_eq!(event.tool.as_str(), "builtin:read");
    assert_eq!(event.agent.as_deref(), Some("pi"));
    assert_eq!(event.agent_version, None);
    assert_eq!(event.project.as_deref(), Some("api"));
    assert_eq!(event.session.as_deref(), Some("p-1"));
    assert_eq!(event.model.as_deref(), Some("claude-sonnet-4-5"));
    assert_eq!(event.duration_ms, Some(2000));
    assert_eq!(event.cost, Some(model::MicroUsd(250_000)));
    let tokens = collected.totals.tokens;
    assert_eq!(
        (
            tokens.input,
            tokens.output,
            tokens.cache_read,
            tokens.cache_creation
        ),
        (1, 2, 3, 4)
    );
}

#[test]
fn the_programs_own_words_tell_how_a_call_ended() {
    for (name, text, more, expected) in [
        ("bash", "x", r#","isError":false"#, "builtin:bash success -"),
        (
            "bash",
            "Command aborted",
            r#","isError":false"#,
            "builtin:bash success -",
        ),
        (
            "bash",
            "x\\n\\nCommand exited with code 1",
            r#","isError":true"#,
            "builtin:bash failure error",
        ),
        (
            "bash",
            "x\\n\\nCommand aborted",
            r#","isError":true"#,
            "builtin:bash abandoned interrupted",
        ),
        (
            "edit",
            "Operation aborted",
            r#","isError":true"#,
            "builtin:edit abandoned interrupted",
        ),
        (
            "fly",
            "Tool fly not found",
            r#","isError":true"#,
            "builtin:fly failure unknown_tool",
        ),
        (
            "grep",
            "Tool fly not found",
            r#","isError":true"#,
            "builtin:grep failure error",
        ),
        (
            "edit",
            "Validation failed for tool \\\"edit\\\":\\n  - path: must be string",
            r#","isError":true"#,
            "builtin:edit failure invalid_input",
        ),
        (
            "edit",
            "Tool execution was blocked",
            r#","isError":true"#,
            "builtin:edit abandoned denied",
        ),
        (
            "edit",
            "Skipped due to queued user message.",
            r#","isError":true"#,
            "builtin:edit abandoned cancelled",
        ),
    ] {
        let collected = read(&[
            asks(1, "toolu_01A", name, "{}"),
            answers(2, "toolu_01A", name, text, more),
        ]);
        assert_eq!(told(&collected), [expected], "{name} {text}");
    }
}

#[test]
fn a_result_that_does_not_say_how_it_ended_is_unknown_and_counted() {
    let collected = read(&[
        asks(1, "toolu_01A", "bash", "{}"),
        answers(2, "toolu_01A", "bash", "x", ""),
    ]);
    assert_eq!(told(&collected), ["builtin:bash unknown -"]);
    assert!(
        collected
            .problems
            .iter()
            .any(|p| p.code.as_str() == "unclassified_error")
    );
}

#[test]
fn a_call_without_a_result_is_unanswered() {
    let collected = read(&[asks(1, "toolu_01A", "bash", "{}")]);
    assert_eq!(told(&collected), ["builtin:bash abandoned unanswered"]);
}

#[test]
fn subagents_mcp_tools_and_typed_skills_have_their_names() {
    let collected = read(&[
        asks(1, "toolu_01A", "subagent", r#"{"agent":"scout","task":"look"}"#),
        asks(2, "toolu_01B", "mcp__git__log", "{}"),
        asks(3, "toolu_01C", "subagent", r#"{"tasks":[]}"#),
        entry(
            "c",
            4,
            r#""role":"user","content":[{"type":"text","text":"<skill name=\"pdf\" location=\"/s/pdf/SKILL.md\">\nReferences are relative to /s/pdf.\n\nDo it.\n</skill>"}]"#,
        ),
    ]);
    let mut tools: Vec<String> = collected.events().map(|event| event.tool.to_string()).collect();
    tools.sort();
    assert_eq!(tools, ["agent:scout", "builtin:subagent", "mcp:git", "skill:pdf"]);
}

#[test]
fn ids_that_only_count_tell_calls_apart_and_forks_count_once() {
    let lines = [
        asks(1, "bash:0", "bash", "{}"),
        answers(2, "bash:0", "bash", "x", r#","isError":false"#),
        asks(3, "bash:0", "bash", "{}"),
        answers(4, "bash:0", "bash", "x", r#","isError":true"#),
    ];
    let collected = read(&lines);
    let mut expected = told(&collected);
    expected.sort();
    assert_eq!(expected, ["builtin:bash failure error", "builtin:bash success -"]);
    // A fork has a header of its own and, after a migration, other ids of entries.
    let original = format!("{HEADER}\n{}\n", lines.join("\n"));
    let fork = original
        .replace("p-1", "p-2")
        .replace(r#""id":"a""#, r#""id":"f""#);
    let both = collect(&[("one.jsonl", original.as_bytes()), ("two.jsonl", fork.as_bytes())]);
    let uuids = |collected: &Collected| -> Vec<String> {
        let mut uuids: Vec<String> = collected.events().filter_map(|event| event.uuid).collect();
        uuids.sort();
        uuids
    };
    assert_eq!(uuids(&both), uuids(&collected));
    assert_eq!(both.totals.tokens, collected.totals.tokens);
}
