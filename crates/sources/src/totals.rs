//! What was read, in numbers: the answer of `upload --dry-run --json`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::problem::ProblemCode;

/// Sums over all files of one person.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Files read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Lines that are not blank.
    pub lines: u64,
    /// Half-written last lines: read the next time, not lost.
    pub unfinished_lines: u64,
    /// Events: distinct calls and slash commands.
    pub events: u64,
    /// Distinct sessions of the events.
    pub sessions: u64,
    /// Events by outcome.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Events by reason, of those that have one.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Events by kind of their tool.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Files by the agent that wrote them.
    pub agents: BTreeMap<&'static str, u64>,
    /// Tokens over all API responses.
    pub tokens: TokenTotals,
    /// The cost of all API responses, in USD. Greater than the sum over the events, because many responses call no
    /// tool. Responses of models without a price are not included; `None` where no response has a price.
    pub cost_usd: Option<f64>,
    /// Models without a price, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unpriced: Vec<UnpricedModel>,
    /// Results whose call is in no file.
    pub orphan_results: u64,
    /// Records in which sessions list what they had loaded.
    pub listings: u64,
    /// Records that no event comes from, by type.
    pub ignored: BTreeMap<String, u64>,
    /// Problems by code.
    pub problems: BTreeMap<ProblemCode, u64>,
}

/// A model without a price: its usage has no cost until a price is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnpricedModel {
    /// The name that the agents use.
    pub model: String,
    /// Its calls that have no cost.
    pub calls: u64,
    /// Its responses that have no cost, including those without calls.
    pub responses: u64,
}

/// Tokens, each API response counted once however many records repeat it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TokenTotals {
    /// API responses.
    pub groups: u64,
    /// Input tokens that were neither read from nor written to a cache.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Input tokens read from a cache.
    pub cache_read: u64,
    /// Input tokens written to a cache.
    pub cache_creation: u64,
}

/// What was left out because its project is not shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Excluded {
    /// Distinct calls and slash commands.
    pub events: u64,
    /// Distinct sessions with an excluded call or listing.
    pub sessions: u64,
    /// Distinct projects.
    pub projects: u64,
}
