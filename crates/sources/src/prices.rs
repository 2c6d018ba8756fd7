//! What tokens cost: dated data, looked up by model and day.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{DateTime, NaiveDate};
use model::MicroUsd;
use serde::{Deserialize, Serialize};

use crate::facts::{Millis, Tokens};

/// Prices of one model from one day on, in USD per million tokens. List prices of the vendor's own API at standard
/// speed: batch, priority and regional rates are not told apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The model: the beginning of its name, before a date, `-latest`, `-preview` or a tag (`@…`, `:…`, `[…`).
    pub model: String,
    /// The first day on which it holds.
    pub from: NaiveDate,
    /// It holds only for prompts of more than this many tokens.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub over: u64,
    /// Input tokens that were neither read from nor written to a cache.
    pub input: f64,
    /// Output tokens, reasoning included.
    pub output: f64,
    /// Input tokens read from a cache.
    pub cache_read: f64,
    /// Input tokens written to a cache that lasts 5 minutes.
    pub cache_write_5m: f64,
    /// Input tokens written to a cache that lasts 1 hour.
    pub cache_write_1h: f64,
    /// The page that states it.
    pub source: String,
}

/// The prices of all known models.
#[derive(Clone, Debug)]
pub struct Prices {
    /// By model, newest first.
    by_model: BTreeMap<String, Vec<Price>>,
}

/// Why a price file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPrices {
    /// Not TOML, or not the keys of a [`Price`].
    #[error("the price file cannot be read: {0}; it holds [[price]] tables as `toolhub prices` lists them")]
    Toml(#[from] toml::de::Error),
    /// A negative or infinite price.
    #[error("the price of {model} from {from} is not a number of USD from 0 to 1,000,000")]
    Amount {
        /// The model.
        model: String,
        /// The day.
        from: NaiveDate,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    #[serde(default)]
    price: Vec<Price>,
}

impl Prices {
    /// The prices that come with the program.
    pub fn builtin() -> Prices {
        let none = Prices {
            by_model: BTreeMap::new(),
        };
        none.with_overrides(include_str!("prices.toml"))
            .expect("a test reads the file")
    }

    /// These prices with those of a file of the same form. A model that the file names has the file's prices only.
    pub fn with_overrides(&self, toml: &str) -> Result<Prices, InvalidPrices> {
        let file: PriceFile = toml::from_str(toml)?;
        let mut named: BTreeMap<String, Vec<Price>> = BTreeMap::new();
        for price in file.price {
            let amounts = [
                price.input,
                price.output,
                price.cache_read,
                price.cache_write_5m,
                price.cache_write_1h,
            ];
            if amounts.iter().any(|amount| !(0.0..=1e6).contains(amount)) {
                return Err(InvalidPrices::Amount {
                    model: price.model,
                    from: price.from,
                });
            }
            named.entry(price.model.clone()).or_default().push(price);
        }
        for prices in named.values_mut() {
            prices.sort_by_key(|price| Reverse((price.from, price.over)));
        }
        let mut by_model = self.by_model.clone();
        by_model.extend(named);
        Ok(Prices { by_model })
    }

    /// Every price, by model, newest first.
    pub fn list(&self) -> impl Iterator<Item = &Price> {
        self.by_model.values().flatten()
    }

    /// The prices of a model: those under the longest name that the model's begins with.
    pub(crate) fn of(&self, model: &str) -> Option<ModelPrices<'_>> {
        let model = plain(model);
        (1..=model.len())
            .rev()
            .filter(|&end| model.is_char_boundary(end) && is_decoration(&model[end..]))
            .find_map(|end| self.by_model.get(&model[..end]))
            .map(|prices| ModelPrices(prices))
    }
}

/// The prices of one model, newest first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ModelPrices<'a>(&'a [Price]);

impl<'a> ModelPrices<'a> {
    /// The price for a request at a time, with a prompt of so many tokens. A usage before the first day has the first
    /// price: nobody uses a model before it is there, so the day is at fault.
    pub(crate) fn at(self, at: Option<Millis>, prompt: u64) -> Option<&'a Price> {
        let day = at
            .and_then(DateTime::from_timestamp_millis)
            .map(|time| time.date_naive());
        let holds = |price: &&Price| price.over == 0 || prompt > price.over;
        let first = || self.0.iter().rev().find(holds);
        self.0
            .iter()
            .filter(holds)
            .find(|price| day.is_none_or(|day| price.from <= day))
            .or_else(first)
    }
}

/// True for what may follow a model's name without making it another model: a date, `-latest`, `-preview`, a version
/// of the hosting (`-v1:0`), a tag. A further number or word makes another model, whose price nobody knows.
fn is_decoration(rest: &str) -> bool {
    let Some(first) = rest.chars().next() else {
        return true;
    };
    let after = &rest[first.len_utf8()..];
    match first {
        '@' | ':' | '[' => true,
        '-' => {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            digits >= 4
                || ["latest", "preview", "v1", "v2"]
                    .iter()
                    .any(|word| after.starts_with(word))
        }
        _ => false,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(over: &u64) -> bool {
    *over == 0
}

impl Price {
    /// What these tokens cost, rounded to the nearest micro-USD.
    pub(crate) fn cost(&self, tokens: &Tokens) -> MicroUsd {
        let parts = [
            (tokens.input, self.input),
            (tokens.output, self.output),
            (tokens.cache_read, self.cache_read),
            (tokens.cache_write_5m, self.cache_write_5m),
            (tokens.cache_write_1h, self.cache_write_1h),
        ];
        // A price in micro-USD per million tokens is a whole number, so the sum is exact before it is rounded once.
        let pico: u128 = parts
            .into_iter()
            .map(|(tokens, price)| u128::from(tokens) * micro(price))
            .sum();
        let micro = (pico + 500_000) / 1_000_000;
        MicroUsd(
            i64::try_from(micro)
                .unwrap_or(i64::MAX)
                .min(MicroUsd::MAX_PER_EVENT.0),
        )
    }
}

fn micro(usd: f64) -> u128 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked when the file was read"
    )]
    let micro = (usd * 1e6).round() as u128;
    micro
}

