//! Results of calls with positional ids: the same id occurs again in every turn or session, so a result belongs to the
//! call that its record names, wherever that is. Only where no record is named does it belong to the last call with its
//! id.

use std::collections::HashMap;

use crate::{
    call_id,
    claude::record::Record,
    facts::{FileFacts, Millis, Numbered, NumberedResult},
    json::Str,
    strings::Sym,
};

/// The calls of one file with positional ids, by their ids in the log.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    last: HashMap<Vec<u8>, Sym, foldhash::fast::RandomState>,
    /// By the id and the uuid of the call's record.
    by_record: HashMap<(Sym, Sym), Sym, foldhash::fast::RandomState>,
    /// Results whose call is not known yet.
    unplaced: u64,
}

impl Positions {
    /// Records a call.
    pub(crate) fn call(&mut self, id: Str<'_>, call: Sym, record: &Record<'_>, facts: &mut FileFacts) {
        self.last.insert(id.0.to_vec(), call);
        let number = facts.strings.intern(&id.text());
        let record = facts.name(record.uuid);
        let is_new = match record {
            Some(record) => self.by_record.insert((number, record), call) != Some(call),
            None => true,
        };
        if is_new {
            facts.numbered.push(Numbered { record, number, call });
        }
    }

    /// True for the id of a result that only counts.
    pub(crate) fn is_position(&self, id: &[u8]) -> bool {
        !id.starts_with(b"toolu_")
            && (self.last.contains_key(id) || call_id::is_positional(&Str(id).text(), ""))
    }

    /// The last call with this id so far.
    pub(crate) fn last(&self, id: &[u8]) -> Option<Sym> {
        self.last.get(id).copied()
    }

    /// The call that a result with a positional id belongs to. Where it is not in this file, or not yet, a placeholder
    /// that [`crate::join()`] replaces when all calls are known.
    pub(crate) fn of_result(
        &mut self,
        id: Str<'_>,
        record: &Record<'_>,
        (session, at): (Option<Sym>, Option<Millis>),
        facts: &mut FileFacts,
    ) -> Sym {
        let number = facts.strings.intern(&id.text());
        let named = [record.source, record.parent].map(|uuid| facts.name(uuid));
        let mut by_record = named.iter().flatten();
        if let Some(call) = by_record.find_map(|uuid| self.by_record.get(&(number, *uuid))) {
            return *call;
        }
        self.unplaced += 1;
        let result = format!("unplaced:{}:{}", self.unplaced, facts.file);
        let result = facts.strings.intern(&result);
        let last = self.last(id.0);
        facts.numbered_results.push(NumberedResult {
            result,
            number,
            named,
            session,
            at,
            last,
        });
        result
    }
}
