use chrono::{DateTime, Utc};

use super::*;
use crate::{NoticeCode, limits};

const EVENT: &str = r#"{"uuid":"toolu_1","tool_id":"mcp:linear","operation":"list","session_id":"s","project":"api","task_text":"do","outcome":"failure","reason":"error","duration_ms":12,"cost_usd":0.001234,"model":"m","agent":"claude-code","agent_version":"2.1.0","git_branch":"main","occurred_at":"2026-01-02T03:04:05.678Z"}"#;

fn now() -> DateTime<Utc> {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

fn code_of(json: &str) -> (NoticeCode, Option<String>, Option<String>) {
    let notice = read_event(json.as_bytes(), 7, now()).unwrap_err();
    assert_eq!(notice.index, 7);
    (notice.code, notice.field, notice.uuid)
}

fn with(field: &str, value: &str) -> String {
    let mut event: serde_json::Map<String, serde_json::Value> = serde_json::from_str(EVENT).unwrap();
    event.remove(field);
    let mut text = serde_json::to_string(&event).unwrap();
    text.insert_str(1, &format!("\"{field}\":{value},"));
    text
}

#[test]
fn an_event_reads_back_as_it_was_written() {
    let read = read_event(EVENT.as_bytes(), 7, now()).unwrap();
    assert_eq!(read.warnings, []);
    assert_eq!(serde_json::to_string(&EventV1(&read.event)).unwrap(), EVENT);
}

#[test]
fn every_poison_is_refused_with_its_code_field_and_uuid() {
    let id = Some("toolu_1".to_owned());
    for (field, value, code) in [
        ("duration_ms", "-1", NoticeCode::InvalidDuration),
        ("duration_ms", "1e400", NoticeCode::InvalidDuration),
        ("duration_ms", "99999999999999999999", NoticeCode::InvalidDuration),
        ("duration_ms", "\"12\"", NoticeCode::WrongType),
        ("cost_usd", "-0.5", NoticeCode::InvalidCost),
        ("run_cost_usd", "-0.5", NoticeCode::InvalidCost),
        ("cost_usd", "1e400", NoticeCode::InvalidCost),
        ("tool_id", "\"Bash\"", NoticeCode::InvalidToolId),
        ("tool_id", "null", NoticeCode::MissingField),
        ("outcome", "\"ok\"", NoticeCode::InvalidOutcome),
        ("reason", "\"because\"", NoticeCode::InvalidReason),
        ("reason", "\"rejected\"", NoticeCode::InvalidReason),
        ("occurred_at", "\"yesterday\"", NoticeCode::InvalidTimestamp),
        (
            "occurred_at",
            "\"0000-01-01T00:00:00Z\"",
            NoticeCode::TimestampOutOfRange,
        ),
        (
            "occurred_at",
            "\"2026-11-24T00:00:01Z\"",
            NoticeCode::TimestampInFuture,
        ),
        ("occurred_at", "1732320000", NoticeCode::WrongType),
        ("operation", "[1]", NoticeCode::WrongType),
    ] {
        let (got, at, _) = code_of(&with(field, value));
        assert_eq!((got, at.as_deref()), (code, Some(field)), "{field} {value}");
    }
    let late = format!(
        "{},\"model\":\"{}\"}}",
        &EVENT[..EVENT.len() - 1].replace("\"model\":\"m\",", ""),
        "x".repeat(257)
    );
    assert_eq!(
        code_of(&late),
        (NoticeCode::NameTooLong, Some("model".into()), id.clone())
    );
    let twice = format!("{},\"model\":\"m\"}}", &EVENT[..EVENT.len() - 1]);
    assert_eq!(
        code_of(&twice),
        (NoticeCode::DuplicateKey, Some("model".into()), id)
    );
}

#[test]
fn what_is_not_json_is_refused_without_a_panic() {
    for json in ["", "NaN", "{", "{\"a\":1,}", "{\"uuid\":\"\\ud800\"}", "{}x"] {
        assert_eq!(code_of(json).0, NoticeCode::InvalidJson, "{json}");
    }
    assert_eq!(
        read_event(b"{\"uuid\":\"\xFF\"}", 7, now()).unwrap_err().code,
        NoticeCode::InvalidJson
    );
    assert_eq!(code_of("[1]").0, NoticeCode::NotAnObject);
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    assert_eq!(code_of(&deep).0, NoticeCode::NestingTooDeep);
    let large = with("x", &format!("\"{}\"", "y".repeat(limits::EVENT_BYTES)));
    assert_eq!(code_of(&large).0, NoticeCode::TooLarge);
}

#[test]
fn an_id_that_would_merge_unrelated_calls_is_refused() {
    for uuid in [
        "",
        " ",
        "REDACTED",
        "00000000-0000-0000-0000-000000000000",
        "a\\u0000",
        &"x".repeat(129),
    ] {
        let (code, field, _) = code_of(&with("uuid", &format!("\"{uuid}\"")));
        assert_eq!(
            (code, field.as_deref()),
            (NoticeCode::InvalidUuid, Some("uuid")),
            "{uuid}"
        );
    }
}

#[test]
fn harmless_surprises_are_stored_with_a_warning() {
    let json = with("project", r#""a\u0000\u001b[31m""#);
    let read = read_event(json.as_bytes(), 7, now()).unwrap();
    assert_eq!(read.event.project.as_deref(), Some("a\u{FFFD}\u{FFFD}[31m"));
    assert_eq!(read.warnings[0].code, NoticeCode::ControlCharactersReplaced);
    let read = read_event(with("schema_version", "99").as_bytes(), 7, now()).unwrap();
    assert_eq!(read.warnings[0].field.as_deref(), Some("schema_version"));
    assert_eq!(read.warnings[0].code, NoticeCode::UnknownField);
    let read = read_event(with("project", "\"👩\u{200D}💻\"").as_bytes(), 7, now()).unwrap();
    assert_eq!(read.warnings, []);
}

proptest::proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let _ = read_event(&bytes, 7, now());
    }
}
