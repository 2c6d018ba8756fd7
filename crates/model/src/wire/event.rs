//! One event as JSON: writing it ([`EventV1`]), and reading one that anybody may have written ([`read_event`]).

use std::{borrow::Cow, fmt};

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde::{
    Deserialize, Serialize, Serializer,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor},
};

use crate::{Event, MicroUsd, Outcome, Reason, ToolId, Verdict, limits, text};

/// An [`Event`] in the wire format v1: `serde_json::to_string(&EventV1(&event))`.
pub struct EventV1<'a>(pub &'a Event);

impl Serialize for EventV1<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            uuid: Option<&'a str>,
            tool_id: &'a ToolId,
            #[serde(skip_serializing_if = "Option::is_none")]
            operation: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            session_id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            project: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            task_text: Option<&'a str>,
            outcome: Outcome,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<Reason>,
            #[serde(skip_serializing_if = "Option::is_none")]
            duration_ms: Option<i64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            cost_usd: Option<f64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            model: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            agent: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            agent_version: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            git_branch: Option<&'a str>,
            occurred_at: String,
        }
        let event = self.0;
        Wire {
            uuid: event.uuid.as_deref(),
            tool_id: &event.tool,
            operation: event.operation.as_deref(),
            session_id: event.session.as_deref(),
            project: event.project.as_deref(),
            task_text: event.task_text.as_deref(),
            outcome: event.verdict.outcome(),
            reason: event.verdict.reason(),
            duration_ms: event.duration_ms,
            cost_usd: event.cost.map(MicroUsd::as_usd),
            model: event.model.as_deref(),
            agent: event.agent.as_deref(),
            agent_version: event.agent_version.as_deref(),
            git_branch: event.git_branch.as_deref(),
            occurred_at: event.occurred_at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        }
        .serialize(serializer)
    }
}

/// Why an event is rejected, or (the last four) what was changed in one that is stored. The words are a promise:
/// they are listed in `docs/api.md` and do not change within v1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionCode {
    /// Not JSON, not UTF-8, or a lone surrogate.
    InvalidJson,
    /// JSON, but not an object.
    NotAnObject,
    /// More than [`limits::EVENT_BYTES`].
    TooLarge,
    /// Nested deeper than [`limits::NESTING`].
    NestingTooDeep,
    /// A key stands twice.
    DuplicateKey,
    /// `tool_id`, `outcome` or `occurred_at` is missing.
    MissingField,
    /// A value of another JSON type than the field takes.
    WrongType,
    /// An empty or overlong uuid, one with control characters, or a redactor's placeholder.
    InvalidUuid,
    /// See [`crate::tool::InvalidToolId`].
    InvalidToolId,
    /// Not one of the four outcomes.
    InvalidOutcome,
    /// Not a reason, or one that does not explain the outcome.
    InvalidReason,
    /// Negative, not finite, or more than a year.
    InvalidDuration,
    /// Negative, not finite, or more than a million USD.
    InvalidCost,
    /// Not RFC 3339.
    InvalidTimestamp,
    /// Before the year 2000.
    TimestampOutOfRange,
    /// More than [`limits::FUTURE_HOURS`] ahead of the server's clock.
    TimestampInFuture,
    /// A name longer than [`limits::NAME_CHARS`].
    NameTooLong,
    /// It occurred before the member deleted their data.
    DeletedByMember,
    /// It occurred longer ago than the org keeps events.
    OlderThanRetention,
    /// The server failed on this event alone; the cause is in its log.
    Internal,
    /// Warning: control or direction characters were replaced by U+FFFD.
    ControlCharactersReplaced,
    /// Warning: the task text was cut to [`limits::TASK_TEXT_BYTES`].
    TaskTextCut,
    /// Warning: the task text was left out, because the org stores none.
    TaskTextNotStored,
    /// Warning: a field that v1 does not know was left out.
    UnknownField,
}

impl RejectionCode {
    /// Every code, in the order of the documentation.
    pub const ALL: [RejectionCode; 24] = [
        RejectionCode::InvalidJson,
        RejectionCode::NotAnObject,
        RejectionCode::TooLarge,
        RejectionCode::NestingTooDeep,
        RejectionCode::DuplicateKey,
        RejectionCode::MissingField,
        RejectionCode::WrongType,
        RejectionCode::InvalidUuid,
        RejectionCode::InvalidToolId,
        RejectionCode::InvalidOutcome,
        RejectionCode::InvalidReason,
        RejectionCode::InvalidDuration,
        RejectionCode::InvalidCost,
        RejectionCode::InvalidTimestamp,
        RejectionCode::TimestampOutOfRange,
        RejectionCode::TimestampInFuture,
        RejectionCode::NameTooLong,
        RejectionCode::DeletedByMember,
        RejectionCode::OlderThanRetention,
        RejectionCode::Internal,
        RejectionCode::ControlCharactersReplaced,
        RejectionCode::TaskTextCut,
        RejectionCode::TaskTextNotStored,
        RejectionCode::UnknownField,
    ];
}

