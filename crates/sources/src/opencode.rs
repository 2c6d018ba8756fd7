//! OpenCode: an export is one JSON value (`{info, messages: [{info, parts}]}`); its storage folder holds the same
//! messages and parts in a file each, which meet again by their ids. A tool part holds call and result in one.

use model::{MicroUsd, Reason, Verdict};

use crate::{
    Agent, Options,
    facts::{Answer, Call, Context, FileFacts, Millis, Tokens, Usage},
    json::{Cursor, Malformed, Raw, Str},
    redact,
    tool_name::{self, ToolName},
};

/// Reads a whole export, or a file of the storage folder, into `facts`.
pub(crate) fn document(
    document: Cursor<'_>,
    options: &Options,
    facts: &mut FileFacts,
) -> Result<(), Malformed> {
    let (mut session, mut alone) = (Info::default(), Info::default());
    let mut messages: Vec<Message<'_>> = Vec::new();
    let mut part = Part::default();
    let mut cursor = document;
    cursor.object(|cursor, key| {
        match key {
            b"info" => session = Info::read(cursor)?,
            b"messages" => cursor.array(|cursor| {
                messages.push(Message::read(cursor)?);
                Ok(())
            })?,
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

    // What a call has in common with the others of its message; the part fills in the rest.
    let placeholder = facts.strings.intern("");
    let nothing = Call {
        id: placeholder,
        at: None,
        tool: placeholder,
        operation: None,
        context: Context::default(),
        model: None,
        group: None,
        task: None,
        waits_for_person: false,
        unreported: false,
    };
    let mut task = None;
    for message in &messages {
        let info = &message.info;
        if options.task_text && info.role == Some(Str(b"user")) {
            let prompt = message
                .parts
                .iter()
                .find_map(|part| part.text.and_then(redact::prompt));
            task = prompt.map(|prompt| facts.strings.intern(&prompt)).or(task);
        }
        let context = Context {
            session: facts.name(info.session.or(session.id)),
            cwd: facts.path(info.root.or(info.cwd).or(session.directory)),
            branch: None,
            version: facts.name(session.version),
            agent: Some(Agent::OpenCode),
        };
        let model = facts.name(info.model);
        let group = facts.name(info.id);
        info.usage(facts);
        for part in &message.parts {
            part.call(
                Call {
                    context,
                    model,
                    group,
                    task,
                    ..nothing
                },
                facts,
            );
        }
    }
    if messages.is_empty() {
        alone.usage(facts);
        let context = Context {
            session: facts.name(alone.session),
            agent: Some(Agent::OpenCode),
            ..Context::default()
        };
        let group = facts.name(part.message);
        part.call(
            Call {
                context,
                group,
                ..nothing
            },
            facts,
        );
    }
    Ok(())
}

/// `info` of an export or of a message.
#[derive(Default)]
struct Info<'a> {
    id: Option<Str<'a>>,
    session: Option<Str<'a>>,
    role: Option<Str<'a>>,
    model: Option<Str<'a>>,
    version: Option<Str<'a>>,
    directory: Option<Str<'a>>,
    cwd: Option<Str<'a>>,
    root: Option<Str<'a>>,
    created: Option<Millis>,
    tokens: Option<Tokens>,
    cost_usd: Option<f64>,
}

struct Message<'a> {
    info: Info<'a>,
    parts: Vec<Part<'a>>,
}

/// A part of a message.
#[derive(Default)]
struct Part<'a> {
    kind: Option<Str<'a>>,
    message: Option<Str<'a>>,
    call_id: Option<Str<'a>>,
    tool: Option<Str<'a>>,
    text: Option<Str<'a>>,
    status: Option<Str<'a>>,
    error: Option<Str<'a>>,
    input: Option<Raw<'a>>,
    exit_code: Option<f64>,
    start: Option<Millis>,
    end: Option<Millis>,
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
                    let mut part = Part::default();
                    cursor.object(|cursor, key| part.field(cursor, key))?;
                    message.parts.push(part);
                    Ok(())
                })?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        Ok(message)
    }
}

