//! Rows of OpenCode's database. The caller that opened it passes the rows: all sessions, then all messages, then all
//! parts, then the messages of the newest table, which holds those of newer sessions. `data` of a message and of a part is
//! the JSON of an export without its ids, which are columns; a message of the newest table holds its parts.

use std::collections::HashMap;

use super::{
    part::{Counted, Part},
    record::Info,
    session_message::SessionMessage,
};
use crate::{
    Agent, Options,
    facts::{Context, FileFacts, Frame},
    json::{Index, Malformed, Str},
    problem::ProblemCode,
    redact,
    strings::Sym,
};

/// Converts the rows of one database to facts. Keeps the state of each session and message beside the facts, never a
/// row.
#[derive(Debug)]
pub struct DatabaseReader {
    facts: FileFacts,
    options: Options,
    index: Index,
    sessions: HashMap<Sym, Context>,
    messages: HashMap<Sym, Known>,
    /// The person's request, by message.
    prompts: HashMap<Sym, Sym>,
    /// The prompts that the calls answer, in the order of the calls; only where the task text is wanted.
    asked: Vec<Option<Sym>>,
    /// The person's last message of a session, in the newest table.
    last_prompts: HashMap<Sym, Sym>,
    counted: Counted,
}

/// The state of a message.
#[derive(Debug)]
enum Known {
    Prompt,
    Response { frame: Frame, prompt: Option<Sym> },
}

impl DatabaseReader {
    /// A reader for one database. `file` names it in problems.
    pub fn new(file: &str, options: &Options) -> DatabaseReader {
        let mut facts = FileFacts::new(file);
        facts.agent = Some(Agent::OpenCode);
        DatabaseReader {
            facts,
            options: *options,
            index: Index::default(),
            sessions: HashMap::new(),
            messages: HashMap::new(),
            prompts: HashMap::new(),
            asked: Vec::new(),
            last_prompts: HashMap::new(),
            counted: Counted::default(),
        }
    }

    /// A row of `session`.
    pub fn session(&mut self, id: &str, directory: Option<&str>, version: Option<&str>) {
        self.facts.lines += 1;
        let Some(session) = self.facts.clean_name(id) else {
            return;
        };
        let context = Context {
            session: Some(session),
            cwd: directory.and_then(|directory| self.facts.clean_name(directory)),
            version: version.and_then(|version| self.facts.clean_name(version)),
            branch: None,
            agent: Some(Agent::OpenCode),
        };
        self.sessions.insert(session, context);
    }

    /// A row of `message`.
    pub fn message(&mut self, id: &str, session: &str, data: &[u8]) {
        self.row(data);
        let Some(message) = self.facts.clean_name(id) else {
            return;
        };
        let session = self.facts.clean_name(session);
        let context = session
            .and_then(|session| self.sessions.get(&session).copied())
            .unwrap_or(Context {
                session,
                ..Context::default()
            });
        let mut cursor = self.index.of(data);
        let read = Info::read(&mut cursor).and_then(|info| cursor.end().map(|()| info));
        let read = read.map(|mut info| {
            // The ids are columns. They contain nothing that JSON would escape.
            info.id = Some(Str(id.as_bytes()));
            if info.is_prompt() {
                return Known::Prompt;
            }
            let prompt = self.facts.name(info.parent);
            info.usage(session, &mut self.facts);
            let frame = info.message(&context, None, &mut self.facts);
            self.facts.frames.push(frame);
            Known::Response { frame, prompt }
        });
        match read {
            Ok(known) => {
                self.messages.insert(message, known);
            }
            Err(malformed) => self.malformed("message", id, malformed),
        }
    }

