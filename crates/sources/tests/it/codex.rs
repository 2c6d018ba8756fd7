//! Codex: what its versions write, and what each must become.

#![expect(
    clippy::needless_pass_by_value,
    reason = "records are made where they are handed over"
)]

mod tokens;
mod words;

use model::{CallResult, Event, Reason};
use serde_json::{Value, json};
use sources::{Collected, Options};

use crate::{collect, facts, joined};

/// A rollout of these records, a second apart, below a header.
pub(super) fn rollout(records: &[Value]) -> String {
    let header = json!({"type": "session_meta", "payload": {"id": "s-1", "cwd": "/w/api", "cli_version": "0.160.0", "source": "cli"}});
    let turn = json!({"type": "turn_context", "payload": {"turn_id": "t-1", "model": "gpt-5.5"}});
    written(&[&[header, turn], records].concat())
}

/// Records with times, as lines.
pub(super) fn written(records: &[Value]) -> String {
    let line = |(second, record): (usize, &Value)| {
        let mut record = record.clone();
        record["timestamp"] = format!("2026-08-02T03:{:02}:{:02}.000Z", second / 60, second % 60).into();
        record.to_string() + "\n"
    };
    records.iter().enumerate().map(line).collect()
}

pub(super) fn item(payload: Value) -> Value {
    json!({"type": "response_item", "payload": payload})
}

pub(super) fn event(payload: Value) -> Value {
    json!({"type": "event_msg", "payload": payload})
}

pub(super) fn completed(item: Value) -> Value {
    event(json!({"type": "item_completed", "turn_id": "t-1", "item": item}))
}

pub(super) fn call(id: &str, name: &str) -> Value {
    item(json!({"type": "function_call", "name": name, "call_id": id, "arguments": "{}"}))
}

pub(super) fn server_call(id: &str, namespace: &str, name: &str) -> Value {
    item(
        json!({"type": "function_call", "name": name, "namespace": namespace, "call_id": id, "arguments": "{}"}),
    )
}

pub(super) fn answer(id: &str, output: impl Into<Value>) -> Value {
    item(json!({"type": "function_call_output", "call_id": id, "output": output.into()}))
}

pub(super) fn count(total: u64, input: u64, output: u64) -> Value {
    event(json!({"type": "token_count", "info": {
        "total_token_usage": {"input_tokens": total, "output_tokens": 0, "total_tokens": total},
        "last_token_usage": {"input_tokens": input, "cached_input_tokens": 0, "output_tokens": output, "total_tokens": input + output}}}))
}

pub(super) fn read(records: &[Value]) -> Collected {
    collect(&[("rollout.jsonl", rollout(records).as_bytes())])
}

pub(super) fn only(records: &[Value]) -> Event {
    let collected = read(records);
    let events: Vec<Event> = collected.events().collect();
    assert_eq!(events.len(), 1, "{events:?}");
    events.into_iter().next().expect("there is one")
}

/// `tool operation outcome reason` of every event, sorted.
pub(super) fn summary(collected: &Collected) -> Vec<String> {
    let word = |event: Event| {
        let reason = event.result.reason().map_or("", Reason::as_str);
        format!(
            "{} {} {} {reason}",
            event.tool,
            event.operation.as_deref().unwrap_or("-"),
            event.result.outcome().as_str()
        )
        .trim_end()
        .to_owned()
    };
    let mut words: Vec<String> = collected.events().map(word).collect();
    words.sort();
    words
}

#[test]
fn calls_that_a_script_makes_are_calls_although_only_their_ends_are_recorded() {
    let script =
        item(json!({"type": "custom_tool_call", "name": "exec", "call_id": "call_1x9b", "input": "…"}));
    let done = item(
        json!({"type": "custom_tool_call_output", "call_id": "call_1x9b", "output": [
        {"type": "input_text", "text": "Script completed\nWall time 0.3 seconds\nOutput:\n"}, {"type": "input_text", "text": "Error: only text"}]}),
    );
    let ends = [
        completed(
            json!({"type": "CommandExecution", "id": "exec-1", "source": "unified_exec_startup", "status": "failed", "exit_code": 3, "duration": {"secs": 1, "nanos": 500_000_000}}),
        ),
        completed(json!({"type": "FileChange", "id": "exec-2", "status": "completed", "stderr": ""})),
        completed(
            json!({"type": "McpToolCall", "id": "exec-3", "server": "my-echo", "tool": "say", "status": "failed", "result": {"content": [], "isError": true}}),
        ),
        event(
            json!({"type": "mcp_tool_call_end", "call_id": "exec-4", "invocation": {"server": "my-echo", "tool": "say"}, "result": {"Ok": {"content": []}}}),
        ),
        completed(
            json!({"type": "DynamicToolCall", "id": "exec-5", "tool": "lookup", "status": "completed", "success": true}),
        ),
        completed(json!({"type": "ImageView", "id": "exec-6", "path": "/w/x.png"})),
        completed(
            json!({"type": "McpToolCall", "id": "exec-7", "server": "codex", "tool": "list_mcp_resources", "status": "completed", "result": {"content": []}}),
        ),
        completed(
            json!({"type": "CommandExecution", "id": "exec-8", "source": "user_shell", "status": "completed", "exit_code": 0}),
        ),
        completed(json!({"type": "AgentMessage", "id": "msg_1"})),
    ];
    let mut records = vec![script];
    records.extend(ends);
    records.push(done);
    let collected = read(&records);
    assert_eq!(
        summary(&collected),
        [
            "builtin:apply_patch - success",
            "builtin:exec - success",
            "builtin:exec_command - failure error",
            "builtin:list_mcp_resources - success",
            "builtin:lookup - success",
            "builtin:view_image - success",
            "mcp:my-echo say failure error",
            "mcp:my-echo say success",
        ]
    );
    let command = collected
        .events()
        .find(|event| event.uuid.as_deref() == Some("exec-1"))
        .unwrap();
    assert_eq!(command.duration_ms, Some(1_500));
    assert_eq!(collected.totals.orphan_results, 0);
}

