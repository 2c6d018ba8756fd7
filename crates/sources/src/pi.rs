//! pi: a header with session and directory, then the entries of a tree, one per line. Abandoned branches stay in the
//! file and forks copy entries unchanged: a call counts once, and its cost is that of its message.
//!
//! Format: `packages/coding-agent/docs/session.md`, `packages/coding-agent/src/core/{session-manager,agent-session}.ts`
//! and `packages/agent/src/agent-loop.ts` (what a failed call says) of badlogic/pi-mono. Sessions of versions 1 to 3.

use model::{CallResult, MicroUsd, Reason};

use crate::{
    Agent, Options,
    call_ids::CallIds,
    facts::{Answer, Call, Command, Context, FileFacts, Millis, Tokens, Usage},
    json::{Cursor, Malformed, Raw, Str},
    problem::ProblemCode,
    redact,
    strings::Sym,
    time,
    tool_name::{self, ToolName},
};

/// Prefix of a prompt that loads a skill, up to the skill's name.
const SKILL: &str = "<skill name=\"";

/// Length of the beginning of a prompt that is searched for the name of a skill, in bytes.
const SKILL_BYTES: usize = 1_024;

/// Reads the entries of one session, in order.
#[derive(Debug)]
pub(crate) struct Reader {
    task_text: bool,
    session: Option<Sym>,
    cwd: Option<Sym>,
    task: Option<Sym>,
    ids: CallIds,
}

impl Reader {
    pub(crate) fn new(options: &Options) -> Reader {
        Reader {
            task_text: options.task_text,
            session: None,
            cwd: None,
            task: None,
            ids: CallIds::default(),
        }
    }

    pub(crate) fn line(&mut self, line: Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        let mut entry = Entry::default();
        let mut cursor = line;
        cursor.object(|cursor, key| entry.field(cursor, key))?;
        cursor.end()?;
        let message = &entry.message;
        match (bytes(entry.kind), bytes(message.role)) {
            (b"session", _) => {
                self.session = facts.name(entry.id).or(self.session);
                self.cwd = facts.path(entry.cwd).or(self.cwd);
            }
            (b"message", b"user") => self.prompt(&entry, facts),
            (b"message", b"assistant") => self.response(&entry, facts),
            (b"message", b"toolResult") => self.result(&entry, facts),
            _ => facts.ignore(entry.kind, message.role),
        }
        Ok(())
    }

    fn context(&self) -> Context {
        Context {
            session: self.session,
            cwd: self.cwd,
            branch: None,
            version: None,
            agent: Some(Agent::Pi),
        }
    }

    fn prompt(&mut self, entry: &Entry<'_>, facts: &mut FileFacts) {
        let Some(text) = entry.message.text else { return };
        if self.task_text
            && let Some(prompt) = redact::prompt(text)
        {
            self.task = Some(facts.strings.intern(&prompt));
        }
        let head = text.head(SKILL_BYTES);
        let skill = head
            .strip_prefix(SKILL)
            .and_then(|rest| rest.split_once("\" location=\""));
        if let Some((skill, _)) = skill
            && let Some(key) = entry.key(facts)
        {
            let id = format!("{}/skill", facts.strings.get(key));
            let id = facts.strings.intern(&id);
            let (skill, _) = facts.tool(&ToolName::skill(skill));
            facts.commands.push(Command {
                id,
                at: entry.at(),
                context: self.context(),
                command: None,
                skill,
            });
            facts.skill_texts.push(id);
        }
    }

    fn response(&mut self, entry: &Entry<'_>, facts: &mut FileFacts) {
        let (model, group) = (facts.name(entry.message.model), entry.key(facts));
        let at = entry.at();
        if let (Some(group), Some((tokens, stated_cost))) = (group, entry.message.usage) {
            facts.push_usage(Usage {
                model,
                at,
                tokens,
                stated_cost,
                context: self.context(),
                ..Usage::of(group)
            });
        }
        for call in &entry.message.calls {
            let name = call.name.map(Str::text).unwrap_or_default();
            let Some(id) = self.ids.of_call(call.id, &name, group, facts) else {
                continue;
            };
            let (tool, operation) = facts.tool(&call.tool(&name));
            facts.calls.push(Call {
                id,
                at,
                tool,
                operation,
                context: self.context(),
                model,
                group,
                task: self.task,
                waits_for_person: tool_name::waits_for_person(&name),
                unreported: false,
            });
        }
    }

    fn result(&self, entry: &Entry<'_>, facts: &mut FileFacts) {
        let Some(id) = self.ids.of_answer(entry.message.call_id, facts) else {
            return;
        };
        let verdict = match entry.message.is_error {
            Some(false) => CallResult::SUCCESS,
            Some(true) => CallResult::because(entry.message.reason()),
            None => {
                facts.problem(
                    ProblemCode::UnclassifiedError,
                    "a result does not say whether it is an error",
                );
                CallResult::UNKNOWN
            }
        };
        facts.answers.push(Answer {
            id,
            at: entry.at(),
            verdict,
            duration_ms: None,
            goes_on: false,
        });
    }
}

#[derive(Default)]
struct Entry<'a> {
    kind: Option<Str<'a>>,
    id: Option<Str<'a>>,
    timestamp: Option<Str<'a>>,
    cwd: Option<Str<'a>>,
    message: Message<'a>,
}