/// An event that cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong, for programs.
    pub code: RejectionCode,
    /// The field at fault.
    pub field: Option<&'static str>,
    /// The uuid, where it could be read.
    pub uuid: Option<String>,
    /// What is wrong and what would be right, for people.
    pub detail: String,
}

/// Something in a stored event that was changed or left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What was done, for programs.
    pub code: RejectionCode,
    /// The field.
    pub field: Option<String>,
    /// What was done, for people.
    pub detail: String,
}

/// An event that can be stored, with what was changed in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The event.
    pub event: Event,
    /// What was changed or left out.
    pub warnings: Vec<Warning>,
}

/// Reads and checks one event. `now` is the server's clock, against which events from the future are refused.
pub fn read_event(bytes: &[u8], now: DateTime<Utc>) -> Result<Checked, Box<Refusal>> {
    let refuse = |code, field, detail: String| {
        Err(Box::new(Refusal {
            code,
            field,
            uuid: None,
            detail,
        }))
    };
    if bytes.len() > limits::EVENT_BYTES {
        let detail = format!(
            "the event has {} bytes; the limit is {}",
            bytes.len(),
            limits::EVENT_BYTES
        );
        return refuse(RejectionCode::TooLarge, None, detail);
    }
    if nesting(bytes) > limits::NESTING {
        let detail = format!("the event is nested deeper than {} levels", limits::NESTING);
        return refuse(RejectionCode::NestingTooDeep, None, detail);
    }
    match bytes.first() {
        Some(b'{') => {}
        _ if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() => {
            return refuse(
                RejectionCode::NotAnObject,
                None,
                "an event is a JSON object".into(),
            );
        }
        _ => return refuse(RejectionCode::InvalidJson, None, "not JSON".into()),
    }
    let mut raw = Raw::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = RawSeed(&mut raw)
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    let outcome = match read {
        Ok(()) => raw.check(now),
        Err(error) => Err(raw.refusal_of(&error)),
    };
    outcome.map_err(|mut refusal| {
        refusal.uuid = raw
            .uuid
            .as_deref()
            .map(|id| text::clean(text::truncate_bytes(id, limits::UUID_BYTES)).into_owned());
        Box::new(refusal)
    })
}

/// How deep the brackets of a JSON text go, strings left out.
fn nesting(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for &byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => in_string = true,
                b'{' | b'[' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    deepest
}

/// The fields as they stand in the JSON, borrowed where no escape forces a copy.
#[derive(Default)]
struct Raw<'a> {
    uuid: Option<Cow<'a, str>>,
    tool_id: Option<Cow<'a, str>>,
    operation: Option<Cow<'a, str>>,
    session_id: Option<Cow<'a, str>>,
    project: Option<Cow<'a, str>>,
    task_text: Option<Cow<'a, str>>,
    outcome: Option<Cow<'a, str>>,
    reason: Option<Cow<'a, str>>,
    duration_ms: Option<f64>,
    cost_usd: Option<f64>,
    model: Option<Cow<'a, str>>,
    agent: Option<Cow<'a, str>>,
    agent_version: Option<Cow<'a, str>>,
    git_branch: Option<Cow<'a, str>>,
    occurred_at: Option<Cow<'a, str>>,
    /// Keys that v1 does not know.
    unknown: Vec<String>,
    /// The field being read, so that an error of the JSON reader can name it.
    reading: Option<&'static str>,
    /// A key that stands twice.
    repeated: Option<&'static str>,
}

struct RawSeed<'r, 'a>(&'r mut Raw<'a>);

impl<'a> DeserializeSeed<'a> for RawSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for RawSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let raw = self.0;
        let mut seen = 0_u32;
        while let Some(Text(key)) = map.next_key::<Text<'a>>()? {
            macro_rules! fields {
                ($($bit:literal $name:ident : $type:ty),+ $(,)?) => {
                    match key.as_ref() {
                        $(stringify!($name) => {
                            raw.reading = Some(stringify!($name));
                            if seen & (1 << $bit) != 0 {
                                raw.repeated = Some(stringify!($name));
                            }
                            seen |= 1 << $bit;
                            raw.$name = map.next_value::<Option<$type>>()?.map(Into::into);
                        })+
                        other => {
                            raw.reading = None;
                            if raw.unknown.len() < 8 {
                                raw.unknown.push(text::clean(text::truncate_bytes(other, 64)).into_owned());
                            }
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                };
            }
            fields! {
                0 uuid: Text<'a>, 1 tool_id: Text<'a>, 2 operation: Text<'a>, 3 session_id: Text<'a>,
                4 project: Text<'a>, 5 task_text: Text<'a>, 6 outcome: Text<'a>, 7 reason: Text<'a>,
                8 duration_ms: f64, 9 cost_usd: f64, 10 model: Text<'a>, 11 agent: Text<'a>,
                12 agent_version: Text<'a>, 13 git_branch: Text<'a>, 14 occurred_at: Text<'a>,
            }
        }
        Ok(())
    }
}

