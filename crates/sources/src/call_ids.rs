//! The uuids of the calls of one conversation, for agents that keep call and result in one file, in order.

use std::collections::HashMap;

use crate::{call_id, facts::FileFacts, json::Str, strings::Sym};

/// Maps positional ids to uuids: a result answers the last call of its id.
#[derive(Debug, Default)]
pub(crate) struct CallIds {
    counted: HashMap<Sym, Sym>,
}

impl CallIds {
    /// The uuid of a call that `message` made; `None` (and a problem) for an id that cannot distinguish calls.
    pub(crate) fn of_call(
        &mut self,
        id: Option<Str<'_>>,
        name: &str,
        message: Option<Sym>,
        facts: &mut FileFacts,
    ) -> Option<Sym> {
        let id = facts.call_id(id)?;
        let message = message.map(|message| facts.strings.get(message));
        let uuid = call_id::uuid(facts.strings.get(id), name, message).into_owned();
        let uuid = facts.strings.intern(&uuid);
        if uuid == id {
            self.counted.remove(&id);
        } else {
            self.counted.insert(id, uuid);
        }
        Some(uuid)
    }

    /// The uuid of the call that a result answers.
    pub(crate) fn of_answer(&self, id: Option<Str<'_>>, facts: &mut FileFacts) -> Option<Sym> {
        let id = facts.call_id(id)?;
        Some(self.counted.get(&id).copied().unwrap_or(id))
    }
}
