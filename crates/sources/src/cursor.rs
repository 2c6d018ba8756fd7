//! Cursor: the editor keeps its chats in a key-value table (`cursorDiskKV` of `globalStorage/state.vscdb`): a chat under
//! `composerData:<chat>`, each of its messages under `bubbleId:<chat>:<message>`. A message of the model is text or one call,
//! with its result. The caller opens the database and passes the rows: all chats, then all messages.
//!
//! The program is closed, its database not documented. What is read here is what public readers agree on:
//! michaeldhood/chatrxiv, `docs/cursor/storage-reference.md`; pppp606/cursor-efficiency, `docs/vscdbRelation.md`;
//! jverre/agents-for-cursor, `investigations`. The states of a call are `loading`, `completed`, `error` and `cancelled`, and a
//! person's refusal is `userDecision`. Errors have messages of the program in no public source: the cause is not told.

use std::collections::HashMap;

use model::{CallResult, Reason};

use crate::{
    Agent, call_id,
    facts::{Answer, Call, Context, FileFacts, Millis},
    json::{Cursor, Index, Malformed, Raw, Str},
    problem::ProblemCode,
    strings::Sym,
    time,
    tool_name::{self, ToolName},
};

/// Prefix of the names of MCP tools: `mcp-<server>-<tool>`, both of which may hold `-`.
const MCP: &str = "mcp-";

/// Converts the rows of one database to facts.
#[derive(Debug)]
pub struct CursorReader {
    facts: FileFacts,
    index: Index,
    chats: HashMap<Sym, Chat>,
}

/// What the messages of a chat have in common.
#[derive(Clone, Copy, Debug, Default)]
struct Chat {
    created: Option<Millis>,
    model: Option<Sym>,
    cwd: Option<Sym>,
}

impl CursorReader {
    /// A reader for one database. `file` names it in problems.
    pub fn new(file: &str) -> CursorReader {
        let mut facts = FileFacts::new(file);
        facts.agent = Some(Agent::Cursor);
        CursorReader {
            facts,
            index: Index::default(),
            chats: HashMap::new(),
        }
    }

    /// The value of `composerData:<chat>`, and the folder that was open, where the caller knows it.
    pub fn chat(&mut self, chat: &str, directory: Option<&str>, data: &[u8]) {
        self.row(data);
        let Some(id) = self.facts.clean_name(chat) else {
            return;
        };
        let mut found = Chat::default();
        let (mut model, mut folder) = (None, None);
        let mut cursor = self.index.of(data);
        let read = cursor.object(|cursor, key| {
            match key {
                b"createdAt" => found.created = moment(cursor)?,
                b"modelConfig" => cursor.object(|cursor, key| {
                    if key == b"modelName" {
                        model = cursor.string()?;
                        return Ok(());
                    }
                    cursor.skip()
                })?,
                b"workspaceIdentifier" => cursor.object(|cursor, key| {
                    if key == b"uri" {
                        return cursor.object(|cursor, key| {
                            if key == b"fsPath" {
                                folder = cursor.string()?;
                                return Ok(());
                            }
                            cursor.skip()
                        });
                    }
                    cursor.skip()
                })?,
                _ => cursor.skip()?,
            }
            Ok(())
        });
        let read = read.and_then(|()| cursor.end());
        if let Err(malformed) = read {
            return self.malformed("composerData", chat, malformed);
        }
        // `default` lets the program choose.
        let model = model.filter(|model| !matches!(model.0, b"default" | b"auto"));
        found.model = self.facts.name(model);
        found.cwd = directory
            .and_then(|directory| self.facts.clean_name(directory))
            .or_else(|| self.facts.path(folder));
        self.chats.insert(id, found);
    }

