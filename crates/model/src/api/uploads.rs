//! The answer of `GET /v1/uploads`, and the headers that describe the origin of an upload.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

body! {
    /// One upload as received.
    pub struct Upload {
        /// Id of the upload.
        pub upload_id: String,
        /// The handle of the member who sent it.
        pub member: String,
        /// When it was received.
        pub received_at: DateTime<Utc>,
        /// `jsonl`, `otlp` or `api`.
        pub source: String,
        /// The program that sent it, as it calls itself.
        pub client: Option<String>,
        /// Facts about the CI run that sent it.
        pub ci: Option<CiContext>,
        /// SHA-256 of the decoded body.
        pub batch: String,
        /// Events in it.
        pub received: i64,
        /// New events.
        pub inserted: i64,
        /// Stored events about which it had more facts.
        pub upgraded: i64,
        /// Stored events about which it had no new facts.
        pub duplicate: i64,
        /// Events whose uuid is stored with another tool.
        pub conflict: i64,
        /// Events that could not be stored.
        pub rejected: i64,
        /// Of the new events, those that another member of the org had uploaded before.
        #[serde(default)]
        pub already_counted: i64,
        /// Calls of OpenTelemetry that wait until a log names their tool; not part of `received`.
        #[serde(default)]
        pub unnamed: i64,
        /// Calls of OpenTelemetry without an id of their own, which are only counted here.
        #[serde(default)]
        pub unkeyed: i64,
    }
}

/// Facts about the CI run in which an upload was made. Sent as JSON in the request header `toolhub-ci`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CiContext {
    /// `github`, `gitlab`, `buildkite`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// `owner/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The branch or tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<String>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The job within the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The pull request, where the run belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<String>,
}

/// Request header of `POST /v1/events` that carries a [`CiContext`] as JSON.
pub const CI_HEADER: &str = "toolhub-ci";
/// Request header of `POST /v1/events` that says where the events come from: `jsonl`, `otlp`, `api` (the default).
pub const SOURCE_HEADER: &str = "toolhub-source";

body! {
    /// `GET /v1/uploads`.
    pub struct Uploads {
        /// The uploads, newest first.
        pub uploads: Vec<Upload>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
    }
}