/// A model's name as its vendor writes it: without the provider before it (`us.anthropic.…`, `openai/…`), and with
/// the version of a Claude model in dashes (`claude-sonnet-4.6`).
fn plain(model: &str) -> String {
    let model = model.rsplit('/').next().unwrap_or(model);
    let model = model.find("claude-").map_or(model, |at| &model[at..]);
    if model.starts_with("claude-") {
        model.replace('.', "-")
    } else {
        model.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price_of(model: &str) -> Option<f64> {
        Prices::builtin().of(model)?.at(None, 0).map(|price| price.input)
    }

    #[test]
    fn every_builtin_price_names_its_page_and_is_positive() {
        let prices = Prices::builtin();
        assert!(prices.list().count() > 20);
        for price in prices.list() {
            assert!(price.source.starts_with("https://"), "{price:?}");
            assert!(price.input > 0.0 && price.output > price.input, "{price:?}");
            assert!(
                price.cache_read < price.input && price.cache_write_5m >= price.input,
                "{price:?}"
            );
        }
    }

    #[test]
    fn the_longest_name_wins_and_a_version_is_not_a_beginning() {
        assert_eq!(price_of("claude-opus-4-5-20251101"), Some(5.0));
        assert_eq!(price_of("claude-opus-4-1-20250805"), Some(15.0));
        assert_eq!(price_of("claude-opus-4-20250514"), Some(15.0));
        assert_eq!(price_of("claude-sonnet-4.6"), Some(3.0));
        assert_eq!(
            price_of("us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            Some(3.0)
        );
        assert_eq!(price_of("anthropic/claude-haiku-4.5"), Some(1.0));
        assert_eq!(price_of("claude-haiku-4-5@20251001"), Some(1.0));
        assert_eq!(price_of("claude-opus-4-99"), None);
        assert_eq!(price_of("gpt-5.99"), None);
        assert_eq!(price_of("gpt-5.3-codex-spark"), None);
        assert_eq!(price_of(""), None);
    }

    #[test]
    fn a_price_holds_from_its_day_on() {
        let price = |from: &str, input: &str| {
            format!(
                "[[price]]\nmodel = \"m\"\nfrom = \"{from}\"\ninput = {input}\noutput = 9.0\ncache_read = 0.1\ncache_write_5m = 2.0\ncache_write_1h = 3.0\nsource = \"https://example.com\"\n"
            )
        };
        let file = price("2026-01-01", "1.0") + &price("2026-03-01", "2.0");
        let prices = Prices::builtin().with_overrides(&file).unwrap();
        let on = |day: &str| {
            let at = DateTime::parse_from_rfc3339(&format!("{day}T12:00:00Z"))
                .unwrap()
                .timestamp_millis();
            prices.of("m-latest").unwrap().at(Some(at), 0).unwrap().input
        };
        assert_eq!(
            (on("2026-02-28"), on("2026-03-01"), on("2025-01-01")),
            (1.0, 2.0, 1.0)
        );
        assert_eq!(price_of("m"), None);
    }

    #[test]
    fn long_prompts_have_their_own_price() {
        let prices = Prices::builtin();
        let of = |prompt| {
            prices
                .of("claude-sonnet-4-5-20250929")
                .unwrap()
                .at(None, prompt)
                .unwrap()
                .output
        };
        assert_eq!((of(200_000), of(200_001)), (15.0, 22.5));
    }

    #[test]
    fn a_price_file_with_a_mistake_is_refused() {
        let prices = Prices::builtin();
        assert!(matches!(
            prices.with_overrides("[[price]]\nmodel = 1"),
            Err(InvalidPrices::Toml(_))
        ));
        let negative = "[[price]]\nmodel = \"m\"\nfrom = \"2026-01-01\"\ninput = -1.0\noutput = 9.0\ncache_read = 0.1\ncache_write_5m = 2.0\ncache_write_1h = 3.0\nsource = \"x\"\n";
        assert!(matches!(
            prices.with_overrides(negative),
            Err(InvalidPrices::Amount { .. })
        ));
    }

    #[test]
    fn reads_and_writes_of_the_cache_have_their_own_prices() {
        let tokens = Tokens {
            input: 3,
            output: 393,
            cache_read: 24_983,
            cache_write_5m: 1_000,
            cache_write_1h: 19_233,
        };
        let prices = Prices::builtin();
        let price = prices.of("claude-opus-4-6").unwrap().at(None, 0).unwrap();
        // 3*5 + 393*25 + 24983*0.5 + 1000*6.25 + 19233*10 = 220,911.5
        assert_eq!(price.cost(&tokens), MicroUsd(220_912));
    }
}
