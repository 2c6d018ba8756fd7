//! Results of calls whose ids only count: the same id comes again in every turn or session, so a result belongs to
//! the call that its record names, or to the last one with its id.

use std::collections::HashMap;

use crate::{
    claude::record::Record,
    facts::{Answer, FileFacts},
    strings::Sym,
};

/// The uuid of a call's record, and what the id of the call became.
type Made = (Vec<u8>, Sym);

/// The calls of one file whose ids only count.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    /// By the id in the log.
    calls: HashMap<Vec<u8>, Vec<Made>, foldhash::fast::RandomState>,
    /// Results that come before their call, by the id in the log.
    waiting: Vec<(Vec<u8>, Answer)>,
}

/// The call of a result.
pub(crate) enum Found {
    /// No call so far has this id as a position.
    NotPositional,
    /// The call.
    Call(Sym),
    /// The id only counts, and its call comes later.
    Later,
}

impl Positions {
    /// Notes a call.
    pub(crate) fn call(&mut self, id: &[u8], call: Sym, record: &Record<'_>) {
        let record = record.uuid.map_or(&b""[..], |uuid| uuid.0).to_vec();
        let calls = self.calls.entry(id.to_vec()).or_default();
        if calls.last().is_none_or(|(_, last)| *last != call) {
            calls.push((record, call));
        }
    }

    /// The call that a result with this id belongs to.
    pub(crate) fn of_result(&self, id: &[u8], record: &Record<'_>) -> Found {
        if let Some(calls) = self.calls.get(id) {
            let named = [record.source, record.parent].into_iter().flatten();
            let by_record = named
                .filter_map(|uuid| calls.iter().rev().find(|(of, _)| *of == uuid.0))
                .next();
            return match by_record.or(calls.last()) {
                Some((_, call)) => Found::Call(*call),
                None => Found::NotPositional,
            };
        }
        let text = String::from_utf8_lossy(id);
        if !id.starts_with(b"toolu_") && crate::call_id::is_positional(&text, "") {
            return Found::Later;
        }
        Found::NotPositional
    }

    /// Keeps a result whose call has not come yet.
    pub(crate) fn wait(&mut self, id: &[u8], answer: Answer) {
        self.waiting.push((id.to_vec(), answer));
    }

    /// Gives the results that waited to the first calls with their ids; a result without a call keeps its own id.
    pub(crate) fn finish(&mut self, facts: &mut FileFacts) {
        for (id, mut answer) in std::mem::take(&mut self.waiting) {
            if let Some((_, call)) = self.calls.get(&id).and_then(|calls| calls.first()) {
                answer.id = *call;
            }
            facts.answers.push(answer);
        }
    }
}
