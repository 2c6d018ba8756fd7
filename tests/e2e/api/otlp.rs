//! `/otlp/v1/…`: OTLP over HTTP, as agents and collectors send it.

#![expect(clippy::unwrap_used, reason = "a test that cannot read an answer fails")]

use std::io::Write;

use chrono::TimeDelta;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use server::Config;

use super::otlp_wire::protobuf;
use crate::harness::{
    Caller, Hub,
    sample::{event_at, now, with},
};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// A request of log records of Claude Code, each a few seconds ago.
fn claude(records: &[Value]) -> Value {
    let at = (now() - TimeDelta::seconds(30))
        .timestamp_nanos_opt()
        .unwrap()
        .to_string();
    let records: Vec<Value> = records
        .iter()
        .map(|record| {
            let attributes: Vec<Value> = record
                .as_object()
                .unwrap()
                .iter()
                .map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } }))
                .collect();
            json!({ "timeUnixNano": at, "attributes": attributes })
        })
        .collect();
    json!({ "resourceLogs": [{
        "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": "claude-code" } }] },
        "scopeLogs": [{ "scope": { "name": "com.anthropic.claude_code.events" }, "logRecords": records }],
    }] })
}

fn result(id: &str) -> Value {
    json!({ "event.name": "tool_result", "tool_name": "Bash", "tool_use_id": id, "success": "true",
            "duration_ms": "30", "session.id": "s1" })
}

struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

async fn send(caller: &Caller, signal: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answered {
    let mut request = caller.request(Method::POST, &format!("/otlp/v1/{signal}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.body(body).send().await.unwrap();
    Answered {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.bytes().await.unwrap().to_vec(),
    }
}

async fn json(caller: &Caller, request: &Value) -> Answered {
    send(
        caller,
        "logs",
        &[("content-type", JSON)],
        request.to_string().into_bytes(),
    )
    .await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn events(caller: &Caller) -> Vec<Value> {
    let list = caller.get("/v1/events?limit=500").await.json();
    list["events"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_request_is_stored_in_both_encodings_and_answered_in_its_own() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let answer = json(&ann, &claude(&[result("toolu_1a")])).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"{}"[..]));
    assert_eq!(answer.headers["content-type"], JSON);
    for (id, encoding) in [("toolu_2a", "identity"), ("toolu_3a", "gzip")] {
        let body = protobuf(&claude(&[result(id)]));
        let body = if encoding == "gzip" { gzip(&body) } else { body };
        let headers = [("content-type", PROTOBUF), ("content-encoding", encoding)];
        let answer = send(&ann, "logs", &headers, body).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
        assert_eq!(answer.headers["content-type"], PROTOBUF);
    }
    let stored = events(&ann).await;
    assert_eq!(stored.len(), 3);
    assert_eq!(stored[0]["tool_id"], "builtin:Bash");
    assert_eq!(
        (&stored[0]["duration_ms"], &stored[0]["session_id"]),
        (&json!(30), &json!("s1"))
    );
    let uploads = ann.get("/v1/uploads").await.json();
    let uploads = uploads["uploads"].as_array().unwrap();
    assert_eq!(uploads.len(), 3);
    for upload in uploads {
        assert_eq!(
            (&upload["source"], &upload["received"]),
            (&json!("otlp"), &json!(1))
        );
        assert_eq!(upload["inserted"], 1);
    }
}

#[tokio::test]
async fn a_request_that_a_collector_repeats_counts_once() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let batch: Vec<Value> = (0..1_000).map(|n| result(&format!("toolu_{n}a"))).collect();
    let request = gzip(&protobuf(&claude(&batch)));
    for _ in 0..2 {
        let headers = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
        let answer = send(&ann, "logs", &headers, request.clone()).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let uploads = ann.get("/v1/uploads").await.json();
    let counts = |nth: usize| {
        ["received", "inserted", "duplicate"].map(|key| uploads["uploads"][nth][key].as_u64().unwrap())
    };
    assert_eq!((counts(1), counts(0)), ([1_000, 1_000, 0], [1_000, 0, 1_000]));
}

#[tokio::test]
async fn a_record_that_cannot_be_stored_is_a_partial_success() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let mut request = claude(&[result("toolu_1a"), result("toolu_2a")]);
    request["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["timeUnixNano"] =
        json!("4795643851680000000");
    let answer = json(&ann, &request).await;
    assert_eq!(answer.status, StatusCode::OK);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["partialSuccess"]["rejectedLogRecords"], "1");
    assert!(
        body["partialSuccess"]["errorMessage"]
            .as_str()
            .unwrap()
            .contains("clock")
    );
    let answer = send(&ann, "logs", &[("content-type", PROTOBUF)], protobuf(&request)).await;
    // partial_success { rejected_log_records: 1, error_message: … }
    assert_eq!(
        (answer.body[0], answer.body[2], answer.body[3], answer.body[4]),
        (0x0a, 0x08, 1, 0x12)
    );
    assert_eq!(events(&ann).await.len(), 1);
}

#[tokio::test]
async fn a_failure_is_a_status_in_the_encoding_of_the_request() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let anonymous = hub.stranger("thb_unknown");
    for (caller, headers, body, status, code) in [
        (
            &ann,
            &[("content-type", JSON)][..],
            &b"{\"resourceLogs\":7}"[..],
            400,
            3,
        ),
        (&ann, &[("content-type", "text/plain")], b"", 415, 3),
        (&ann, &[], b"", 415, 3),
        (
            &ann,
            &[("content-type", JSON), ("content-encoding", "br")],
            b"",
            415,
            3,
        ),
        (
            &ann,
            &[("content-type", JSON), ("content-encoding", "gzip")],
            b"{}",
            400,
            3,
        ),
        (&anonymous, &[("content-type", JSON)], b"{}", 401, 16),
    ] {
        let answer = send(caller, "logs", headers, body.to_vec()).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}");
        assert_eq!(answer.headers["content-type"], JSON);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["code"], code);
        assert!(!body["message"].as_str().unwrap().is_empty());
    }
    let answer = send(&ann, "traces", &[("content-type", PROTOBUF)], vec![0x0a, 0x09]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.headers["content-type"], PROTOBUF);
    // Status { code: INVALID_ARGUMENT, message: … }
    assert_eq!(&answer.body[..3], &[0x08, 3, 0x12]);
}

