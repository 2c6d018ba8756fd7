//! The body of every error answer: RFC 9457 `application/problem+json`.

use serde::{Deserialize, Serialize};

/// An error as the API answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// Where the code is explained.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The HTTP status in words.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// Stable code, for programs.
    pub code: String,
    /// What happened and what to do next, for people. Never the internal cause.
    pub detail: String,
    /// Finds the request in the server's log.
    #[serde(default)]
    pub request_id: String,
}

impl Problem {
    /// The media type of the body.
    pub const CONTENT_TYPE: &'static str = "application/problem+json";
}
