//! Events to send.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

/// The present, by the clock that the server reads too.
pub(crate) fn now() -> DateTime<Utc> {
    super::hub::now()
}

/// A time in the format of an event.
pub(crate) fn text(at: DateTime<Utc>) -> Value {
    json!(at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// A successful call that was made an hour ago.
pub(crate) fn event(uuid: &str, tool_id: &str) -> Value {
    event_at(uuid, tool_id, now() - TimeDelta::hours(1))
}

/// A successful call.
pub(crate) fn event_at(uuid: &str, tool_id: &str, at: DateTime<Utc>) -> Value {
    json!({ "uuid": uuid, "tool_id": tool_id, "outcome": "success", "occurred_at": text(at) })
}

/// The event with other fields, or further ones.
#[must_use]
pub(crate) fn with(mut event: Value, fields: &Value) -> Value {
    for (key, value) in fields.as_object().expect("fields are an object") {
        event[key] = value.clone();
    }
    event
}
