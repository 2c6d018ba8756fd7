//! One log record or span, as both encodings give it.

use chrono::{DateTime, Utc};

use super::attributes::{Attributes, Key};

/// What sent a record.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    /// Attributes of the resource.
    pub(super) resource: Attributes,
    /// Name of the instrumentation scope.
    pub(super) scope: String,
}

impl Origin {
    pub(super) fn service(&self) -> &str {
        self.resource.text(Key::ServiceName).unwrap_or_default()
    }

    pub(super) fn version(&self) -> Option<String> {
        self.resource.owned(Key::ServiceVersion)
    }
}

/// A log record or a span.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// It is a span.
    pub(super) is_span: bool,
    /// Name of a span; of a log record `eventName`.
    pub(super) name: String,
    /// Time of a log record or start of a span, in ns; 0 when it is not set.
    pub(super) time_ns: u64,
    /// Time at which a log record was observed, or end of a span, in ns; 0 when it is not set.
    pub(super) end_ns: u64,
    /// The status of a span is an error.
    pub(super) failed: bool,
    pub(super) attributes: Attributes,
}

/// Longest name of a span or scope that is read.
pub(super) const NAME_BYTES: usize = 256;

impl Record {
    /// The name of an event: an attribute in some agents, a field in others.
    pub(super) fn event(&self) -> &str {
        self.attributes.text(Key::EventName).unwrap_or(&self.name)
    }

    /// The time of a log record, or the start of a span.
    pub(super) fn time(&self) -> Option<DateTime<Utc>> {
        let ns = match (self.is_span, self.time_ns) {
            (false, 0) => self.end_ns,
            (_, ns) => ns,
        };
        if ns > 0 {
            return i64::try_from(ns).ok().map(DateTime::from_timestamp_nanos);
        }
        let text = self.attributes.text(Key::EventTimestamp)?;
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|time| time.with_timezone(&Utc))
    }

    /// When a call began whose result a log record tells, which was written at its end.
    pub(super) fn began(&self, duration_ms: Option<i64>) -> Option<DateTime<Utc>> {
        let duration = chrono::TimeDelta::try_milliseconds(duration_ms.unwrap_or_default().max(0))?;
        self.time()?.checked_sub_signed(duration)
    }

    /// How long a span took, in ms.
    pub(super) fn span_ms(&self) -> Option<i64> {
        let ns = self
            .end_ns
            .checked_sub(self.time_ns)
            .filter(|_| self.time_ns > 0)?;
        i64::try_from(ns / 1_000_000).ok()
    }

    /// The id of a call in a span.
    pub(super) fn span_call(&self) -> Option<String> {
        let keys = [Key::GenAiCallId, Key::GeminiCallId, Key::ToolUseId];
        keys.into_iter().find_map(|key| self.attributes.owned(key))
    }

    /// The session of a span.
    pub(super) fn span_session(&self) -> Option<String> {
        let keys = [Key::GenAiConversationId, Key::SessionId, Key::ConversationId];
        keys.into_iter().find_map(|key| self.attributes.owned(key))
    }
}
