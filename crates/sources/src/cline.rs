//! Cline, which has kept its conversations in three ways:
//! * calls as markup in the text of `api_conversation_history.json`, without ids: counted, not read;
//! * calls with ids in the same file. Nothing in it identifies the agent, so it is only read where its path does;
//! * `sessions/<session>/<agent>.messages.json`: an object with the messages, which has a shape of its own. The directory
//!   is in the file next to it, which the caller reads.
//!
//! A conversation that continues in the newest store is copied into it, with the times of its messages: a message is
//! named by its time and its first call.
//!
//! Format: cline/cline, `sdk/packages/shared/src/llms/messages.ts`, `sdk/packages/core/src/services/session-data.ts`,
//! `sdk/packages/agents/src/agent-runtime.ts`; before June 2026 `src/core/task/{index,ToolExecutor}.ts`,
//! `src/core/task/tools/**` and `src/core/prompts/responses.ts`.

mod outcome;

use std::collections::HashMap;

use self::outcome::CalledAs;
use crate::{
    Agent, Options,
    api_messages::{self, Block, Ended, Message},
    call_ids::CallIds,
    facts::{Answer, Call, Context, FileFacts, Millis, Usage},
    json::{Cursor, Malformed, Raw, Str},
    problem::ProblemCode,
    redact,
    strings::Sym,
    tool_name::{self, ToolName},
};

/// Prefix of the program's own part of a prompt.
const DETAILS: &str = "<environment_details>";

/// The separator between the key of an MCP server and its tool, in calls with ids of the older file. The key is made up
/// at each start; the result names the server.
const SERVER_KEY: &str = "0mcp0";

/// Prefixes of the text that stands in place of the results of calls after a refused one.
const SKIPPED: [&str; 2] = [
    "Skipping tool due to user rejecting a previous tool.",
    "Tool was interrupted and not executed due to user rejecting a previous tool.",
];

/// Reads a task of the older kinds. Nothing is read, and no agent set, of an array that holds no message.
pub(crate) fn task(document: Cursor<'_>, options: &Options, facts: &mut FileFacts) -> Result<(), Malformed> {
    let mut cursor = document;
    let messages = api_messages::array(&mut cursor)?;
    cursor.end()?;
    if messages.iter().any(Message::is_whole) {
        facts.agent = Some(Agent::Cline);
        let path = facts.file.clone();
        let session = api_messages::task(&path).and_then(|task| facts.clean_name(task));
        Reader::new(options, session, None).read(&messages, facts);
    }
    Ok(())
}