    /// The value of `bubbleId:<chat>:<message>`, in any order.
    pub fn message(&mut self, chat: &str, message: &str, data: &[u8]) {
        self.row(data);
        // The program keeps `null` for messages that it removed.
        if data.trim_ascii() == b"null" {
            return;
        }
        let session = self.facts.clean_name(chat);
        let known = session.and_then(|session| self.chats.get(&session).copied());
        let chat = known.unwrap_or_default();
        let mut bubble = Bubble::default();
        let mut cursor = self.index.of(data);
        let read = cursor
            .object(|cursor, key| bubble.field(cursor, key))
            .and_then(|()| cursor.end());
        if let Err(malformed) = read {
            return self.malformed("bubbleId", message, malformed);
        }
        let Some(call) = &bubble.call else { return };
        let facts = &mut self.facts;
        let name = call.name.map(Str::text).unwrap_or_default();
        // A call that failed before it had a name or an id was never made.
        if name.is_empty() || name == "mcp--" || call.id.is_none() {
            facts.ignore(Some(Str(b"bubble")), Some(Str(b"call_without_name")));
            return;
        }
        let Some(number) = facts.call_id(call.id) else {
            return;
        };
        let uuid = call_id::uuid(facts.strings.get(number), &name, Some(message)).into_owned();
        let id = facts.strings.intern(&uuid);
        let (tool, operation) = facts.tool(&call.tool(&name));
        let model = facts.name(bubble.model).or(chat.model);
        facts.calls.push(Call {
            id,
            at: bubble.at.or(chat.created),
            tool,
            operation,
            context: Context {
                session,
                cwd: chat.cwd,
                agent: Some(Agent::Cursor),
                ..Context::default()
            },
            model,
            group: None,
            task: None,
            waits_for_person: false,
            unreported: false,
        });
        let (verdict, is_known) = call.verdict();
        if !is_known {
            facts.problem(
                ProblemCode::UnclassifiedError,
                "a call ended in a way that is not known",
            );
        }
        if let Some(verdict) = verdict {
            facts.answers.push(Answer {
                id,
                at: None,
                verdict,
                duration_ms: None,
                goes_on: call.result.is_background,
            });
        }
    }

    /// A row of more than [`crate::LINE_BYTES`], which was not read.
    pub fn too_large(&mut self, key: &str) {
        self.facts.lines += 1;
        let detail = format!("the row {key} is too long; it was skipped");
        self.facts.problem(ProblemCode::TooLarge, detail);
    }

    /// The facts of the whole database.
    pub fn finish(mut self) -> FileFacts {
        self.facts.shrink();
        self.facts
    }

    fn row(&mut self, data: &[u8]) {
        self.facts.lines += 1;
        self.facts.bytes += data.len() as u64;
    }

    fn malformed(&mut self, key: &str, id: &str, malformed: Malformed) {
        let what = match malformed {
            Malformed::Incomplete => "ends in the middle".to_owned(),
            Malformed::Syntax(at) | Malformed::Trailing(at) => format!("is not JSON at byte {}", at + 1),
        };
        let detail = format!("the row {key}:{id} {what}; it was skipped");
        self.facts.problem(ProblemCode::InvalidJson, detail);
    }
}

/// A message.
#[derive(Default)]
struct Bubble<'a> {
    at: Option<Millis>,
    model: Option<Str<'a>>,
    call: Option<ToolCall<'a>>,
}

/// A call with its result.
#[derive(Default)]
struct ToolCall<'a> {
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    status: Option<Str<'a>>,
    decision: Option<Str<'a>>,
    /// The state that the part of the program for this tool keeps.
    additional: Option<Str<'a>>,
    arguments: Option<Raw<'a>>,
    /// The arguments as the program got them: those of an MCP tool with its server.
    parameters: Option<Raw<'a>>,
    result: Outcome,
}

/// What a result says by itself.
#[derive(Clone, Copy, Default)]
struct Outcome {
    exit_code: Option<f64>,
    is_rejected: bool,
    is_background: bool,
}

impl<'a> Bubble<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"createdAt" => self.at = moment(cursor)?,
            b"modelInfo" => cursor.object(|cursor, key| {
                if key == b"modelName" {
                    let model = cursor.string()?;
                    self.model = model.filter(|model| !matches!(model.0, b"default" | b"auto" | b""));
                    return Ok(());
                }
                cursor.skip()
            })?,
            b"toolFormerData" => {
                if cursor.peek()? != b'{' {
                    return cursor.skip();
                }
                let mut call = ToolCall::default();
                cursor.object(|cursor, key| call.field(cursor, key))?;
                self.call = Some(call);
            }
            _ => cursor.skip()?,
        }
        Ok(())
    }
}

