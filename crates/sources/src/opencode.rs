//! OpenCode: an export is one JSON value (`{info, messages: [{info, parts}]}`); its storage folder holds the same
//! sessions, messages and parts in a file each; its database holds them in a row each. They meet by their ids.

mod database;
mod part;
mod record;
mod session_message;

pub use database::DatabaseReader;

use part::{Counted, Part};
use record::Info;

use crate::{
    Options,
    facts::{FileFacts, Frame},
    json::{Cursor, Malformed},
    redact,
};

/// Reads a whole export, or a file of the storage folder, into `facts`.
pub(crate) fn document(
    document: Cursor<'_>,
    options: &Options,
    facts: &mut FileFacts,
) -> Result<(), Malformed> {
    let (mut session, mut alone) = (Info::default(), Info::default());
    let mut messages: Option<Vec<Message<'_>>> = None;
    let mut part = Part::default();
    let mut cursor = document;
    cursor.object(|cursor, key| {
        match key {
            b"info" => session = Info::read(cursor)?,
            // A line of what `opencode run --format json` prints.
            b"part" => part = Part::read(cursor)?,
            b"messages" => {
                let messages = messages.get_or_insert_default();
                cursor.array(|cursor| {
                    messages.push(Message::read(cursor)?);
                    Ok(())
                })?;
            }
            _ => {
                // A file of the storage folder: a message, a part or a session by itself.
                let value = cursor.raw()?;
                alone.field(&mut value.cursor(), key)?;
                part.field(&mut value.cursor(), key)?;
            }
        }
        Ok(())
    })?;
    cursor.end()?;
    match messages {
        Some(messages) => export(&session, &messages, options, facts),
        None => stored(&alone, &part, facts),
    }
    Ok(())
}

fn export(session: &Info<'_>, messages: &[Message<'_>], options: &Options, facts: &mut FileFacts) {
    let session = session.session(facts);
    let mut counted = Counted::default();
    let mut task = None;
    for Message { info, parts } in messages {
        if options.task_text && info.is_prompt() {
            let prompt = parts.iter().find_map(|part| part.text.and_then(redact::prompt));
            task = prompt.map(|prompt| facts.strings.intern(&prompt)).or(task);
        }
        let frame = info.message(&session, task, facts);
        info.usage(session.session, facts);
        if !info.is_prompt() {
            facts.frames.push(frame);
        }
        for part in parts {
            part.call(&frame, &mut counted, facts);
        }
    }
}

/// A file of the storage folder. Values that a part lacks are in the files of its message and its session.
fn stored(info: &Info<'_>, part: &Part<'_>, facts: &mut FileFacts) {
    if part.is_part() {
        let frame = Frame {
            message: facts.name(part.message),
            session: facts.name(part.session),
            ..Frame::default()
        };
        part.call(&frame, &mut Counted::default(), facts);
    } else if info.session.is_some() {
        if !info.is_prompt() {
            let session = facts.name(info.session);
            info.usage(session, facts);
            let frame = info.message(&crate::facts::Context::default(), None, facts);
            facts.frames.push(frame);
        }
    } else {
        let session = info.session(facts);
        facts.frames.push(Frame {
            session: session.session,
            cwd: session.cwd,
            version: session.version,
            ..Frame::default()
        });
    }
}

struct Message<'a> {
    info: Info<'a>,
    parts: Vec<Part<'a>>,
}

impl<'a> Message<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Message<'a>, Malformed> {
        let mut message = Message {
            info: Info::default(),
            parts: Vec::new(),
        };
        cursor.object(|cursor, key| {
            match key {
                b"info" => message.info = Info::read(cursor)?,
                b"parts" => cursor.array(|cursor| {
                    message.parts.push(Part::read(cursor)?);
                    Ok(())
                })?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        Ok(message)
    }
}
