//! Usage and cost of responses, and the share of each call.

use std::collections::{BTreeMap, HashMap, HashSet};

use model::MicroUsd;

use super::{
    Joined, Pool,
    carried::Carrier,
    runs::Runs,
    spending::{Searched, Spending},
};
use crate::{
    Prices, TokenTotals, UnpricedModel,
    facts::{Searches, Tokens, Usage},
    prices::{Applied, ModelPrices, Request},
    problem::ProblemCode,
    strings::{Strings, Sym},
};

/// What the responses cost.
#[derive(Default)]
pub(super) struct Costs {
    /// By group.
    by_group: HashMap<Sym, Spent, foldhash::fast::RandomState>,
    pub(super) runs: Runs,
    /// Responses without a price, by model.
    unpriced: HashMap<Sym, u64>,
    /// `None` where nothing has a price.
    sum: Option<i64>,
}

/// What one response cost.
#[derive(Clone, Copy, Default)]
struct Spent {
    /// `None` where the response itself has no price.
    own: Option<MicroUsd>,
    /// What was spent on its behalf.
    within: i64,
    web_searches: u32,
    /// The run of an agent in which it was made.
    run: Option<Sym>,
}

/// The prices of each model, looked up once.
struct ByModel<'a> {
    prices: &'a Prices,
    known: HashMap<Sym, Option<ModelPrices<'a>>, foldhash::fast::RandomState>,
}

impl ByModel<'_> {
    fn at(&mut self, model: Sym, strings: &Strings, request: Request) -> Option<Applied<'_>> {
        let prices = self.prices;
        self.known
            .entry(model)
            .or_insert_with(|| prices.find(strings.get(model)))
            .as_ref()?
            .at(request)
    }
}

impl Pool {
    /// Adds up the tokens of all responses and prices them; each response counts once, however many records repeat it.
    pub(super) fn costs(&mut self, prices: &Prices) -> Costs {
        let mut usage = std::mem::take(&mut self.usage);
        fold(&mut usage, &self.strings, |usage| (usage.group, usage.request));
        if self.separate(&mut usage) {
            fold(&mut usage, &self.strings, |usage| (usage.group, 0));
        }
        let strings = &self.strings;

        let mut costs = Costs::default();
        let mut by_model = ByModel {
            prices,
            known: HashMap::default(),
        };
        let listing: HashSet<Sym, foldhash::fast::RandomState> = self
            .loads
            .iter()
            .filter_map(|load| load.context.session)
            .collect();
        for usage in &usage {
            self.totals.tokens.add(usage);
            let applied = usage
                .model
                .and_then(|model| by_model.at(model, strings, Request::of(usage)));
            if let Some(session) = usage.carrier.filter(|session| listing.contains(session)) {
                self.carriers.extend(Carrier::of(session, usage, applied));
            }
            let cost = cost(usage, applied);
            self.spending.extend(Spending::of(usage, cost));
            costs.add(usage, cost);
        }
        costs
    }

    /// Splits the cost of responses over their calls, and reports the models without a price.
    pub(super) fn share(&mut self, calls: &mut [Joined], mut costs: Costs, prices: &Prices) {
        split(calls, &costs, &self.strings);
        let searches = std::mem::take(&mut self.searches);
        let added = add_searches(calls, searches, &costs, prices, &self.strings);
        self.add_to_spending(&added);
        for Searched { run, cost, .. } in added {
            costs.spend(cost);
            if let Some(run) = run {
                costs.runs.spend(run, cost);
            }
        }
        let started = std::mem::take(&mut self.runs);
        let run_of = |group: Sym| costs.by_group.get(&group)?.run;
        costs.runs.share(calls, &started, &self.strings, run_of);
        self.totals.cost_usd = costs.sum.map(|sum| MicroUsd(sum).as_usd());

        let mut unpriced: BTreeMap<&str, UnpricedModel> = BTreeMap::new();
        for (model, responses) in &costs.unpriced {
            let model = self.strings.get(*model);
            let entry = UnpricedModel {
                model: model.to_owned(),
                calls: 0,
                responses: *responses,
            };
            unpriced.insert(model, entry);
        }
        for joined in calls.iter().filter(|joined| joined.cost.is_none()) {
            if let Some(model) = joined.call.model
                && let Some(entry) = unpriced.get_mut(self.strings.get(model))
            {
                entry.calls += 1;
            }
        }
        self.totals.unpriced = unpriced.into_values().collect();
        for at in 0..self.totals.unpriced.len() {
            let UnpricedModel { model, responses, .. } = &self.totals.unpriced[at];
            let detail = format!(
                "{model} has no price: {responses} responses have no cost; a price file can add it, or the org's prices"
            );
            self.problem(ProblemCode::UnpricedModel, detail);
        }
    }
}