impl<'a> ToolCall<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"toolCallId" => self.id = cursor.string()?.filter(|id| !id.0.is_empty()),
            b"name" => self.name = cursor.string()?,
            b"status" => self.status = cursor.string()?,
            b"userDecision" => self.decision = cursor.string()?,
            b"rawArgs" => self.arguments = Some(cursor.raw()?),
            b"params" => self.parameters = Some(cursor.raw()?),
            b"additionalData" => cursor.object(|cursor, key| {
                if key == b"status" {
                    self.additional = cursor.string()?;
                    return Ok(());
                }
                cursor.skip()
            })?,
            b"result" => {
                let raw = cursor.raw()?;
                self.result = Outcome::of(raw).unwrap_or_default();
            }
            _ => cursor.skip()?,
        }
        Ok(())
    }

    /// How the call ended, where something tells it, and whether that is known.
    fn verdict(&self) -> (Option<CallResult>, bool) {
        let because = |reason| (Some(CallResult::because(reason)), true);
        if self.decision == Some(Str(b"rejected")) || self.result.is_rejected {
            return because(Reason::Rejected);
        }
        let failed =
            self.result.exit_code.is_some_and(|code| code != 0.0) || self.additional == Some(Str(b"error"));
        match self.status.map_or(&b""[..], |status| status.0) {
            b"completed" if failed => because(Reason::Error),
            b"completed" => (Some(CallResult::SUCCESS), true),
            b"error" => because(Reason::Error),
            b"cancelled" => because(Reason::Cancelled),
            b"loading" | b"pending" | b"running" | b"" => (None, true),
            _ => (Some(CallResult::UNKNOWN), false),
        }
    }

    fn tool(&self, name: &str) -> ToolName {
        let argument = |key: &str| self.argument(key);
        if let Some(joined) = name.strip_prefix(MCP) {
            if let Some((server, tool)) = self.mcp_tool() {
                return ToolName::mcp(&server, Some(&tool));
            }
            // Names of servers rather hold `-`, names of tools rather `_`.
            let split = match joined.rsplit_once('-') {
                Some((server, tool)) if tool.contains('_') => Some((server, tool)),
                _ => joined.split_once('-'),
            };
            return match split.filter(|(server, _)| !server.is_empty()) {
                Some((server, tool)) => ToolName::mcp(server, Some(tool)),
                None => ToolName::mcp(joined, None),
            };
        }
        match name {
            "task" | "task_v2" => ToolName::agent(&argument("subagent_type").unwrap_or_default()),
            "call_mcp_tool" => match argument("server") {
                Some(server) => ToolName::mcp(&server, argument("toolName").as_deref()),
                None => ToolName::builtin(name),
            },
            name => ToolName::mcp_prefixed(name).unwrap_or_else(|| ToolName::builtin(name)),
        }
    }

    /// An argument, of those that are the text of an object.
    fn argument(&self, key: &str) -> Option<String> {
        let text = self.arguments?.as_str()?.text();
        let mut index = Index::default();
        let object = index.of(text.as_bytes()).raw().ok()?;
        tool_name::field(Some(object), key.as_bytes())
    }

    /// The server and the tool in the parameters of an MCP call: `{"tools":[{"name":…,"serverName":…}]}`.
    fn mcp_tool(&self) -> Option<(String, String)> {
        let text = self.parameters?.as_str()?.text();
        let mut index = Index::default();
        let mut found = None;
        let read = index.of(text.as_bytes()).object(|cursor, key| {
            if key != b"tools" {
                return cursor.skip();
            }
            cursor.array(|cursor| {
                let tool = cursor.raw()?;
                let field = |key: &[u8]| tool_name::field(Some(tool), key);
                found = found
                    .take()
                    .or_else(|| Some((field(b"serverName")?, field(b"name")?)));
                Ok(())
            })
        });
        read.ok().and(found)
    }
}

impl Outcome {
    /// Reads a result, which is the text of an object, or an object.
    fn of(result: Raw<'_>) -> Option<Outcome> {
        let text;
        let bytes = match result.as_str() {
            // A long result is skipped in one step unless it may hold what is looked for.
            Some(quoted) => {
                let words: [&[u8]; 3] = [b"exitCode", b"rejected", b"backgroundShellId"];
                words
                    .iter()
                    .find(|word| memchr::memmem::find(quoted.0, word).is_some())?;
                text = quoted.text();
                text.as_bytes()
            }
            None => result.bytes(),
        };
        let mut outcome = Outcome::default();
        let mut index = Index::default();
        let read = index.of(bytes).object(|cursor, key| {
            match key {
                b"exitCode" | b"exitCodeV2" => outcome.exit_code = cursor.number()?.or(outcome.exit_code),
                b"rejected" => outcome.is_rejected = cursor.boolean()? == Some(true),
                b"backgroundShellId" => {
                    outcome.is_background = cursor.peek()? != b'n';
                    cursor.skip()?;
                }
                _ => cursor.skip()?,
            }
            Ok(())
        });
        read.ok().map(|()| outcome)
    }
}

/// A time: text, or milliseconds since 1970.
fn moment(cursor: &mut Cursor<'_>) -> Result<Option<Millis>, Malformed> {
    if cursor.peek()? == b'"' {
        return Ok(time::parse(cursor.string()?));
    }
    Ok(cursor.count()?.and_then(|at| Millis::try_from(at).ok()))
}