#[tokio::test]
async fn metrics_are_accepted_and_dropped() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let answer = send(
        &ann,
        "metrics",
        &[("content-type", PROTOBUF)],
        vec![0x0a; 100_000],
    )
    .await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    let uploads = ann.get("/v1/uploads").await.json();
    assert_eq!(uploads["uploads"], json!([]));
}

#[tokio::test]
async fn a_request_without_calls_makes_no_upload() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let request = claude(&[json!({ "event.name": "user_prompt", "prompt": "secret" })]);
    assert_eq!(json(&ann, &request).await.status, StatusCode::OK);
    assert_eq!(ann.get("/v1/uploads").await.json()["uploads"], json!([]));
}

#[tokio::test]
async fn a_body_of_64_mib_is_read_and_a_larger_one_is_refused() {
    const MIB: usize = 1024 * 1024;
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let mut request = claude(&[result("toolu_1a")]);
    request["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"] = json!({ "stringValue": "PADDING" });
    let request = request.to_string();
    let (before, after) = request.split_once("PADDING").unwrap();
    // Compressible, but not as a bomb is.
    let block: String = (0_u32..8_192)
        .map(|n| format!("{:08x}", n.wrapping_mul(2_654_435_761)))
        .collect();
    let padding = |length: usize| block.repeat(length / block.len());
    for (length, status) in [(60 * MIB, 200), (65 * MIB, 413)] {
        let body = format!("{before}{}{after}", padding(length)).into_bytes();
        let packed = gzip(&body);
        let headers = [("content-type", JSON), ("content-encoding", "gzip")];
        assert_eq!(send(&ann, "logs", &headers, packed).await.status.as_u16(), status);
        assert_eq!(
            send(&ann, "logs", &headers[..1], body).await.status.as_u16(),
            status
        );
    }
    assert_eq!(events(&ann).await.len(), 1);
}