#[test]
fn an_end_whose_call_is_recorded_is_that_call_wherever_it_stands() {
    let end = completed(
        json!({"type": "McpToolCall", "id": "call_1x9b", "server": "my-echo", "tool": "say", "status": "completed", "duration": {"secs": 0, "nanos": 40_000_000}}),
    );
    let call = server_call("call_1x9b", "mcp__my_echo", "say");
    let result = answer("call_1x9b", "Wall time: 9 seconds\nOutput:\nerr: only text");
    for records in [
        vec![call.clone(), end.clone(), result.clone()],
        vec![end.clone(), call.clone(), result.clone()],
        vec![call, result, end],
    ] {
        let event = only(&records);
        assert_eq!(event.tool.as_str(), "mcp:my-echo");
        assert_eq!((event.result, event.duration_ms), (CallResult::SUCCESS, Some(40)));
    }
}

#[test]
fn a_server_has_its_own_name_also_in_calls_that_never_reached_it() {
    let end = completed(
        json!({"type": "McpToolCall", "id": "call_1x9b", "server": "my-echo", "tool": "say", "status": "completed"}),
    );
    let collected = read(&[
        server_call("call_1x9b", "mcp__my_echo", "say"),
        end,
        answer("call_1x9b", "Wall time: 1 seconds\nOutput:\nx"),
        server_call("call_2x9b", "mcp__my_echo", "nope"),
        answer("call_2x9b", "unsupported call: mcp__my_echonope"),
        server_call("call_3x9b", "mcp__other", "say"),
        answer("call_3x9b", "unsupported call: mcp__othersay"),
    ]);
    assert_eq!(
        summary(&collected),
        [
            "mcp:my-echo nope failure unknown_tool",
            "mcp:my-echo say success",
            "mcp:other say failure unknown_tool",
        ]
    );
}

#[test]
fn a_command_that_runs_on_ends_as_its_end_says() {
    let started = [
        call("call_1x9b", "exec_command"),
        answer(
            "call_1x9b",
            "Chunk ID: a\nWall time: 0.2500 seconds\nProcess running with session ID 4\nOutput:\n",
        ),
    ];
    let end = |code: i64| {
        completed(
            json!({"type": "CommandExecution", "id": "call_1x9b", "status": if code == 0 { "completed" } else { "failed" }, "exit_code": code, "duration": {"secs": 2, "nanos": 0}}),
        )
    };
    let open = only(&started);
    assert_eq!((open.result, open.duration_ms), (CallResult::SUCCESS, None));
    let failed = only(&[&started[..], &[end(5)]].concat());
    assert_eq!(
        (failed.result, failed.duration_ms),
        (CallResult::because(Reason::Error), Some(2_000))
    );
    let killed_with_the_session = only(&[&started[..], &[end(-1)]].concat());
    assert_eq!(
        (
            killed_with_the_session.result,
            killed_with_the_session.duration_ms
        ),
        (CallResult::SUCCESS, None)
    );
}

#[test]
fn a_search_is_one_call_however_its_records_name_it() {
    let unnamed = item(
        json!({"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}),
    );
    let named = item(
        json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}}),
    );
    let end = event(json!({"type": "web_search_end", "call_id": "ws_1", "query": "q"}));
    let done = completed(
        json!({"type": "WebSearch", "id": "ws_1", "query": "q", "action": {"type": "search", "query": "q"}}),
    );
    for (records, uuid) in [
        (vec![unnamed.clone(), end.clone()], Some("ws_1")),
        (vec![end.clone(), unnamed.clone()], Some("ws_1")),
        (vec![done.clone(), named.clone()], Some("ws_1")),
        (vec![named, end.clone(), done], Some("ws_1")),
        (vec![end], Some("ws_1")),
        (vec![unnamed.clone()], None),
    ] {
        let event = only(&records);
        assert_eq!(
            (event.tool.as_str(), event.result),
            ("builtin:web_search", CallResult::SUCCESS)
        );
        assert!(uuid.is_none() || event.uuid.as_deref() == uuid, "{event:?}");
        assert_eq!(event.duration_ms, None);
    }
    let twice = rollout(&[unnamed.clone(), unnamed]);
    let copied = collect(&[("a", twice.as_bytes()), ("b", twice.as_bytes())]);
    assert_eq!(
        summary(&copied).len(),
        2,
        "two searches for the same words, copied once"
    );
}

