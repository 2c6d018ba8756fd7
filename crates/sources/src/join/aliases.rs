//! Calls whose id only some of their records state.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Pool;
use crate::strings::Sym;

impl Pool {
    /// Replaces the ids that were made up for calls by those that another copy of their records states.
    pub(super) fn apply_aliases(&mut self) {
        let mut aliases = std::mem::take(&mut self.aliases);
        if aliases.is_empty() {
            return;
        }
        // Of several stated ids the same one is chosen every time.
        aliases.sort_unstable_by_key(|(made_up, stated)| (*made_up, self.strings.get(*stated)));
        aliases.dedup_by_key(|(made_up, _)| *made_up);
        let stated: HashMap<Sym, Sym, RandomState> = aliases.into_iter().collect();
        let calls = self.calls.iter_mut().map(|call| &mut call.id);
        for id in calls.chain(self.answers.iter_mut().map(|answer| &mut answer.id)) {
            if let Some(known) = stated.get(id) {
                *id = *known;
            }
        }
    }
}
