//! The usage of responses as it is uploaded: one row for each, whether it calls a tool or not.

use std::collections::HashMap;

use chrono::SubsecRound;
use model::{MicroUsd, limits, text, usage::Response};
use sha2::{Digest, Sha256};

use super::{Pool, projects::Projects, time};
use crate::{
    facts::{Context, Millis, Tokens, Usage},
    strings::{Strings, Sym},
};

/// What one response used and cost.
#[derive(Debug)]
pub(super) struct Spending {
    id: Sym,
    group: Sym,
    at: Millis,
    model: Option<Sym>,
    context: Context,
    tokens: Tokens,
    cost: Option<MicroUsd>,
}

/// What web searches of a call cost that its response does not count.
pub(super) struct Searched {
    pub(super) group: Option<Sym>,
    /// The run in which it was spent.
    pub(super) run: Option<Sym>,
    pub(super) cost: MicroUsd,
}

impl Spending {
    /// `None` for a response that used nothing, or whose time is not known.
    pub(super) fn of(usage: &Usage, cost: Option<MicroUsd>) -> Option<Spending> {
        if !usage.counts_something() && cost.is_none() {
            return None;
        }
        Some(Spending {
            id: usage.request_id.unwrap_or(usage.group),
            group: usage.group,
            at: usage.at?,
            model: usage.model,
            context: usage.context,
            tokens: usage.tokens,
            cost,
        })
    }

    pub(super) fn response(&self, strings: &Strings) -> Response {
        let text = |sym: Option<Sym>| sym.map(|sym| strings.get(sym).to_owned());
        Response {
            agent: self.context.agent.map(|agent| agent.as_str().to_owned()),
            response_id: id(strings.get(self.id)),
            session_id: text(self.context.session),
            // The working directory has been replaced by the project.
            project: text(self.context.cwd),
            model: text(self.model),
            occurred_at: time(self.at).trunc_subsecs(6),
            input_tokens: count(self.tokens.input),
            output_tokens: count(self.tokens.output),
            cache_read_tokens: count(self.tokens.cache_read),
            cache_write_tokens: count(self.tokens.cache_creation()),
            cost_micro_usd: self.cost.map(|cost| cost.min(MicroUsd::MAX_PER_EVENT).0),
        }
    }
}

impl Pool {
    /// Adds what web searches cost to the responses that made the calls.
    pub(super) fn add_to_spending(&mut self, searched: &[Searched]) {
        if searched.is_empty() {
            return;
        }
        let by_group: HashMap<Sym, usize> = self
            .spending
            .iter()
            .enumerate()
            .map(|(at, spending)| (spending.group, at))
            .collect();
        for Searched { group, cost, .. } in searched {
            if let Some(at) = group.and_then(|group| by_group.get(&group)) {
                let own = self.spending[*at].cost.unwrap_or_default();
                self.spending[*at].cost = Some(MicroUsd(own.0.saturating_add(cost.0)));
            }
        }
    }

    /// The usage of all responses, by time and id, with the project in the place of the working directory.
    pub(super) fn finish_spending(&mut self, projects: &mut Projects<'_>) -> Vec<Spending> {
        let mut spending = std::mem::take(&mut self.spending);
        for spent in &mut spending {
            let cwd = &mut spent.context.cwd;
            *cwd = cwd.and_then(|cwd| projects.of(cwd, &mut self.strings));
        }
        let strings = &self.strings;
        spending.sort_by(|a, b| (a.at, strings.get(a.id)).cmp(&(b.at, strings.get(b.id))));
        spending
    }
}

/// The id of a response on the wire. One that is too long is hashed.
fn id(name: &str) -> String {
    if name.len() <= limits::UUID_BYTES {
        return name.to_owned();
    }
    format!("h1_{}", text::hex(&Sha256::digest(name)))
}

fn count(tokens: u64) -> i64 {
    i64::try_from(tokens).map_or(limits::RESPONSE_TOKENS, |tokens| {
        tokens.min(limits::RESPONSE_TOKENS)
    })
}
