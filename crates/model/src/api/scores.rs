//! What `GET /v1/scores` and `GET /v1/scores/{tool_id}` answer.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{EventRow, Window};
use crate::{Outcome, Reason};

body! {
    /// The sums over the events of one subject (a tool, a member, a project). The columns of `tool_scores`.
    pub struct Tally {
        /// All events.
        pub events: i64,
        /// Events with outcome `success`.
        pub successes: i64,
        /// Events with outcome `failure`.
        pub failures: i64,
        /// Events with outcome `abandoned`.
        pub abandoned: i64,
        /// Events with outcome `unknown`.
        pub unknown: i64,
        /// successes / events; null when there are no events.
        pub success_rate: Option<f64>,
        /// successes / (successes + failures); null when nothing was decided.
        pub decided_rate: Option<f64>,
        /// Lower bound of the 95 % Wilson score interval of `decided_rate` (E. B. Wilson, "Probable Inference, the Law
        /// of Succession, and Statistical Inference", Journal of the American Statistical Association 22, 1927).
        pub wilson_low: Option<f64>,
        /// Mean cost in USD over the events that have one.
        pub avg_cost_usd: Option<f64>,
        /// Cost in USD of all events that have one; null when none has.
        #[serde(default)]
        pub total_cost_usd: Option<f64>,
        /// What ran inside its events cost in USD, where they started agents; null when nothing with a cost ran there. It is
        /// the cost of other events and responses, and in no total.
        #[serde(default)]
        pub total_run_cost_usd: Option<f64>,
        /// Events without a cost: their model has no price, or the log does not say what was spent.
        #[serde(default)]
        pub uncosted: i64,
        /// Median duration in ms (`percentile_cont(0.5)`) over the events that have one.
        pub median_duration_ms: Option<f64>,
        /// Members with at least one event.
        pub members: i64,
        /// The earliest event.
        pub first_used_at: Option<DateTime<Utc>>,
        /// The latest event.
        pub last_used_at: Option<DateTime<Utc>>,
    }
}

body! {
    /// The score of one tool over all its events.
    pub struct Score {
        /// The tool.
        pub tool_id: String,
        /// The kind of the tool.
        pub kind: String,
        /// The figures.
        #[serde(flatten)]
        pub tally: Tally,
    }
}

body! {
    /// `GET /v1/scores`.
    pub struct Scores {
        /// One row per tool.
        pub scores: Vec<Score>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
        /// When the scores were last refreshed; null before the first time.
        pub as_of: Option<DateTime<Utc>>,
    }
}

body! {
    /// How many calls ended with one outcome and reason.
    pub struct OutcomeCount {
        /// The outcome.
        pub outcome: Outcome,
        /// The reason, where known.
        pub reason: Option<Reason>,
        /// The number of calls.
        pub events: i64,
    }
}

body! {
    /// A part of the events of a tool: those of one operation, member, project or version.
    pub struct Part {
        /// Its name; null for events without one.
        pub name: Option<String>,
        /// All its events.
        pub events: i64,
        /// Those with outcome `success`.
        pub successes: i64,
        /// Those with outcome `failure`.
        pub failures: i64,
    }
}

body! {
    /// One UTC day of a tool.
    pub struct Day {
        /// The day.
        pub day: NaiveDate,
        /// All events.
        pub events: i64,
        /// Events with outcome `success`.
        pub successes: i64,
        /// Events with outcome `failure`.
        pub failures: i64,
    }
}

body! {
    /// The duration of calls, in ms, over the events that have one (`percentile_cont`); null when none has.
    pub struct Durations {
        /// Median.
        pub p50: Option<f64>,
        /// 90th percentile.
        pub p90: Option<f64>,
        /// 99th percentile.
        pub p99: Option<f64>,
    }
}

body! {
    /// The details of a score: the events of one tool in a window, by outcome, operation, member and so on.
    pub struct ToolDetail {
        /// Every outcome and reason, most frequent first.
        pub outcomes: Vec<OutcomeCount>,
        /// The operations, at most 100, most frequent first.
        pub by_operation: Vec<Part>,
        /// The versions of the agent, at most 100, most frequent first.
        pub by_version: Vec<Part>,
        /// The members (those who opted out of boards are left out), at most 100, most frequent first.
        pub by_member: Vec<Part>,
        /// The projects, at most 100, most frequent first.
        pub by_project: Vec<Part>,
        /// The days with events, oldest first.
        pub daily: Vec<Day>,
        /// How long calls took.
        pub durations: Durations,
    }
}

body! {
    /// `GET /v1/scores/{tool_id}`: the score over all events, and its details for a window.
    pub struct ScoreDetail {
        /// The score.
        #[serde(flatten)]
        pub score: Score,
        /// When the scores were last refreshed. Everything below is counted at the time of the request.
        pub as_of: Option<DateTime<Utc>>,
        /// The window of everything below.
        pub window: Window,
        /// The details for that window.
        #[serde(flatten)]
        pub detail: ToolDetail,
        /// Recent events, newest first.
        pub recent: Vec<EventRow>,
        /// Pass it as `cursor` to get older events; null when there are none.
        pub next_cursor: Option<String>,
    }
}
