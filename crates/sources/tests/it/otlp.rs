//! OpenTelemetry, in both encodings: what each agent sends becomes calls under the agent's own ids.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use sources::otlp::{Encoding, Signal, Telemetry, decode};

use super::otlp_wire::protobuf;

fn now() -> DateTime<Utc> {
    "2026-11-26T00:00:00Z".parse().unwrap()
}

/// Reads a request in both encodings, which say the same.
fn read(request: &Value) -> Telemetry {
    let signal = if request["resourceLogs"].is_array() {
        Signal::Logs
    } else {
        Signal::Traces
    };
    let from_json = decode(request.to_string().as_bytes(), signal, Encoding::Json, now()).unwrap();
    let from_protobuf = decode(&protobuf(request), signal, Encoding::Protobuf, now()).unwrap();
    assert_eq!(from_json, from_protobuf);
    from_json
}

/// Attributes from an object; a value is taken by its type.
fn attributes(object: &Value) -> Value {
    let pairs = object.as_object().unwrap().iter().map(|(key, value)| {
        let value = match value {
            Value::String(text) => json!({ "stringValue": text }),
            Value::Bool(is) => json!({ "boolValue": is }),
            Value::Number(number) if number.is_i64() => json!({ "intValue": number }),
            Value::Number(number) => json!({ "doubleValue": number }),
            _ => json!({}),
        };
        json!({ "key": key, "value": value })
    });
    pairs.collect()
}

const TIME: &str = "1795643851680000000";

fn logs(service: &str, scope: &str, records: &[Value]) -> Value {
    let records: Vec<Value> = records
        .iter()
        .map(|record| json!({ "timeUnixNano": TIME, "body": { "stringValue": "secret-body" }, "attributes": attributes(record) }))
        .collect();
    json!({ "resourceLogs": [{
        "scopeLogs": [{ "logRecords": records, "scope": { "name": scope } }],
        "resource": { "attributes": attributes(&json!({ "service.name": service, "service.version": "9.9" })) },
    }] })
}

fn spans(service: &str, scope: &str, items: &[(&str, Value)]) -> Value {
    let items: Vec<Value> = items
        .iter()
        .map(|(name, record)| {
            json!({ "name": name, "startTimeUnixNano": TIME, "endTimeUnixNano": "1795643851720000000",
                    "status": { "code": 0 }, "attributes": attributes(record) })
        })
        .collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": attributes(&json!({ "service.name": service, "process.command_args": "secret-prompt" })) },
        "scopeSpans": [{ "scope": { "name": scope }, "spans": items }],
    }] })
}

fn claude(records: &[Value]) -> Telemetry {
    read(&logs("claude-code", "com.anthropic.claude_code.events", records))
}

/// uuid, tool, operation, outcome with reason, duration.
fn rows(telemetry: &Telemetry) -> Vec<(String, String, String, Option<i64>)> {
    let events = telemetry.events.iter().map(|event| {
        (
            event.uuid.clone().unwrap(),
            format!("{} {}", event.tool, event.operation.as_deref().unwrap_or("-")),
            result(event.result),
            event.duration_ms,
        )
    });
    let unnamed = telemetry.unnamed.iter().map(|call| {
        (
            call.uuid.clone(),
            "?".to_owned(),
            result(call.result),
            call.duration_ms,
        )
    });
    events.chain(unnamed).collect()
}

fn result(result: model::CallResult) -> String {
    let reason = result
        .reason()
        .map_or(String::new(), |reason| format!("/{reason}"));
    format!("{}{reason}", result.outcome())
}

fn row(uuid: &str, tool: &str, result: &str, ms: Option<i64>) -> (String, String, String, Option<i64>) {
    (uuid.into(), tool.into(), result.into(), ms)
}

#[test]
fn a_result_of_claude_code_is_a_call_that_began_before_it() {
    let telemetry = claude(&[
        json!({ "event.name": "tool_result", "tool_name": "Bash", "tool_use_id": "toolu_1a", "success": "true",
                "duration_ms": "30", "session.id": "s1", "user.email": "secret@example.com" }),
        json!({ "event.name": "tool_result", "tool_name": "Read", "tool_use_id": "toolu_2a", "success": false,
                "duration_ms": 9, "error": "secret", "tool_input": "secret" }),
        json!({ "event.name": "user_prompt", "prompt": "secret" }),
    ]);
    assert_eq!(
        rows(&telemetry),
        [
            row("toolu_1a", "builtin:Bash -", "success", Some(30)),
            row("toolu_2a", "builtin:Read -", "failure/error", Some(9))
        ]
    );
    let event = &telemetry.events[0];
    assert_eq!(
        event.occurred_at,
        "2026-11-25T21:57:31.650Z".parse::<DateTime<Utc>>().unwrap()
    );
    assert_eq!(
        (
            event.session.as_deref(),
            event.agent.as_deref(),
            event.agent_version.as_deref()
        ),
        (Some("s1"), Some("claude-code"), Some("9.9"))
    );
    assert_eq!(telemetry.records, 3);
    assert!(!format!("{telemetry:?}").contains("secret"), "{telemetry:?}");
}

