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
        /// Tokens that its listing adds to each request of a session that loads it: the mean over those sessions, estimated
        /// from the bytes by the rule of the agent's family. Null where no log states its size.
        #[serde(default)]
        pub context_tokens: Option<i64>,
        /// Tokens of the longest text that a call of it loaded in the window, estimated; null where no log has one.
        #[serde(default)]
        pub invoke_tokens: Option<i64>,
        /// Requests to a model within the window that carried its listing; null where no log says.
        #[serde(default)]
        pub requests: Option<i64>,
        /// Tokens of its listing over all these requests; null where no log says.
        #[serde(default)]
        pub carried_tokens: Option<i64>,
        /// What these tokens cost in 30 days at the rate of the window, estimated; null where no request has a price.
        #[serde(default)]
        pub est_cost_usd_month: Option<f64>,
        /// What removes it: a command, a file or a folder. Null for what ships with the agent.
        #[serde(default)]
        pub remove: Option<String>,
        /// What removes it together with others: `plugin:caveman`, `mcp:linear`; the tool itself where nothing does.
        #[serde(default)]
        pub group: String,
        /// The files that declare it, with the line where that is known, at most twenty.
        #[serde(default)]
        pub declared_in: Vec<String>,
        /// The projects of its latest twenty sessions, of those in the window. None where the audit is of one member.
        #[serde(default)]
        pub projects: Vec<String>,
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
        /// What the verdict rests on.
        #[serde(default)]
        pub evidence: Evidence,
        /// How sure the verdict is, 0 to 1: how likely a tool that one of twenty sessions, or calls, needs would have shown
        /// itself. 1 for what names alone decide.
        #[serde(default)]
        pub confidence: f64,
    }
}

body! {
    /// What a verdict rests on.
    #[derive(Default)]
    pub struct Evidence {
        /// Length of the window in UTC days.
        pub days: i64,
        /// Its first day.
        pub since: Option<NaiveDate>,
        /// Sessions of the window that loaded it, or that waited for the server.
        pub sessions: i64,
        /// Members who had it loaded.
        pub members: i64,
        /// Members who called it.
        pub users: i64,
        /// Calls.
        pub calls: i64,
        /// Since when the tool is known.
        pub first_seen_at: Option<DateTime<Utc>>,
        /// When it was last called or loaded.
        pub last_seen_at: Option<DateTime<Utc>>,
        /// The tool that does the same, of a duplicate.
        pub duplicate_of: Option<String>,
    }
}

body! {
    /// Tools that one step removes together.
    pub struct DeadWeightGroup {
        /// The group: `plugin:caveman`, `mcp:linear`, a marketplace.
        pub group: String,
        /// Its tools that the audit knows.
        pub tools: i64,
        /// Those of them without a call in the window.
        pub tools_without_calls: i64,
        /// Calls of its tools within the window: a group with calls is in use.
        pub events: i64,
        /// The most sessions of the window that had one of its tools loaded.
        pub sessions_loaded: i64,
        /// Tokens that the listings of its tools add to each request, together; null where no log states a size.
        pub context_tokens: Option<i64>,
        /// Tokens of these listings over all requests of the window.
        pub carried_tokens: Option<i64>,
        /// What these tokens cost in 30 days at the rate of the window; null where no request has a price.
        pub est_cost_usd_month: Option<f64>,
        /// The handles of members who had one of its tools loaded in the window, at most twenty.
        pub loaded_by: Vec<String>,
        /// What removes it.
        pub remove: Option<String>,
    }
}

body! {
    /// `GET /v1/dead-weight`.
    pub struct DeadWeight {
        /// The tools, heaviest first.
        pub dead_weight: Vec<DeadWeightRow>,
        /// With `group_by`: what is removed together, the most tokens first, at most 100. Groups count tools that are in
        /// use, too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub groups: Option<Vec<DeadWeightGroup>>,
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
