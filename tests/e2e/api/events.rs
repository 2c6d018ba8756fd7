//! `/v1/events`: what is sent is stored once, and accounted for.

#![expect(clippy::unwrap_used, reason = "a test that cannot read an answer fails")]

use std::{collections::BTreeSet, io::Write};

use crate::harness::{
    Caller, Hub,
    sample::{event, event_at, now, text, with},
};
use chrono::TimeDelta;
use model::{NoticeCode, api::Events, limits};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

async fn compressed(caller: &Caller, encoding: &str, body: Vec<u8>) -> crate::harness::Answer {
    let request = caller
        .request(Method::POST, "/v1/events")
        .header("content-encoding", encoding);
    caller
        .send(request.header("content-type", NDJSON).body(body))
        .await
}

#[tokio::test]
async fn the_same_batch_sent_twice_changes_nothing() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let events: Vec<Value> = (0..50)
        .map(|n| event(&format!("call_{n}"), "mcp:linear"))
        .collect();
    let first = ann.upload(&events).await;
    assert_eq!((first.received, first.inserted), (50, 50));
    let stored = ann.get("/v1/events?limit=500").await.json();
    let second = ann.upload(&events).await;
    assert_eq!(
        (
            second.received,
            second.inserted,
            second.upgraded,
            second.duplicate
        ),
        (50, 0, 0, 50)
    );
    assert_eq!(ann.get("/v1/events?limit=500").await.json(), stored);
}

#[tokio::test]
async fn the_receipt_names_the_bytes_that_were_sent() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let plain = lines(&[event("call_1", "cli:make")]);
    let hash = model::text::hex(&Sha256::digest(&plain));
    let receipt = ann.post(NDJSON, plain.clone()).await.receipt();
    assert!(receipt.durable, "the test database syncs its commits");
    assert_eq!(receipt.batch, hash);
    // The hash is that of the decoded body: compression does not change what was sent.
    assert_eq!(
        compressed(&ann, "gzip", gzip(plain.as_bytes()))
            .await
            .receipt()
            .batch,
        hash
    );
}

#[tokio::test]
async fn json_ndjson_gzip_and_zstd_say_the_same() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let events = [event("call_1", "cli:make"), event("call_2", "cli:make")];
    assert_eq!(ann.upload(&events).await.inserted, 2);
    assert_eq!(
        ann.post(JSON, json!(events).to_string())
            .await
            .receipt()
            .duplicate,
        2
    );
    assert_eq!(ann.post(NDJSON, lines(&events)).await.receipt().duplicate, 2);
    let body = lines(&events).into_bytes();
    assert_eq!(compressed(&ann, "gzip", gzip(&body)).await.receipt().duplicate, 2);
    let zstd = zstd::encode_all(&body[..], 3).unwrap();
    assert_eq!(compressed(&ann, "zstd", zstd).await.receipt().duplicate, 2);
    assert_eq!(
        compressed(&ann, "br", body.clone()).await.problem(415).code,
        "unsupported_media_type"
    );
    assert_eq!(
        ann.post("text/csv", body).await.problem(415).code,
        "unsupported_media_type"
    );
}

#[tokio::test]
async fn events_without_uuid_are_all_kept() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let mut anonymous = event("", "cli:make");
    anonymous.as_object_mut().unwrap().remove("uuid");
    for _ in 0..2 {
        assert_eq!(
            ann.upload(&[anonymous.clone(), anonymous.clone(), anonymous.clone()])
                .await
                .inserted,
            3
        );
    }
    let stored: Events = ann.get("/v1/events").await.ok();
    let uuids: BTreeSet<&str> = stored.events.iter().map(|event| event.uuid.as_str()).collect();
    assert_eq!((stored.events.len(), uuids.len()), (6, 6));
}

#[tokio::test]
async fn two_members_with_the_same_uuid_are_two_events() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    assert_eq!(ann.upload(&[event("call_1", "cli:make")]).await.inserted, 1);
    assert_eq!(bob.upload(&[event("call_1", "cli:make")]).await.inserted, 1);
    let stored: Events = ann.get("/v1/events").await.ok();
    let members: BTreeSet<&str> = stored.events.iter().map(|event| event.member.as_str()).collect();
    assert_eq!(members, BTreeSet::from(["ann", "bob"]));
}

#[tokio::test]
async fn another_tool_under_a_known_uuid_is_a_conflict_and_the_first_stands() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    ann.upload(&[event("call_1", "cli:make")]).await;
    let receipt = ann.upload(&[event("call_1", "cli:cmake")]).await;
    assert_eq!((receipt.conflict, receipt.inserted), (1, 0));
    let stored: Events = ann.get("/v1/events").await.ok();
    assert_eq!(stored.events.len(), 1);
    assert_eq!(stored.events[0].tool_id, "cli:make");
}

