//! What was skipped, and why.

use serde::Serialize;

/// Something that was skipped, or that could not be interpreted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file, as it was named to [`crate::LogReader::new`]; empty when the problem concerns no single file.
    pub file: String,
    /// The line in the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Stable code, for programs.
    pub code: ProblemCode,
    /// What happened and what was done, for people. Never holds text of the log beyond names.
    pub detail: String,
}

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// A line that is not exactly one JSON value. Every complete record on it is read all the same.
    InvalidJson,
    /// A line that is JSON but not an object.
    NotAnObject,
    /// A line, or a file that is one value, of more than [`crate::LINE_BYTES`].
    TooLarge,
    /// A file without any record of a known agent.
    UnknownFormat,
    /// A call or result whose id cannot distinguish calls (a redactor's placeholder, an empty text).
    InvalidId,
    /// A call of which neither the record nor its result states a time.
    NoTimestamp,
    /// A name that held control characters, bytes that are not UTF-8 or lone surrogates: replaced by U+FFFD.
    NameCleaned,
    /// One id under which two tools were called: the earlier call is kept.
    ConflictingTool,
    /// A model without a price: its calls have no cost.
    UnpricedModel,
    /// A result with an unknown message that looks like an error: it counts as one. The agent may have changed its
    /// messages.
    UnclassifiedError,
}

impl ProblemCode {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            ProblemCode::InvalidJson => "invalid_json",
            ProblemCode::NotAnObject => "not_an_object",
            ProblemCode::TooLarge => "too_large",
            ProblemCode::UnknownFormat => "unknown_format",
            ProblemCode::InvalidId => "invalid_id",
            ProblemCode::NoTimestamp => "no_timestamp",
            ProblemCode::NameCleaned => "name_cleaned",
            ProblemCode::ConflictingTool => "conflicting_tool",
            ProblemCode::UnpricedModel => "unpriced_model",
            ProblemCode::UnclassifiedError => "unclassified_error",
        }
    }
}
