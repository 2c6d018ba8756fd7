//! Cursor.

use serde_json::{Value, json};
use sources::{Collected, CursorReader, FileFacts};

use crate::{joined, lines};

/// Rows of the key-value table, as the client passes them.
pub(crate) fn rows() -> FileFacts {
    let mut reader = CursorReader::new("state.vscdb");
    let rows: Vec<Value> = include_str!("../fixtures/cursor/rows.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for kind in ["composerData", "bubbleId"] {
        for row in &rows {
            let key: Vec<&str> = row["key"].as_str().unwrap().split(':').collect();
            let value = row["value"].as_str().unwrap().as_bytes();
            match key.as_slice() {
                ["composerData", chat] if kind == "composerData" => reader.chat(chat, None, value),
                ["bubbleId", chat, message] if kind == "bubbleId" => reader.message(chat, message, value),
                _ => {}
            }
        }
    }
    reader.finish()
}

fn told(collected: &Collected) -> Vec<String> {
    let tell = |event: model::Event| {
        let reason = event.result.reason().map_or("-", model::Reason::as_str);
        let operation = event.operation.as_deref().unwrap_or("-");
        format!(
            "{} {operation} {} {reason}",
            event.tool,
            event.result.outcome().as_str()
        )
    };
    let mut told: Vec<String> = collected.events().map(tell).collect();
    told.sort();
    told
}

fn one(call: &Value) -> Collected {
    let mut reader = CursorReader::new("state.vscdb");
    reader.chat("c", Some("/w/api"), br#"{"createdAt":1775120400000}"#);
    let bubble = json!({"type": 2, "createdAt": "2026-04-02T09:00:01.000Z", "toolFormerData": call});
    reader.message("c", "m", bubble.to_string().as_bytes());
    joined(vec![reader.finish()])
}

#[test]
fn rows_of_the_database() {
    insta::assert_snapshot!(lines(&joined(vec![rows()])));
}

#[test]
fn its_state_a_persons_decision_and_its_result_tell_how_a_call_ended() {
    let result = |value: Value| json!({"status": "completed", "result": value.to_string()});
    for (fields, expected, unclassified) in [
        (json!({"status": "completed"}), "success -", 0),
        (
            json!({"status": "completed", "userDecision": "accepted"}),
            "success -",
            0,
        ),
        (
            json!({"status": "completed", "userDecision": "rejected"}),
            "abandoned rejected",
            0,
        ),
        (json!({"status": "error"}), "failure error", 0),
        (
            json!({"status": "completed", "additionalData": {"status": "error"}}),
            "failure error",
            0,
        ),
        (json!({"status": "cancelled"}), "abandoned cancelled", 0),
        (json!({"status": "loading"}), "abandoned unanswered", 0),
        (json!({}), "abandoned unanswered", 0),
        (json!({"status": "new-state"}), "unknown -", 1),
        (result(json!({"output": "x", "exitCode": 0})), "success -", 0),
        (result(json!({"output": "x", "exitCode": 1})), "failure error", 0),
        (result(json!({"rejected": true})), "abandoned rejected", 0),
        // The words in the output of a command are output.
        (
            result(json!({"output": "{\"exitCode\":1,\"rejected\":true}"})),
            "success -",
            0,
        ),
        (
            json!({"status": "completed", "result": "exitCode 1"}),
            "success -",
            0,
        ),
    ] {
        let mut call = json!({"toolCallId": "toolu_01A", "name": "run_terminal_cmd"});
        for (key, value) in fields.as_object().unwrap() {
            call[key] = value.clone();
        }
        let collected = one(&call);
        assert_eq!(
            told(&collected),
            [format!("builtin:run_terminal_cmd - {expected}")],
            "{fields}"
        );
        let codes = collected.problems.iter().map(|problem| problem.code.as_str());
        let count = codes.filter(|code| *code == "unclassified_error").count();
        assert_eq!(count, unclassified, "{fields}");
    }
}

#[test]
fn a_call_has_the_name_of_its_server_or_agent() {
    let params = json!({"tools": [{"name": "resolve-library-id", "serverName": "context7"}]}).to_string();
    for (name, fields, expected) in [
        (
            "mcp-context7-resolve-library-id",
            json!({"params": params}),
            "mcp:context7 resolve-library-id",
        ),
        (
            "mcp-cursor-ide-browser-browser_cdp",
            json!({}),
            "mcp:cursor-ide-browser browser_cdp",
        ),
        ("mcp-linear-search", json!({}), "mcp:linear search"),
        (
            "call_mcp_tool",
            json!({"rawArgs": "{\"server\":\"linear\",\"toolName\":\"get\"}"}),
            "mcp:linear get",
        ),
        (
            "task_v2",
            json!({"rawArgs": "{\"subagent_type\":\"explore\"}"}),
            "agent:explore -",
        ),
        (
            "codebase_search",
            json!({"rawArgs": "{"}),
            "builtin:codebase_search -",
        ),
    ] {
        let mut call = json!({"toolCallId": "toolu_01A", "name": name, "status": "completed"});
        for (key, value) in fields.as_object().unwrap() {
            call[key] = value.clone();
        }
        assert_eq!(told(&one(&call)), [format!("{expected} success -")], "{name}");
    }
    // What failed before it had a name was not called.
    assert_eq!(
        one(&json!({"name": "mcp--", "toolCallId": "a", "status": "error"}))
            .totals
            .events,
        0
    );
    assert_eq!(one(&json!({"status": "loading"})).totals.events, 0);
}

#[test]
fn ids_that_only_count_are_keys_together_with_the_message() {
    let call = json!({"toolCallId": "functions.read_file:0", "name": "read_file", "status": "completed"});
    let event = one(&call).events().next().unwrap();
    assert_eq!(event.uuid.as_deref(), Some("m/functions.read_file:0"));
    assert_eq!(event.project.as_deref(), Some("api"));
}
