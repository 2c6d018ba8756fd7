//! The bodies of the read routes, their parameters ([`query`]) and their words. The server writes the bodies, the client
//! reads them, and `--json` prints them.
//!
//! A list answers `{"<noun>":[…],"next_cursor":…|null}`; every aggregate carries `as_of`, the time at which the scores
//! were last refreshed.

macro_rules! body {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident : $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }
    };
}

mod dead_weight;
mod decisions;
mod events;
mod leaderboards;
mod me;
mod overview;
mod period;
mod prices;
pub mod query;
mod refresh;
mod runs;
mod savings;
mod scores;
mod uploads;
mod usage;
mod vocabulary;

pub use dead_weight::{DeadWeight, DeadWeightGroup, DeadWeightRow, Evidence};
pub use decisions::{Decision, DecisionRequest, Decisions, NOTE_CHARS, ToolDecision};
pub use events::{EventRow, Events};
pub use leaderboards::{Leaderboard, LeaderboardRow, Previous};
pub use me::Me;
pub use overview::{Overview, Totals, TotalsDay};
pub use period::{Compare, Period, read_day};
pub use prices::{
    Hours, InvalidOverrides, InvalidPrice, MAX_OVERRIDES, MAX_PRICE_ALIASES, MAX_PRICE_NAME_CHARS,
    MAX_PRICE_SOURCE_CHARS, MAX_PRICE_USD, OrgPrices, Price, PriceSource, Prices, PricesChange, Tier,
    UnpricedModel,
};
pub use refresh::{RefreshState, ViewRefresh};
pub use runs::{GateResult, GatesRequest, MAX_RUN_GATES, MAX_RUN_SESSIONS, MAX_RUN_TOOLS, Run, RunTool};
pub use savings::{Carried, Needed, Saved, Savings, SavingsRow};
pub use scores::{Day, Durations, OutcomeCount, Part, Score, ScoreDetail, Scores, Tally, ToolDetail};
pub use uploads::{CI_HEADER, CiContext, SOURCE_HEADER, Upload, Uploads};
pub use usage::{UnpricedResponses, UsageReport, UsageRow, UsageTotals};
pub use vocabulary::{AllOr, Board, GroupBy, ScoreSort, UsageBy, Verdict, Window};
