//! How the records of one response become its tokens.

use super::{Context, Tokens, Usage, earlier};
use crate::{prices::Tier, strings::Sym};

impl Tokens {
    /// All input tokens. They decide between two records with the same output, and whether a prompt is long.
    pub(crate) fn prompt(&self) -> u64 {
        self.input
            .saturating_add(self.cache_read)
            .saturating_add(self.cache_creation())
    }

    /// Tokens written to the cache, for 5 minutes and for 1 hour.
    pub(crate) fn cache_creation(&self) -> u64 {
        self.cache_write_5m.saturating_add(self.cache_write_1h)
    }
}

impl Usage {
    /// No tokens: for `Usage { tokens, ..Usage::of(group) }`.
    pub(crate) fn of(group: Sym) -> Usage {
        Usage {
            group,
            model: None,
            at: None,
            tokens: Tokens::default(),
            tier: Tier::Standard,
            web_searches: 0,
            request: 0,
            within: None,
            run: None,
            carrier: None,
            sums_session: false,
            stated_cost: None,
            request_id: None,
            context: Context::default(),
        }
    }

    /// Merges another record of the same response into this one: the one with the greater output is kept, because early
    /// records contain only part of it.
    pub(crate) fn absorb(&mut self, other: &Usage) {
        let key = |usage: &Usage| (usage.tokens.output, usage.tokens.prompt(), usage.tokens);
        if key(other) > key(self) {
            self.tokens = other.tokens;
            self.model = other.model.or(self.model);
        }
        self.at = earlier(self.at, other.at);
        self.tier = self.tier.max(other.tier);
        self.web_searches = self.web_searches.max(other.web_searches);
        self.within = self.within.or(other.within);
        self.run = self.run.or(other.run);
        self.carrier = self.carrier.or(other.carrier);
        self.stated_cost = self.stated_cost.max(other.stated_cost);
        self.request_id = self.request_id.or(other.request_id);
        self.context.session = self.context.session.or(other.context.session);
        self.context.cwd = self.context.cwd.or(other.context.cwd);
        self.context.agent = self.context.agent.or(other.context.agent);
    }
}
