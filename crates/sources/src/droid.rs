//! Factory Droid: a header with session and directory, then messages with content in the format of Anthropic's API. The
//! model and the tokens are in a settings file next to the log, for the session as a whole, so no call has them.
//!
//! The program is closed; what is read here is what several public readers of its logs agree on:
//! `agents/agent-sessions/AgentSessions/Services/DroidSessionParser.swift` of robertpelloni/borg (the format),
//! `rust/crates/ccusage/src/adapter/droid/parser.rs` of ryoppippi/ccusage (the settings file), and `DROID_TOOLS_FIX.md`
//! of korallis/Droidz (names of tools). Its words for refusals are in none of them.

use model::{CallResult, Reason};

use crate::{
    Agent, Options,
    call_ids::CallIds,
    facts::{Answer, Call, Context, FileFacts},
    json::{Cursor, Malformed, Str},
    problem::ProblemCode,
    redact,
    strings::Sym,
    time,
    tool_name::{self, ToolName},
};

/// The separator between an MCP server and its tool.
const SEPARATOR: &str = "___";

/// Parts of an error message that may indicate a refusal. The program's own messages are not known.
const REFUSALS: [&str; 7] = [
    "abort",
    "cancel",
    "declin",
    "denied",
    "interrupt",
    "not allowed",
    "reject",
];

/// Reads the lines of one session, in order.
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
        let mut record = Record::default();
        let mut cursor = line;
        cursor.object(|cursor, key| record.field(cursor, key))?;
        cursor.end()?;
        match record.kind.map_or(&b""[..], |kind| kind.0) {
            b"session_start" => {
                self.session = facts.name(record.id).or(self.session);
                self.cwd = facts.path(record.cwd).or(self.cwd);
            }
            b"message" => self.message(&record, facts),
            _ => facts.ignore(record.kind, None),
        }
        Ok(())
    }

    fn message(&mut self, record: &Record<'_>, facts: &mut FileFacts) {
        let group = facts.name(record.id);
        let at = time::parse(record.timestamp);
        for block in &record.blocks {
            match block.kind.map_or(&b""[..], |kind| kind.0) {
                b"text" if self.task_text && record.role == Some(Str(b"user")) => {
                    // Reminders of the program come before the prompt.
                    let prompt = block.text.and_then(redact::prompt);
                    self.task = prompt.map(|prompt| facts.strings.intern(&prompt)).or(self.task);
                }
                b"tool_use" => {
                    let name = block.name.map(Str::text).unwrap_or_default();
                    let Some(id) = self.ids.of_call(block.id, &name, group, facts) else {
                        continue;
                    };
                    let (tool, operation) = facts.tool(&tool(&name));
                    facts.calls.push(Call {
                        id,
                        at,
                        tool,
                        operation,
                        context: Context {
                            session: self.session,
                            cwd: self.cwd,
                            branch: None,
                            version: None,
                            agent: Some(Agent::Droid),
                        },
                        model: None,
                        group: None,
                        task: self.task,
                        waits_for_person: tool_name::waits_for_person(&name) || name == "AskUser",
                        unreported: false,
                    });
                }
                b"tool_result" => {
                    let Some(id) = self.ids.of_answer(block.answers, facts) else {
                        continue;
                    };
                    let verdict = block.verdict(facts);
                    facts.answers.push(Answer {
                        id,
                        at,
                        verdict,
                        duration_ms: None,
                        goes_on: false,
                    });
                }
                _ => {}
            }
        }
    }
}

#[derive(Default)]
struct Record<'a> {
    kind: Option<Str<'a>>,
    id: Option<Str<'a>>,
    timestamp: Option<Str<'a>>,
    cwd: Option<Str<'a>>,
    role: Option<Str<'a>>,
    blocks: Vec<Block<'a>>,
}

#[derive(Default)]
struct Block<'a> {
    kind: Option<Str<'a>>,
    text: Option<Str<'a>>,
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    /// The id of the call that a result answers.
    answers: Option<Str<'a>>,
    is_error: Option<bool>,
    /// The first text of a result.
    output: Option<Str<'a>>,
}

impl<'a> Record<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"type" => self.kind = cursor.string()?,
            b"id" => self.id = cursor.string()?,
            b"timestamp" => self.timestamp = cursor.string()?,
            b"cwd" => self.cwd = cursor.string()?,
            b"message" => cursor.object(|cursor, key| match key {
                b"role" => {
                    self.role = cursor.string()?;
                    Ok(())
                }
                b"content" => self.content(cursor),
                _ => cursor.skip(),
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn content(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
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
        })
    }
}

impl<'a> Block<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"type" => self.kind = cursor.string()?,
            b"text" => self.text = cursor.string()?,
            b"id" => self.id = cursor.string()?,
            b"name" => self.name = cursor.string()?,
            b"tool_use_id" => self.answers = cursor.string()?,
            b"is_error" => self.is_error = cursor.boolean()?,
            b"content" => {
                if cursor.peek()? == b'"' {
                    self.output = cursor.string()?;
                    return Ok(());
                }
                cursor.array(|cursor| {
                    cursor.object(|cursor, key| {
                        if key == b"text" {
                            let text = cursor.string()?;
                            self.output = self.output.or(text);
                            return Ok(());
                        }
                        cursor.skip()
                    })
                })?;
            }
            _ => cursor.skip()?,
        }
        Ok(())
    }

    /// An error is a result that the program marks as one. One that reads like a refusal is counted as a problem, so
    /// that it is noticed.
    fn verdict(&self, facts: &mut FileFacts) -> CallResult {
        if self.is_error != Some(true) {
            return CallResult::SUCCESS;
        }
        let head = self.output.map(|text| text.head(120).to_ascii_lowercase());
        if head.is_some_and(|head| REFUSALS.iter().any(|word| head.contains(word))) {
            facts.problem(
                ProblemCode::UnclassifiedError,
                "an error that may be a person's or a rule's refusal",
            );
        }
        CallResult::because(Reason::Error)
    }
}

/// The skill or subagent of a call is in its input, in a format that no public source describes.
fn tool(name: &str) -> ToolName {
    name.split_once(SEPARATOR)
        .filter(|(server, tool)| !server.is_empty() && !tool.is_empty())
        .map(|(server, tool)| ToolName::mcp(server, Some(tool)))
        .or_else(|| ToolName::mcp_prefixed(name))
        .unwrap_or_else(|| ToolName::builtin(name))
}