/// A string, borrowed from the input where it holds no escape.
struct Text<'a>(Cow<'a, str>);

impl<'a> From<Text<'a>> for Cow<'a, str> {
    fn from(text: Text<'a>) -> Cow<'a, str> {
        text.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl Raw<'_> {
    fn refusal_of(&self, error: &serde_json::Error) -> Refusal {
        use serde_json::error::Category;
        let field = self.reading;
        // A number beyond f64 (1e400) is a syntax error to serde_json; to the sender it is a wrong value.
        let out_of_range = error.to_string().starts_with("number out of range");
        let code = match (error.classify(), field) {
            (_, Some("duration_ms")) if out_of_range => RejectionCode::InvalidDuration,
            (_, Some("cost_usd")) if out_of_range => RejectionCode::InvalidCost,
            (Category::Data, _) => RejectionCode::WrongType,
            _ => RejectionCode::InvalidJson,
        };
        let at = error.column();
        let detail = match (code, field) {
            (RejectionCode::WrongType, Some("duration_ms" | "cost_usd")) => "a number is expected".into(),
            (RejectionCode::WrongType, _) => "a string is expected".into(),
            (RejectionCode::InvalidJson, _) => format!("not JSON at column {at} of the event"),
            _ => "the number is out of range".into(),
        };
        Refusal {
            code,
            field,
            uuid: None,
            detail,
        }
    }

    fn check(&mut self, now: DateTime<Utc>) -> Result<Checked, Refusal> {
        let refuse = |code, field, detail: &str| {
            Err(Refusal {
                code,
                field: Some(field),
                uuid: None,
                detail: detail.to_owned(),
            })
        };
        if let Some(field) = self.repeated {
            return refuse(
                RejectionCode::DuplicateKey,
                field,
                "the key stands more than once",
            );
        }
        if let Some(uuid) = &self.uuid
            && let Err(detail) = check_uuid(uuid)
        {
            return refuse(RejectionCode::InvalidUuid, "uuid", detail);
        }
        for (field, missing) in [
            ("tool_id", self.tool_id.is_none()),
            ("outcome", self.outcome.is_none()),
            ("occurred_at", self.occurred_at.is_none()),
        ] {
            if missing {
                return refuse(RejectionCode::MissingField, field, "the field is required");
            }
        }
        let mut warnings: Vec<Warning> = Vec::new();
        let tool = match ToolId::parse(self.tool_id.as_deref().unwrap_or_default()) {
            Ok(tool) => tool,
            Err(error) => return refuse(RejectionCode::InvalidToolId, "tool_id", &error.to_string()),
        };
        if self.tool_id.as_deref() != Some(tool.as_str()) {
            warnings.push(replaced("tool_id"));
        }
        let Ok(outcome) = self.outcome.as_deref().unwrap_or_default().parse::<Outcome>() else {
            let detail = "the outcome is one of success, failure, abandoned, unknown";
            return refuse(RejectionCode::InvalidOutcome, "outcome", detail);
        };
        let reason = match self.reason.as_deref().map(str::parse::<Reason>).transpose() {
            Ok(reason) => reason,
            Err(_) => {
                let detail = "the reason is one of error, invalid_input, unknown_tool (failure), rejected, \
                              interrupted, cancelled, denied, unanswered (abandoned)";
                return refuse(RejectionCode::InvalidReason, "reason", detail);
            }
        };
        let Some(verdict) = Verdict::new(outcome, reason) else {
            let detail = format!(
                "`{}` does not explain `{outcome}`",
                reason.map_or("", Reason::as_str)
            );
            return refuse(RejectionCode::InvalidReason, "reason", &detail);
        };
        let duration_ms = match self.duration_ms.map(whole_ms) {
            Some(None) => {
                let detail = "a duration is 0 ms to one year";
                return refuse(RejectionCode::InvalidDuration, "duration_ms", detail);
            }
            other => other.flatten(),
        };
        let cost = match self.cost_usd.map(MicroUsd::from_usd) {
            Some(None) => {
                return refuse(
                    RejectionCode::InvalidCost,
                    "cost_usd",
                    "a cost is 0 to 1,000,000 USD",
                );
            }
            other => other.flatten(),
        };
        let occurred_at = match check_time(self.occurred_at.as_deref().unwrap_or_default(), now) {
            Ok(time) => time,
            Err((code, detail)) => return refuse(code, "occurred_at", &detail),
        };
        let mut event = Event::new(tool, verdict, occurred_at);
        for (field, value, slot) in [
            ("operation", self.operation.take(), &mut event.operation),
            ("session_id", self.session_id.take(), &mut event.session),
            ("project", self.project.take(), &mut event.project),
            ("model", self.model.take(), &mut event.model),
            ("agent", self.agent.take(), &mut event.agent),
            (
                "agent_version",
                self.agent_version.take(),
                &mut event.agent_version,
            ),
            ("git_branch", self.git_branch.take(), &mut event.git_branch),
        ] {
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                continue;
            };
            if value.len() > limits::NAME_CHARS && value.chars().count() > limits::NAME_CHARS {
                let detail = format!("at most {} characters", limits::NAME_CHARS);
                return refuse(RejectionCode::NameTooLong, field, &detail);
            }
            let clean = text::clean(&value);
            if matches!(clean, Cow::Owned(_)) {
                warnings.push(replaced(field));
            }
            *slot = Some(clean.into_owned());
        }
        if let Some(task) = self.task_text.take().filter(|task| !task.is_empty()) {
            let cut = text::truncate_bytes(&task, limits::TASK_TEXT_BYTES);
            if cut.len() < task.len() {
                let detail = format!("cut to {} bytes", limits::TASK_TEXT_BYTES);
                warnings.push(Warning {
                    code: RejectionCode::TaskTextCut,
                    field: Some("task_text".into()),
                    detail,
                });
            }
            let clean = text::clean_prose(cut);
            if matches!(clean, Cow::Owned(_)) {
                warnings.push(replaced("task_text"));
            }
            event.task_text = Some(clean.into_owned());
        }
        for field in self.unknown.drain(..) {
            let detail = "v1 does not know this field; it was left out".into();
            warnings.push(Warning {
                code: RejectionCode::UnknownField,
                field: Some(field),
                detail,
            });
        }
        event.uuid = self.uuid.as_deref().map(str::to_owned);
        event.duration_ms = duration_ms;
        event.cost = cost;
        Ok(Checked { event, warnings })
    }
}

