//! From the data set's conditional, tiered and variant prices to one entry for each that can hold.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Deserialize;
use sources::{Price, Tier};

use crate::Model;

/// Prices under a condition.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Period {
    start_date: Option<NaiveDate>,
    start_time: Option<String>,
    end_time: Option<String>,
    #[serde(default)]
    when: BTreeMap<String, String>,
    prices: Amounts,
}

type Amounts = BTreeMap<String, Amount>;

/// An amount, or several by the length of the prompt.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
enum Amount {
    One(f64),
    Tiered { base: f64, tiers: Vec<Step> },
}

#[derive(Clone, Deserialize)]
struct Step {
    start: u64,
    price: f64,
}

impl Amount {
    fn over(&self, over: u64) -> f64 {
        match self {
            Amount::One(amount) => *amount,
            Amount::Tiered { base, tiers } => tiers
                .iter()
                .rev()
                .find(|step| over > 0 && step.start <= over)
                .map_or(*base, |step| step.price),
        }
    }
}

/// The entries of a model, without names and source.
pub(crate) fn resolve(model: &Model, skipped: &mut BTreeSet<String>) -> Vec<Price> {
    let mut entries = Vec::new();
    let mut begun = None;
    for period in &model.prices {
        // A price for hours of the day began with the dated one before it.
        begun = period.start_date.or(begun);
        let hours = period.start_time.as_deref().zip(period.end_time.as_deref());
        let hours = hours.map(|(begin, end)| format!("{begin}-{end}"));
        entries.extend(steps(&period.prices, begun, hours.as_deref(), Tier::Standard));
    }
    let mut tiers: BTreeMap<Tier, Vec<&Period>> = BTreeMap::new();
    for variant in &model.variants {
        let when: Vec<(&str, &str)> = variant
            .when
            .iter()
            .map(|(key, word)| (key.as_str(), word.as_str()))
            .collect();
        match when.as_slice() {
            [("processing" | "service_tier" | "speed", word)] => match Tier::parse(word) {
                // It says that there are others, and nothing else.
                Tier::Standard => {}
                tier => tiers.entry(tier).or_default().push(variant),
            },
            _ => {
                skipped.insert(format!("prices of {} for {when:?}", model.id));
            }
        }
    }
    for (tier, variants) in tiers {
        entries.extend(of_tier(model, tier, &variants));
    }
    entries
}

/// The entries of a tier: from the first day of a variant on, what the variants change of the standard of each day.
fn of_tier(model: &Model, tier: Tier, variants: &[&Period]) -> Vec<Price> {
    let first = variants.iter().map(|variant| variant.start_date).min().flatten();
    let standard: Vec<&Period> = model
        .prices
        .iter()
        .filter(|period| period.start_time.is_none())
        .collect();
    let mut days: BTreeSet<Option<NaiveDate>> = variants.iter().map(|variant| variant.start_date).collect();
    days.extend(
        standard
            .iter()
            .map(|period| period.start_date)
            .filter(|day| *day > first),
    );
    let mut entries: Vec<Price> = Vec::new();
    for day in days {
        let active = |period: &&&Period| period.start_date <= day;
        let Some(base) = standard.iter().rev().find(active).or(standard.first()) else {
            continue;
        };
        let mut amounts = Amounts::new();
        for variant in variants.iter().filter(active) {
            for (key, amount) in &variant.prices {
                amounts.entry(key.clone()).or_insert_with(|| amount.clone());
            }
        }
        if amounts.is_empty() {
            continue;
        }
        for (key, amount) in &base.prices {
            amounts.entry(key.clone()).or_insert_with(|| amount.clone());
        }
        entries.extend(steps(&amounts, day, None, tier));
    }
    entries
}

/// One entry for each length of the prompt that has prices of its own.
fn steps(amounts: &Amounts, from: Option<NaiveDate>, hours: Option<&str>, tier: Tier) -> Vec<Price> {
    let mut starts = BTreeSet::from([0]);
    for amount in amounts.values() {
        if let Amount::Tiered { tiers, .. } = amount {
            starts.extend(tiers.iter().map(|step| step.start));
        }
    }
    starts
        .into_iter()
        .filter_map(|over| {
            let of = |key: &str| amounts.get(key).map(|amount| amount.over(over));
            let json = serde_json::json!({
                "model": "unnamed",
                "from": from,
                "hours": hours,
                "tier": tier,
                "over": over,
                "input": of("input_mtok")?,
                "output": of("output_mtok")?,
                "cache_read": of("cache_read_mtok"),
                "cache_write_5m": of("cache_write_5m_mtok").or(of("cache_write_mtok")),
                "cache_write_1h": of("cache_write_1h_mtok"),
                "web_search": of("web_searches_kcount"),
            });
            serde_json::from_value(json).ok()
        })
        .collect()
}
