//! Messages and sessions that have records of their own: these fill the missing values of their calls, and the copies
//! of a message that a fork makes are merged.
//!
//! OpenCode copies messages into a forked session under new ids and leaves the rest unchanged. Two messages of related
//! sessions with the same start and end in milliseconds, the same model and the same tokens are one message: the one
//! with the smallest id, because ids increase with time.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Pool;
use crate::{
    facts::{Call, Context, Frame, Millis, Tokens},
    strings::{Strings, Sym},
};

type Map<K, V> = HashMap<K, V, RandomState>;

/// Identifies the copies of a message.
type Content = (Option<Millis>, Option<Millis>, Option<Sym>, Tokens);

impl Pool {
    /// Fills the missing values of the calls from the frames of their messages and sessions, and replaces the message
    /// of a copy by the original.
    pub(super) fn apply_frames(&mut self) {
        if self.frames.is_empty() {
            return;
        }
        let frames = std::mem::take(&mut self.frames);
        let (messages, sessions) = by_id(frames, &self.strings);
        let originals = originals(&messages, &self.calls, &self.strings);
        for call in &mut self.calls {
            let message = call.group.and_then(|message| messages.get(&message));
            if let Some(message) = message {
                call.fill_from(message);
            }
            let session = call.context.session.and_then(|session| sessions.get(&session));
            if let Some(session) = session {
                call.fill_from(session);
            }
            let original = call.group.and_then(|message| originals.get(&message));
            if let Some(&(message, session)) = original {
                call.group = Some(message);
                call.context.session = session.or(call.context.session);
            }
        }
        for usage in &mut self.usage {
            if let Some(&(message, _)) = originals.get(&usage.group) {
                usage.group = message;
            }
        }
    }
}

impl Call {
    fn fill_from(&mut self, frame: &Frame) {
        let Context {
            session,
            cwd,
            version,
            ..
        } = &mut self.context;
        *session = session.or(frame.session);
        *cwd = cwd.or(frame.cwd);
        *version = version.or(frame.version);
        self.model = self.model.or(frame.model);
        self.task = self.task.or(frame.task);
        self.at = self.at.or(frame.created);
    }
}

/// The frames of messages and of sessions, by their ids. Of several frames of one message the most complete one.
fn by_id(frames: Vec<Frame>, strings: &Strings) -> (Map<Sym, Frame>, Map<Sym, Frame>) {
    let text = |sym: Option<Sym>| sym.map(|sym| strings.get(sym));
    let knows = |frame: &Frame| {
        let names = [frame.session, frame.cwd, frame.version, frame.model, frame.task].map(text);
        (frame.completed, frame.tokens, frame.created, names)
    };
    let (mut messages, mut sessions) = (Map::default(), Map::default());
    for frame in frames {
        let (known, id) = match (frame.message, frame.session) {
            (Some(message), _) => (&mut messages, message),
            (None, Some(session)) => (&mut sessions, session),
            (None, None) => continue,
        };
        let kept = known.entry(id).or_insert(frame);
        if knows(&frame) > knows(kept) {
            *kept = frame;
        }
    }
    (messages, sessions)
}

/// The original message and session of each copy.
fn originals(messages: &Map<Sym, Frame>, calls: &[Call], strings: &Strings) -> Map<Sym, (Sym, Option<Sym>)> {
    let mut by_content: Map<Content, Vec<(Sym, Sym)>> = Map::default();
    for (&message, frame) in messages {
        if let (Some(session), Some(_)) = (frame.session, frame.created) {
            let content = (frame.created, frame.completed, frame.model, frame.tokens);
            by_content.entry(content).or_default().push((session, message));
        }
    }
    by_content.retain(|_, alike| alike.iter().any(|(session, _)| *session != alike[0].0));
    let mut originals = Map::default();
    if by_content.is_empty() {
        return originals;
    }
    let mut related = related(&by_content, calls);
    for alike in by_content.into_values() {
        // The nth of a session is a copy of the nth of a related session.
        let mut places: Vec<(Sym, usize, Sym, Sym)> = Vec::with_capacity(alike.len());
        let mut alike = alike;
        alike.sort_unstable_by_key(|(session, message)| (*session, strings.get(*message)));
        let mut nth = 0;
        for (at, &(session, message)) in alike.iter().enumerate() {
            nth = if at > 0 && alike[at - 1].0 == session {
                nth + 1
            } else {
                0
            };
            places.push((related.root(session), nth, message, session));
        }
        places.sort_unstable_by_key(|(root, nth, message, _)| (*root, *nth, strings.get(*message)));
        for copies in places.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (_, _, message, session) = copies[0];
            for &(_, _, copy, _) in &copies[1..] {
                originals.insert(copy, (message, Some(session)));
            }
        }
    }
    originals
}

/// Groups related sessions: those that share a call or an equal message.
fn related(by_content: &Map<Content, Vec<(Sym, Sym)>>, calls: &[Call]) -> Sets {
    let mut sets = Sets::default();
    let mut session_of: Map<Sym, Sym> = Map::default();
    for call in calls {
        if let Some(session) = call.context.session {
            let first = *session_of.entry(call.id).or_insert(session);
            sets.unite(first, session);
        }
    }
    let mut shared: Map<(Sym, Sym), u32> = Map::default();
    for alike in by_content.values() {
        let mut sessions: Vec<Sym> = alike.iter().map(|(session, _)| *session).collect();
        sessions.sort_unstable();
        sessions.dedup();
        for pair in sessions.windows(2) {
            let count = shared.entry((pair[0], pair[1])).or_default();
            *count += 1;
            if *count > 1 {
                sets.unite(pair[0], pair[1]);
            }
        }
    }
    sets
}

/// Disjoint sets of sessions.
#[derive(Default)]
struct Sets {
    parents: Map<Sym, Sym>,
}

impl Sets {
    fn root(&mut self, session: Sym) -> Sym {
        let mut root = session;
        while let Some(&parent) = self.parents.get(&root) {
            root = parent;
        }
        if root != session {
            self.parents.insert(session, root);
        }
        root
    }

    fn unite(&mut self, one: Sym, other: Sym) {
        let (one, other) = (self.root(one), self.root(other));
        if one != other {
            let (root, child) = (one.min(other), one.max(other));
            self.parents.insert(child, root);
        }
    }
}
