//! `/otlp/v1/…`: OTLP over HTTP, as agents and collectors send it.

#![expect(clippy::unwrap_used, reason = "a test that cannot read an answer fails")]

use std::io::Write;

use chrono::TimeDelta;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use server::Config;

use super::otlp_wire::protobuf;
use crate::harness::{Caller, Hub, sample::now};

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