#[test]
fn a_decision_without_result_is_abandoned_by_who_made_it() {
    let decision = |id: &str, decision: &str, source: &str| json!({ "event.name": "tool_decision", "tool_name": "Bash", "tool_use_id": id, "decision": decision, "source": source });
    let telemetry = claude(&[
        decision("toolu_1a", "accept", "config"),
        decision("toolu_2a", "reject", "config"),
        decision("toolu_3a", "reject", "hook"),
        decision("toolu_4a", "reject", "user_reject"),
    ]);
    assert_eq!(
        rows(&telemetry),
        [
            row("toolu_2a", "builtin:Bash -", "abandoned/denied", None),
            row("toolu_3a", "builtin:Bash -", "abandoned/denied", None),
            row("toolu_4a", "builtin:Bash -", "abandoned/rejected", None)
        ]
    );
}

#[test]
fn names_of_claude_code_come_with_details_alone() {
    let result = |id: &str, tool: &str, parameters: &str| {
        json!({ "event.name": "tool_result", "tool_name": tool, "tool_use_id": id, "success": "true",
                "duration_ms": "4", "tool_parameters": parameters })
    };
    let telemetry = claude(&[
        result(
            "toolu_1a",
            "mcp_tool",
            r#"{"mcp_server_name":"my echo.v2","mcp_tool_name":"run"}"#,
        ),
        result("toolu_2a", "Skill", r#"{"skill_name":"demo:plug"}"#),
        result(
            "toolu_3a",
            "Agent",
            r#"{"subagent_type":"helper","prompt":"secret"}"#,
        ),
        result("toolu_4a", "mcp_tool", ""),
        result("toolu_5a", "Skill", r#"{"skill_name":"custom_skill"}"#),
        result("toolu_6a", "Agent", "{}"),
    ]);
    assert_eq!(
        rows(&telemetry),
        [
            row("toolu_1a", "mcp:my_echo_v2 run", "success", Some(4)),
            row("toolu_2a", "plugin:demo@plug -", "success", Some(4)),
            row("toolu_3a", "agent:helper -", "success", None),
            row("toolu_4a", "?", "success", Some(4)),
            row("toolu_5a", "?", "success", Some(4)),
            row("toolu_6a", "?", "success", None)
        ]
    );
}

#[test]
fn codex_has_no_record_time_and_its_arguments_are_dropped() {
    let mut request = logs(
        "codex_exec",
        "codex_otel.log_only",
        &[
            json!({ "event.name": "codex.tool_result", "tool_name": "exec_command", "tool_namespace": "functions",
                    "call_id": "call_vPe6B9c4", "duration_ms": "80", "success": "true", "mcp_server": "",
                    "arguments": "secret", "output": "secret", "conversation.id": "c1", "app.version": "0.169.0" }),
            json!({ "event.name": "codex.tool_result", "tool_name": "echo_ok", "tool_namespace": "mcp__my_echo",
                    "call_id": "call_xPe6B9c4", "duration_ms": "8", "success": "false", "mcp_server": "my-echo" }),
            json!({ "event.name": "codex.tool_decision", "tool_name": "apply_patch", "tool_namespace": "functions",
                    "call_id": "call_yPe6B9c4", "decision": "denied", "source": "Config" }),
            json!({ "event.name": "codex.tool_decision", "tool_name": "apply_patch", "tool_namespace": "functions",
                    "call_id": "call_zPe6B9c4", "decision": "denied", "source": "User" }),
            json!({ "event.name": "codex.sse_event" }),
        ],
    );
    for record in request["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        .as_array_mut()
        .unwrap()
    {
        record["timeUnixNano"] = json!("0");
        record["observedTimeUnixNano"] = json!(TIME);
        record["body"] = Value::Null;
        record["eventName"] = json!("event otel/src/tool.rs:1");
    }
    let telemetry = read(&request);
    assert_eq!(
        rows(&telemetry),
        [
            row("call_vPe6B9c4", "builtin:exec_command -", "success", Some(80)),
            row("call_xPe6B9c4", "mcp:my-echo echo_ok", "failure/error", Some(8)),
            row("call_yPe6B9c4", "builtin:apply_patch -", "abandoned/denied", None),
            row(
                "call_zPe6B9c4",
                "builtin:apply_patch -",
                "abandoned/rejected",
                None
            )
        ]
    );
    assert_eq!(
        telemetry.events[0].occurred_at,
        "2026-11-25T21:57:31.600Z".parse::<DateTime<Utc>>().unwrap()
    );
    assert!(!format!("{telemetry:?}").contains("secret"), "{telemetry:?}");
}

#[test]
fn calls_without_an_id_are_counted_and_make_no_event() {
    let gemini = json!({ "event.name": "gemini_cli.tool_call", "function_name": "read_file", "success": true,
                         "duration_ms": 152, "decision": null, "function_args": "secret" });
    let qwen = json!({ "event.name": "qwen-code.tool_call", "function_name": "read_file", "success": true });
    let numbered =
        json!({ "event.name": "qwen-code.tool_call", "function_name": "read_file", "call_id": "call_0" });
    let telemetry = read(&logs("gemini-cli", "gemini-cli", &[gemini, qwen, numbered]));
    assert_eq!((telemetry.unkeyed, rows(&telemetry)), (3, vec![]));
}

#[test]
fn a_span_of_gemini_says_how_long_a_call_took_and_not_how_it_ended() {
    let call = |tool: &str, id: &str| {
        (
            "tool_call",
            json!({ "gen_ai.tool.name": tool, "gen_ai.tool.call_id": id, "gen_ai.operation.name": "tool_call",
                    "gen_ai.conversation.id": "g1" }),
        )
    };
    let items = [
        call("read_file", "read_file__PwDnj4XY"),
        call("mcp_my_echo_ok", "mcp_my_echo_ok__fmoq5NJ2"),
        (
            "schedule_tool_calls",
            json!({ "gen_ai.operation.name": "schedule_tool_calls" }),
        ),
    ];
    let telemetry = read(&spans("gemini-cli", "gemini-cli", &items));
    assert_eq!(
        rows(&telemetry),
        [
            row("read_file__PwDnj4XY", "builtin:read_file -", "unknown", Some(40)),
            row("mcp_my_echo_ok__fmoq5NJ2", "?", "unknown", Some(40))
        ]
    );
    assert!(!format!("{telemetry:?}").contains("secret"), "{telemetry:?}");
}

#[test]
fn spans_of_copilot_and_of_other_programs_are_calls() {
    let call = |more: Value| {
        let mut all = json!({ "gen_ai.operation.name": "execute_tool", "gen_ai.conversation.id": "c" });
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        ("execute_tool x", all)
    };
    let hash = "092c79e8f80e559e404bcf660c48f3522b67aba9ff1484b0367e1a4ddef7431d";
    let items = [
        call(
            json!({ "gen_ai.tool.name": "bash", "gen_ai.tool.call.id": "call_fmoq5N", "process.exit.code": "3" }),
        ),
        call(
            json!({ "gen_ai.tool.name": "view", "gen_ai.tool.call.id": "call_gmoq5N", "error.type": "ToolError" }),
        ),
        call(json!({ "gen_ai.tool.name": format!("{hash}/{hash}"), "gen_ai.tool.call.id": "call_hmoq5N" })),
        call(
            json!({ "gen_ai.tool.name": "skill", "gen_ai.tool.call.id": "call_imoq5N",
                     "github.copilot.tool.parameters.skill_name": "review" }),
        ),
    ];
    assert_eq!(
        rows(&read(&spans("github-copilot", "github.copilot", &items))),
        [
            row("call_fmoq5N", "builtin:bash -", "failure/error", Some(40)),
            row("call_gmoq5N", "builtin:view -", "failure/error", Some(40)),
            row("call_imoq5N", "skill:review -", "success", Some(40)),
            row("call_hmoq5N", "?", "success", Some(40))
        ]
    );
    let items = [
        call(json!({ "gen_ai.tool.name": "search", "gen_ai.tool.call.id": "call_fmoq5N" })),
        call(
            json!({ "gen_ai.tool.name": "load", "gen_ai.tool.call.id": "call_gmoq5N", "gen_ai.skill.name": "pdf" }),
        ),
        ("chat", json!({ "gen_ai.operation.name": "chat" })),
    ];
    let telemetry = read(&spans("my-agent", "lib", &items));
    assert_eq!(
        rows(&telemetry),
        [
            row("call_fmoq5N", "builtin:search -", "success", Some(40)),
            row("call_gmoq5N", "skill:pdf -", "success", Some(40))
        ]
    );
    assert_eq!(telemetry.events[0].agent.as_deref(), Some("my-agent"));
}

#[test]
fn a_call_of_the_future_is_rejected_and_costs_no_other() {
    let mut request = logs(
        "claude-code",
        "com.anthropic.claude_code.events",
        &[1, 2].map(|n| json!({ "event.name": "tool_result", "tool_name": "Bash", "tool_use_id": format!("toolu_{n}a"), "success": true })),
    );
    request["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["timeUnixNano"] =
        json!("2795643851680000000");
    let telemetry = read(&request);
    assert_eq!((telemetry.rejected, telemetry.events.len()), (1, 1));
    assert!(telemetry.rejection.is_some());
}

#[test]
fn json_is_read_with_nulls_unknown_fields_and_numbers_as_texts() {
    let json = r#"{"resourceLogs":[null,{"scopeLogs":null},{"new":1,"resource":null,"scopeLogs":[{"scope":{"name":"com.anthropic.claude_code.events"},
        "logRecords":[{"timeUnixNano":1795643851680000000,"observedTimeUnixNano":"","traceId":"","droppedAttributesCount":0,"attributes":[
        null,{"key":null,"value":null},{"key":"event.name","value":{"stringValue":"tool_res\u0075lt"}},{"key":"tool_name","value":{"stringValue":"Bash"}},
        {"key":"tool_use_id","value":{"stringValue":"toolu_1a"}},{"key":"success","value":{"boolValue":true}},
        {"key":"duration_ms","value":{"intValue":"12"}},{"key":"decision","value":{"arrayValue":{"values":[]}}}]}]}]}]}"#;
    let telemetry = decode(json.as_bytes(), Signal::Logs, Encoding::Json, now()).unwrap();
    assert_eq!(
        rows(&telemetry),
        [row("toolu_1a", "builtin:Bash -", "success", Some(12))]
    );
    assert_eq!(
        decode(b"{}", Signal::Logs, Encoding::Json, now()).unwrap(),
        Telemetry::default()
    );
    assert_eq!(
        decode(b"", Signal::Logs, Encoding::Protobuf, now()).unwrap(),
        Telemetry::default()
    );
}

