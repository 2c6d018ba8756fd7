//! Tools that OpenAI runs itself: the log contains the call and its completion, in one record or in two.

use model::{CallResult, Reason};
use sha2::{Digest, Sha256};

use super::{Reader, Speaker, record::Payload};
use crate::{
    facts::{Answer, FileFacts},
    json::Str,
    strings::Sym,
    tool_name::ToolName,
};

/// Web searches whose other record has not come yet. The record of the call has had an id only since 2026; the record
/// of the end always has one.
#[derive(Debug, Default)]
pub(super) struct Searches {
    open: Vec<Search>,
    /// The number of searches of the turn without an id.
    unnamed: u64,
    turn: Option<Sym>,
}

#[derive(Debug)]
struct Search {
    query: Option<Sym>,
    /// The index of the call.
    call: usize,
    named: bool,
}

/// Maximum number of searches that wait for their other record.
const OPEN_SEARCHES: usize = 64;

impl Reader {
    /// A search, from the record of its call or of its end.
    pub(super) fn web_search(
        &mut self,
        item: &Payload<'_>,
        id: Option<Str<'_>>,
        timestamp: Option<Str<'_>>,
        facts: &mut FileFacts,
    ) {
        let query = item.query.map(|query| facts.strings.intern(&query.text()));
        let named = id.is_some();
        if let Some(id) = id {
            let Some(id) = facts.call_id(Some(id)) else { return };
            if self.calls.contains_key(&id) {
                return;
            }
        }
        let other = self
            .searches
            .open
            .iter()
            .position(|search| search.named != named && search.query == query);
        if let Some(other) = other {
            let search = self.searches.open.remove(other);
            if let (Some(id), Some(call)) = (id, facts.calls.get_mut(search.call)) {
                let unnamed = call.id;
                call.id = facts.strings.intern(&id.text());
                let call = *call;
                for answer in &mut facts.answers {
                    if answer.id == unnamed {
                        answer.id = call.id;
                    }
                }
                self.remember(&call, Speaker::Other);
            }
            return;
        }
        let made_up = id.is_none().then(|| self.unnamed_search(item, facts));
        let id = id.or(made_up.as_deref().map(|id| Str(id.as_bytes())));
        let call = facts.calls.len();
        self.hosted(item, id, "web_search", timestamp, facts);
        if self.searches.open.len() == OPEN_SEARCHES {
            self.searches.open.remove(0);
        }
        self.searches.open.push(Search { query, call, named });
    }

    /// An id for a search that has none: the same in every copy of the record.
    fn unnamed_search(&mut self, item: &Payload<'_>, facts: &FileFacts) -> String {
        let place = self.turn.or(self.origin);
        if self.searches.turn != place {
            self.searches.turn = place;
            self.searches.unnamed = 0;
        }
        self.searches.unnamed += 1;
        let mut hash = Sha256::new();
        hash.update(place.map_or("", |place| facts.strings.get(place)));
        hash.update(self.searches.unnamed.to_le_bytes());
        hash.update(item.query.map(Str::text).unwrap_or_default().as_bytes());
        format!("codex:web_search:{}", model::text::hex(&hash.finalize()[..12]))
    }

    /// A call that is logged when it is done.
    pub(super) fn hosted(
        &mut self,
        item: &Payload<'_>,
        id: Option<Str<'_>>,
        name: &str,
        timestamp: Option<Str<'_>>,
        facts: &mut FileFacts,
    ) {
        let Some(sym) = facts.call_id(id) else { return };
        if self.calls.contains_key(&sym) {
            return;
        }
        let call = self.new_call(sym, self.time(timestamp), &ToolName::builtin(name), facts);
        facts.calls.push(call);
        self.remember(&call, Speaker::Other);
        self.done(item, id, timestamp, facts);
    }

    /// The end of a call by its `status`; a record of an end without one means that it is done. The duration is not in
    /// the log.
    pub(super) fn done(
        &mut self,
        item: &Payload<'_>,
        id: Option<Str<'_>>,
        timestamp: Option<Str<'_>>,
        facts: &mut FileFacts,
    ) {
        let verdict = match item.status.map(|status| status.0) {
            None | Some(b"completed") => CallResult::SUCCESS,
            Some(b"failed") => CallResult::because(Reason::Error),
            Some(b"incomplete") => CallResult::because(Reason::Interrupted),
            Some(_) => return,
        };
        let Some(id) = self.known(id, facts) else { return };
        facts.answers.push(Answer {
            id,
            at: self.time(timestamp),
            verdict,
            duration_ms: None,
            goes_on: true,
        });
    }
}
