//! The end of work that continues after the result of its call: background commands, agents, workflows.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use model::{CallResult, limits};

use super::{Pool, by_time};
use crate::{
    facts::{Call, Ending, Launch},
    strings::Sym,
};

/// The endings of calls, by call.
pub(super) type Endings = HashMap<Sym, Ending, RandomState>;

impl Pool {
    /// The first reported end of each call. An agent that is resumed ends again; a later report does not change the
    /// first.
    pub(super) fn endings(&mut self) -> Endings {
        let mut endings = std::mem::take(&mut self.endings);
        let launches = std::mem::take(&mut self.launches);
        let mut found = Endings::default();
        if endings.is_empty() {
            return found;
        }
        let mut by_task: HashMap<(Option<Sym>, Sym), Vec<Launch>, RandomState> = HashMap::default();
        for launch in launches {
            let key = (launch.session, launch.task);
            by_task.entry(key).or_default().push(launch);
        }
        endings.sort_by(|a, b| {
            by_time(a.at, b.at).then_with(|| (a.verdict, a.duration_ms).cmp(&(b.verdict, b.duration_ms)))
        });
        for ending in endings {
            let launches = ending.task.and_then(|task| by_task.get(&(ending.session, task)));
            // Older versions reuse the names of tasks: the report is about the last one that was launched before it.
            let of_task = || {
                launches?
                    .iter()
                    .filter(|launch| launch.at <= ending.at)
                    .max_by(|a, b| (a.at, self.strings.get(a.call)).cmp(&(b.at, self.strings.get(b.call))))
                    .map(|launch| launch.call)
            };
            let Some(call) = ending.call.or_else(of_task) else {
                continue;
            };
            let first = found.entry(call).or_insert(ending);
            first.duration_ms = first.duration_ms.or(ending.duration_ms);
            if first.verdict == CallResult::UNKNOWN {
                first.verdict = ending.verdict;
            }
            if ending.exact && !first.exact {
                (first.at, first.exact) = (ending.at, true);
            }
        }
        found
    }
}

/// The duration of the work: as reported, else from the call to the report.
pub(super) fn duration(call: &Call, ending: &Ending) -> Option<i64> {
    let measured = || ending.at.filter(|_| ending.exact)?.checked_sub(call.at?);
    ending
        .duration_ms
        .or_else(measured)
        .filter(|ms| (0..=limits::DURATION_MS).contains(ms))
}
