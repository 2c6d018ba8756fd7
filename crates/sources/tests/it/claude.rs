//! What Claude Code writes today: each test is a shape of its logs, by hand.

mod background;
mod names;
mod responses;
mod runs;
mod verdicts;

use model::Event;
use serde_json::{Value, json};
use sources::Collected;

use crate::collect;

/// A record of Claude Code at second `second`, with what all records have.
pub(crate) fn record(kind: &str, uuid: &str, second: u32, more: Value) -> Value {
    let mut record = json!({
        "type": kind,
        "uuid": uuid,
        "parentUuid": null,
        "isSidechain": false,
        "sessionId": "s",
        "cwd": "/home/ada/work/api",
        "version": "2.1.300",
        "timestamp": format!("2026-08-02T03:{:02}:{:02}.000Z", second / 60, second % 60),
    });
    merge(&mut record, more);
    record
}

/// The response `message` that calls a tool.
pub(crate) fn call(message: &str, id: &str, tool: &str, second: u32) -> Value {
    let uuid = format!("{message}-{id}-{second}");
    record(
        "assistant",
        &uuid,
        second,
        json!({"message": {
            "id": message,
            "role": "assistant",
            "model": "claude-opus-4-8",
            "content": [{"type": "tool_use", "id": id, "name": tool, "input": {}}],
            "usage": {"input_tokens": 1000, "output_tokens": 100},
        }}),
    )
}

/// The result of a call.
pub(crate) fn result(id: &str, text: &str, is_error: bool, second: u32) -> Value {
    record(
        "user",
        &format!("r-{id}-{second}"),
        second,
        json!({"message": {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": id, "content": text, "is_error": is_error}
        ]}}),
    )
}

/// What a person typed, or what stands in its place.
pub(crate) fn typed(uuid: &str, text: &str, second: u32) -> Value {
    record(
        "user",
        uuid,
        second,
        json!({"message": {"role": "user", "content": text}}),
    )
}

/// The record with these keys as well.
pub(crate) fn with(mut record: Value, more: Value) -> Value {
    merge(&mut record, more);
    record
}

fn merge(record: &mut Value, more: Value) {
    let (Value::Object(record), Value::Object(more)) = (record, more) else {
        panic!("a record is an object");
    };
    record.extend(more);
}

pub(crate) fn text(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// Reads one transcript.
pub(crate) fn read(records: &[Value]) -> Collected {
    collect(&[("session.jsonl", text(records).as_bytes())])
}

/// The events of one transcript as `<tool> <outcome> <reason>`.
pub(crate) fn outcomes(records: &[Value]) -> Vec<String> {
    read(records).events().map(|event| outcome(&event)).collect()
}

pub(crate) fn outcome(event: &Event) -> String {
    let reason = event.result.reason().map_or("", |reason| reason.as_str());
    let outcome = event.result.outcome().as_str();
    format!("{} {outcome} {reason}", event.tool.as_str())
        .trim_end()
        .to_owned()
}
