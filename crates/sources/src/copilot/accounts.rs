//! The usage of a session's requests. Since 2026 each has a record of its own. A shutdown reports sums by model: of the
//! whole session, or in some versions of the time since it was last resumed. The usage that no record reports is taken
//! from the sums.

use std::collections::HashMap;

use super::record::{Record, Spent};
use crate::{facts::Tokens, strings::Sym};

/// Sums by model.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// Everything counted so far, and what was counted since the last shutdown or resume.
    all: HashMap<Sym, Spent>,
    recent: HashMap<Sym, Spent>,
    last: Option<Shutdown>,
    /// Messages of the model since the last shutdown.
    messages: u64,
}

#[derive(Debug)]
struct Shutdown {
    began: Option<u64>,
    metrics: Vec<(Sym, Spent)>,
}

impl Accounts {
    pub(super) fn message(&mut self) {
        self.messages += 1;
    }

    pub(super) fn resumed(&mut self) {
        self.recent.clear();
    }

    pub(super) fn request(&mut self, model: Sym, spent: &Spent) {
        for sums in [&mut self.all, &mut self.recent] {
            sums.entry(model).or_default().add(spent);
        }
    }

    /// The part of the sums of a shutdown that was not counted yet, by model.
    pub(super) fn shutdown(&mut self, record: &Record<'_>, metrics: Vec<(Sym, Spent)>) -> Vec<(Sym, Spent)> {
        let whole = record.whole_session || self.sums_up(record.session_began, &metrics);
        let counted = if whole { &self.all } else { &self.recent };
        let rest: Vec<(Sym, Spent)> = metrics
            .iter()
            .map(|(model, spent)| (*model, spent.minus(counted.get(model))))
            .collect();
        for (model, spent) in &rest {
            self.all.entry(*model).or_default().add(spent);
        }
        self.recent.clear();
        self.messages = 0;
        self.last = Some(Shutdown {
            began: record.session_began,
            metrics,
        });
        rest
    }

    /// True when the metrics include those of the last shutdown, not only what came after it.
    fn sums_up(&self, began: Option<u64>, metrics: &[(Sym, Spent)]) -> bool {
        let Some(last) = &self.last else { return false };
        if began.is_some() && last.began.is_some() && began != last.began {
            return false;
        }
        let grew = last.metrics.iter().all(|(model, before)| {
            metrics
                .iter()
                .any(|(other, now)| other == model && now.holds(before))
        });
        let requests = |metrics: &[(Sym, Spent)]| -> Option<u64> {
            metrics.iter().map(|(_, spent)| spent.requests).sum()
        };
        grew && match (requests(&last.metrics), requests(metrics)) {
            (Some(before), Some(now)) => now >= before + self.messages,
            _ => began.is_some() && began == last.began,
        }
    }
}

impl Spent {
    pub(super) fn is_empty(&self) -> bool {
        self.tokens == Tokens::default()
    }

    fn add(&mut self, other: &Spent) {
        self.each(other, u64::saturating_add);
    }

    fn minus(mut self, other: Option<&Spent>) -> Spent {
        if let Some(other) = other {
            self.each(other, u64::saturating_sub);
        }
        self
    }

    fn each(&mut self, other: &Spent, of: impl Fn(u64, u64) -> u64) {
        let (a, b) = (&mut self.tokens, &other.tokens);
        a.input = of(a.input, b.input);
        a.output = of(a.output, b.output);
        a.cache_read = of(a.cache_read, b.cache_read);
        a.cache_write_5m = of(a.cache_write_5m, b.cache_write_5m);
        self.nano_credits = of(self.nano_credits, other.nano_credits);
    }

    fn holds(&self, other: &Spent) -> bool {
        let (a, b) = (&self.tokens, &other.tokens);
        self.requests >= other.requests
            && a.prompt() >= b.prompt()
            && a.output >= b.output
            && a.cache_read >= b.cache_read
            && a.cache_write_5m >= b.cache_write_5m
    }
}
