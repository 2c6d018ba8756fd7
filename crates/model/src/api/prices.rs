//! `/v1/prices`: what tokens cost, and which models have no price.

use std::{collections::HashSet, fmt};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// Maximum number of an org's own prices.
pub const MAX_OVERRIDES: usize = 200;
/// Longest name of a model in a price, in characters.
pub const MAX_PRICE_NAME_CHARS: usize = 200;
/// Maximum number of other names of the model of one price.
pub const MAX_PRICE_ALIASES: usize = 100;
/// Longest source of a price, in characters.
pub const MAX_PRICE_SOURCE_CHARS: usize = 500;
/// Greatest price, in USD.
pub const MAX_PRICE_USD: f64 = 1e6;

/// What tokens of a model cost from one day on, in USD per million.
///
/// A request is priced by the entry that matches it: the same model and tier, the latest `from` not after its day, and
/// of those the greatest `over` that its prompt exceeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "PriceInput")]
pub struct Price {
    /// The model's name. A `*` at its beginning or end matches anything. A date, `-latest`, `-preview` or a tag (`@…`,
    /// `:…`, `[…`) after the name in a log does not make it another model.
    pub model: String,
    /// Other names of the model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The first day (UTC) on which it applies; null for no start.
    pub from: Option<NaiveDate>,
    /// The hours of the day (UTC) in which it applies, as `01:00-04:00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// The speed or class of service that it applies to. A tier without a price costs what the standard does.
    #[serde(skip_serializing_if = "Tier::is_standard")]
    pub tier: Tier,
    /// It applies only to prompts of more than this many tokens (input, cache reads and cache writes together).
    #[serde(skip_serializing_if = "is_zero")]
    pub over: u64,
    /// Input tokens that were neither read from nor written to a cache.
    pub input: f64,
    /// Output tokens, reasoning included.
    pub output: f64,
    /// Input tokens read from a cache. Default: the price of input.
    pub cache_read: f64,
    /// Input tokens written to a cache that lasts 5 minutes. Default: the price of input.
    pub cache_write_5m: f64,
    /// Input tokens written to a cache that lasts 1 hour. Default: the price for 5 minutes.
    pub cache_write_1h: f64,
    /// 1,000 web searches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_search: Option<f64>,
    /// The source of the price: a page, a contract.
    pub source: String,
}

/// A [`Price`] as it may be written: values that have a default can be left out.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct PriceInput {
    model: String,
    #[serde(default)]
    aliases: Vec<String>,
    from: Option<NaiveDate>,
    hours: Option<Hours>,
    #[serde(default)]
    tier: Tier,
    #[serde(default)]
    over: u64,
    input: f64,
    output: f64,
    cache_read: Option<f64>,
    cache_write_5m: Option<f64>,
    cache_write_1h: Option<f64>,
    web_search: Option<f64>,
    #[serde(default)]
    source: String,
}

/// Why a price is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrice {
    /// A negative, infinite or too high price.
    #[error("a price of {0} is not a number of USD from 0 to 1,000,000")]
    Amount(String),
    /// No name, one that is too long, or one that matches everything.
    #[error(
        "the name of a model must be 1 to {MAX_PRICE_NAME_CHARS} characters, beside a `*` before or after it"
    )]
    Name,
    /// Too many other names.
    #[error("{0} has more than {MAX_PRICE_ALIASES} other names")]
    Aliases(String),
    /// A source that is too long.
    #[error("the source of a price of {0} is longer than {MAX_PRICE_SOURCE_CHARS} characters")]
    Source(String),
}

impl TryFrom<PriceInput> for Price {
    type Error = InvalidPrice;

    fn try_from(price: PriceInput) -> Result<Price, InvalidPrice> {
        let cache_write_5m = price.cache_write_5m.unwrap_or(price.input);
        let price = Price {
            cache_read: price.cache_read.unwrap_or(price.input),
            cache_write_5m,
            cache_write_1h: price.cache_write_1h.unwrap_or(cache_write_5m),
            model: price.model,
            aliases: price.aliases,
            from: price.from,
            hours: price.hours,
            tier: price.tier,
            over: price.over,
            input: price.input,
            output: price.output,
            web_search: price.web_search,
            source: price.source,
        };
        price.check()?;
        Ok(price)
    }
}

