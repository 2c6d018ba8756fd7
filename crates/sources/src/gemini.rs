//! Gemini CLI. A chat was one pretty-printed JSON value, `{sessionId, projectHash, messages}`; since April 2026 it is
//! lines: such a header without messages, then a message a line. A message is written again under its id as it grows,
//! `{"$set": …}` changes the header or lists the messages anew, `{"$rewindTo": id}` takes messages out of the
//! conversation: their calls were made all the same.
//!
//! A call's timestamp is that of its record; its duration is not in the log. The project's path is in a file next to
//! the chats, so the caller provides it; the log contains only a hash.

mod message;
pub(crate) mod outcome;

use std::collections::HashMap;

pub(crate) use message::Response;
use message::{Message, ToolCall};

use crate::{
    Agent, Options,
    facts::{Answer, Call, Context, FileFacts, Usage},
    json::{Cursor, Malformed, Str},
    problem::ProblemCode,
    redact,
    strings::Sym,
    time,
};
use model::{CallResult, Reason};

/// Reads the records of one chat, in order.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    task_text: bool,
    session: Option<Sym>,
    /// The working directory that the caller knows.
    known_cwd: Option<Sym>,
    /// The working directory that the header names.
    cwd: Option<Sym>,
    task: Option<Sym>,
    /// The place of a call's facts: a message that is written again replaces them.
    places: HashMap<Sym, Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    call: usize,
    answer: Option<usize>,
}

impl Reader {
    /// A reader for one chat in the project directory `cwd`, if that is known.
    pub(crate) fn new(options: &Options, cwd: Option<Sym>) -> Reader {
        Reader {
            task_text: options.task_text,
            known_cwd: cwd,
            ..Reader::default()
        }
    }

    /// Reads a line, or a whole chat of the old form.
    pub(crate) fn record(&mut self, record: Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        let mut header = Header::default();
        let mut message = Message::default();
        let mut is_message = false;
        let mut cursor = record;
        cursor.object(|cursor, key| {
            match key {
                b"$set" => cursor.object(|cursor, key| header.field(cursor, key))?,
                b"$rewindTo" => cursor.skip()?,
                b"sessionId" | b"messages" | b"directories" => header.field(cursor, key)?,
                b"id" => {
                    is_message = true;
                    message.field(cursor, key)?;
                }
                _ => message.field(cursor, key)?,
            }
            Ok(())
        })?;
        cursor.end()?;
        self.session = facts.name(header.session).or(self.session);
        self.cwd = facts.path(header.directory).or(self.cwd);
        for message in &header.messages {
            self.message(message, facts);
        }
        if is_message {
            self.message(&message, facts);
        } else if header.is_empty() {
            facts.ignore(message.kind, None);
        }
        Ok(())
    }

    fn message(&mut self, message: &Message<'_>, facts: &mut FileFacts) {
        if self.task_text && message.kind == Some(Str(b"user")) {
            let prompt = message.content.and_then(redact::prompt);
            self.task = prompt.map(|prompt| facts.strings.intern(&prompt)).or(self.task);
        }
        let model = facts.name(message.model);
        let group = facts.name(message.id);
        let at = time::parse(message.timestamp);
        let context = Context {
            session: self.session,
            cwd: self.known_cwd.or(self.cwd),
            branch: None,
            version: None,
            agent: Some(Agent::GeminiCli),
        };
        if let (Some(group), Some(tokens)) = (group, message.tokens) {
            facts.push_usage(Usage {
                model,
                at,
                tokens,
                context,
                ..Usage::of(group)
            });
        }
        for call in &message.calls {
            let Some(id) = facts.call_id(call.id) else {
                continue;
            };
            let id = call.uuid(id, group, facts);
            let (tool, operation) = call.tool(facts);
            let record = Call {
                id,
                at: time::parse(call.timestamp).or(at),
                tool,
                operation,
                context,
                model,
                group,
                task: self.task,
                waits_for_person: call.waits_for_person(),
                unreported: false,
            };
            self.add(record, call, facts);
        }
    }

    /// Adds a call and its result, or replaces the facts from an earlier record of it.
    fn add(&mut self, record: Call, call: &ToolCall<'_>, facts: &mut FileFacts) {
        let (verdict, is_known) = call.told().verdict();
        let id = record.id;
        let place = match self.places.get(&id) {
            Some(&place) => {
                let kept = &mut facts.calls[place.call];
                *kept = Call {
                    at: kept.at.or(record.at),
                    group: kept.group.or(record.group),
                    model: kept.model.or(record.model),
                    task: kept.task,
                    ..record
                };
                place
            }
            None => {
                facts.calls.push(record);
                if !is_known {
                    let detail = format!(
                        "a call of {} ended in a way that is not known",
                        facts.strings.get(record.tool)
                    );
                    facts.problem(ProblemCode::UnclassifiedError, detail);
                }
                Place {
                    call: facts.calls.len() - 1,
                    answer: None,
                }
            }
        };
        let answer = match (verdict, place.answer) {
            (None, answer) => answer,
            (Some(verdict), None) => {
                facts.answers.push(Answer {
                    id,
                    at: None,
                    verdict,
                    duration_ms: None,
                    goes_on: false,
                });
                Some(facts.answers.len() - 1)
            }
            (Some(verdict), Some(at)) => {
                // Long results are masked later, which also removes the exit code in them.
                let kept = &mut facts.answers[at].verdict;
                let was_exit_code =
                    *kept == CallResult::because(Reason::Error) && verdict == CallResult::SUCCESS;
                if !was_exit_code {
                    *kept = verdict;
                }
                Some(at)
            }
        };
        self.places.insert(id, Place { answer, ..place });
    }
}

/// The fields of the first line, of a `$set`, or of a whole chat.
#[derive(Default)]
struct Header<'a> {
    session: Option<Str<'a>>,
    directory: Option<Str<'a>>,
    messages: Vec<Message<'a>>,
    has_others: bool,
}

impl<'a> Header<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"sessionId" => self.session = cursor.string()?,
            b"directories" => cursor.array(|cursor| {
                let directory = cursor.string()?;
                self.directory = self.directory.or(directory);
                Ok(())
            })?,
            b"messages" => {
                self.has_others = true;
                cursor.array(|cursor| {
                    self.messages.push(Message::read(cursor)?);
                    Ok(())
                })?;
            }
            _ => {
                self.has_others = true;
                cursor.skip()?;
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.session.is_none() && self.directory.is_none() && !self.has_others
    }
}