/// Reads a session of the newest kind.
pub(crate) fn session(
    document: Cursor<'_>,
    options: &Options,
    directory: Option<Sym>,
    facts: &mut FileFacts,
) -> Result<(), Malformed> {
    let (mut session, mut messages) = (None, Vec::new());
    let mut cursor = document;
    cursor.object(|cursor, key| {
        match key {
            b"sessionId" => session = cursor.string()?,
            b"messages" => messages = api_messages::array(cursor)?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    cursor.end()?;
    let session = facts.name(session);
    Reader::new(options, session, directory).read(&messages, facts);
    Ok(())
}

#[derive(Debug)]
struct Reader {
    task_text: bool,
    context: Context,
    task: Option<Sym>,
    ids: CallIds,
    /// The kind of tool of each call: the meaning of its result depends on it.
    called_as: HashMap<Sym, CalledAs>,
    /// The calls of the last response that have no result yet.
    open: Vec<Sym>,
}

impl Reader {
    fn new(options: &Options, session: Option<Sym>, cwd: Option<Sym>) -> Reader {
        Reader {
            task_text: options.task_text,
            context: Context {
                session,
                cwd,
                agent: Some(Agent::Cline),
                ..Context::default()
            },
            task: None,
            ids: CallIds::default(),
            called_as: HashMap::new(),
            open: Vec::new(),
        }
    }

    fn read(&mut self, messages: &[Message<'_>], facts: &mut FileFacts) {
        let servers = servers(messages);
        for message in messages {
            match message.role.map_or(&b""[..], |role| role.0) {
                b"assistant" => self.response(message, &servers, facts),
                b"user" => self.prompt(message, facts),
                _ => facts.ignore(message.role, None),
            }
        }
    }

    fn response(&mut self, message: &Message<'_>, servers: &HashMap<&[u8], String>, facts: &mut FileFacts) {
        self.open.clear();
        let (group, model) = (key(message, facts), facts.name(message.model));
        if let (Some(group), Some(tokens)) = (group, message.metrics.tokens()) {
            facts.push_usage(Usage {
                model,
                at: message.at,
                tokens,
                stated_cost: message.metrics.cost,
                context: self.context,
                ..Usage::of(group)
            });
        }
        let mut has_calls = false;
        for block in message.calls() {
            has_calls = true;
            let name = block.name.map(Str::text).unwrap_or_default();
            let Some(id) = self.ids.of_call(block.id, &name, group, facts) else {
                continue;
            };
            self.called_as.insert(id, CalledAs::of(&name));
            self.open.push(id);
            let server = block.id.and_then(|id| servers.get(id.0));
            let (tool, operation) = facts.tool(&tool(&name, block.input, server.map(String::as_str)));
            facts.calls.push(Call {
                id,
                at: message.at,
                tool,
                operation,
                context: self.context,
                model,
                group,
                task: self.task,
                waits_for_person: waits_for_person(&name),
                unreported: false,
            });
        }
        if !has_calls && message.has_markup() {
            facts.ignore(message.role, Some(Str(b"call_as_markup")));
        }
    }

    fn prompt(&mut self, message: &Message<'_>, facts: &mut FileFacts) {
        let results = message
            .blocks
            .iter()
            .filter(|block| block.answers.is_some())
            .count();
        let mut are_skipped = false;
        for block in &message.blocks {
            match block.kind.map_or(&b""[..], |kind| kind.0) {
                b"tool_result" => {
                    let at = message.at.filter(|_| results == 1);
                    self.result(block, at, facts);
                }
                b"text" => {
                    let Some(text) = block.text else { continue };
                    are_skipped |= SKIPPED.iter().any(|words| text.begins_with(words));
                    if text.head(DETAILS.len() + 8).trim_start().starts_with(DETAILS) {
                        self.details(&text.text(), facts);
                    } else if self.task_text && results == 0 {
                        self.asked(&text.text(), facts);
                    }
                }
                _ => {}
            }
        }
        if are_skipped {
            for id in self.open.drain(..) {
                facts.answers.push(Answer {
                    id,
                    at: None,
                    verdict: model::CallResult::because(model::Reason::Cancelled),
                    duration_ms: None,
                    goes_on: false,
                });
            }
        }
    }

    /// The person's request is between tags of the program; the newest store also has it without them.
    fn asked(&mut self, text: &str, facts: &mut FileFacts) {
        let text = text.trim();
        let inner = ["task", "feedback", "user_message", "user_input"]
            .iter()
            .find_map(|tag| {
                let (opening, rest) = text.strip_prefix(&format!("<{tag}"))?.split_once('>')?;
                let is_tag = opening.is_empty() || opening.starts_with(' ');
                let (inner, _) = rest.split_once(&format!("</{tag}>"))?;
                is_tag.then(|| inner.trim())
            });
        let plain = Some(text).filter(|text| !text.starts_with(['<', '[']));
        let prompt = inner.or(plain).and_then(redact::prompt_text);
        self.task = prompt.map(|prompt| facts.strings.intern(&prompt)).or(self.task);
    }

    fn details(&mut self, text: &str, facts: &mut FileFacts) {
        let directory = text
            .split_once("\n# Current Working Directory (")
            .and_then(|(_, rest)| rest.split_once(") Files\n"))
            .map(|(directory, _)| directory.strip_prefix("Primary: ").unwrap_or(directory));
        if let Some(directory) = directory {
            self.context.cwd = facts.clean_name(directory).or(self.context.cwd);
        }
    }

    fn result(&mut self, block: &Block<'_>, at: Option<Millis>, facts: &mut FileFacts) {
        let Some(id) = self.ids.of_answer(block.answers, facts) else {
            return;
        };
        self.open.retain(|open| *open != id);
        let called_as = self.called_as.get(&id).copied().unwrap_or(CalledAs::Other);
        let Ended {
            verdict,
            goes_on,
            is_known,
        } = outcome::of(block, called_as);
        if !is_known {
            facts.problem(
                ProblemCode::UnclassifiedError,
                "an error that may be a person's or a rule's refusal",
            );
        }
        facts.answers.push(Answer {
            id,
            at,
            verdict,
            duration_ms: None,
            goes_on,
        });
    }
}

/// The name of a message, whatever store it is in.
fn key(message: &Message<'_>, facts: &mut FileFacts) -> Option<Sym> {
    let first = message.calls().find_map(|block| block.id).or(message.id);
    let first = first.map(|id| id.head(60).into_owned()).unwrap_or_default();
    match message.at {
        Some(at) => facts.clean_name(&format!("cline:{at}:{first}")),
        None => facts.name(message.id),
    }
}

/// The servers of MCP calls that only their results name, by the id of the call.
fn servers<'a>(messages: &[Message<'a>]) -> HashMap<&'a [u8], String> {
    let blocks = messages.iter().flat_map(|message| &message.blocks);
    let named = blocks.filter_map(|block| {
        let (id, output) = (block.answers?, block.output?);
        let head = output.head(512);
        let (server, _) = head
            .strip_prefix("[use_mcp_tool for '")?
            .split_once("'] Result:\n")?;
        Some((id.0, server.to_owned()))
    });
    named.collect()
}

fn tool(name: &str, input: Option<Raw<'_>>, server: Option<&str>) -> ToolName {
    let field = |key: &[u8]| tool_name::field(input, key);
    if let Some((_, tool)) = name.split_once(SERVER_KEY) {
        return ToolName::mcp(server.unwrap_or_default(), Some(tool));
    }
    if let Some(agent) = name.strip_prefix("use_subagent_") {
        return ToolName::agent(agent);
    }
    let named = match name {
        "skills" => field(b"skill").map(|skill| ToolName::skill(&skill)),
        "use_skill" => field(b"skill_name").map(|skill| ToolName::skill(&skill)),
        "use_subagents" | "spawn_agent" => Some(ToolName::agent("")),
        "use_mcp_tool" => {
            field(b"server_name").map(|server| ToolName::mcp(&server, field(b"tool_name").as_deref()))
        }
        name => name
            .split_once("__")
            .filter(|(server, tool)| !server.is_empty() && !tool.is_empty())
            .map(|(server, tool)| ToolName::mcp(server, Some(tool))),
    };
    named.unwrap_or_else(|| ToolName::builtin(name))
}

/// True for tools that end when the person answers.
fn waits_for_person(name: &str) -> bool {
    matches!(
        name,
        "ask_followup_question" | "ask_question" | "attempt_completion" | "plan_mode_respond"
    )
}
