//! Copilot CLI: what its versions write, and what each must become.

use model::{CallResult, Event, Reason};
use serde_json::{Value, json};
use sources::{Collected, ProblemCode};

use crate::{collect, lines};

/// Records a second apart, below a start.
fn session(records: &[(&str, Value)]) -> String {
    let start = (
        "session.start",
        json!({"sessionId": "s-1", "copilotVersion": "1.0.90", "context": {"cwd": "/w/api"}}),
    );
    let all = std::iter::once(&start).chain(records);
    all.enumerate()
        .map(|(second, (kind, data))| {
            let timestamp = format!("2026-08-02T03:00:{second:02}.000Z");
            let record = json!({"type": kind, "data": data, "id": format!("e-{second}"), "timestamp": timestamp, "parentId": null});
            record.to_string() + "\n"
        })
        .collect()
}

fn read(records: &[(&str, Value)]) -> Collected {
    collect(&[("events.jsonl", session(records).as_bytes())])
}

fn asks<'a>(id: &str, name: &str, request: Option<&str>) -> (&'a str, Value) {
    (
        "assistant.message",
        json!({"messageId": format!("m-{id}"), "model": "gpt-5.4", "apiCallId": request, "toolRequests": [{"toolCallId": id, "name": name, "arguments": {}}]}),
    )
}

fn starts<'a>(id: &str, name: &str) -> (&'a str, Value) {
    (
        "tool.execution_start",
        json!({"toolCallId": id, "toolName": name, "arguments": {}}),
    )
}

fn ends<'a>(id: &str, data: &Value) -> (&'a str, Value) {
    let mut data = data.clone();
    data["toolCallId"] = id.into();
    ("tool.execution_complete", data)
}

fn done(content: &str) -> Value {
    json!({"success": true, "result": {"content": content}})
}

fn failed(code: &str, message: &str) -> Value {
    json!({"success": false, "error": {"code": code, "message": message}})
}

