//! What responses used and cost, and which share of it each call has.

use std::collections::{BTreeMap, HashMap};

use model::MicroUsd;

use super::{Joined, Pool};
use crate::{
    Prices, TokenTotals,
    facts::Usage,
    prices::ModelPrices,
    problem::ProblemCode,
    strings::{Strings, Sym},
};

/// What each response cost, by its group.
pub(super) type Costs = HashMap<Sym, MicroUsd, foldhash::fast::RandomState>;

impl Pool {
    /// Counts the tokens of every response and prices them, each response once however many records repeat it.
    pub(super) fn costs(&mut self, prices: &Prices) -> Costs {
        let mut usage = std::mem::take(&mut self.usage);
        let strings = &self.strings;
        let model = |usage: &Usage| usage.model.map(|model| strings.get(model));
        usage.sort_unstable_by(|a, b| a.group.cmp(&b.group).then_with(|| model(a).cmp(&model(b))));
        usage.dedup_by(|other, kept| {
            let same = other.group == kept.group;
            if same {
                kept.absorb(other);
            }
            same
        });

        let mut costs = Costs::default();
        let mut unpriced: BTreeMap<&str, u64> = BTreeMap::new();
        let mut by_model: HashMap<Sym, Option<ModelPrices<'_>>> = HashMap::new();
        let mut sum = 0_i64;
        for usage in &usage {
            self.totals.tokens.add(usage);
            let Some(model) = usage.model else { continue };
            let prices = *by_model
                .entry(model)
                .or_insert_with(|| prices.of(strings.get(model)));
            let prompt = if usage.sums_session {
                0
            } else {
                usage.tokens.prompt()
            };
            let price = prices.and_then(|prices| prices.at(usage.at, prompt));
            match price.map(|price| price.cost(&usage.tokens)).or(usage.stated_cost) {
                Some(cost) => {
                    sum = sum.saturating_add(cost.0);
                    costs.insert(usage.group, cost);
                }
                None => *unpriced.entry(strings.get(model)).or_default() += 1,
            }
        }
        self.totals.cost_usd = MicroUsd(sum).as_usd();
        let details: Vec<String> = unpriced
            .into_iter()
            .map(|(model, count)| {
                format!("{model} has no price: {count} responses have no cost; a price file can add it")
            })
            .collect();
        for detail in details {
            self.problem(ProblemCode::UnpricedModel, detail);
        }
        costs
    }
}

impl TokenTotals {
    fn add(&mut self, usage: &Usage) {
        let tokens = &usage.tokens;
        self.groups += 1;
        for (sum, tokens) in [
            (&mut self.input, tokens.input),
            (&mut self.output, tokens.output),
            (&mut self.cache_read, tokens.cache_read),
            (&mut self.cache_creation, tokens.cache_creation()),
        ] {
            *sum = sum.saturating_add(tokens);
        }
    }
}

/// Splits what a response cost over its calls. The micro-USD that do not divide go to the first by id, one each.
pub(super) fn split(calls: &mut [Joined], costs: &Costs, strings: &Strings) {
    let mut by_group: Vec<(Sym, &mut Joined)> = calls
        .iter_mut()
        .filter_map(|joined| Some((joined.call.group?, joined)))
        .collect();
    by_group.sort_unstable_by(|(a_group, a), (b_group, b)| {
        a_group
            .cmp(b_group)
            .then_with(|| strings.get(a.call.id).cmp(strings.get(b.call.id)))
    });
    for group in by_group.chunk_by_mut(|(a, _), (b, _)| a == b) {
        let Some(MicroUsd(cost)) = costs.get(&group[0].0) else {
            continue;
        };
        let calls = i64::try_from(group.len()).expect("fewer calls than i64::MAX");
        for (nth, (_, joined)) in (0..).zip(group) {
            joined.cost = Some(MicroUsd(cost / calls + i64::from(nth < cost % calls)));
        }
    }
}
