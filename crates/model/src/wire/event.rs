//! One event as JSON: writing it ([`EventV1`]), reading one that anybody may have written ([`read_event`]), and what can
//! be wrong with it ([`RejectionCode`]).
//!
//! Reading is two steps: `read` finds the fields in the JSON, `check` decides whether their values make an event.

mod check;
mod read;

pub use check::check_uuid;
pub use read::read_event;

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize, Serializer};

use crate::{Event, MicroUsd, Outcome, Reason, ToolId};

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
    /// More than [`crate::limits::EVENT_BYTES`].
    TooLarge,
    /// Nested deeper than [`crate::limits::NESTING`].
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
    /// More than [`crate::limits::FUTURE_HOURS`] ahead of the server's clock.
    TimestampInFuture,
    /// A name longer than [`crate::limits::NAME_CHARS`].
    NameTooLong,
    /// It occurred before the member deleted their data.
    DeletedByMember,
    /// It occurred longer ago than the org keeps events.
    OlderThanRetention,
    /// The server failed on this event alone; the cause is in its log.
    Internal,
    /// Warning: control or direction characters were replaced by U+FFFD.
    ControlCharactersReplaced,
    /// Warning: the task text was cut to [`crate::limits::TASK_TEXT_BYTES`].
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

#[cfg(test)]
mod tests;