fn only(records: &[(&str, Value)]) -> Event {
    let collected = read(records);
    let mut events: Vec<Event> = collected.events().collect();
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn of(collected: &Collected, uuid: &str) -> Event {
    let found = collected
        .events()
        .find(|event| event.uuid.as_deref() == Some(uuid));
    found.expect("the event is there")
}

const ID: &str = "call_9f3a7c";

#[test]
fn the_exit_code_decides_although_the_call_succeeded() {
    let stated =
        |code: u8| json!({"success": true, "shellExecution": {"exitCode": code}, "result": {"content": ""}});
    let measured = json!({"success": true, "result": {"content": "x"}, "toolTelemetry": {"metrics": {"exit_code": 2.0}}});
    for (tool, end, fails) in [
        ("bash", stated(3), true),
        ("bash", stated(0), false),
        ("powershell", measured.clone(), true),
        ("bash", done("out\n<shellId: 1 completed with exit code 3>"), true),
        ("bash", done("out\n<exited with exit code 1>"), true),
        (
            "bash",
            done("out\n<shellId: 1 completed with exit code 0>"),
            false,
        ),
        (
            "bash",
            done("<exited with exit code 1>\nis what it prints"),
            false,
        ),
        ("view", done("<exited with exit code 1>"), false),
        ("view", measured, false),
    ] {
        let event = only(&[starts(ID, tool), ends(ID, &end)]);
        let expected = if fails {
            CallResult::because(Reason::Error)
        } else {
            CallResult::SUCCESS
        };
        assert_eq!(event.result, expected, "{tool} {end}");
    }
}

#[test]
fn code_and_message_say_why_a_call_failed() {
    use Reason::{Denied, Error, InvalidInput, Rejected, UnknownTool};
    for (code, message, reason) in [
        (
            "denied",
            "Permission to run this tool was denied due to the following rules: `shell(rm)`",
            Denied,
        ),
        ("denied", "not run", Denied),
        ("rejected", "not run", Rejected),
        ("failure", "The user rejected this tool call.", Rejected),
        ("failure", "Tool 'fly' does not exist.", UnknownTool),
        ("failure", "Skill not found: nope", UnknownTool),
        (
            "failure",
            "Unknown agent_type: nope. Valid types are: explore",
            UnknownTool,
        ),
        ("failure", "\"path\": Required", InvalidInput),
        (
            "failure",
            "\"mode\": Invalid enum value. Expected 'sync' | 'async', received 'x'",
            InvalidInput,
        ),
        ("failure", "Invalid input: expected object", InvalidInput),
        (
            "failure",
            "Unterminated string in JSON at position 11 (line 1 column 12)",
            InvalidInput,
        ),
        ("failure", "\"quoted\" is what a server says", Error),
        ("failure", "Path does not exist", Error),
    ] {
        let collected = read(&[starts(ID, "view"), ends(ID, &failed(code, message))]);
        assert_eq!(
            of(&collected, ID).result,
            CallResult::because(reason),
            "{message}"
        );
        assert!(collected.problems.is_empty(), "{message}");
    }
    let unknown = read(&[starts(ID, "view"), ends(ID, &failed("exhausted", "no"))]);
    assert_eq!(of(&unknown, ID).result, CallResult::because(Reason::Error));
    assert_eq!(
        unknown.totals.problems.get(&ProblemCode::UnclassifiedError),
        Some(&1)
    );
}

#[test]
fn only_a_person_rejects() {
    for (decision, decided_by, reason) in [
        ("denied-by-rules", None, Reason::Denied),
        (
            "denied-no-approval-rule-and-could-not-request-from-user",
            Some("unattended_fallback"),
            Reason::Denied,
        ),
        ("denied-by-content-exclusion-policy", None, Reason::Denied),
        ("denied-by-permission-request-hook", None, Reason::Denied),
        ("denied-interactively-by-user", None, Reason::Rejected),
        ("denied", Some("user"), Reason::Rejected),
    ] {
        let asked = (
            "permission.requested",
            json!({"requestId": "r-1", "permissionRequest": {"kind": "shell", "toolCallId": ID}}),
        );
        for id in [Some(ID), None] {
            let told = (
                "permission.completed",
                json!({"requestId": "r-1", "toolCallId": id, "result": {"kind": decision}, "decisionSource": decided_by}),
            );
            let event = only(&[
                starts(ID, "bash"),
                asked.clone(),
                told,
                ends(ID, &failed("failure", "not run")),
            ]);
            assert_eq!(event.result, CallResult::because(reason), "{decision}");
            assert_eq!(event.duration_ms, None, "nothing ran");
        }
    }
}

#[test]
fn waiting_for_a_permission_is_no_duration() {
    let asked = (
        "permission.requested",
        json!({"requestId": "r-1", "permissionRequest": {"toolCallId": ID}}),
    );
    let approved = (
        "permission.completed",
        json!({"requestId": "r-1", "toolCallId": ID, "result": {"kind": "approved"}}),
    );
    let (ask, start, end) = (asks(ID, "bash", None), starts(ID, "bash"), ends(ID, &done("x")));
    for records in [
        [
            ask.clone(),
            asked.clone(),
            approved.clone(),
            start.clone(),
            end.clone(),
        ],
        [ask, start, asked, approved, end],
    ] {
        assert_eq!(only(&records).duration_ms, Some(1_000));
    }
}

#[test]
fn what_runs_in_the_background_ends_when_its_end_is_told() {
    let told = (
        "system.notification",
        json!({"content": "…", "kind": {"type": "shell_completed", "shellId": "2", "exitCode": 4}}),
    );
    let launched = [
        starts(ID, "bash"),
        ends(ID, &done("<command started in background with shellId: 2>")),
    ];
    let open = only(&launched);
    assert_eq!((open.result, open.duration_ms), (CallResult::SUCCESS, None));
    let ended = only(&[&launched[..], &[told]].concat());
    assert_eq!(
        (ended.result, ended.duration_ms),
        (CallResult::because(Reason::Error), Some(2_000))
    );

    let slow = done("out\n<command with shellId: 3 is still running after 30 seconds. You will be notified>");
    let looked = read(&[
        starts(ID, "bash"),
        ends(ID, &slow),
        starts("call_0b7d", "read_bash"),
        ends(
            "call_0b7d",
            &done("more\n<shellId: 3 completed with exit code 4>"),
        ),
    ]);
    assert_eq!(of(&looked, ID).result, CallResult::because(Reason::Error));
    assert_eq!(
        of(&looked, "call_0b7d").result,
        CallResult::SUCCESS,
        "it was read"
    );

    let task = (
        "tool.execution_start",
        json!({"toolCallId": ID, "toolName": "task", "arguments": {"agent_type": "helper"}}),
    );
    let answer = json!({"success": true, "result": {"content": "Agent started in background with agent_id: k2."}, "toolTelemetry": {"properties": {"execution_mode": "background"}}});
    let agent = |kind, data| only(&[task.clone(), ends(ID, &answer), (kind, data)]);
    let failed = agent("subagent.failed", json!({"toolCallId": ID, "error": "x"}));
    assert_eq!(
        (failed.tool.as_str(), failed.result),
        ("agent:helper", CallResult::because(Reason::Error))
    );
    let done = agent("subagent.completed", json!({"toolCallId": ID, "durationMs": 272}));
    assert_eq!((done.result, done.duration_ms), (CallResult::SUCCESS, Some(272)));
}

fn metrics(requests: Option<u64>, input: u64, output: u64) -> Value {
    json!({"gpt-5.4": {"requests": {"count": requests}, "usage": {"inputTokens": input, "outputTokens": output}}})
}

/// The tokens that a session with two shutdowns used, after one message each.
fn used(first: Value, second: Value, began: [Option<u64>; 2]) -> (u64, u64) {
    let shutdown = |metrics: Value, began: Option<u64>| {
        (
            "session.shutdown",
            json!({"modelMetrics": metrics, "sessionStartTime": began}),
        )
    };
    let text = session(&[
        asks("call_1a9f", "bash", None),
        shutdown(first, began[0]),
        ("session.resume", json!({"resumeTime": "t"})),
        asks("call_2b8e", "bash", None),
        shutdown(second, began[1]),
    ]);
    let twice = collect(&[("a", text.as_bytes()), ("b", text.as_bytes())]);
    assert!(twice.events().all(|event| event.cost.is_some()));
    (twice.totals.tokens.input, twice.totals.tokens.output)
}

#[test]
fn shutdowns_of_one_session_add_up_whether_they_sum_up_or_begin_anew() {
    let count = Some;
    let same = [Some(7), Some(7)];
    assert_eq!(
        used(metrics(count(1), 900, 100), metrics(count(1), 500, 90), [None; 2]),
        (1_400, 190)
    );
    assert_eq!(
        used(metrics(count(1), 500, 90), metrics(count(1), 900, 100), same),
        (1_400, 190),
        "anew, and greater"
    );
    assert_eq!(
        used(metrics(count(1), 500, 90), metrics(count(2), 1_400, 190), same),
        (1_400, 190),
        "summed up"
    );
    assert_eq!(
        used(metrics(None, 500, 90), metrics(None, 1_400, 190), same),
        (1_400, 190),
        "summed up, not counted"
    );
    assert_eq!(
        used(
            metrics(count(3), 500, 90),
            metrics(count(5), 900, 100),
            [Some(7), Some(9)]
        ),
        (1_400, 190)
    );
}

#[test]
fn requests_with_records_of_their_own_are_not_counted_again_by_a_shutdown() {
    let used = |request: &str, input: u64| {
        (
            "session.usage_record",
            json!({"usage": {"model": "gpt-5.4", "inputTokens": input, "outputTokens": 10, "cacheReadTokens": 100, "cacheWriteTokens": 0, "apiCallId": request}}),
        )
    };
    let shutdown = |input: u64, output: u64, read: u64| {
        (
            "session.shutdown",
            json!({"usageAccountingWatermarks": {}, "modelMetrics": {"gpt-5.4": {"usage": {"inputTokens": input, "outputTokens": output, "cacheReadTokens": read}}}}),
        )
    };
    let collected = read(&[
        used("r-1", 300_000),
        asks("call_1a9f", "bash", Some("r-1")),
        asks("call_2b8e", "bash", Some("r-2")),
        used("r-2", 1_100),
        shutdown(301_100, 20, 200),
        ("session.resume", json!({})),
        used("r-3", 1_100),
        asks("call_3c7d", "bash", Some("r-3")),
        shutdown(302_700, 40, 300),
    ]);
    let tokens = collected.totals.tokens;
    assert_eq!(
        (tokens.input, tokens.cache_read, tokens.output),
        (302_400, 300, 40),
        "500 tokens had no record"
    );
    assert_eq!(tokens.groups, 4);
    let cost = |id: &str| of(&collected, id).cost.expect("a cost").0;
    assert!(
        cost("call_1a9f") > 200 * cost("call_2b8e"),
        "each call costs what its own request cost"
    );
    assert_eq!(cost("call_2b8e"), cost("call_3c7d"));
}

#[test]
fn what_the_session_was_charged_stands_before_the_price_list() {
    let charged = json!({"modelMetrics": {"gpt-5.4": {"usage": {"inputTokens": 900, "outputTokens": 100}, "totalNanoAiu": 2_500_000_000.0}}});
    let collected = read(&[asks("call_1a9f", "bash", None), ("session.shutdown", charged)]);
    let cost = of(&collected, "call_1a9f").cost.expect("a cost");
    assert_eq!(cost.0, 25_000, "2.5 credits of a cent");
}

#[test]
fn an_id_that_only_counts_is_a_key_within_its_message() {
    let message = |message: &str| {
        (
            "assistant.message",
            json!({"messageId": message, "model": "kimi-k2", "toolRequests": [{"toolCallId": "bash_0", "name": "bash", "arguments": {}}]}),
        )
    };
    let records = [
        message("m-1"),
        starts("bash_0", "bash"),
        ends("bash_0", &failed("failure", "no")),
        message("m-2"),
        starts("bash_0", "bash"),
        ends("bash_0", &done("x")),
    ];
    let text = session(&records);
    let collected = collect(&[("a", text.as_bytes()), ("b", text.as_bytes())]);
    let verdicts: Vec<_> = collected.events().map(|event| event.result).collect();
    assert_eq!(
        verdicts,
        [CallResult::because(Reason::Error), CallResult::SUCCESS]
    );
    assert_eq!(lines(&collected), lines(&collect(&[("a", text.as_bytes())])));
}