#[test]
fn what_is_no_otlp_is_refused_as_a_whole() {
    for body in [
        "",
        "[1",
        "{\"resourceLogs\":{}}",
        "{\"resourceLogs\":[{\"scopeLogs\":7}]}",
        "\u{0}",
    ] {
        decode(body.as_bytes(), Signal::Logs, Encoding::Json, now()).unwrap_err();
    }
    let nested = format!(
        "{{\"resourceLogs\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    decode(nested.as_bytes(), Signal::Logs, Encoding::Json, now()).unwrap_err();
    for body in [&[0x0a, 0x05, 0x01][..], &[0x0f], &[0x80; 11], &[0x00, 0x00]] {
        decode(body, Signal::Logs, Encoding::Protobuf, now()).unwrap_err();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for signal in [Signal::Logs, Signal::Traces] {
            for encoding in [Encoding::Json, Encoding::Protobuf] {
                let _ = decode(&bytes, signal, encoding, now());
            }
        }
    }

    /// A request that was damaged in transit never panics, and never yields more calls than it has records.
    #[test]
    fn a_damaged_request_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let request = logs("claude-code", "com.anthropic.claude_code.events", &[
            json!({ "event.name": "tool_result", "tool_name": "Bash", "tool_use_id": "toolu_1a", "success": "true", "duration_ms": "30" }),
        ]);
        for (encoding, mut bytes) in [(Encoding::Json, request.to_string().into_bytes()), (Encoding::Protobuf, protobuf(&request))] {
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at); } else { bytes[at] = byte; }
            if let Ok(telemetry) = decode(&bytes, Signal::Logs, encoding, now()) {
                prop_assert!(rows(&telemetry).len() as u64 <= telemetry.records);
            }
        }
    }
}

