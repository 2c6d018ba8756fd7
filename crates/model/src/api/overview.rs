//! What `GET /v1/overview` answers.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{UsageTotals, Window};

body! {
    /// The calls of an org in a window, all tools together.
    pub struct Totals {
        /// Calls.
        pub events: i64,
        /// Calls of other tools than the agent's built-in ones.
        pub own_events: i64,
        /// Successful calls.
        pub successes: i64,
        /// Failed calls.
        pub failures: i64,
        /// `successes / (successes + failures)`; null when both are 0.
        pub decided_rate: Option<f64>,
        /// The sum of the known costs; null when no call has one.
        pub cost_usd: Option<f64>,
        /// Members with a call.
        pub members: i64,
    }
}

body! {
    /// The calls of an org on one day.
    pub struct TotalsDay {
        /// The UTC day.
        pub day: NaiveDate,
        /// Calls.
        pub events: i64,
        /// Successful calls.
        pub successes: i64,
        /// Failed calls.
        pub failures: i64,
        /// The sum of the known costs; null when no call has one.
        pub cost_usd: Option<f64>,
    }
}

body! {
    /// An org at a glance.
    pub struct Overview {
        /// The window.
        pub totals: Totals,
        /// The window before it; null in the window of everything.
        pub previous: Option<Totals>,
        /// The days of the window that have calls, from the first on.
        pub daily: Vec<TotalsDay>,
        /// Calls of OpenTelemetry that wait until a log names their tool, and are in no count; 10,000 at most.
        #[serde(default)]
        pub unnamed_calls: i64,
        /// What the responses of models used in the window, those that call no tool included.
        #[serde(default)]
        pub usage: UsageTotals,
        /// When the boards were last refreshed.
        pub as_of: Option<DateTime<Utc>>,
        /// The window.
        pub window: Window,
        /// Its first day; null in the window of everything.
        pub first_day: Option<NaiveDate>,
        /// Its last day.
        pub last_day: NaiveDate,
    }
}