impl Price {
    fn check(&self) -> Result<(), InvalidPrice> {
        let nameable = |name: &str| {
            let bare = name.strip_prefix('*').unwrap_or(name);
            let bare = bare.strip_suffix('*').unwrap_or(bare);
            !bare.trim().is_empty()
                && !bare.contains('*')
                && !bare.chars().any(char::is_control)
                && bare.chars().count() <= MAX_PRICE_NAME_CHARS
        };
        if !std::iter::once(&self.model)
            .chain(&self.aliases)
            .all(|name| nameable(name))
        {
            return Err(InvalidPrice::Name);
        }
        if self.aliases.len() > MAX_PRICE_ALIASES {
            return Err(InvalidPrice::Aliases(self.model.clone()));
        }
        if self.source.chars().count() > MAX_PRICE_SOURCE_CHARS || self.source.chars().any(char::is_control) {
            return Err(InvalidPrice::Source(self.model.clone()));
        }
        let amounts = [
            self.input,
            self.output,
            self.cache_read,
            self.cache_write_5m,
            self.cache_write_1h,
            self.web_search.unwrap_or_default(),
        ];
        if amounts
            .iter()
            .all(|amount| (0.0..=MAX_PRICE_USD).contains(amount))
        {
            Ok(())
        } else {
            Err(InvalidPrice::Amount(self.model.clone()))
        }
    }
}

/// The speed or class of service of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// The standard tier.
    #[default]
    Standard,
    /// Processed some time within a day.
    Batch,
    /// Slower and cheaper.
    Flex,
    /// With priority over other requests.
    Priority,
    /// The same model at a higher speed.
    Fast,
}

impl Tier {
    /// The tier that a log names. Any other name is the standard tier.
    pub fn parse(word: &str) -> Tier {
        match word {
            "batch" => Tier::Batch,
            "flex" => Tier::Flex,
            "priority" => Tier::Priority,
            "fast" => Tier::Fast,
            _ => Tier::Standard,
        }
    }

    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Standard => "standard",
            Tier::Batch => "batch",
            Tier::Flex => "flex",
            Tier::Priority => "priority",
            Tier::Fast => "fast",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_standard(&self) -> bool {
        *self == Tier::Standard
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(over: &u64) -> bool {
    *over == 0
}

/// A part of each day, in minutes since midnight UTC: from one to before the other, over midnight when that is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    begin: u16,
    end: u16,
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Hours {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Hours".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "examples": ["01:00-04:00"] })
    }
}

impl Hours {
    /// True for a time of day within the hours.
    pub fn contain(self, minute: u16) -> bool {
        if self.begin <= self.end {
            (self.begin..self.end).contains(&minute)
        } else {
            minute >= self.begin || minute < self.end
        }
    }
}

impl TryFrom<String> for Hours {
    type Error = String;