    /// A row of `part`.
    pub fn part(&mut self, id: &str, message: &str, session: &str, data: &[u8]) {
        self.row(data);
        let message = self.facts.clean_name(message);
        let known = message.and_then(|message| self.messages.get(&message));
        let mut cursor = self.index.of(data);
        match Part::read(&mut cursor).and_then(|part| cursor.end().map(|()| part)) {
            Ok(part) if part.is_call() => {
                let (frame, prompt) = match known {
                    Some(Known::Response { frame, prompt }) => (*frame, *prompt),
                    Some(Known::Prompt) | None => {
                        let session = self.facts.clean_name(session);
                        let context = session.and_then(|session| self.sessions.get(&session));
                        let frame = Frame {
                            message,
                            session,
                            cwd: context.and_then(|context| context.cwd),
                            version: context.and_then(|context| context.version),
                            ..Frame::default()
                        };
                        (frame, message)
                    }
                };
                if part.call(&frame, &mut self.counted, &mut self.facts) && self.options.task_text {
                    self.asked.push(prompt);
                }
            }
            Ok(part) => {
                if self.options.task_text
                    && matches!(known, Some(Known::Prompt))
                    && let Some(message) = message
                    && let Some(prompt) = part.text.and_then(redact::prompt)
                {
                    let prompt = self.facts.strings.intern(&prompt);
                    self.prompts.entry(message).or_insert(prompt);
                }
            }
            Err(malformed) => self.malformed("part", id, malformed),
        }
    }

    /// A row of `session_message`: the rows of a session in order, of the types `user` and `assistant`.
    pub fn session_message(&mut self, id: &str, session: &str, kind: &str, data: &[u8]) {
        self.row(data);
        let Some(message) = self.facts.clean_name(id) else {
            return;
        };
        let session = self.facts.clean_name(session);
        let context = session
            .and_then(|session| self.sessions.get(&session).copied())
            .unwrap_or(Context {
                session,
                ..Context::default()
            });
        let mut cursor = self.index.of(data);
        let read = SessionMessage::read(&mut cursor).and_then(|row| cursor.end().map(|()| row));
        let mut row = match read {
            Ok(row) => row,
            Err(malformed) => return self.malformed("session_message", id, malformed),
        };
        match kind {
            "user" => {
                if let Some(session) = session {
                    self.last_prompts.insert(session, message);
                }
                if self.options.task_text
                    && let Some(prompt) = row.text.and_then(redact::prompt)
                {
                    let prompt = self.facts.strings.intern(&prompt);
                    self.prompts.insert(message, prompt);
                }
            }
            "assistant" => {
                row.info.id = Some(Str(id.as_bytes()));
                row.info.usage(session, &mut self.facts);
                let frame = row.info.message(&context, None, &mut self.facts);
                self.facts.frames.push(frame);
                let prompt = session.and_then(|session| self.last_prompts.get(&session).copied());
                for part in &row.content {
                    if part.call(&frame, &mut self.counted, &mut self.facts) && self.options.task_text {
                        self.asked.push(prompt);
                    }
                }
            }
            _ => {}
        }
    }

    /// A row of more than [`crate::LINE_BYTES`], which was not read.
    pub fn too_large(&mut self, table: &str, id: &str) {
        self.facts.lines += 1;
        let detail = format!("the row {id} of {table} is too long; it was skipped");
        self.facts.problem(ProblemCode::TooLarge, detail);
    }

    /// The facts of the whole database.
    pub fn finish(mut self) -> FileFacts {
        for (call, prompt) in self.facts.calls.iter_mut().zip(&self.asked) {
            call.task = prompt.and_then(|prompt| self.prompts.get(&prompt).copied());
        }
        self.facts.shrink();
        self.facts
    }

    fn row(&mut self, data: &[u8]) {
        self.facts.lines += 1;
        self.facts.bytes += data.len() as u64;
    }

    fn malformed(&mut self, table: &str, id: &str, malformed: Malformed) {
        let what = match malformed {
            Malformed::Incomplete => "ends in the middle".to_owned(),
            Malformed::Syntax(at) | Malformed::Trailing(at) => format!("is not JSON at byte {}", at + 1),
        };
        let detail = format!("the row {id} of {table} {what}; it was skipped");
        self.facts.problem(ProblemCode::InvalidJson, detail);
    }
}