fn replaced(field: &str) -> Warning {
    let detail = "control characters were replaced by U+FFFD".into();
    Warning {
        code: RejectionCode::ControlCharactersReplaced,
        field: Some(field.to_owned()),
        detail,
    }
}

/// Checks the id of an event. A placeholder that a redactor left would make every call of a log the same call; the
/// error says, for people, what is wrong.
pub fn check_uuid(uuid: &str) -> Result<(), &'static str> {
    if uuid.trim().is_empty() {
        return Err("a uuid is not empty; leave the field out to get a fresh one");
    }
    if uuid.len() > limits::UUID_BYTES {
        return Err("a uuid has at most 128 bytes");
    }
    if !text::is_clean(uuid) {
        return Err("a uuid holds no control characters");
    }
    if uuid == "REDACTED" || uuid.bytes().all(|b| matches!(b, b'0' | b'-')) {
        return Err("a placeholder is not a uuid: every call would be the same call");
    }
    Ok(())
}

fn whole_ms(ms: f64) -> Option<i64> {
    let whole = ms.round();
    #[expect(clippy::cast_precision_loss, reason = "a year of ms is far below 2^53")]
    if !(0.0..=limits::DURATION_MS as f64).contains(&whole) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked against the bound above")]
    Some(whole as i64)
}

fn check_time(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, (RejectionCode, String)> {
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| {
            let detail = "a time is RFC 3339, for example 2026-11-23T09:30:00Z";
            (RejectionCode::InvalidTimestamp, detail.to_owned())
        })?
        .with_timezone(&Utc);
    if time.timestamp() < 946_684_800 {
        return Err((
            RejectionCode::TimestampOutOfRange,
            "an event lies after the year 2000".into(),
        ));
    }
    if time > now + TimeDelta::hours(limits::FUTURE_HOURS) {
        let detail = format!(
            "an event lies at most {} h ahead of the server's clock",
            limits::FUTURE_HOURS
        );
        return Err((RejectionCode::TimestampInFuture, detail));
    }
    // PostgreSQL keeps microseconds.
    Ok(time.trunc_subsecs(6))
}

#[cfg(test)]
mod tests;