impl<'a> Info<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Info<'a>, Malformed> {
        let mut info = Info::default();
        cursor.object(|cursor, key| info.field(cursor, key))?;
        Ok(info)
    }

    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"id" => self.id = cursor.string()?,
            b"sessionID" => self.session = cursor.string()?,
            b"role" => self.role = cursor.string()?,
            b"modelID" => self.model = cursor.string()?,
            b"version" => self.version = cursor.string()?,
            b"directory" => self.directory = cursor.string()?,
            b"cost" => self.cost_usd = cursor.number()?,
            b"path" => cursor.object(|cursor, key| {
                match key {
                    b"cwd" => self.cwd = cursor.string()?,
                    // Outside a repository the root is `/`.
                    b"root" => self.root = cursor.string()?.filter(|root| root.0.len() > 1),
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"time" => cursor.object(|cursor, key| {
                match key {
                    b"created" => self.created = millis(cursor)?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"tokens" => self.tokens = Some(tokens(cursor)?),
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn usage(&self, facts: &mut FileFacts) {
        let (Some(group), Some(tokens)) = (facts.name(self.id), self.tokens) else {
            return;
        };
        let stated_cost = self
            .cost_usd
            .filter(|cost| *cost > 0.0)
            .and_then(MicroUsd::from_usd);
        let model = facts.name(self.model);
        facts.push_usage(Usage {
            model,
            at: self.created,
            tokens,
            stated_cost,
            ..Usage::of(group)
        });
    }
}

impl<'a> Part<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"type" => self.kind = cursor.string()?,
            b"messageID" => self.message = cursor.string()?,
            b"callID" => self.call_id = cursor.string()?,
            b"tool" => self.tool = cursor.string()?,
            b"text" => self.text = cursor.string()?,
            b"state" => cursor.object(|cursor, key| {
                match key {
                    b"status" => self.status = cursor.string()?,
                    b"error" => self.error = cursor.string()?,
                    b"input" => self.input = Some(cursor.raw()?),
                    b"metadata" => cursor.object(|cursor, key| {
                        match key {
                            b"exit" => self.exit_code = cursor.number()?,
                            _ => cursor.skip()?,
                        }
                        Ok(())
                    })?,
                    b"time" => cursor.object(|cursor, key| {
                        match key {
                            b"start" => self.start = millis(cursor)?,
                            b"end" => self.end = millis(cursor)?,
                            _ => cursor.skip()?,
                        }
                        Ok(())
                    })?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    /// Adds the call, if the part is one, and its result, if it has one.
    fn call(&self, call: Call, facts: &mut FileFacts) {
        if self.kind != Some(Str(b"tool")) {
            return;
        }
        let Some(id) = facts.call_id(self.call_id) else {
            return;
        };
        let name = self.tool.map(Str::text).unwrap_or_default();
        let named = match &*name {
            "skill" => tool_name::field(self.input, b"name").map(|skill| ToolName::skill(&skill)),
            "task" => tool_name::field(self.input, b"subagent_type").map(|agent| ToolName::agent(&agent)),
            name => ToolName::mcp_prefixed(name),
        };
        let (tool, operation) = facts.tool(&named.unwrap_or_else(|| ToolName::builtin(&name)));
        let waits_for_person = tool_name::waits_for_person(&name);
        facts.calls.push(Call {
            id,
            at: self.start,
            tool,
            operation,
            waits_for_person,
            ..call
        });
        if let Some(verdict) = self.verdict() {
            facts.answers.push(Answer {
                id,
                at: self.end,
                verdict,
                duration_ms: None,
                goes_on: false,
            });
        }
    }

    fn verdict(&self) -> Option<Verdict> {
        let error = self.error.map(|error| error.head(512)).unwrap_or_default();
        Some(match self.status?.0 {
            b"completed" if self.exit_code.is_some_and(|code| code != 0.0) => Verdict::because(Reason::Error),
            b"completed" => Verdict::SUCCESS,
            b"error" if error.contains("user rejected") || error.contains("user dismissed") => {
                Verdict::because(Reason::Rejected)
            }
            b"error" if error.contains("specified a rule which prevents you") => {
                Verdict::because(Reason::Denied)
            }
            b"error" if error.contains("aborted") => Verdict::because(Reason::Interrupted),
            b"error" => Verdict::because(Reason::Error),
            _ => return None,
        })
    }
}

/// Milliseconds since 1970, as a number.
fn millis(cursor: &mut Cursor<'_>) -> Result<Option<Millis>, Malformed> {
    let millis = cursor.number()?;
    // Beyond the year 9999 it is no time.
    #[expect(clippy::cast_possible_truncation, reason = "checked against the bounds")]
    Ok(millis
        .filter(|ms| (0.0..253_402_300_800_000.0).contains(ms))
        .map(|ms| ms as i64))
}

fn tokens(cursor: &mut Cursor<'_>) -> Result<Tokens, Malformed> {
    let (mut tokens, mut reasoning) = (Tokens::default(), 0);
    cursor.object(|cursor, key| {
        match key {
            b"input" => tokens.input = cursor.count()?.unwrap_or(0),
            b"output" => tokens.output = cursor.count()?.unwrap_or(0),
            b"reasoning" => reasoning = cursor.count()?.unwrap_or(0),
            b"cache" => cursor.object(|cursor, key| {
                match key {
                    b"read" => tokens.cache_read = cursor.count()?.unwrap_or(0),
                    b"write" => tokens.cache_write_5m = cursor.count()?.unwrap_or(0),
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    tokens.output = tokens.output.saturating_add(reasoning);
    Ok(tokens)
}
