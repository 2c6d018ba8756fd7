//! Finding the fields of an event in its JSON.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, Utc};
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor},
};

use super::{Checked, finding::Finding};
use crate::{EventNotice, NoticeCode, limits, text};

/// Reads and checks one event of a batch: the one at position `index`. `now` is the server's clock, against which events
/// from the future are rejected.
///
/// # Errors
/// Why the event is rejected.
pub fn read_event(bytes: &[u8], index: usize, now: DateTime<Utc>) -> Result<Checked, Box<EventNotice>> {
    check_form(bytes).map_err(|finding| Box::new(finding.notice(index, None)))?;
    let mut raw = Raw::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = RawSeed(&mut raw)
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    let checked = match read {
        Ok(()) => raw.check(now),
        Err(error) => Err(raw.finding_of(&error)),
    };
    match checked {
        Ok((event, findings)) => {
            let warnings = findings
                .into_iter()
                .map(|finding| finding.notice(index, event.uuid.clone()))
                .collect();
            Ok(Checked { event, warnings })
        }
        Err(finding) => {
            let uuid = raw
                .uuid
                .as_deref()
                .map(|id| text::clean(text::truncate_bytes(id, limits::UUID_BYTES)).into_owned());
            Err(Box::new(finding.notice(index, uuid)))
        }
    }
}

/// Checks what can be seen without reading the fields: size, nesting, and that it is an object.
fn check_form(bytes: &[u8]) -> Result<(), Finding> {
    if bytes.len() > limits::EVENT_BYTES {
        let detail = format!(
            "the event has {} bytes; the limit is {}",
            bytes.len(),
            limits::EVENT_BYTES
        );
        return Err(Finding::new(NoticeCode::TooLarge, detail));
    }
    if nesting(bytes) > limits::NESTING {
        let detail = format!("the event is nested deeper than {} levels", limits::NESTING);
        return Err(Finding::new(NoticeCode::NestingTooDeep, detail));
    }
    if bytes.first() == Some(&b'{') {
        return Ok(());
    }
    Err(if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
        Finding::new(NoticeCode::NotAnObject, "an event is a JSON object")
    } else {
        Finding::new(NoticeCode::InvalidJson, "not JSON")
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

/// The fields as they are in the JSON, borrowed where no escape forces a copy.
#[derive(Default)]
pub(super) struct Raw<'a> {
    pub(super) uuid: Option<Cow<'a, str>>,
    pub(super) tool_id: Option<Cow<'a, str>>,
    pub(super) operation: Option<Cow<'a, str>>,
    pub(super) session_id: Option<Cow<'a, str>>,
    pub(super) project: Option<Cow<'a, str>>,
    pub(super) task_text: Option<Cow<'a, str>>,
    pub(super) outcome: Option<Cow<'a, str>>,
    pub(super) reason: Option<Cow<'a, str>>,
    pub(super) duration_ms: Option<f64>,
    pub(super) cost_usd: Option<f64>,
    pub(super) run_cost_usd: Option<f64>,
    pub(super) model: Option<Cow<'a, str>>,
    pub(super) agent: Option<Cow<'a, str>>,
    pub(super) agent_version: Option<Cow<'a, str>>,
    pub(super) git_branch: Option<Cow<'a, str>>,
    pub(super) occurred_at: Option<Cow<'a, str>>,
    /// Keys that v1 does not know.
    pub(super) unknown: Vec<String>,
    /// The field being read, so that an error of the JSON reader can name it.
    reading: Option<&'static str>,
    /// A key that occurs twice.
    pub(super) repeated: Option<&'static str>,
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
                15 run_cost_usd: f64,
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
    fn finding_of(&self, error: &serde_json::Error) -> Finding {
        use serde_json::error::Category;
        let field = self.reading;
        // A number beyond f64 (1e400) is a syntax error to serde_json; to the sender it is a wrong value.
        let out_of_range = error.to_string().starts_with("number out of range");
        let code = match (error.classify(), field) {
            (_, Some("duration_ms")) if out_of_range => NoticeCode::InvalidDuration,
            (_, Some("cost_usd" | "run_cost_usd")) if out_of_range => NoticeCode::InvalidCost,
            (Category::Data, _) => NoticeCode::WrongType,
            _ => NoticeCode::InvalidJson,
        };
        let detail: Cow<'static, str> = match (code, field) {
            (NoticeCode::WrongType, Some("duration_ms" | "cost_usd" | "run_cost_usd")) => {
                "a number is expected".into()
            }
            (NoticeCode::WrongType, _) => "a string is expected".into(),
            (NoticeCode::InvalidJson, _) => {
                format!("not JSON at column {} of the event", error.column()).into()
            }
            _ => "the number is out of range".into(),
        };
        match field {
            Some(field) => Finding::at(field, code, detail),
            None => Finding::new(code, detail),
        }
    }
}
