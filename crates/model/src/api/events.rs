//! What `GET /v1/events` answers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Outcome, Reason};

body! {
    /// A stored event: the event's own keys, and its member.
    pub struct EventRow {
        /// The agent's id of the call, or the one that the server gave.
        pub uuid: String,
        /// The handle of the member.
        pub member: String,
        /// The tool.
        pub tool_id: String,
        /// The operation inside the tool.
        pub operation: Option<String>,
        /// The agent's session.
        pub session_id: Option<String>,
        /// The project.
        pub project: Option<String>,
        /// The text of the person's request, where the org stores it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub task_text: Option<String>,
        /// How the call ended.
        pub outcome: Outcome,
        /// The reason, where known.
        pub reason: Option<Reason>,
        /// How long it took, in ms.
        pub duration_ms: Option<i64>,
        /// What it cost, in USD.
        pub cost_usd: Option<f64>,
        /// What ran inside it cost, in USD, where it started an agent. The calls of that agent have these costs, too.
        #[serde(default)]
        pub run_cost_usd: Option<f64>,
        /// The model that made the call.
        pub model: Option<String>,
        /// The agent program.
        pub agent: Option<String>,
        /// Its version.
        pub agent_version: Option<String>,
        /// The git branch.
        pub git_branch: Option<String>,
        /// When the call was made.
        pub occurred_at: DateTime<Utc>,
        /// When the server first received it.
        pub received_at: DateTime<Utc>,
        /// `jsonl`, `otlp` or `api`.
        pub source: String,
        /// Another member of the org had uploaded the same call before: this event counts for its member alone.
        #[serde(default)]
        pub already_counted: bool,
    }
}

body! {
    /// `GET /v1/events`.
    pub struct Events {
        /// The events, newest first.
        pub events: Vec<EventRow>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
    }
}
