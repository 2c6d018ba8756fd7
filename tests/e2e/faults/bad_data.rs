//! B: one bad event never costs a good one, and half a body costs nothing.

use std::io::Write;

use crate::harness::{
    Caller, Deployment, Hub, Laptop, Ledger, NetworkFault,
    process::until,
    sample::{event, now, text},
};
use chrono::TimeDelta;
use model::{NoticeCode, Receipt};
use serde_json::Value;

use super::{ids, lines};

/// What becomes of a poison.
enum Expected {
    /// Rejected with this code, naming this field.
    Rejected(NoticeCode, Option<&'static str>),
    /// Stored, with a warning of this code about this field.
    Warned(NoticeCode, &'static str),
    /// Stored as it is.
    Stored,
    /// Not an event at all, where lines are events; in an array, rejected as no JSON.
    NoLine,
}

/// A good event as text, whose field has been replaced by this text.
fn good_with(uuid: &str, field: &str, value: &str) -> String {
    let mut event = event(uuid, "cli:make");
    event[field] = Value::String("\u{1}PLACE".into());
    event.to_string().replace("\"\\u0001PLACE\"", value)
}

/// The kinds: a name, the event as sent, and the expected result.
fn poisons(uuid: &str) -> Vec<(&'static str, Vec<u8>, Expected)> {
    use Expected::{NoLine, Rejected, Stored, Warned};
    use NoticeCode as Code;
    let with = |field: &str, value: &str| good_with(uuid, field, value).into_bytes();
    let good = event(uuid, "cli:make").to_string();
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let long = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
    let without_uuid = good.replace(&format!("\"uuid\":\"{uuid}\""), "\"uuid\":null");
    let upper = uuid.to_uppercase();
    let future = text(now() + TimeDelta::hours(25)).to_string();
    let bad_utf8 = {
        let mut bytes = with("project", "\"a?b\"");
        let at = bytes.iter().position(|&byte| byte == b'?').unwrap();
        bytes[at] = 0xFF;
        bytes
    };
    vec![
        (
            "NUL",
            with("project", r#""a\u0000b""#),
            Warned(Code::ControlCharactersReplaced, "project"),
        ),
        (
            "lone surrogate",
            with("project", r#""\ud800""#),
            Rejected(Code::InvalidJson, Some("project")),
        ),
        (
            "bad UTF-8",
            bad_utf8,
            Rejected(Code::InvalidJson, Some("project")),
        ),
        (
            "1e400",
            with("cost_usd", "1e400"),
            Rejected(Code::InvalidCost, Some("cost_usd")),
        ),
        (
            "NaN",
            with("cost_usd", "NaN"),
            Rejected(Code::InvalidJson, Some("cost_usd")),
        ),
        (
            "more than an i64",
            with("duration_ms", "9223372036854775808"),
            Rejected(Code::InvalidDuration, Some("duration_ms")),
        ),
        (
            "depth 500",
            with("extra", &deep),
            Rejected(Code::NestingTooDeep, None),
        ),
        (
            "a field of 65 KiB",
            with("task_text", &long(65 * 1024)),
            Rejected(Code::TooLarge, None),
        ),
        (
            "a name of 10,000",
            with("project", &long(10_000)),
            Rejected(Code::NameTooLong, Some("project")),
        ),
        ("no id", without_uuid.into_bytes(), Stored),
        (
            "a nil id",
            with("uuid", "\"00000000-0000-0000-0000-000000000000\""),
            Rejected(Code::InvalidUuid, Some("uuid")),
        ),
        ("an upper-case id", with("uuid", &format!("\"{upper}\"")), Stored),
        (
            "a key twice",
            good.replacen('{', "{\"outcome\":\"failure\",", 1).into_bytes(),
            Rejected(Code::DuplicateKey, Some("outcome")),
        ),
        (
            "a BOM",
            [b"\xEF\xBB\xBF".as_slice(), good.as_bytes()].concat(),
            Rejected(Code::InvalidJson, None),
        ),
        ("CRLF", format!("{good}\r").into_bytes(), Stored),
        ("an empty line", Vec::new(), NoLine),
        (
            "a trailing comma",
            good.replace('}', ",}").into_bytes(),
            Rejected(Code::InvalidJson, None),
        ),
        (
            "a wrong type",
            with("project", "7"),
            Rejected(Code::WrongType, Some("project")),
        ),
        (
            "year 0",
            with("occurred_at", "\"0000-01-01T00:00:00Z\""),
            Rejected(Code::TimestampOutOfRange, Some("occurred_at")),
        ),
        (
            "year 294277",
            with("occurred_at", "\"294277-01-01T00:00:00Z\""),
            Rejected(Code::InvalidTimestamp, Some("occurred_at")),
        ),
        (
            "a negative duration",
            with("duration_ms", "-5"),
            Rejected(Code::InvalidDuration, Some("duration_ms")),
        ),
        (
            "25 h ahead",
            with("occurred_at", &future),
            Rejected(Code::TimestampInFuture, Some("occurred_at")),
        ),
        (
            "an empty string",
            with("uuid", "\"\""),
            Rejected(Code::InvalidUuid, Some("uuid")),
        ),
        (
            "RTL override",
            with("project", "\"a\u{202E}b\""),
            Warned(Code::ControlCharactersReplaced, "project"),
        ),
        (
            "ANSI escape",
            with("operation", r#""\u001b[31mred""#),
            Warned(Code::ControlCharactersReplaced, "operation"),
        ),
        ("ZWJ emoji", with("project", "\"👩\u{200D}🔬\""), Stored),
        (
            "an unknown field",
            with("mood", "\"good\""),
            Warned(Code::UnknownField, "mood"),
        ),
        (
            "an unknown version",
            with("schema_version", "99"),
            Warned(Code::UnknownField, "schema_version"),
        ),
    ]
}

/// Sends a thousand events, one of them poisoned.
async fn send(caller: &Caller, ndjson: bool, uuids: &[String], at: usize, poison: &[u8]) -> Receipt {
    let mut body = if ndjson {
        Vec::new()
    } else {
        b"{\"events\":[".to_vec()
    };
    for (n, uuid) in uuids.iter().enumerate() {
        if n == at {
            body.extend_from_slice(poison);
        } else {
            body.extend_from_slice(event(uuid, "cli:make").to_string().as_bytes());
        }
        let last = n + 1 == uuids.len();
        body.extend_from_slice(if ndjson {
            b"\n"
        } else if last {
            b"]}"
        } else {
            b","
        });
    }
    let media_type = if ndjson {
        "application/x-ndjson"
    } else {
        "application/json"
    };
    caller.post(media_type, body).await.receipt()
}

#[tokio::test]
async fn b1_one_poisoned_event_in_a_thousand_costs_itself_only() {
    const AT: usize = 437;
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let ledger = Ledger::default();
    let kinds = poisons("x").len();
    for ndjson in [false, true] {
        for kind in 0..kinds {
            let uuids = ids(&format!("p{kind}_{}", u8::from(ndjson)), 1_000);
            let uuid = &uuids[AT];
            let (name, poison, expected) = poisons(uuid).swap_remove(kind);
            let receipt = send(&ann, ndjson, &uuids, AT, &poison).await;
            let good = || {
                uuids
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| *at != AT)
                    .map(|(_, uuid)| uuid)
            };
            ledger.sent(good());
            ledger.acked(good());
            let place = format!(
                "{name}, as {}: {receipt:?}",
                if ndjson { "a line" } else { "an item" }
            );
            let (received, inserted, rejected) = match &expected {
                Expected::NoLine if ndjson => (999, 999, 0),
                Expected::NoLine | Expected::Rejected(..) => (1_000, 999, 1),
                Expected::Stored | Expected::Warned(..) => (1_000, 1_000, 0),
            };
            assert_eq!(
                (receipt.received, receipt.inserted, receipt.rejected),
                (received, inserted, rejected),
                "{place}"
            );
            match expected {
                Expected::Rejected(code, field) => {
                    let [rejection] = &receipt.rejections[..] else {
                        panic!("{place}")
                    };
                    assert_eq!((rejection.index, rejection.code), (AT, code), "{place}");
                    if field.is_some() {
                        assert_eq!(rejection.field.as_deref(), field, "{place}");
                    }
                }
                Expected::Warned(code, field) => {
                    let [warning] = &receipt.warnings[..] else {
                        panic!("{place}")
                    };
                    assert_eq!((warning.index, warning.code), (AT, code), "{place}");
                    assert_eq!(warning.field.as_deref(), Some(field), "{place}");
                }
                Expected::Stored => assert!(receipt.warnings.is_empty(), "{place}"),
                Expected::NoLine => {}
            }
            if receipt.inserted == 1_000 {
                // Under the id that it has, which may be the server's own.
                let stored = hub.beside().await;
                let new = stored
                    .ask(&format!(
                        "select uuid from usage_events where upload_id = \
                         (select upload_id from uploads where batch = '{}')",
                        receipt.batch
                    ))
                    .await;
                let poisoned = new
                    .into_iter()
                    .flatten()
                    .filter(|id| !good().any(|good| good == id));
                let poisoned: Vec<String> = poisoned.collect();
                ledger.sent(&poisoned);
                ledger.acked(&poisoned);
            }
        }
    }
    ledger.note("kinds", kinds);
    ledger.settle("B1", &stored(&hub).await);
}

async fn stored(hub: &Hub) -> Vec<String> {
    let rows = hub.beside().await.ask("select uuid from usage_events").await;
    rows.into_iter().flatten().collect()
}

#[tokio::test]
async fn b2_half_a_body_is_refused_and_nothing_of_it_is_stored() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let ledger = Ledger::default();
    let uuids = ids("half", 100);
    ledger.sent(&uuids);
    let whole = lines(&uuids);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(whole.as_bytes()).unwrap();
    let packed = [
        ("gzip", gzip.finish().unwrap()),
        ("zstd", zstd::encode_all(whole.as_bytes(), 3).unwrap()),
    ];
    for (encoding, packed) in packed {
        for cut in [1, packed.len() / 2, packed.len() - 1] {
            let request = ann
                .request(reqwest::Method::POST, "/v1/events")
                .header("content-type", "application/x-ndjson")
                .header("content-encoding", encoding);
            let answer = ann.send(request.body(packed[..cut].to_vec())).await;
            assert_eq!(answer.problem(400).code, "invalid_encoding", "{encoding} {cut}");
        }
    }
    let last_line_cut = whole[..whole.len() - 10].to_owned();
    assert_eq!(
        ann.post("application/x-ndjson", last_line_cut)
            .await
            .problem(400)
            .code,
        "invalid_framing"
    );
    let array = format!("{{\"events\":[{}]}}", whole.trim_end().replace('\n', ","));
    let half = array[..array.len() / 2].to_owned();
    assert_eq!(
        ann.post("application/json", half).await.problem(400).code,
        "invalid_framing"
    );
    ledger.settle("B2", &stored(&hub).await);
    assert_eq!(stored(&hub).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b2_an_uploader_whose_body_was_cut_off_sends_it_again() {
    let deployment = Deployment::start().await;
    let member = deployment.member("ann").await;
    let laptop = Laptop::with_calls("cut", 0..2_000);
    let ledger = Ledger::default();
    ledger.sent(laptop.keys(&member));
    deployment.front.set(NetworkFault::CutAfter(20_000));
    let arguments = ["--encoding", "identity", "--in-flight", "1"];
    let uploader = laptop.upload(&deployment.front.url(), &member, &arguments);
    until("a body is cut off", async || deployment.front.cuts() > 0).await;
    assert_eq!(deployment.rows().await, 0);
    deployment.front.set(NetworkFault::None);
    let (code, report) = uploader.end().await;
    assert_eq!(code, 0, "{report}");
    ledger.acked(laptop.keys(&member));
    ledger.settle("B2", &deployment.stored().await);
    assert_eq!(deployment.rows().await, 2_000);
}

// B3, the sum law, is in tests/e2e/api/receipts.rs: for any batches, against the database.

#[tokio::test]
async fn b6_five_thousand_events_are_a_batch_and_one_more_is_not() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let ledger = Ledger::default();
    let limit = model::limits::BATCH_EVENTS;
    let all = ids("n", limit + 1);
    ledger.sent(&all);
    for count in [0, 1, limit] {
        let receipt = ann
            .post("application/x-ndjson", lines(&all[..count]))
            .await
            .receipt();
        assert_eq!(receipt.received, count as u64);
        ledger.acked(&all[..count]);
    }
    let answer = ann.post("application/x-ndjson", lines(&all)).await;
    assert_eq!(answer.problem(413).code, "too_large");
    ledger.settle("B6", &stored(&hub).await);
    assert_eq!(stored(&hub).await.len(), limit);
}