/// Merges all records of a response.
fn fold(usage: &mut Vec<Usage>, strings: &Strings, response: impl Fn(&Usage) -> (Sym, u64)) {
    let model = |usage: &Usage| usage.model.map(|model| strings.get(model));
    let session = |usage: &Usage| usage.carrier.map(|session| strings.get(session));
    usage.sort_by(|a, b| {
        let by_model = || model(a).cmp(&model(b));
        let by_session = || session(a).cmp(&session(b));
        response(a)
            .cmp(&response(b))
            .then_with(by_model)
            .then_with(by_session)
    });
    usage.dedup_by(|other, kept| {
        let same = response(other) == response(kept);
        if same {
            kept.absorb(other);
        }
        same
    });
}

impl Costs {
    fn spend(&mut self, cost: MicroUsd) {
        self.sum = Some(self.sum.unwrap_or(0).saturating_add(cost.0));
    }

    fn add(&mut self, usage: &Usage, cost: Option<MicroUsd>) {
        if let Some(cost) = cost {
            self.spend(cost);
        }
        if cost.is_none()
            && usage.counts_something()
            && let Some(model) = usage.model
        {
            *self.unpriced.entry(model).or_default() += 1;
        }
        let group = self.by_group.entry(usage.group).or_default();
        group.own = cost;
        group.web_searches = usage.web_searches;
        group.run = usage.run;
        if let (Some(run), Some(cost)) = (usage.run, cost) {
            self.runs.spend(run, cost);
        }
        if let (Some(MicroUsd(spent)), Some(within)) = (cost, usage.within) {
            let parent = self.by_group.entry(within).or_default();
            parent.within = parent.within.saturating_add(spent);
        }
    }
}

/// The cost of a response: by a price that was given for its model, else as stated in the log, else by the price list.
/// The cost of a response without any tokens is unknown.
fn cost(usage: &Usage, applied: Option<Applied<'_>>) -> Option<MicroUsd> {
    let stated = usage.stated_cost.filter(|cost| cost.0 > 0);
    let by = |applied: Applied<'_>| applied.cost(&usage.tokens, usage.web_searches);
    let applied = applied.filter(|_| usage.counts_something());
    match applied {
        Some(applied) if applied.given => Some(by(applied)),
        _ => stated.or_else(|| applied.map(by)),
    }
}

impl Usage {
    pub(super) fn counts_something(&self) -> bool {
        self.tokens != Tokens::default() || self.web_searches > 0
    }
}

impl Request {
    fn of(usage: &Usage) -> Request {
        let prompt = if usage.sums_session {
            0
        } else {
            usage.tokens.prompt()
        };
        Request {
            at: usage.at,
            prompt,
            tier: usage.tier,
        }
    }
}

