//! What retired tools saved: `GET /v1/savings`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

body! {
    /// What the listing of a tool came to, before or after the decision to retire it.
    #[derive(Default)]
    pub struct Carried {
        /// Days.
        pub days: i64,
        /// Sessions that had the tool loaded.
        pub sessions: i64,
        /// Requests to a model that carried its listing; null where no log says.
        pub requests: Option<i64>,
        /// Tokens of its listing over those requests; a session whose log has no requests counts it once. Null where no log
        /// states its size.
        pub tokens: Option<i64>,
        /// What these tokens cost, estimated; null where no request has a price.
        pub cost_usd: Option<f64>,
    }
}

body! {
    /// What a decision saved: what the days since would have been at the rate before, less what they were.
    #[derive(Default)]
    pub struct Saved {
        /// Sessions without the tool.
        pub sessions: f64,
        /// Tokens; null where no log states a size.
        pub tokens: Option<i64>,
        /// Dollars, estimated; null where no request has a price.
        pub cost_usd: Option<f64>,
    }
}

body! {
    /// Whether somebody needed a tool after it was retired.
    pub struct Needed {
        /// Calls of it since, at most 10,000.
        pub calls: i64,
        /// Those of them that the agent answered with: there is no such tool.
        pub unknown_tool: i64,
        /// The handles of those who called it, at most twenty; pseudonyms where the org hides names.
        pub members: Vec<String>,
        /// The latest of the calls.
        pub last_at: Option<DateTime<Utc>>,
    }
}

body! {
    /// A tool that the org has decided to retire.
    pub struct SavingsRow {
        /// The tool.
        pub tool_id: String,
        /// When it was decided.
        pub decided_at: DateTime<Utc>,
        /// Who decided.
        pub decided_by: String,
        /// Who looks after the tool.
        pub owner: Option<String>,
        /// The days before the decision, up to 30, from when the tool was first loaded.
        pub before: Carried,
        /// The days since, begun ones counted.
        pub after: Carried,
        /// The difference.
        pub saved: Saved,
        /// The handles of members who had it loaded since, at most twenty.
        pub still_loaded_by: Vec<String>,
        /// The handles of members whose machines have it installed, at most twenty.
        pub still_installed_by: Vec<String>,
        /// Whether somebody needed it.
        pub needed: Needed,
    }
}

body! {
    /// `GET /v1/savings`.
    pub struct Savings {
        /// The retired tools, the latest decision first.
        pub savings: Vec<SavingsRow>,
        /// What the tools of this page saved together.
        pub total: Saved,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
        /// When the scores were last refreshed.
        pub as_of: Option<DateTime<Utc>>,
    }
}
