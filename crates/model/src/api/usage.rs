//! What `GET /v1/usage` answers.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::Window;

body! {
    /// What responses of models used, those that call no tool included. A response counts once.
    #[derive(Default)]
    pub struct UsageTotals {
        /// Responses.
        pub responses: i64,
        /// Of them, those without a cost, because their model has no price.
        pub uncosted_responses: i64,
        /// The sum of the known costs; null when no response has one. Where an agent's telemetry gave the vendor's own
        /// figure, it is that.
        pub usage_cost_usd: Option<f64>,
        /// Input tokens that were neither read from nor written to a cache.
        pub input_tokens: i64,
        /// Output tokens.
        pub output_tokens: i64,
        /// Input tokens read from a cache.
        pub cache_read_tokens: i64,
        /// Input tokens written to a cache.
        pub cache_write_tokens: i64,
    }
}

body! {
    /// What the responses of one model, member, project or day used.
    pub struct UsageRow {
        /// The model, member, project or day, as `by` says. Null for responses that name no model or project.
        pub subject: Option<String>,
        /// What they used.
        #[serde(flatten)]
        pub usage: UsageTotals,
    }
}

body! {
    /// A model without a price.
    pub struct UnpricedResponses {
        /// The name that the agents use.
        pub model: String,
        /// Its responses in the period that have no cost.
        pub responses: i64,
    }
}

body! {
    /// What the responses of an org used in a period.
    pub struct UsageReport {
        /// A page of rows, the most expensive first; days in order.
        pub usage: Vec<UsageRow>,
        /// Where the next page begins.
        pub next_cursor: Option<String>,
        /// All of the period together, with the same filters.
        pub totals: UsageTotals,
        /// The models of which responses have no cost, with the most responses first; 100 at most.
        pub unpriced: Vec<UnpricedResponses>,
        /// When it was counted: every response that was committed before is in it.
        pub as_of: Option<DateTime<Utc>>,
        /// The window; null for a period of other days.
        pub window: Option<Window>,
        /// The first day; null where the period has no beginning.
        pub first_day: Option<NaiveDate>,
        /// The last day.
        pub last_day: NaiveDate,
    }
}
