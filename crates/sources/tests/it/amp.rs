//! Amp.

use serde_json::{Value, json};
use sources::{Collected, LogReader, Options};

use crate::joined;

const THREAD: &str = "T-019b9d03-1111-772f-9780-3e637f90eaec";

fn thread(id: &str, messages: &Value) -> String {
    json!({"v": 1, "id": id, "created": 1_775_120_400_000_u64, "messages": messages}).to_string()
}

fn read(texts: &[String]) -> Collected {
    let files = texts.iter().map(|text| {
        let mut reader = LogReader::new("T-1.json", None, &Options { task_text: true });
        reader.feed(text.as_bytes());
        reader.finish()
    });
    joined(files.collect())
}

fn call(run: &Value) -> Value {
    json!([
        {"role": "assistant", "messageId": 1, "content": [{"type": "tool_use", "id": "toolu_01A", "name": "Bash", "input": {}}]},
        {"role": "user", "messageId": 2, "content": [{"type": "tool_result", "toolUseID": "toolu_01A", "run": run}]},
    ])
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

#[test]
fn the_state_of_its_run_tells_how_a_call_ended() {
    for (run, expected, unclassified) in [
        (json!({"status": "done", "result": "x"}), "success -", 0),
        (
            json!({"status": "done", "result": {"output": "x", "exitCode": 0}}),
            "success -",
            0,
        ),
        (
            json!({"status": "done", "result": {"output": "x", "exitCode": 2}}),
            "failure error",
            0,
        ),
        (
            json!({"status": "error", "error": {"message": "x"}}),
            "failure error",
            0,
        ),
        (json!({"status": "error", "error": "x"}), "failure error", 0),
        (
            json!({"status": "error", "error": {"message": "Permission denied by a rule"}}),
            "failure error",
            1,
        ),
        (json!({"status": "rejected-by-user"}), "abandoned rejected", 0),
        (
            json!({"status": "cancelled", "reason": "x"}),
            "abandoned cancelled",
            0,
        ),
        (json!({"status": "in-progress"}), "abandoned unanswered", 0),
        (json!({"status": "blocked-on-user"}), "abandoned unanswered", 0),
        (json!({}), "abandoned unanswered", 0),
        (json!({"status": "new-state"}), "unknown -", 1),
    ] {
        let collected = read(&[thread(THREAD, &call(&run))]);
        assert_eq!(told(&collected), [format!("builtin:Bash {expected}")], "{run}");
        let codes = collected.problems.iter().map(|problem| problem.code.as_str());
        let count = codes.filter(|code| *code == "unclassified_error").count();
        assert_eq!(count, unclassified, "{run}");
    }
}

#[test]
fn a_thread_that_goes_on_in_another_counts_once() {
    let usage = json!({"model": "claude-sonnet-4-5", "inputTokens": 10, "outputTokens": 20, "timestamp": "2026-05-28T20:26:42.000Z"});
    let mut messages = call(&json!({"status": "done"}));
    messages[0]["usage"] = usage;
    for id in ["toolu_01A", "functions.Bash:0"] {
        messages[0]["content"][0]["id"] = json!(id);
        messages[1]["content"][0]["toolUseID"] = json!(id);
        let other = "T-019b9d03-2222-772f-9780-3e637f90eaec";
        let collected = read(&[thread(THREAD, &messages), thread(other, &messages)]);
        assert_eq!(collected.totals.events, 1, "{id}");
        assert_eq!(collected.totals.tokens.groups, 1, "{id}");
    }
}

#[test]
fn a_run_that_is_written_twice_has_its_end() {
    let mut messages = call(&json!({"status": "in-progress"}));
    let end = json!({"type": "tool_result", "toolUseID": "toolu_01A", "run": {"status": "done"}});
    messages[1]["content"].as_array_mut().unwrap().push(end);
    assert_eq!(
        told(&read(&[thread(THREAD, &messages)])),
        ["builtin:Bash success -"]
    );
}
