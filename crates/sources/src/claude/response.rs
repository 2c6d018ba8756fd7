//! The response that a message belongs to, the ids of its calls, and the usage on its behalf.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

use crate::{
    call_id,
    claude::{
        Reader,
        record::{Message, Record, ToolUse},
        usage::Spent,
    },
    facts::{Context, FileFacts, Usage},
    json::Str,
    strings::Sym,
};

impl Reader {
    /// The group of a message: its id; without one its request; without either the first record of the response,
    /// whose other records follow it one after the other.
    pub(super) fn group(
        &mut self,
        message: &Message<'_>,
        record: &Record<'_>,
        facts: &mut FileFacts,
    ) -> Option<Sym> {
        if let Some(id) = stated(message.id).or_else(|| stated(record.request)) {
            return self.group.name(Some(id), facts);
        }
        let uuid = stated(record.uuid)?;
        let group = match self.nameless.take() {
            Some((last, group)) if record.parent.is_some_and(|parent| parent.0 == last) => group,
            _ => {
                let first = format!("record:{}", uuid.text());
                facts.clean_name(&first)?
            }
        };
        self.nameless = Some((uuid.0.to_vec(), group));
        Some(group)
    }

    /// The id of a call, which becomes its uuid. A positional id becomes one together with its message, or with the
    /// values that the copies of its record share.
    pub(super) fn call_id(
        &mut self,
        block: &ToolUse<'_>,
        message: &Message<'_>,
        record: &Record<'_>,
        facts: &mut FileFacts,
    ) -> Option<Sym> {
        let raw = block.id.map_or(&b""[..], |id| id.0);
        if raw.starts_with(b"toolu_") {
            return facts.call_id(block.id);
        }
        let id = Str(raw).text();
        let name = block.name.map(Str::text).unwrap_or_default();
        if !call_id::is_positional(&id, &name) {
            return facts.call_id(block.id);
        }
        let text = |part: Str<'_>| part.text().into_owned();
        let request = stated(record.request).map(text);
        let message = match (stated(message.id).map(text), &request) {
            (Some(message), Some(request)) => format!("{message}/{request}"),
            (Some(only), None) => only,
            (None, Some(only)) => only.clone(),
            (None, None) => stated(record.uuid)
                .or_else(|| stated(record.timestamp))
                .map(text)
                .unwrap_or_default(),
        };
        let within = call_id::within(&id, &message);
        let sym = facts.call_id(Some(Str(within.as_bytes())))?;
        self.positions.call(Str(raw), sym, record, facts);
        Some(sym)
    }
}

/// Length of an agent's id from which it is unique. Shorter ones were so within a session only; forks copy the longer
/// ones into other sessions.
const UNIQUE_AGENT_ID: usize = 12;

/// The name of an agent's run.
pub(super) fn run_of(run: Str<'_>, context: Context, facts: &mut FileFacts) -> Option<Sym> {
    if run.0.len() >= UNIQUE_AGENT_ID {
        return facts.name(Some(run));
    }
    let session = context.session.map_or("", |session| facts.strings.get(session));
    let name = format!("{session}/{}", run.text());
    facts.clean_name(&name)
}

/// The request that made a message, where it is known: relays give all their messages one id.
pub(super) fn request_of(record: &Record<'_>, spent: Option<Spent<'_>>) -> u64 {
    let hasher = FixedState::default();
    if let Some(request) = stated(record.request) {
        return hasher.hash_one(request.0) << 1 | 1;
    }
    let Some(Spent { tokens, .. }) = spent else {
        return 0;
    };
    hasher.hash_one((tokens.input, tokens.cache_read, tokens.cache_creation())) << 1
}

/// The usage of a response, and that of its advisors. `response`: all but what it used.
pub(super) fn push_usage(spent: &Spent<'_>, response: Usage, facts: &mut FileFacts) {
    facts.push_usage(Usage {
        tokens: spent.tokens,
        tier: spent.tier,
        web_searches: spent.web_searches,
        ..response
    });
    if spent.iterations.is_some() {
        advice(spent, &response, facts);
    }
}

/// The usage of advisors on behalf of a response: each is a response of its own, within it.
fn advice(spent: &Spent<'_>, response: &Usage, facts: &mut FileFacts) {
    for (nth, advice) in spent.advice().into_iter().enumerate() {
        let name = format!("{}/advisor/{nth}", facts.strings.get(response.group));
        let own = facts.strings.intern(&name);
        let model = facts.name(advice.model);
        facts.push_usage(Usage {
            group: own,
            model,
            tokens: advice.tokens,
            tier: advice.tier,
            web_searches: 0,
            within: Some(response.group),
            carrier: None,
            request_id: None,
            ..*response
        });
    }
}

/// A field that is there and not empty.
pub(super) fn stated(field: Option<Str<'_>>) -> Option<Str<'_>> {
    field.filter(|field| !field.0.is_empty())
}
