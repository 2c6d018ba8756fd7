//! Amp: `threads/T-<id>.json`, the whole thread as one object. A call is a `tool_use` of a response; its result is in the
//! next message, with the state of its run. Results have no time, so calls have no duration.
//!
//! The program is closed. Public readers agree on the format: ryoppippi/ccusage, `adapter/amp/parser.rs` (tokens);
//! jonathan-kellerai/cross_agent_session_resumer, `src/providers/amp.rs`; m-rk/agentmux, `transcript` (states of runs, which
//! the program's own client also tells).

use std::collections::HashMap;

use model::{CallResult, Reason};

use crate::{
    Agent, Options,
    call_ids::CallIds,
    facts::{Answer, Call, Context, FileFacts, Millis, Tokens, Usage},
    json::{Cursor, Malformed, Raw, Str},
    problem::ProblemCode,
    redact,
    strings::Sym,
    time,
    tool_name::{self, ToolName},
};

/// Parts of an error message that may indicate a refusal. The program's own messages are not known.
const REFUSALS: [&str; 5] = ["declin", "denied", "not allowed", "not permitted", "reject"];

/// Reads a thread.
pub(crate) fn document(
    document: Cursor<'_>,
    options: &Options,
    facts: &mut FileFacts,
) -> Result<(), Malformed> {
    let mut thread = Thread::default();
    let mut cursor = document;
    cursor.object(|cursor, key| thread.field(cursor, key))?;
    cursor.end()?;
    let mut reader = Reader {
        task_text: options.task_text,
        context: Context {
            session: facts.name(thread.id),
            cwd: thread.directory(facts),
            branch: thread.branch(facts),
            version: facts.name(thread.version),
            agent: Some(Agent::Amp),
        },
        at: thread.created,
        model: None,
        task: None,
        ids: CallIds::default(),
        is_open: HashMap::new(),
    };
    for (position, message) in thread.messages.iter().enumerate() {
        match message.role.map_or(&b""[..], |role| role.0) {
            b"assistant" => reader.response(message, position, facts),
            b"user" => reader.prompt(message, facts),
            _ => facts.ignore(message.role, None),
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Reader {
    task_text: bool,
    context: Context,
    /// The time of the last message that has one.
    at: Option<Millis>,
    model: Option<Sym>,
    task: Option<Sym>,
    ids: CallIds,
    /// Calls without a result: a run may be written several times, the last one of which ended.
    is_open: HashMap<Sym, bool>,
}

impl Reader {
    fn response(&mut self, message: &Message<'_>, position: usize, facts: &mut FileFacts) {
        self.at = message.at().or(self.at);
        self.model = facts.name(message.model).or(self.model);
        let group = self.key(message, position, facts);
        if let Some(group) = group
            && message.tokens != Tokens::default()
        {
            facts.push_usage(Usage {
                model: self.model,
                at: self.at,
                tokens: message.tokens,
                context: self.context,
                ..Usage::of(group)
            });
        }
        for block in &message.blocks {
            if block.kind != Some(Str(b"tool_use")) {
                continue;
            }
            let name = block.name.map(Str::text).unwrap_or_default();
            let Some(id) = self.ids.of_call(block.id, &name, group, facts) else {
                continue;
            };
            self.is_open.insert(id, true);
            let (tool, operation) = facts.tool(&tool(&name, block.input));
            facts.calls.push(Call {
                id,
                at: self.at,
                tool,
                operation,
                context: self.context,
                model: self.model,
                group,
                task: self.task,
                waits_for_person: false,
                unreported: false,
            });
        }
    }

    /// The name of a response. A thread that continues another one has copies of its messages.
    fn key(&self, message: &Message<'_>, position: usize, facts: &mut FileFacts) -> Option<Sym> {
        let call = message
            .blocks
            .iter()
            .find(|block| block.kind == Some(Str(b"tool_use")));
        let first = call.and_then(|block| block.id).map(|id| id.head(60).into_owned());
        let thread = self
            .context
            .session
            .map_or("", |thread| facts.strings.get(thread));
        let key = match (first, message.at()) {
            (Some(first), Some(at)) => format!("amp:{at}:{first}"),
            _ => format!("amp:{thread}:{}", message.id.unwrap_or(position as u64)),
        };
        facts.clean_name(&key)
    }

    fn prompt(&mut self, message: &Message<'_>, facts: &mut FileFacts) {
        self.at = message.sent.or(self.at);
        for block in &message.blocks {
            match block.kind.map_or(&b""[..], |kind| kind.0) {
                b"tool_result" => self.result(block, facts),
                b"text" if self.task_text => {
                    let prompt = block.text.and_then(redact::prompt);
                    self.task = prompt.map(|prompt| facts.strings.intern(&prompt)).or(self.task);
                }
                _ => {}
            }
        }
    }

    fn result(&mut self, block: &Block<'_>, facts: &mut FileFacts) {
        let Some(id) = self.ids.of_answer(block.answers, facts) else {
            return;
        };
        let verdict = match block.run.status.map_or(&b""[..], |status| status.0) {
            b"done" if block.run.has_failed => CallResult::because(Reason::Error),
            b"done" => CallResult::SUCCESS,
            b"error" => {
                let head = block.run.error.map(|text| text.head(400).to_ascii_lowercase());
                if head.is_some_and(|head| REFUSALS.iter().any(|word| head.contains(word))) {
                    facts.problem(
                        ProblemCode::UnclassifiedError,
                        "an error that may be a person's or a rule's refusal",
                    );
                }
                CallResult::because(Reason::Error)
            }
            b"rejected-by-user" => CallResult::because(Reason::Rejected),
            b"cancelled" => CallResult::because(Reason::Cancelled),
            // It had not ended when the thread was written.
            b"in-progress" | b"queued" | b"blocked-on-user" | b"" => return,
            _ => {
                facts.problem(
                    ProblemCode::UnclassifiedError,
                    "a call ended in a way that is not known",
                );
                CallResult::UNKNOWN
            }
        };
        if self.is_open.insert(id, false) == Some(false) {
            return;
        }
        facts.answers.push(Answer {
            id,
            at: None,
            verdict,
            duration_ms: None,
            goes_on: false,
        });
    }
}

#[derive(Default)]
struct Thread<'a> {
    id: Option<Str<'a>>,
    created: Option<Millis>,
    messages: Vec<Message<'a>>,
    cwd: Option<Str<'a>>,
    /// The address of the first folder.
    tree: Option<Str<'a>>,
    reference: Option<Str<'a>>,
    version: Option<Str<'a>>,
}

#[derive(Default)]
struct Message<'a> {
    role: Option<Str<'a>>,
    id: Option<u64>,
    /// When a person sent it.
    sent: Option<Millis>,
    /// When the response was paid for.
    used: Option<Millis>,
    model: Option<Str<'a>>,
    tokens: Tokens,
    blocks: Vec<Block<'a>>,
}

#[derive(Default)]
struct Block<'a> {
    kind: Option<Str<'a>>,
    text: Option<Str<'a>>,
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    input: Option<Raw<'a>>,
    answers: Option<Str<'a>>,
    run: Run<'a>,
}

