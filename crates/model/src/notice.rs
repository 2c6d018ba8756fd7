//! What is said about single events of a batch: why one was rejected, or what was changed in one that was stored.
//!
//! The vocabulary of an upload, in every layer: each event of a batch has an [`IngestResult`](crate::receipt::IngestResult)
//! (`inserted`, `upgraded`, `duplicate`, `conflict`, `rejected`). What is said about one event is an [`EventNotice`]: a
//! *rejection* when it was not stored, a *warning* when it was stored after something in it was changed or left out. The
//! [`Receipt`](crate::Receipt) counts the results and lists the notices. A stored event that knows less than a later
//! report is *outdated*, and is *upgraded*.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use crate::words::{UnknownWord, words};

/// Why one event was rejected, or what was changed in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventNotice {
    /// Position of the event in the body, from 0.
    pub index: usize,
    /// The event's uuid, where it could be read.
    pub uuid: Option<String>,
    /// Stable code, listed in `docs/api.md`.
    pub code: NoticeCode,
    /// The field at fault, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong and what would be right, for a person.
    pub detail: String,
}

/// Why an event is rejected, or (the last four) what was changed in one that is stored. The codes are stable: they are
/// listed in `docs/api.md` and do not change within v1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, VariantNames)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<NoticeCode>
)]
pub enum NoticeCode {
    /// Not JSON, not UTF-8, or a lone surrogate.
    InvalidJson,
    /// JSON, but not an object.
    NotAnObject,
    /// More than [`crate::limits::EVENT_BYTES`].
    TooLarge,
    /// Nested deeper than [`crate::limits::NESTING`].
    NestingTooDeep,
    /// A key occurs twice.
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
    /// Its tool is new, and the org has got as many new tools today as it may.
    TooManyTools,
    /// Its project is new, and the org has got as many new projects today as it may.
    TooManyProjects,
    /// Its session is new, and the org has got as many new sessions today as it may.
    TooManySessions,
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

words!(NoticeCode);