#[test]
fn requests_of_claude_code_are_usage_with_the_vendors_own_cost() {
    let request = json!({
        "event.name": "api_request", "session.id": "s1", "model": "claude-opus-4-8", "request_id": "req_1",
        "input_tokens": 1001, "output_tokens": "41", "cache_read_tokens": 2000, "cache_creation_tokens": 300,
        "cost_usd": 0.007324, "cost_usd_micros": 7324, "duration_ms": 155, "user.email": "secret@example.com",
        "query_source": "sdk",
    });
    let mut nameless = request.clone();
    nameless.as_object_mut().unwrap().remove("request_id");
    let mut odd = request.clone();
    odd["cost_usd_micros"] = json!(-1);
    let telemetry = claude(&[request, nameless, odd]);
    assert!(telemetry.events.is_empty() && telemetry.unnamed.is_empty());
    assert_eq!((telemetry.records, telemetry.rejected), (3, 1));
    let [response] = &telemetry.responses[..] else {
        panic!("{:?}", telemetry.responses);
    };
    assert_eq!(
        (
            response.agent.as_deref(),
            response.response_id.as_str(),
            response.session_id.as_deref()
        ),
        (Some("claude-code"), "req_1", Some("s1"))
    );
    let tokens = [
        response.input_tokens,
        response.output_tokens,
        response.cache_read_tokens,
        response.cache_write_tokens,
    ];
    assert_eq!(
        (tokens, response.cost_micro_usd),
        ([1001, 41, 2000, 300], Some(7324))
    );
    assert!(!format!("{telemetry:?}").contains("secret"));
}
