//! The body and answer of `POST /v1/gates`: the calls of a run, and whether they pass its gates.

use serde::{Deserialize, Serialize};

/// Most sessions of a run.
pub const MAX_RUN_SESSIONS: usize = 1_000;
/// Most gates of a run.
pub const MAX_RUN_GATES: usize = 100;
/// Most tools that the answer lists.
pub const MAX_RUN_TOOLS: u32 = 500;

/// `POST /v1/gates`: the sessions of a run, and its gates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GatesRequest {
    /// The agents' sessions: at most 1,000. Events of other members in them are not read.
    #[serde(default)]
    pub sessions: Vec<String>,
    /// Conditions such as `mcp:linear success_rate>=0.9` and `cost<=2.50`: at most 100.
    #[serde(default)]
    pub gates: Vec<String>,
}

/// The calls of one tool in a run, or of all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunTool {
    /// The tool; null for all calls together.
    pub tool_id: Option<String>,
    /// Calls.
    pub events: i64,
    /// Calls that succeeded.
    pub successes: i64,
    /// Calls that failed.
    pub failures: i64,
    /// Calls that were given up, by a person or by a rule.
    pub abandoned: i64,
    /// Calls whose end is not known.
    pub unknown: i64,
    /// Successes / events; null where there are none.
    pub success_rate: Option<f64>,
    /// Successes / (successes + failures); null where there are none.
    pub decided_rate: Option<f64>,
    /// What they cost together, in USD; null where no cost is known.
    pub cost_usd: Option<f64>,
    /// The median of their durations, in ms.
    pub median_duration_ms: Option<i64>,
    /// The longest of their durations, in ms.
    pub max_duration_ms: Option<i64>,
}

body! {
    /// One gate, judged.
    pub struct GateResult {
        /// The gate, as it was asked.
        pub gate: String,
        /// Whether the calls pass it.
        pub passed: bool,
        /// The value that was compared; null where the calls have none, and then the gate does not pass.
        pub value: Option<f64>,
        /// What was found, as a sentence.
        pub detail: String,
    }
}

body! {
    /// The calls of a run, and its gates.
    pub struct Run {
        /// Whether all gates pass.
        pub passed: bool,
        /// The gates, in the order in which they were asked.
        pub gates: Vec<GateResult>,
        /// All calls together.
        pub totals: RunTool,
        /// The calls by tool, most first: at most 500.
        pub tools: Vec<RunTool>,
    }
}