/// The run of a tool.
#[derive(Default)]
struct Run<'a> {
    status: Option<Str<'a>>,
    error: Option<Str<'a>>,
    /// A command that ended with another exit code than 0.
    has_failed: bool,
}

impl<'a> Thread<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"id" => self.id = cursor.string()?,
            b"created" => self.created = cursor.count()?.and_then(|at| Millis::try_from(at).ok()),
            b"messages" => cursor.array(|cursor| {
                let mut message = Message::default();
                cursor.object(|cursor, key| message.field(cursor, key))?;
                self.messages.push(message);
                Ok(())
            })?,
            b"env" => cursor.object(|cursor, key| {
                if key == b"initial" {
                    return cursor.object(|cursor, key| self.environment(cursor, key));
                }
                cursor.skip()
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn environment(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"cwd" => self.cwd = cursor.string()?,
            b"platform" => cursor.object(|cursor, key| {
                if key == b"clientVersion" {
                    self.version = cursor.string()?;
                    return Ok(());
                }
                cursor.skip()
            })?,
            b"trees" => cursor.array(|cursor| {
                let (mut uri, mut reference) = (None, None);
                cursor.object(|cursor, key| {
                    match key {
                        b"uri" => uri = cursor.string()?,
                        b"repository" => cursor.object(|cursor, key| {
                            if key == b"ref" {
                                reference = cursor.string()?;
                                return Ok(());
                            }
                            cursor.skip()
                        })?,
                        _ => cursor.skip()?,
                    }
                    Ok(())
                })?;
                if self.tree.is_none() {
                    (self.tree, self.reference) = (uri, reference);
                }
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn directory(&self, facts: &mut FileFacts) -> Option<Sym> {
        if self.cwd.is_some() {
            return facts.path(self.cwd);
        }
        let tree = self.tree?.text();
        let path = match tree.strip_prefix("file://") {
            Some(path) => percent_decoded(path),
            None => tree.into_owned(),
        };
        facts.clean_name(&path)
    }

    fn branch(&self, facts: &mut FileFacts) -> Option<Sym> {
        let reference = self.reference?.text();
        let branch = reference.strip_prefix("refs/heads/")?;
        facts.name(Some(Str(branch.as_bytes())))
    }
}

impl<'a> Message<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"role" => self.role = cursor.string()?,
            b"messageId" => self.id = cursor.count()?,
            b"meta" => cursor.object(|cursor, key| {
                if key == b"sentAt" {
                    self.sent = cursor.count()?.and_then(|at| Millis::try_from(at).ok());
                    return Ok(());
                }
                cursor.skip()
            })?,
            b"usage" => cursor.object(|cursor, key| {
                match key {
                    b"model" => self.model = cursor.string()?,
                    b"timestamp" => self.used = time::parse(cursor.string()?),
                    b"inputTokens" => self.tokens.input = cursor.count()?.unwrap_or(0),
                    b"outputTokens" => self.tokens.output = cursor.count()?.unwrap_or(0),
                    b"cacheReadInputTokens" => self.tokens.cache_read = cursor.count()?.unwrap_or(0),
                    b"cacheCreationInputTokens" => {
                        self.tokens.cache_write_5m = cursor.count()?.unwrap_or(0);
                    }
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"content" => {
                if cursor.peek()? == b'"' {
                    self.blocks.push(Block {
                        kind: Some(Str(b"text")),
                        text: cursor.string()?,
                        ..Block::default()
                    });
                    return Ok(());
                }
                cursor.array(|cursor| {
                    let mut block = Block::default();
                    cursor.object(|cursor, key| block.field(cursor, key))?;
                    self.blocks.push(block);
                    Ok(())
                })?;
            }
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn at(&self) -> Option<Millis> {
        self.used.or(self.sent)
    }
}

impl<'a> Block<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"type" => self.kind = cursor.string()?,
            b"text" => self.text = cursor.string()?,
            b"id" => self.id = cursor.string()?,
            b"name" => self.name = cursor.string()?,
            b"input" => self.input = Some(cursor.raw()?),
            b"toolUseID" | b"tool_use_id" => self.answers = cursor.string()?.or(self.answers),
            b"run" => cursor.object(|cursor, key| self.run.field(cursor, key))?,
            _ => cursor.skip()?,
        }
        Ok(())
    }
}

impl<'a> Run<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"status" => self.status = cursor.string()?,
            b"error" => {
                if cursor.peek()? == b'"' {
                    self.error = cursor.string()?;
                    return Ok(());
                }
                cursor.object(|cursor, key| {
                    if key == b"message" {
                        self.error = cursor.string()?;
                        return Ok(());
                    }
                    cursor.skip()
                })?;
            }
            b"result" => cursor.object(|cursor, key| {
                if key == b"exitCode" {
                    self.has_failed = cursor.number()?.is_some_and(|code| code != 0.0);
                    return Ok(());
                }
                cursor.skip()
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }
}

fn tool(name: &str, input: Option<Raw<'_>>) -> ToolName {
    let field = |key: &[u8]| tool_name::field(input, key);
    let named = match name {
        "skill" => field(b"name")
            .or_else(|| field(b"skill"))
            .map(|skill| ToolName::skill(&skill)),
        "Task" => Some(ToolName::agent(&field(b"subagent_type").unwrap_or_default())),
        name => ToolName::mcp_prefixed(name),
    };
    named.unwrap_or_else(|| ToolName::builtin(name))
}

/// The path of an address with `%XX` for some bytes.
fn percent_decoded(path: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(path.len()), path.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