#[tokio::test]
async fn a_late_answer_upgrades_the_event_in_either_order_of_arrival() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let open = with(
        event_at("call_1", "mcp:linear", now() - TimeDelta::hours(1)),
        &json!({ "outcome": "abandoned", "reason": "unanswered", "operation": "get_issue" }),
    );
    let answered = with(
        open.clone(),
        &json!({ "outcome": "success", "reason": null, "duration_ms": 1_200 }),
    );
    let mut ends = Vec::new();
    for (handle, order) in [("ann", [&open, &answered]), ("bob", [&answered, &open])] {
        let caller = hub.member(&acme, handle).await;
        assert_eq!(caller.upload(&[order[0].clone()]).await.inserted, 1);
        let second = caller.upload(&[order[1].clone()]).await;
        assert_eq!(
            (second.upgraded, second.duplicate),
            if handle == "ann" { (1, 0) } else { (0, 1) }
        );
        let mut stored: Events = caller.get(&format!("/v1/events?member={handle}")).await.ok();
        let event = stored.events.remove(0);
        ends.push((event.outcome, event.reason, event.duration_ms, event.operation));
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!((ends[0].0, ends[0].2), (model::Outcome::Success, Some(1_200)));
}

#[tokio::test]
async fn a_bad_event_is_rejected_alone_and_named_by_its_index() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let good = |n: usize| event(&format!("call_{n}"), "cli:make").to_string();
    let bad = [
        ("{\"uuid\":\"bad\",", NoticeCode::InvalidJson, Some("bad")),
        ("[1]", NoticeCode::NotAnObject, None),
        (
            r#"{"uuid":"bad","tool_id":"cli:make"}"#,
            NoticeCode::MissingField,
            Some("bad"),
        ),
        (
            r#"{"uuid":"bad","tool_id":"Bash","outcome":"success","occurred_at":"2026-01-01T00:00:00Z"}"#,
            NoticeCode::InvalidToolId,
            Some("bad"),
        ),
        (
            r#"{"uuid":"REDACTED","tool_id":"cli:make","outcome":"success","occurred_at":"2026-01-01T00:00:00Z"}"#,
            NoticeCode::InvalidUuid,
            Some("REDACTED"),
        ),
        (
            r#"{"uuid":"bad","tool_id":"cli:make","outcome":"success","reason":"error","occurred_at":"2026-01-01T00:00:00Z"}"#,
            NoticeCode::InvalidReason,
            Some("bad"),
        ),
        (
            r#"{"uuid":"bad","tool_id":"cli:make","outcome":"success","occurred_at":"yesterday"}"#,
            NoticeCode::InvalidTimestamp,
            Some("bad"),
        ),
        (
            r#"{"uuid":"bad","tool_id":"cli:make","outcome":"success","occurred_at":"9999-01-01T00:00:00Z"}"#,
            NoticeCode::TimestampInFuture,
            Some("bad"),
        ),
        (
            r#"{"uuid":"bad","tool_id":"cli:make","outcome":"success","duration_ms":-1,"occurred_at":"2026-01-01T00:00:00Z"}"#,
            NoticeCode::InvalidDuration,
            Some("bad"),
        ),
    ];
    let mut body = String::new();
    for (n, (line, ..)) in bad.iter().enumerate() {
        body += &format!("{}\n{line}\n", good(n));
    }
    let receipt = ann.post(NDJSON, body).await.receipt();
    assert_eq!(
        (receipt.inserted, receipt.rejected),
        (bad.len() as u64, bad.len() as u64)
    );
    for (n, (rejection, (line, code, uuid))) in receipt.rejections.iter().zip(&bad).enumerate() {
        assert_eq!(
            (rejection.index, rejection.code, rejection.uuid.as_deref()),
            (2 * n + 1, *code, *uuid),
            "{line}"
        );
        assert!(!rejection.detail.is_empty());
    }
    let stored: Events = ann.get("/v1/events").await.ok();
    assert_eq!(stored.events.len(), bad.len());
}

#[tokio::test]
async fn hostile_names_are_stored_harmless_and_said_to_be_changed() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let hostile = with(
        event("call_1", "mcp:linear"),
        &json!({
            "project": "a\u{0}b\u{1b}[31m", "session_id": "\u{202e}gnp.exe", "git_branch": "'; drop table usage_events; --",
        }),
    );
    let receipt = ann.upload(&[hostile]).await;
    assert_eq!(receipt.inserted, 1);
    let codes: Vec<NoticeCode> = receipt.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, [NoticeCode::ControlCharactersReplaced; 2]);
    let stored: Events = ann.get("/v1/events").await.ok();
    assert_eq!(
        stored.events[0].project.as_deref(),
        Some("a\u{fffd}b\u{fffd}[31m")
    );
    assert_eq!(
        stored.events[0].git_branch.as_deref(),
        Some("'; drop table usage_events; --")
    );
}