#[test]
fn a_search_is_one_call_in_copies_that_lack_its_id() {
    let search = |action: &Value| {
        let call = json!({"type": "web_search_call", "status": "completed", "action": action});
        item(call)
    };
    let end = |id: &str, query: &str, action: &Value| {
        event(json!({"type": "web_search_end", "call_id": id, "query": query, "action": action}))
    };
    let find = json!({"type": "find_in_page", "url": "https://a.example", "pattern": "p"});
    let several = json!({"type": "search", "queries": ["q", "r"]});
    let open = json!({"type": "open_page", "url": "https://a.example"});
    let whole = rollout(&[
        end("ws_1", "'p' in https://a.example", &find),
        search(&find),
        count(100, 100, 10),
        search(&several),
        end("ws_2", "q ...", &several),
        count(200, 100, 10),
        search(&open),
        count(300, 100, 10),
    ]);
    // A fork without the reports of ends.
    let lines = whole.lines().filter(|line| !line.contains("web_search_end"));
    let copy: String = lines.flat_map(|line| [line, "\n"]).collect();
    let (whole, copy) = (whole.as_bytes(), copy.as_bytes());
    let alone = collect(&[("a", whole)]);
    for files in [[("a", whole), ("b", copy)], [("a", copy), ("b", whole)]] {
        let collected = collect(&files);
        let uuids = |collected: &Collected| {
            collected
                .events()
                .filter_map(|event| event.uuid)
                .collect::<Vec<_>>()
        };
        let uuids_of_both = uuids(&collected);
        assert_eq!(uuids_of_both, uuids(&alone));
        assert_eq!((uuids_of_both.len(), uuids_of_both[0].as_str()), (3, "ws_1"));
        assert_eq!(collected.totals.tokens, alone.totals.tokens);
    }
}

#[test]
fn hosted_tools_are_calls_of_their_own() {
    let collected = read(&[
        item(
            json!({"type": "tool_search_call", "call_id": "call_1x9b", "status": "completed", "execution": "client", "arguments": {"query": "x"}}),
        ),
        item(
            json!({"type": "tool_search_output", "call_id": "call_1x9b", "status": "completed", "tools": []}),
        ),
        item(
            json!({"type": "tool_search_call", "id": "tsc_2", "status": "completed", "execution": "server", "arguments": {}}),
        ),
        item(json!({"type": "image_generation_call", "id": "ig_1", "status": "failed", "result": ""})),
        event(json!({"type": "image_generation_end", "call_id": "ig_1", "status": "failed"})),
        item(
            json!({"type": "local_shell_call", "call_id": "call_2x9b", "status": "completed", "action": {"type": "exec", "command": ["ls"]}}),
        ),
        answer(
            "call_2x9b",
            r#"{"output":"","metadata":{"exit_code":0,"duration_seconds":0.1}}"#,
        ),
    ]);
    assert_eq!(
        summary(&collected),
        [
            "builtin:image_generation - failure error",
            "builtin:shell - success",
            "builtin:tool_search - success",
            "builtin:tool_search - success",
        ]
    );
}

#[test]
fn a_persons_request_is_kept_from_either_record_of_it_only_when_asked_for() {
    for record in [
        event(json!({"type": "user_message", "message": "fix it"})),
        completed(
            json!({"type": "UserMessage", "id": "u-1", "content": [{"type": "text", "text": "fix it"}]}),
        ),
    ] {
        let text = rollout(&[record, call("call_1x9b", "shell")]);
        for (task_text, expected) in [(true, Some("fix it".to_owned())), (false, None)] {
            let facts = facts(
                "rollout.jsonl",
                text.as_bytes(),
                usize::MAX,
                &Options { task_text },
            );
            let tasks: Vec<_> = joined(vec![facts])
                .events()
                .map(|event| event.task_text)
                .collect();
            assert_eq!(tasks, [expected]);
        }
    }
}

#[test]
fn a_subagent_is_called_by_its_role() {
    let spawn = |id: &str, arguments: &str| {
        item(
            json!({"type": "function_call", "name": "spawn_agent", "namespace": "collaboration", "call_id": id, "arguments": arguments}),
        )
    };
    let collected = read(&[
        spawn("call_1x9b", r#"{"agent_type":"explorer","message":"look"}"#),
        spawn("call_2x9b", r#"{"message":"look","agent_type":" "}"#),
        spawn("call_3x9b", "{\"mess"),
        completed(
            json!({"type": "CollabAgentToolCall", "id": "exec-1", "tool": "spawnAgent", "status": "completed", "receiver_agents": [{"thread_id": "t", "agent_role": "worker"}]}),
        ),
    ]);
    assert_eq!(
        summary(&collected),
        [
            "agent:default - abandoned unanswered",
            "agent:default - abandoned unanswered",
            "agent:explorer - abandoned unanswered",
            "agent:worker - success",
        ]
    );
}
