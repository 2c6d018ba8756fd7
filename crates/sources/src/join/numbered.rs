//! Calls with positional ids, and their results where those are in another file or come first.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Pool;
use crate::{
    facts::{Call, Millis, NumberedResult},
    strings::Sym,
};

type Map<K, V> = HashMap<K, V, RandomState>;

/// The calls with one id in one session, by time.
type InSession = Vec<(Option<Millis>, Sym)>;

impl Pool {
    /// Assigns the results whose call was unknown in their file to the call that their record names, else to the last
    /// one with their id before them in the file, else in the session. `calls` are sorted by id.
    pub(super) fn place_numbered(&mut self, calls: &[Call]) {
        let results = std::mem::take(&mut self.numbered_results);
        if results.is_empty() {
            return;
        }
        let mut by_record: Map<(Sym, Sym), Sym> = Map::default();
        let mut in_sessions: Map<(Option<Sym>, Sym), InSession> = Map::default();
        for made in std::mem::take(&mut self.numbered) {
            if let Some(record) = made.record {
                by_record.insert((record, made.number), made.call);
            }
            if let Ok(at) = calls.binary_search_by_key(&made.call, |call| call.id) {
                let call = &calls[at];
                let in_session = in_sessions.entry((call.context.session, made.number));
                in_session.or_default().push((call.at, call.id));
            }
        }
        for calls in in_sessions.values_mut() {
            calls.sort_unstable_by(|a, b| (a.0, self.strings.get(a.1)).cmp(&(b.0, self.strings.get(b.1))));
        }
        let in_session = |result: &NumberedResult| {
            let calls = in_sessions.get(&(result.session, result.number))?;
            let before = calls.partition_point(|(at, _)| *at <= result.at);
            Some(calls[before.checked_sub(1)?].1)
        };
        let placed: Map<Sym, Sym> = results
            .iter()
            .filter_map(|result| {
                let mut named = result.named.iter().flatten();
                let named = named.find_map(|record| by_record.get(&(*record, result.number)).copied());
                let call = named.or(result.last).or_else(|| in_session(result))?;
                Some((result.result, call))
            })
            .collect();
        let ids = self.answers.iter_mut().map(|answer| &mut answer.id);
        let ids = ids.chain(self.searches.iter_mut().map(|searches| &mut searches.id));
        for id in ids.chain(self.launches.iter_mut().map(|launch| &mut launch.call)) {
            if let Some(call) = placed.get(id) {
                *id = *call;
            }
        }
    }
}
