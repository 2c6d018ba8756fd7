//! What tokens cost: dated data, looked up by model, time, tier and length of the prompt.
//!
//! The prices of the program (`prices/builtin.json`) are generated from the data set genai-prices; see
//! `crates/sources/prices/README.md`. An org and a user can put prices of their own before them.

mod name;

#[cfg(test)]
mod tests;

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use chrono::{DateTime, NaiveDate, Timelike};
use model::MicroUsd;
pub use model::api::{Price, PriceSource, Tier};
use serde::Deserialize;

use self::name::Pattern;
use crate::facts::{Millis, Tokens};

/// Most prices of a file.
pub(crate) const MAX_FILE_PRICES: usize = 5_000;

/// The prices of all known models, in layers: the first layer that has a price for the model and the day applies.
#[derive(Clone, Debug)]
pub struct Prices {
    layers: Vec<Arc<Table>>,
}

/// The prices of one origin.
#[derive(Debug, Default)]
struct Table {
    /// By model: newest first, and within a day the most specific first.
    models: Vec<Vec<Price>>,
    names: HashMap<String, usize>,
    patterns: Vec<(Pattern, usize)>,
}

/// Why a price file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPrices {
    /// Not TOML, or not the keys and values of a [`Price`].
    #[error("the price file cannot be read: {0}; it holds [[price]] tables as `toolhub prices` lists them")]
    Toml(#[from] toml::de::Error),
    /// Too many prices.
    #[error("the price file holds {0} prices; {MAX_FILE_PRICES} are the most")]
    TooMany(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    #[serde(default)]
    price: Vec<Price>,
}

/// The file that comes with the program.
#[derive(Deserialize)]
struct Builtin {
    #[serde(flatten)]
    source: PriceSource,
    prices: Vec<Price>,
}

fn builtin() -> &'static (PriceSource, Arc<Table>) {
    static BUILTIN: OnceLock<(PriceSource, Arc<Table>)> = OnceLock::new();
    BUILTIN.get_or_init(|| {
        let mut file: Builtin =
            serde_json::from_str(include_str!("prices/builtin.json")).expect("a test reads the file");
        // Only the first price of a model states the source.
        for at in 1..file.prices.len() {
            let (before, price) = (&file.prices[at - 1], &file.prices[at]);
            if price.source.is_empty() && price.model == before.model {
                file.prices[at].source = before.source.clone();
            }
        }
        (file.source, Arc::new(Table::new(file.prices)))
    })
}

impl Prices {
    /// The prices that come with the program.
    pub fn builtin() -> Prices {
        Prices {
            layers: vec![Arc::clone(&builtin().1)],
        }
    }

    /// Where the prices that come with the program are from.
    pub fn builtin_source() -> PriceSource {
        builtin().0.clone()
    }

    /// Uses these prices instead of the built-in ones.
    pub fn of(prices: Vec<Price>) -> Prices {
        Prices {
            layers: vec![Arc::new(Table::new(prices))],
        }
    }

    /// Adds prices that take precedence: a model in them is priced by them from their first day on.
    #[must_use]
    pub fn with(&self, overrides: Vec<Price>) -> Prices {
        let mut layers = vec![Arc::new(Table::new(overrides))];
        layers.extend(self.layers.iter().map(Arc::clone));
        Prices { layers }
    }

    /// Adds the prices of a TOML file, which take precedence.
    ///
    /// # Errors
    /// When the file is not a price file, or a price is invalid.
    pub fn with_overrides(&self, toml: &str) -> Result<Prices, InvalidPrices> {
        Ok(self.with(read_file(toml)?))
    }

    /// Every price, those that take precedence first.
    pub fn list(&self) -> impl Iterator<Item = &Price> {
        self.layers.iter().flat_map(|table| table.models.iter().flatten())
    }

    /// True when a model of this name has a price.
    pub fn knows(&self, model: &str) -> bool {
        self.find(model).is_some()
    }

    /// The prices of a model.
    pub(crate) fn find(&self, model: &str) -> Option<ModelPrices<'_>> {
        let names = name::candidates(model);
        let last = self.layers.len() - 1;
        let layers: Vec<(&[Price], bool)> = self
            .layers
            .iter()
            .enumerate()
            .filter_map(|(at, table)| Some((table.find(&names)?, at < last)))
            .collect();
        (!layers.is_empty()).then_some(ModelPrices(layers))
    }
}

/// The prices of a TOML file.
///
/// # Errors
/// When the file is not a price file, or a price is invalid.
pub fn read_file(toml: &str) -> Result<Vec<Price>, InvalidPrices> {
    let PriceFile { price } = toml::from_str(toml)?;
    if price.len() > MAX_FILE_PRICES {
        return Err(InvalidPrices::TooMany(price.len()));
    }
    Ok(price)
}

impl Table {
    fn new(prices: Vec<Price>) -> Table {
        let mut table = Table::default();
        let mut by_model: HashMap<String, usize> = HashMap::new();
        for price in prices {
            let next = table.models.len();
            let at = *by_model.entry(price.model.to_lowercase()).or_insert(next);
            if at == next {
                table.models.push(Vec::new());
            }
            for name in std::iter::once(&price.model).chain(&price.aliases) {
                let name = name.to_lowercase();
                match Pattern::parse(&name) {
                    Some(pattern) => table.patterns.push((pattern, at)),
                    None => {
                        table.names.entry(name).or_insert(at);
                    }
                }
            }
            table.models[at].push(price);
        }
        for prices in &mut table.models {
            prices.sort_by_key(|price| Reverse((price.from, price.hours.is_some(), price.over)));
        }
        // The longest match is the most specific; of equal ones the first applies.
        table.patterns.sort_by_key(|(pattern, _)| Reverse(pattern.len()));
        table
    }