#[tokio::test]
async fn a_server_without_room_answers_503_and_when_to_try_again() {
    let hub = Hub::start_with(Config {
        body_memory: 1_000,
        ..Config::default()
    })
    .await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let request = claude(&[result("toolu_1a"), result("toolu_2a"), result("toolu_3a")]);
    let answer = json(&ann, &request).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key("retry-after"));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["code"], 14);
}

/// What the log of the same call says: it failed, and took longer because it waited for a person.
fn logged(id: &str, tool: &str) -> Value {
    with(
        event_at(id, tool, now() - TimeDelta::seconds(31)),
        &json!({ "outcome": "failure", "reason": "error", "duration_ms": 278, "session_id": "s1", "project": "api" }),
    )
}

#[tokio::test]
async fn log_and_telemetry_end_in_the_same_event_in_either_order() {
    let hub = Hub::start().await;
    let mut ends = Vec::new();
    for order in ["log first", "telemetry first"] {
        let ann = hub.member(&hub.org(&order.replace(' ', "-")).await, "ann").await;
        // With the name of the tool, and without it.
        let unnamed = with(result("toolu_2a"), &json!({ "tool_name": "mcp_tool" }));
        let request = claude(&[result("toolu_1a"), unnamed]);
        let log = [
            logged("toolu_1a", "builtin:Bash"),
            logged("toolu_2a", "mcp:linear"),
        ];
        if order == "log first" {
            ann.upload(&log).await;
        }
        assert_eq!(json(&ann, &request).await.status, StatusCode::OK);
        if order == "telemetry first" {
            let uploads = ann.get("/v1/uploads").await.json();
            let upload = &uploads["uploads"][0];
            assert_eq!((&upload["received"], &upload["unnamed"]), (&json!(1), &json!(1)));
            assert_eq!(events(&ann).await.len(), 1, "a call without a name is no event");
            assert_eq!(ann.get("/v1/overview").await.json()["unnamed_calls"], 1);
            ann.upload(&log).await;
        }
        assert_eq!(ann.get("/v1/overview").await.json()["unnamed_calls"], 0);
        let mut rows: Vec<Vec<String>> = Vec::new();
        for event in events(&ann).await {
            let keys = [
                "uuid",
                "tool_id",
                "outcome",
                "reason",
                "duration_ms",
                "project",
                "session_id",
            ];
            rows.push(keys.iter().map(|key| event[*key].to_string()).collect());
        }
        rows.sort();
        assert_eq!(rows.len(), 2);
        for row in &rows {
            // How it ended by the log, how long it ran by the telemetry.
            assert_eq!(row[2..6], ["\"failure\"", "\"error\"", "30", "\"api\""]);
        }
        ends.push(rows);
    }
    assert_eq!(ends[0], ends[1]);
}

#[tokio::test]
async fn calls_without_an_id_are_counted_in_the_receipt_alone() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let call =
        json!({ "event.name": "gemini_cli.tool_call", "function_name": "read_file", "success": "true" });
    assert_eq!(json(&ann, &claude(&[call])).await.status, StatusCode::OK);
    let uploads = ann.get("/v1/uploads").await.json();
    let upload = &uploads["uploads"][0];
    assert_eq!((&upload["received"], &upload["unkeyed"]), (&json!(0), &json!(1)));
    assert_eq!(events(&ann).await.len(), 0);
}