#[tokio::test]
async fn half_a_body_is_refused_whole() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let events: Vec<Value> = (0..20).map(|n| event(&format!("call_{n}"), "cli:make")).collect();
    let (array, rows) = (json!({ "events": events }).to_string(), lines(&events));
    for (answer, code) in [
        (
            ann.post(JSON, array[..array.len() / 2].to_owned()).await,
            "invalid_framing",
        ),
        (
            ann.post(NDJSON, rows[..rows.len() - 5].to_owned()).await,
            "invalid_framing",
        ),
        (ann.post(JSON, "what?").await, "invalid_framing"),
        (
            compressed(&ann, "gzip", gzip(rows.as_bytes())[..60].to_vec()).await,
            "invalid_encoding",
        ),
        (
            compressed(&ann, "zstd", rows.clone().into_bytes()).await,
            "invalid_encoding",
        ),
    ] {
        assert_eq!(answer.problem(400).code, code);
    }
    let stored: Events = ann.get("/v1/events").await.ok();
    assert_eq!(stored.events, []);
}

#[tokio::test]
async fn a_batch_holds_nothing_to_five_thousand_events() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    assert_eq!(ann.upload(&[]).await.received, 0);
    let full: Vec<Value> = (0..limits::BATCH_EVENTS)
        .map(|n| event(&format!("call_{n}"), "cli:make"))
        .collect();
    assert_eq!(ann.upload(&full).await.inserted, 5_000);
    let over = [full, vec![event("one_more", "cli:make")]].concat();
    let problem = ann.post(JSON, json!(over).to_string()).await.problem(413);
    assert!(problem.detail.contains("5000"), "{}", problem.detail);
    // No event of the batch that was too large is stored.
    let last = ann.get("/v1/uploads?limit=1").await.json();
    assert_eq!(last["uploads"][0]["received"], 5_000);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_newest_first_and_nothing_twice() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let start = now() - TimeDelta::days(1);
    // Many calls of the same moment: the pages must not fall into the gap between them.
    let events: Vec<Value> = (0..57)
        .map(|n| {
            event_at(
                &format!("call_{n:02}"),
                "cli:make",
                start + TimeDelta::minutes(n / 10),
            )
        })
        .collect();
    ann.upload(&events).await;
    let (mut seen, mut path) = (Vec::new(), "/v1/events?limit=10".to_owned());
    loop {
        let page: Events = ann.get(&path).await.ok();
        seen.extend(page.events);
        let Some(cursor) = page.next_cursor else { break };
        path = format!("/v1/events?limit=10&cursor={cursor}");
    }
    assert!(seen.is_sorted_by_key(|event| std::cmp::Reverse(event.occurred_at)));
    let uuids: BTreeSet<&str> = seen.iter().map(|event| event.uuid.as_str()).collect();
    assert_eq!((seen.len(), uuids.len()), (57, 57));
    assert_eq!(
        ann.get("/v1/events?cursor=nonsense").await.problem(400).code,
        "invalid_parameter"
    );
    assert_eq!(
        ann.get("/v1/events?limit=501").await.problem(400).code,
        "invalid_parameter"
    );
    assert_eq!(
        ann.get("/v1/events?tool=cli:make").await.problem(400).code,
        "invalid_parameter"
    );
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    let old = now() - TimeDelta::days(40);
    ann.upload(&[
        with(
            event("a1", "cli:make"),
            &json!({ "session_id": "s1", "project": "api" }),
        ),
        event_at("a2", "mcp:linear", old),
    ])
    .await;
    bob.upload(&[with(
        event("b1", "cli:make"),
        &json!({ "session_id": "s2", "project": "web" }),
    )])
    .await;
    let since = text(now() - TimeDelta::days(7));
    for (query, expected) in [
        ("tool_id=cli:make".to_owned(), vec!["a1", "b1"]),
        ("member=ann".to_owned(), vec!["a1", "a2"]),
        ("session=s2".to_owned(), vec!["b1"]),
        ("project=api".to_owned(), vec!["a1"]),
        (
            format!("member=ann&since={}", since.as_str().unwrap()),
            vec!["a1"],
        ),
        (format!("until={}", since.as_str().unwrap()), vec!["a2"]),
        (format!("member=bob&until={}", since.as_str().unwrap()), vec![]),
    ] {
        let page: Events = ann.get(&format!("/v1/events?{query}")).await.ok();
        let found: BTreeSet<&str> = page.events.iter().map(|event| event.uuid.as_str()).collect();
        assert_eq!(found, expected.into_iter().collect(), "{query}");
    }
}
