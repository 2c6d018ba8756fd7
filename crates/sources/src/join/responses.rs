//! Responses that share a message id: some relays give all their messages one id, and a side question repeats the
//! previous response under a request of its own.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Pool, by_time};
use crate::{
    facts::{Call, Millis, Requested, Usage},
    strings::Sym,
};

type Map<K, V> = HashMap<K, V, RandomState>;

impl Pool {
    /// Puts responses that share an id but not a request into separate groups. They are still one response when they
    /// share a call or their time. `usage` is sorted by group and request. Returns false when no id is shared.
    pub(super) fn separate(&mut self, usage: &mut [Usage]) -> bool {
        let requested = std::mem::take(&mut self.requested);
        let shared = |usages: &&mut [Usage]| usages.iter().any(|usage| usage.request != usages[0].request);
        let mut new_groups: Map<(Sym, u64), Sym> = Map::default();
        let mut calls: Map<Sym, Vec<Requested>> = Map::default();
        for usages in usage.chunk_by_mut(|a, b| a.group == b.group).filter(shared) {
            if calls.is_empty() {
                for requested in &requested {
                    calls.entry(requested.group).or_default().push(*requested);
                }
            }
            let group = usages[0].group;
            let of_group = calls.get(&group).map_or(&[][..], Vec::as_slice);
            for (nth, requests) in responses(usages, of_group).into_iter().enumerate() {
                let own = if nth == 0 {
                    group
                } else {
                    let name = format!("{}/{nth}", self.strings.get(group));
                    self.strings.intern(&name)
                };
                new_groups.extend(requests.into_iter().map(|request| ((group, request), own)));
            }
        }
        if new_groups.is_empty() {
            return false;
        }
        for usage in usage {
            let of = |group: Sym| new_groups.get(&(group, usage.request)).copied().unwrap_or(group);
            (usage.group, usage.within) = (of(usage.group), usage.within.map(of));
        }
        self.regrouped = requested
            .iter()
            .filter_map(|Requested { call, group, request }| {
                Some(((*call, *group), *new_groups.get(&(*group, *request))?))
            })
            .collect();
        true
    }

    /// Assigns the calls to the groups that [`Pool::separate`] made.
    pub(super) fn regroup(&mut self, calls: &mut [Call]) {
        let regrouped = std::mem::take(&mut self.regrouped);
        if regrouped.is_empty() {
            return;
        }
        for call in calls {
            let new = call.group.and_then(|group| regrouped.get(&(call.id, group)));
            call.group = new.copied().or(call.group);
        }
    }
}

/// The requests of one group, by the response that they belong to, the earliest response first.
fn responses(usages: &[Usage], calls: &[Requested]) -> Vec<Vec<u64>> {
    let mut usages: Vec<&Usage> = usages.iter().collect();
    usages.sort_by(|a, b| by_time(a.at, b.at).then_with(|| a.request.cmp(&b.request)));
    let mut of_call: Map<u64, Vec<Sym>> = Map::default();
    for call in calls {
        of_call.entry(call.request).or_default().push(call.call);
    }
    let mut responses: Vec<Vec<u64>> = Vec::new();
    let mut by_call: Map<Sym, usize> = Map::default();
    let mut by_time_of: Map<Millis, (usize, &Usage)> = Map::default();
    let has_calls = |usage: &Usage| of_call.contains_key(&usage.request);
    // Two sessions may have the same time. Different calls of different requests are different responses.
    let differ = |a: &Usage, b: &Usage| {
        let by_request = a.request & b.request & 1 == 1;
        let prompts = [a, b].map(|usage| usage.tokens.prompt());
        let by_prompt = prompts[0] != prompts[1] && !prompts.contains(&0);
        has_calls(a) && has_calls(b) && (by_request || by_prompt)
    };
    for usage in usages {
        let calls = of_call.get(&usage.request).map_or(&[][..], Vec::as_slice);
        let same_call = calls.iter().find_map(|call| by_call.get(call).copied());
        let same_time = usage.at.and_then(|at| by_time_of.get(&at));
        let same_time = same_time
            .filter(|(_, other)| !differ(usage, other))
            .map(|(at, _)| *at);
        // A record without a request, tokens and calls is a part of the previous response.
        let part = usage.request & 1 == 0 && calls.is_empty() && usage.tokens.prompt() == 0;
        let last = responses.len().checked_sub(1).filter(|_| part);
        let at = same_call.or(same_time).or(last).unwrap_or_else(|| {
            responses.push(Vec::new());
            responses.len() - 1
        });
        responses[at].push(usage.request);
        by_call.extend(calls.iter().map(|call| (*call, at)));
        by_time_of.extend(usage.at.map(|time| (time, (at, usage))));
    }
    responses
}