    fn find(&self, names: &[String]) -> Option<&[Price]> {
        let exact = |name: &str| self.names.get(name).copied();
        let like = |name: &str| {
            let (_, at) = self.patterns.iter().find(|(pattern, _)| pattern.matches(name))?;
            Some(*at)
        };
        let at = names.iter().find_map(|name| {
            exact(name)
                .or_else(|| like(name))
                .or_else(|| name::without_decoration(name).find_map(exact))
        })?;
        Some(&self.models[at])
    }
}

/// The prices of one model in each layer that has any, and whether that layer takes precedence over another.
#[derive(Clone, Debug)]
pub(crate) struct ModelPrices<'a>(Vec<(&'a [Price], bool)>);

/// What the price of a request depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Request {
    pub(crate) at: Option<Millis>,
    /// Tokens of the prompt: long prompts may have a price of their own.
    pub(crate) prompt: u64,
    pub(crate) tier: Tier,
}

/// The price of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applied<'a> {
    pub(crate) price: &'a Price,
    /// USD for 1,000 web searches.
    pub(crate) web_search: f64,
    /// True when it was given by a file or by the org.
    pub(crate) given: bool,
}

impl<'a> ModelPrices<'a> {
    /// The price of a request. A request before the first day gets the first price: a model cannot be used before its
    /// release, so the day in the price list is wrong.
    pub(crate) fn at(&self, request: Request) -> Option<Applied<'a>> {
        let on_its_day = self
            .0
            .iter()
            .find_map(|&(prices, given)| Some((newest(prices, request)?, given)));
        let first = || {
            self.0
                .iter()
                .rev()
                .find_map(|&(prices, given)| Some((oldest(prices, request)?, given)))
        };
        let (price, given) = on_its_day.or_else(first)?;
        let listed = || self.0.last().and_then(|(prices, _)| newest(prices, request));
        let web_search = price.web_search.or_else(|| listed()?.web_search).unwrap_or(0.0);
        Some(Applied {
            price,
            web_search,
            given,
        })
    }
}

/// The newest valid price: of the tier, else of the standard tier.
fn newest(prices: &[Price], request: Request) -> Option<&Price> {
    let time = request.at.and_then(DateTime::from_timestamp_millis);
    let day = time.map(|time| time.date_naive());
    let minute = time.and_then(|time| u16::try_from(time.hour() * 60 + time.minute()).ok());
    let begun = |from: Option<NaiveDate>| from.is_none_or(|from| day.is_none_or(|day| from <= day));
    let holds = |price: &&Price| {
        begun(price.from)
            && fits(price, request.prompt)
            && price
                .hours
                .is_none_or(|hours| minute.is_some_and(|minute| hours.contain(minute)))
    };
    let of = |tier: Tier| prices.iter().filter(move |price| price.tier == tier).find(holds);
    of(request.tier).or_else(|| of(Tier::Standard))
}

fn oldest(prices: &[Price], request: Request) -> Option<&Price> {
    prices
        .iter()
        .rev()
        .filter(|price| price.tier == Tier::Standard && price.hours.is_none() && fits(price, request.prompt))
        // Of the first day, the price for the longest prompts.
        .reduce(|first, price| if price.from == first.from { price } else { first })
}

fn fits(price: &Price, prompt: u64) -> bool {
    price.over == 0 || prompt > price.over
}

impl Applied<'_> {
    /// What these tokens and web searches cost, rounded to the nearest micro-USD.
    pub(crate) fn cost(&self, tokens: &Tokens, web_searches: u32) -> MicroUsd {
        let price = self.price;
        let parts = [
            (tokens.input, price.input),
            (tokens.output, price.output),
            (tokens.cache_read, price.cache_read),
            (tokens.cache_write_5m, price.cache_write_5m),
            (tokens.cache_write_1h, price.cache_write_1h),
            // 1,000 of them, and not a million.
            (u64::from(web_searches) * 1_000, self.web_search),
        ];
        // A price in micro-USD per million tokens is a whole number, so the sum is exact before it is rounded once.
        let pico: u128 = parts
            .into_iter()
            .map(|(count, price)| u128::from(count) * micro(price))
            .sum();
        let micro = (pico + 500_000) / 1_000_000;
        MicroUsd(
            i64::try_from(micro)
                .unwrap_or(i64::MAX)
                .min(MicroUsd::MAX_PER_EVENT.0),
        )
    }
}

/// What a part of a prompt costs, in micro-USD per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PromptPrices {
    /// In the first request that carries it.
    pub(crate) first: u128,
    /// In a later request, which reads it from the cache if the response says that there was one.
    pub(crate) later: u128,
}

impl Applied<'_> {
    /// The prices of a part of the prompt of a request that used these tokens.
    pub(crate) fn prompt(&self, tokens: &Tokens) -> PromptPrices {
        let first = match tokens {
            Tokens {
                cache_write_1h,
                cache_write_5m,
                ..
            } if cache_write_1h > cache_write_5m => self.price.cache_write_1h,
            Tokens {
                cache_write_5m: 1.., ..
            } => self.price.cache_write_5m,
            _ => self.price.input,
        };
        let later = match tokens.cache_read {
            0 => first,
            _ => self.price.cache_read,
        };
        PromptPrices {
            first: micro(first),
            later: micro(later),
        }
    }
}

fn micro(usd: f64) -> u128 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked when the price was read"
    )]
    let micro = (usd * 1e6).round() as u128;
    micro
}