#[derive(Default)]
struct Message<'a> {
    role: Option<Str<'a>>,
    model: Option<Str<'a>>,
    /// When the message began, in milliseconds.
    began: Option<u64>,
    call_id: Option<Str<'a>>,
    tool_name: Option<Str<'a>>,
    is_error: Option<bool>,
    /// The first text.
    text: Option<Str<'a>>,
    calls: Vec<ToolCall<'a>>,
    usage: Option<(Tokens, Option<MicroUsd>)>,
}

#[derive(Default)]
struct ToolCall<'a> {
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    arguments: Option<Raw<'a>>,
}

impl<'a> Entry<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"type" => self.kind = cursor.string()?,
            b"id" => self.id = cursor.string()?,
            b"timestamp" => self.timestamp = cursor.string()?,
            b"cwd" => self.cwd = cursor.string()?,
            b"message" => cursor.object(|cursor, key| self.message.field(cursor, key))?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    /// When the entry was written, which is when its message was complete.
    fn at(&self) -> Option<Millis> {
        let began = || i64::try_from(self.message.began?).ok();
        time::parse(self.timestamp).or_else(began)
    }

    /// Identifies all copies of a message. Its `id` does not: it is short, unique only within a session, and replaced
    /// when an old file is converted to a newer version; the times do not change.
    fn key(&self, facts: &mut FileFacts) -> Option<Sym> {
        let id = self.id.map(Str::text).unwrap_or_default();
        match (self.at(), self.message.began) {
            (Some(at), Some(began)) => facts.clean_name(&format!("pi:{began}:{at}")),
            (Some(at), None) => facts.clean_name(&format!("pi:{at}:{}", cut(&id))),
            _ => facts.name(self.id),
        }
    }
}

impl<'a> Message<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"role" => self.role = cursor.string()?,
            b"model" => self.model = cursor.string()?,
            b"timestamp" => self.began = cursor.count()?,
            b"toolCallId" => self.call_id = cursor.string()?,
            b"toolName" => self.tool_name = cursor.string()?,
            b"isError" => self.is_error = cursor.boolean()?,
            b"usage" => self.usage = usage(cursor)?,
            b"content" => {
                if cursor.peek()? == b'"' {
                    self.text = cursor.string()?;
                    return Ok(());
                }
                cursor.array(|cursor| self.block(cursor))?;
            }
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn block(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        let (mut kind, mut text, mut call) = (None, None, ToolCall::default());
        cursor.object(|cursor, key| {
            match key {
                b"type" => kind = cursor.string()?,
                b"text" => text = cursor.string()?,
                b"id" => call.id = cursor.string()?,
                b"name" => call.name = cursor.string()?,
                b"arguments" => call.arguments = Some(cursor.raw()?),
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        match bytes(kind) {
            b"text" => self.text = self.text.or(text),
            b"toolCall" => self.calls.push(call),
            _ => {}
        }
        Ok(())
    }

    /// The reason of a failure, by the program's own message at its fixed position. The message of an extension that
    /// blocks calls is defined by the extension, so it counts as an error.
    fn reason(&self) -> Reason {
        let Some(text) = self.text else {
            return Reason::Error;
        };
        let name = self.tool_name.map(Str::text).unwrap_or_default();
        let head = text.head(SKILL_BYTES);
        if head == format!("Tool {name} not found") {
            Reason::UnknownTool
        } else if head.starts_with("Validation failed for tool \"") {
            Reason::InvalidInput
        } else if head == "Tool execution was blocked" {
            Reason::Denied
        } else if head.starts_with("Skipped due to queued user message") {
            Reason::Cancelled
        } else if head == "Operation aborted" || name == "bash" && text.0.ends_with(b"Command aborted") {
            // The output of the shell comes first.
            Reason::Interrupted
        } else {
            Reason::Error
        }
    }
}

impl ToolCall<'_> {
    fn tool(&self, name: &str) -> ToolName {
        let subagent = (name == "subagent")
            .then(|| tool_name::field(self.arguments, b"agent"))
            .flatten();
        match subagent {
            Some(agent) => ToolName::agent(&agent),
            None => ToolName::mcp_prefixed(name).unwrap_or_else(|| ToolName::builtin(name)),
        }
    }
}

/// Input excludes tokens read from and written to the cache.
fn usage(cursor: &mut Cursor<'_>) -> Result<Option<(Tokens, Option<MicroUsd>)>, Malformed> {
    if cursor.peek()? != b'{' {
        cursor.skip()?;
        return Ok(None);
    }
    let (mut tokens, mut cost) = (Tokens::default(), None);
    cursor.object(|cursor, key| {
        match key {
            b"input" => tokens.input = cursor.count()?.unwrap_or(0),
            b"output" => tokens.output = cursor.count()?.unwrap_or(0),
            b"cacheRead" => tokens.cache_read = cursor.count()?.unwrap_or(0),
            b"cacheWrite" => tokens.cache_write_5m = cursor.count()?.unwrap_or(0),
            b"cost" => cursor.object(|cursor, key| {
                if key == b"total" {
                    cost = cursor.number()?.and_then(MicroUsd::from_usd);
                    return Ok(());
                }
                cursor.skip()
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    // A response that was cut off before the provider reported its usage has zero for every count.
    Ok((tokens != Tokens::default()).then_some((tokens, cost)))
}

fn bytes<'a>(text: Option<Str<'a>>) -> &'a [u8] {
    text.map_or(&b""[..], |text| text.0)
}

/// The beginning of an id, to keep the key short.
fn cut(id: &str) -> &str {
    id.char_indices().nth(40).map_or(id, |(at, _)| &id[..at])
}
