//! What ran inside a call: the responses of the agent that it started, and of the agents that this one started.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use model::MicroUsd;

use super::{Joined, by_time};
use crate::{
    facts::Run,
    strings::{Strings, Sym},
};

/// What was spent in each run.
#[derive(Default)]
pub(super) struct Runs {
    spent: HashMap<Sym, i64, RandomState>,
}

impl Runs {
    pub(super) fn spend(&mut self, run: Sym, MicroUsd(cost): MicroUsd) {
        let spent = self.spent.entry(run).or_default();
        *spent = spent.saturating_add(cost);
    }

    /// Gives each call what was spent in the runs that it started. `run_of` returns the run in which a response was
    /// made.
    pub(super) fn share(
        &self,
        calls: &mut [Joined],
        started: &[Run],
        strings: &Strings,
        run_of: impl Fn(Sym) -> Option<Sym>,
    ) {
        if self.spent.is_empty() || started.is_empty() {
            return;
        }
        let starters = Self::starters(calls, started, strings);
        let mut inside: HashMap<usize, i64, RandomState> = HashMap::default();
        for (run, spent) in &self.spent {
            // Outwards from the run, to every call that led to it. A log may claim a circle.
            let mut seen = HashSet::new();
            let mut next = Some(*run);
            while let Some(run) = next.filter(|run| seen.insert(*run)) {
                let Some(starter) = starters.get(&run).copied() else {
                    break;
                };
                let sum = inside.entry(starter).or_default();
                *sum = sum.saturating_add(*spent);
                next = calls[starter].call.group.and_then(&run_of);
            }
        }
        for (call, sum) in inside {
            calls[call].run_cost = Some(MicroUsd(sum.min(MicroUsd::MAX_PER_EVENT.0)));
        }
    }

    /// The call that started each run: the earliest, because a later one only went on with it.
    fn starters(calls: &[Joined], started: &[Run], strings: &Strings) -> HashMap<Sym, usize, RandomState> {
        let wanted: HashMap<Sym, Sym, RandomState> =
            HashMap::from_iter(started.iter().map(|run| (run.call, run.run)));
        let at: HashMap<Sym, usize, RandomState> = calls
            .iter()
            .enumerate()
            .filter(|(_, joined)| wanted.contains_key(&joined.call.id))
            .map(|(at, joined)| (joined.call.id, at))
            .collect();
        let mut starters: HashMap<Sym, usize, RandomState> = HashMap::default();
        for Run { call, run } in started {
            let Some(&call) = at.get(call) else { continue };
            let starter = starters.entry(*run).or_insert(call);
            let (a, b) = (&calls[call], &calls[*starter]);
            let earlier = by_time(Some(a.at), Some(b.at))
                .then_with(|| strings.get(a.call.id).cmp(strings.get(b.call.id)));
            if earlier.is_lt() {
                *starter = call;
            }
        }
        starters
    }
}