impl TokenTotals {
    fn add(&mut self, usage: &Usage) {
        let tokens = &usage.tokens;
        // The usage of an advisor belongs to the response that called it.
        self.groups += u64::from(usage.within.is_none());
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

/// Splits the cost of a response over its calls. The remainder of the division goes to the first calls by id, one
/// micro-USD each.
fn split(calls: &mut [Joined], costs: &Costs, strings: &Strings) {
    let mut by_group: Vec<(Sym, &mut Joined)> = calls
        .iter_mut()
        .filter_map(|joined| Some((joined.call.group?, joined)))
        .collect();
    by_group.sort_by(|(a_group, a), (b_group, b)| {
        a_group
            .cmp(b_group)
            .then_with(|| strings.get(a.call.id).cmp(strings.get(b.call.id)))
    });
    for group in by_group.chunk_by_mut(|(a, _), (b, _)| a == b) {
        let Some(Spent {
            own: Some(MicroUsd(own)),
            within,
            ..
        }) = costs.by_group.get(&group[0].0)
        else {
            continue;
        };
        let cost = own.saturating_add(*within).min(MicroUsd::MAX_PER_EVENT.0);
        let calls = i64::try_from(group.len()).expect("fewer calls than i64::MAX");
        for (nth, (_, joined)) in (0..).zip(group) {
            joined.cost = Some(MicroUsd(cost / calls + i64::from(nth < cost % calls)));
        }
    }
}

/// Adds the web searches that only the results of calls count to the cost of these calls, and returns what was
/// added. The cost of a response that counts its searches itself already includes them.
fn add_searches(
    calls: &mut [Joined],
    mut searches: Vec<Searches>,
    costs: &Costs,
    prices: &Prices,
    strings: &Strings,
) -> Vec<Searched> {
    let mut added = Vec::new();
    if searches.is_empty() {
        return added;
    }
    searches.sort_unstable_by_key(|searches| (searches.id, std::cmp::Reverse(searches.count)));
    searches.dedup_by_key(|searches| searches.id);
    let counts: HashMap<Sym, u32> = searches
        .into_iter()
        .map(|searches| (searches.id, searches.count))
        .collect();
    let mut by_model = ByModel {
        prices,
        known: HashMap::default(),
    };
    for joined in calls {
        let (Some(&count), Some(model)) = (counts.get(&joined.call.id), joined.call.model) else {
            continue;
        };
        let group = joined.call.group.and_then(|group| costs.by_group.get(&group));
        let counted = group.is_some_and(|group| group.web_searches > 0);
        let request = Request {
            at: joined.call.at,
            ..Request::default()
        };
        let Some(applied) = by_model.at(model, strings, request).filter(|_| !counted) else {
            continue;
        };
        let MicroUsd(cost) = applied.cost(&Tokens::default(), count);
        added.push(Searched {
            group: joined.call.group,
            run: group.and_then(|group| group.run),
            cost: MicroUsd(cost),
        });
        joined.cost = joined
            .cost
            .map(|MicroUsd(own)| MicroUsd((own + cost).min(MicroUsd::MAX_PER_EVENT.0)));
    }
    added
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::{Call, Context, FileFacts},
        join::{Collected, join},
        prices::Tier,
    };

    /// Builds a log.
    struct Log(FileFacts);

    impl Log {
        fn new() -> Log {
            Log(FileFacts::new("log"))
        }

        /// A response of a model, with a million tokens of input.
        fn response(&mut self, group: &str, model: &str) -> &mut Usage {
            let group = self.0.strings.intern(group);
            let model = Some(self.0.strings.intern(model));
            let tokens = Tokens {
                input: 1_000_000,
                ..Tokens::default()
            };
            // 2026-11-01
            let at = Some(1_793_491_200_000);
            self.0.usage.push(Usage {
                model,
                at,
                tokens,
                ..Usage::of(group)
            });
            self.0.usage.last_mut().unwrap()
        }

        fn call(&mut self, id: &str, group: &str, model: &str) {
            let mut name = |text: &str| self.0.strings.intern(text);
            let call = Call {
                id: name(id),
                at: Some(1_793_491_200_000),
                tool: name("cli:make"),
                operation: None,
                context: Context::default(),
                model: Some(name(model)),
                group: Some(name(group)),
                task: None,
                waits_for_person: false,
                unreported: false,
            };
            self.0.calls.push(call);
        }

        fn read(self, prices: &Prices) -> Collected {
            join(vec![self.0], prices, &mut |_| None)
        }
    }

    fn costs(collected: &Collected) -> Vec<Option<f64>> {
        collected
            .events()
            .map(|event| event.cost.map(MicroUsd::as_usd))
            .collect()
    }

    fn ours(model: &str) -> Prices {
        let toml = format!("[[price]]\nmodel = \"{model}\"\ninput = 1\noutput = 2\n");
        Prices::builtin().with_overrides(&toml).unwrap()
    }

    #[test]
    fn calls_pay_for_what_was_spent_on_behalf_of_their_response() {
        let mut log = Log::new();
        log.response("m", "claude-sonnet-5");
        let parent = Some(log.0.strings.intern("m"));
        log.response("m:advisor", "claude-opus-4-8").within = parent;
        log.call("a", "m", "claude-sonnet-5");
        log.call("b", "m", "claude-sonnet-5");
        let collected = log.read(&Prices::builtin());
        assert_eq!(costs(&collected), [Some(3.5), Some(3.5)]);
        assert_eq!(
            (collected.totals.cost_usd, collected.totals.tokens.groups),
            (Some(7.0), 1)
        );
    }

    #[test]
    fn a_tier_and_web_searches_are_paid() {
        let mut log = Log::new();
        let usage = log.response("m", "claude-opus-4-8");
        (usage.tier, usage.web_searches) = (Tier::Fast, 2);
        log.call("a", "m", "claude-opus-4-8");
        assert_eq!(costs(&log.read(&Prices::builtin())), [Some(10.02)]);
    }

    #[test]
    fn searches_of_a_result_are_paid_by_its_call_unless_the_response_counts_them() {
        let mut log = Log::new();
        log.response("m", "claude-opus-4-8");
        log.call("a", "m", "claude-opus-4-8");
        log.call("b", "m", "claude-opus-4-8");
        log.response("n", "claude-opus-4-8").web_searches = 3;
        log.call("c", "n", "claude-opus-4-8");
        for id in ["b", "b", "c"] {
            let id = log.0.strings.intern(id);
            log.0.searches.push(Searches { id, count: 3 });
        }
        let collected = log.read(&Prices::builtin());
        assert_eq!(costs(&collected), [Some(2.5), Some(2.53), Some(5.03)]);
        assert_eq!(collected.totals.cost_usd, Some(10.06));
        let used: i64 = collected
            .responses()
            .filter_map(|response| response.cost_micro_usd)
            .sum();
        assert_eq!(used, 10_060_000, "and by the usage of the session");
    }

    #[test]
    fn what_the_agent_reports_stands_before_the_list_and_after_a_given_price() {
        let cost = |prices: &Prices, stated: Option<i64>| {
            let mut log = Log::new();
            log.response("m", "claude-opus-4-8").stated_cost = stated.map(MicroUsd);
            log.call("a", "m", "claude-opus-4-8");
            costs(&log.read(prices))[0]
        };
        assert_eq!(cost(&Prices::builtin(), Some(7_000_000)), Some(7.0));
        assert_eq!(cost(&ours("claude-opus-4-8"), Some(7_000_000)), Some(1.0));
        assert_eq!(cost(&Prices::builtin(), Some(0)), Some(5.0));
        assert_eq!(cost(&Prices::builtin(), None), Some(5.0));
    }

    #[test]
    fn what_has_no_price_has_no_cost_and_is_named_with_its_calls() {
        let log = || {
            let mut log = Log::new();
            log.response("m", "house-model");
            log.response("n", "house-model");
            log.call("a", "m", "house-model");
            log.call("b", "m", "house-model");
            // Without tokens the usage is unknown.
            log.response("o", "claude-opus-4-8").tokens = Tokens::default();
            log.call("c", "o", "claude-opus-4-8");
            log
        };
        let collected = log().read(&Prices::builtin());
        assert_eq!(costs(&collected), [None, None, None]);
        assert_eq!(collected.totals.cost_usd, None, "unknown is not free of charge");
        let unpriced = UnpricedModel {
            model: "house-model".into(),
            calls: 2,
            responses: 2,
        };
        assert_eq!(collected.totals.unpriced, [unpriced]);
        let collected = log().read(&ours("house-*"));
        assert_eq!(costs(&collected), [Some(0.5), Some(0.5), None]);
        assert_eq!(collected.totals.cost_usd, Some(2.0));
        assert_eq!(collected.totals.unpriced, []);
    }
}
