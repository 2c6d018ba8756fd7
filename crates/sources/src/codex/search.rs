//! Tools that OpenAI runs itself: the log contains the call and its completion, in one record or in two.

use std::collections::HashMap;

use model::{CallResult, Reason};
use sha2::{Digest, Sha256};

use super::{Reader, Speaker, record::Payload};
use crate::{
    facts::{Answer, FileFacts},
    json::Str,
    strings::Sym,
    tool_name::ToolName,
};

/// The web searches of a rollout. The record of the call has had an id only since 2026; the record of the end always has
/// one, but not every copy of a conversation has it.
///
/// A search is therefore also identified by its place: its number in the turn, and its subject. Where some copy states
/// the id, [`FileFacts::aliases`] gives it to all of them.
#[derive(Debug, Default)]
pub(super) struct Searches {
    /// Searches whose other record has not come yet.
    open: Vec<Search>,
    /// The number of searches of the turn so far.
    in_turn: u64,
    turn: Option<Sym>,
    /// The places of the searches that have an id, by their ids.
    places: HashMap<Sym, Sym>,
}

#[derive(Debug)]
struct Search {
    subject: Sym,
    place: Sym,
    /// The index of the call.
    call: usize,
    named: bool,
}

/// Maximum number of searches that wait for their other record.
const OPEN_SEARCHES: usize = 64;

impl Searches {
    /// What identifies a call in every copy of its record.
    pub(super) fn place_of(&self, call: Sym) -> Sym {
        self.places.get(&call).copied().unwrap_or(call)
    }
}

impl Reader {
    /// A search, from the record of its call or of its end.
    pub(super) fn web_search(
        &mut self,
        item: &Payload<'_>,
        id: Option<Str<'_>>,
        timestamp: Option<Str<'_>>,
        facts: &mut FileFacts,
    ) {
        let subject = facts.strings.intern(&item.subject());
        let id = match id.map(|id| facts.call_id(Some(id))) {
            Some(Some(id)) if self.calls.contains_key(&id) => return,
            Some(None) => return,
            id => id.flatten(),
        };
        let named = id.is_some();
        let open = &mut self.searches.open;
        let other = open
            .iter()
            .position(|search| search.named != named && search.subject == subject);
        if let Some(other) = other {
            let search = open.remove(other);
            if let Some(id) = id {
                self.name_search(&search, id, facts);
            }
            return;
        }
        let place = self.place_of_search(subject, facts);
        let call = facts.calls.len();
        if let Some(id) = id {
            self.searches.places.insert(id, place);
            facts.aliases.push((place, id));
        }
        self.hosted_call(item, id.unwrap_or(place), "web_search", timestamp, facts);
        if self.searches.open.len() == OPEN_SEARCHES {
            self.searches.open.remove(0);
        }
        self.searches.open.push(Search {
            subject,
            place,
            call,
            named,
        });
    }

    /// Gives a search the id that its second record states.
    fn name_search(&mut self, search: &Search, id: Sym, facts: &mut FileFacts) {
        let Some(call) = facts.calls.get_mut(search.call) else {
            return;
        };
        call.id = id;
        let call = *call;
        for answer in &mut facts.answers {
            if answer.id == search.place {
                answer.id = id;
            }
        }
        self.searches.places.insert(id, search.place);
        facts.aliases.push((search.place, id));
        self.remember(&call, Speaker::Other);
    }

    /// The next place of a search in its turn: the same in every copy of the record.
    fn place_of_search(&mut self, subject: Sym, facts: &mut FileFacts) -> Sym {
        let turn = self.turn.or(self.origin);
        if self.searches.turn != turn {
            self.searches.turn = turn;
            self.searches.in_turn = 0;
        }
        self.searches.in_turn += 1;
        let mut hash = Sha256::new();
        hash.update(turn.map_or("", |turn| facts.strings.get(turn)));
        hash.update(self.searches.in_turn.to_le_bytes());
        hash.update(facts.strings.get(subject));
        let place = format!("codex:web_search:{}", model::text::hex(&hash.finalize()[..12]));
        facts.strings.intern(&place)
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
        if let Some(id) = facts.call_id(id) {
            self.hosted_call(item, id, name, timestamp, facts);
        }
    }

    fn hosted_call(
        &mut self,
        item: &Payload<'_>,
        id: Sym,
        name: &str,
        timestamp: Option<Str<'_>>,
        facts: &mut FileFacts,
    ) {
        if self.calls.contains_key(&id) {
            return;
        }
        let call = self.new_call(id, self.time(timestamp), &ToolName::builtin(name), facts);
        facts.calls.push(call);
        self.remember(&call, Speaker::Other);
        self.ends(item, id, timestamp, facts);
    }

    /// The end of a call by its `status`.
    pub(super) fn done(
        &mut self,
        item: &Payload<'_>,
        id: Option<Str<'_>>,
        timestamp: Option<Str<'_>>,
        facts: &mut FileFacts,
    ) {
        if let Some(id) = self.known(id, facts) {
            self.ends(item, id, timestamp, facts);
        }
    }

    /// A record of an end without a `status` means that the call is done. The duration is not in the log.
    fn ends(&mut self, item: &Payload<'_>, id: Sym, timestamp: Option<Str<'_>>, facts: &mut FileFacts) {
        let verdict = match item.status.map(|status| status.0) {
            None | Some(b"completed") => CallResult::SUCCESS,
            Some(b"failed") => CallResult::because(Reason::Error),
            Some(b"incomplete") => CallResult::because(Reason::Interrupted),
            Some(_) => return,
        };
        facts.answers.push(Answer {
            id,
            at: self.time(timestamp),
            verdict,
            duration_ms: None,
            goes_on: true,
        });
    }
}