/// Everything that agents send beside what is read: it must not reach the database. The log of the server is captured in
/// `logs.rs`.
#[tokio::test]
async fn what_a_record_carries_beside_the_call_is_not_stored() {
    const SECRET: &str = "xyzzy-planted-secret";
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let mut records = Vec::new();
    for (nth, tool) in ["Bash", "mcp_tool", "Skill"].into_iter().enumerate() {
        let parameters = json!({ "full_command": SECRET, "description": SECRET, "prompt": SECRET });
        let mut record = with(
            result(&format!("toolu_{nth}a")),
            &json!({ "tool_name": tool, "tool_parameters": parameters.to_string() }),
        );
        for key in [
            "tool_input",
            "error",
            "arguments",
            "output",
            "prompt",
            "user.email",
            "user.id",
            "user.account_uuid",
            "organization.id",
            "function_args",
            "full_command",
            "gen_ai.tool.call.arguments",
            "gen_ai.tool.call.result",
            "gen_ai.input.messages",
            SECRET,
        ] {
            record[key] = json!(SECRET);
        }
        records.push(record);
    }
    let mut request = claude(&records);
    let resource = &mut request["resourceLogs"][0];
    let attributes = resource["resource"]["attributes"].as_array_mut().unwrap();
    attributes.push(json!({ "key": "process.command_args", "value": { "stringValue": SECRET } }));
    for record in resource["scopeLogs"][0]["logRecords"].as_array_mut().unwrap() {
        record["body"] = json!({ "stringValue": SECRET });
        record["severityText"] = json!(SECRET);
    }
    assert_eq!(json(&ann, &request).await.status, StatusCode::OK);
    let headers = [("content-type", PROTOBUF)];
    assert_eq!(
        send(&ann, "logs", &headers, protobuf(&request)).await.status,
        StatusCode::OK
    );
    let damaged = request
        .to_string()
        .replace("\"timeUnixNano\":", "\"timeUnixNano\":}");
    let answer = send(&ann, "logs", &[("content-type", JSON)], damaged.into_bytes()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(!String::from_utf8_lossy(&answer.body).contains(SECRET));
    let beside = hub.beside().await;
    let mut everything = String::new();
    for table in beside
        .ask("select quote_ident(tablename) from pg_tables where schemaname = 'public'")
        .await
    {
        for row in beside.ask(&format!("select t::text from {} t", table[0])).await {
            everything.push_str(&row[0]);
        }
    }
    assert!(
        everything.contains("toolu_0a") && everything.contains("toolu_1a"),
        "the search sees events"
    );
    assert!(!everything.contains(SECRET));
}

#[tokio::test]
async fn log_and_telemetry_of_a_response_never_add_up() {
    let hub = Hub::start().await;
    let request = claude(&[json!({
        "event.name": "api_request", "session.id": "s1", "model": "claude-opus-4-8", "request_id": "req_1",
        "input_tokens": "10", "output_tokens": "40", "cost_usd_micros": "7000", "duration_ms": "100",
    })]);
    let from_log = json!({ "responses": [{
        "agent": "claude-code", "response_id": "req_1", "session_id": "s1", "project": "api", "model": "claude-opus-4-8",
        "occurred_at": now() - TimeDelta::seconds(31), "input_tokens": 10, "output_tokens": 40, "cost_micro_usd": 9_000,
    }] });
    let mut answers = Vec::new();
    for org in ["first", "second"] {
        let ann = hub.member(&hub.org(org).await, "ann").await;
        let logged = async || {
            let request = ann.request(Method::PUT, "/v1/usage").body(from_log.to_string());
            ann.send(request).await.json()
        };
        if org == "first" {
            logged().await;
        }
        assert_eq!(json(&ann, &request).await.status, StatusCode::OK);
        assert_eq!(json(&ann, &request).await.status, StatusCode::OK);
        logged().await;
        let mut answer = ann.get("/v1/usage?by=project").await.json();
        answer["as_of"] = Value::Null;
        answers.push(answer);
    }
    assert_eq!(answers[0], answers[1], "in either order");
    let totals = &answers[0]["totals"];
    assert_eq!(
        (
            &totals["responses"],
            &totals["usage_cost_usd"],
            &totals["output_tokens"]
        ),
        (&json!(1), &json!(0.007), &json!(40)),
        "the vendor's own figure"
    );
    assert_eq!(answers[0]["usage"][0]["subject"], json!("api"));
}