    fn try_from(text: String) -> Result<Hours, String> {
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        text.split_once('-')
            .and_then(|(begin, end)| {
                Some(Hours {
                    begin: minute(begin)?,
                    end: minute(end)?,
                })
            })
            .ok_or_else(|| format!("`{text}` are no hours; write 01:00-04:00, in UTC"))
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> String {
        hours.to_string()
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hours { begin, end } = self;
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            begin / 60,
            begin % 60,
            end / 60,
            end % 60
        )
    }
}

body! {
    /// `GET /v1/prices`.
    pub struct Prices {
        /// The prices that come with the server. Those of `overrides` take precedence.
        pub prices: Vec<Price>,
        /// Prices of the org's own.
        pub overrides: Vec<Price>,
        /// When the org's own prices were last changed.
        pub changed_at: Option<DateTime<Utc>>,
        /// Where the prices that come with the server are from.
        pub source: PriceSource,
        /// Models of events without a cost that have no price now. Left out with `unpriced=false`, and for tokens
        /// without the scope `read`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub unpriced: Option<Vec<UnpricedModel>>,
    }
}

body! {
    /// The data set that the prices of a server are generated from.
    pub struct PriceSource {
        /// Its name.
        pub package: String,
        /// Its version.
        pub version: String,
        /// Its licence.
        pub licence: String,
        /// Its home page.
        pub home: String,
    }
}

body! {
    /// A model without a price.
    pub struct UnpricedModel {
        /// The name that agents use.
        pub model: String,
        /// Its calls that have no cost.
        pub calls: i64,
        /// True when there are more calls than were counted.
        pub more: bool,
        /// When the first of them was made.
        pub first_used_at: DateTime<Utc>,
        /// When the last of them was made.
        pub last_used_at: DateTime<Utc>,
    }
}

body! {
    /// The answer of `PUT /v1/prices`: the prices of the org's own.
    pub struct OrgPrices {
        /// The prices.
        pub overrides: Vec<Price>,
        /// When they were last changed; null: never.
        pub changed_at: Option<DateTime<Utc>>,
    }
}

/// `PUT /v1/prices`: all of the org's own prices. An empty list removes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PricesChange {
    /// The prices.
    pub overrides: Vec<Price>,
}

/// Why a list of prices cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOverrides {
    /// Too many.
    #[error("{0} prices are too many; {MAX_OVERRIDES} are the most")]
    TooMany(usize),
    /// Two prices for the same requests.
    #[error("{0} has two prices for the same day, tier, hours and length of the prompt")]
    Twice(String),
}

impl PricesChange {
    /// Checks the list as a whole; each price was checked when it was read.
    ///
    /// # Errors
    /// When there are too many, or two for the same requests.
    pub fn check(&self) -> Result<(), InvalidOverrides> {
        if self.overrides.len() > MAX_OVERRIDES {
            return Err(InvalidOverrides::TooMany(self.overrides.len()));
        }
        let mut seen = HashSet::new();
        for price in &self.overrides {
            let model = price.model.to_lowercase();
            if !seen.insert((model, price.from, price.hours, price.tier, price.over)) {
                return Err(InvalidOverrides::Twice(price.model.clone()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(json: &str) -> Result<Price, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_costs_what_input_costs() {
        let price = price(r#"{"model":"m","input":2,"output":4,"cache_write_5m":3}"#).unwrap();
        assert_eq!(
            (price.cache_read, price.cache_write_5m, price.cache_write_1h),
            (2.0, 3.0, 3.0)
        );
        assert_eq!((price.tier, price.over, price.from), (Tier::Standard, 0, None));
    }

    #[test]
    fn a_mistake_is_named() {
        for (json, expected) in [
            (r#"{"model":"m","input":-1,"output":4}"#, "a price of m is not"),
            (r#"{"model":"m","input":1e7,"output":4}"#, "a price of m is not"),
            (r#"{"model":"","input":1,"output":4}"#, "name of a model"),
            (r#"{"model":"*","input":1,"output":4}"#, "name of a model"),
            (r#"{"model":"a*b","input":1,"output":4}"#, "name of a model"),
            (
                r#"{"model":"m","input":1,"output":4,"tier":"slow"}"#,
                "unknown variant",
            ),
            (r#"{"model":"m","input":1,"output":4,"inptu":1}"#, "unknown field"),
            (
                r#"{"model":"m","input":1,"output":4,"hours":"1-2"}"#,
                "are no hours",
            ),
        ] {
            let error = price(json).unwrap_err();
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    #[test]
    fn hours_may_pass_midnight() {
        let hours = |text: &str| Hours::try_from(text.to_owned()).unwrap();
        assert!(hours("01:00-04:00").contain(60) && !hours("01:00-04:00").contain(240));
        assert!(hours("16:30-00:30").contain(0) && !hours("16:30-00:30").contain(30));
        assert_eq!(hours("16:30-00:30").to_string(), "16:30-00:30");
    }
}
