//! What `GET /v1/dead-weight` answers.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{Decision, Verdict};

body! {
    /// One tool of a dead-weight audit.
    pub struct DeadWeightRow {
        /// The tool.
        pub tool_id: String,
        /// The kind of the tool.
        pub kind: String,
        /// Its latest event, ever; null when it was never used.
        pub last_used_at: Option<DateTime<Utc>>,
        /// Events within the window.
        pub events: i64,
        /// Members who used it within the window.
        #[serde(default)]
        pub members: i64,
        /// Sessions within the window that had the tool loaded.
        pub sessions_loaded: i64,
        /// Members who had it loaded in a session of the window.
        pub members_loaded: i64,
        /// Members who have it installed.
        pub members_installed: i64,
        /// Their handles, at most twenty; pseudonyms where the org hides names.
        #[serde(default)]
        pub installed_by: Vec<String>,
        /// Since when the tool is known: its first event, or the first session or machine that had it.
        #[serde(default)]
        pub known_since: Option<DateTime<Utc>>,
        /// Bytes that its listing cost the context of those sessions, in total.
        pub context_bytes: i64,
        /// What the org has decided about it, while that holds.
        #[serde(default)]
        pub decision: Option<Decision>,
        /// The handles of members who had it loaded in the window, at most twenty; pseudonyms where the org hides names.
        #[serde(default)]
        pub loaded_by: Vec<String>,
        /// The verdict of the audit.
        pub verdict: Verdict,
        /// The verdict in a sentence.
        pub reason: String,
    }
}

body! {
    /// `GET /v1/dead-weight`.
    pub struct DeadWeight {
        /// The tools, heaviest first.
        pub dead_weight: Vec<DeadWeightRow>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
        /// When the scores were last refreshed.
        pub as_of: Option<DateTime<Utc>>,
        /// Length of the window in UTC days, today included.
        pub days: i64,
        /// The day of the earliest event: a tool that was known for fewer days than the window cannot be judged.
        #[serde(default)]
        pub data_since: Option<NaiveDate>,
    }
}
