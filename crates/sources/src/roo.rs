//! Roo Code and Kilo Code, which began as a copy of it: `api_conversation_history.json`, an array of messages in the
//! format of Anthropic's API, with the time `ts` of each. Nothing in it identifies the agent, so it is only read where
//! its path does. The first versions wrote calls as markup in the text, without ids: those are counted, not read.
//!
//! The model and the directory are in the text that the program adds to each prompt. Tokens and cost are in
//! `ui_messages.json`, for requests that name no call. All results of a message are written at once, so only the result
//! of a single call has a time.
//!
//! Format: `src/core/task-persistence/apiMessages.ts`, `src/core/{task/Task,prompts/responses,
//! assistant-message/presentAssistantMessage,environment/getEnvironmentDetails,tools/*}.ts` of RooCodeInc/Roo-Code;
//! `src/core/prompts/responses.ts` of Kilo-Org/kilocode.

mod outcome;

use std::collections::HashMap;

use self::outcome::CalledAs;
use crate::{
    Agent, Options,
    api_messages::{self, Block, Ended, Message},
    call_ids::CallIds,
    facts::{Answer, Call, Context, FileFacts, Millis},
    json::{Cursor, Malformed, Raw, Str},
    problem::ProblemCode,
    redact,
    strings::Sym,
    tool_name::{self, ToolName},
};

/// Prefix of the program's own part of a prompt.
const DETAILS: &str = "<environment_details>";

/// Reads a task. Nothing is read, and no agent set, of an array that holds no message.
pub(crate) fn document(
    document: Cursor<'_>,
    agent: Agent,
    options: &Options,
    facts: &mut FileFacts,
) -> Result<(), Malformed> {
    let mut cursor = document;
    let messages = api_messages::array(&mut cursor)?;
    cursor.end()?;
    if !messages.iter().any(Message::is_whole) {
        return Ok(());
    }
    facts.agent = Some(agent);
    let path = facts.file.clone();
    let session = api_messages::task(&path).and_then(|session| facts.name(Some(Str(session.as_bytes()))));
    let mut reader = Reader {
        task_text: options.task_text,
        context: Context {
            session,
            agent: Some(agent),
            ..Context::default()
        },
        model: None,
        task: None,
        ids: CallIds::default(),
        called_as: HashMap::new(),
    };
    for message in &messages {
        match message.role.map_or(&b""[..], |role| role.0) {
            b"assistant" => reader.response(message, facts),
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
    model: Option<Sym>,
    task: Option<Sym>,
    ids: CallIds,
    /// The kind of tool of each call: the messages in its result depend on it.
    called_as: HashMap<Sym, CalledAs>,
}

impl Reader {
    fn response(&mut self, message: &Message<'_>, facts: &mut FileFacts) {
        let key = key(message, facts);
        let mut has_calls = false;
        for block in message.calls() {
            has_calls = true;
            let name = block.name.map(Str::text).unwrap_or_default();
            let Some(id) = self.ids.of_call(block.id, &name, key, facts) else {
                continue;
            };
            self.called_as.insert(id, CalledAs::of(&name));
            let (tool, operation) = facts.tool(&tool(&name, block.input));
            facts.calls.push(Call {
                id,
                at: message.at,
                tool,
                operation,
                context: self.context,
                model: self.model,
                group: None,
                task: self.task,
                waits_for_person: matches!(&*name, "ask_followup_question" | "attempt_completion"),
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
        for block in &message.blocks {
            match block.kind.map_or(&b""[..], |kind| kind.0) {
                b"tool_result" => {
                    let at = message.at.filter(|_| results == 1);
                    self.result(block, at, facts);
                }
                b"text" => {
                    let Some(text) = block.text else { continue };
                    if text.head(DETAILS.len() + 8).trim_start().starts_with(DETAILS) {
                        self.details(&text.text(), facts);
                    } else if self.task_text {
                        self.asked(text, facts);
                    }
                }
                _ => {}
            }
        }
    }

    /// The person's request is between tags of the program.
    fn asked(&mut self, text: Str<'_>, facts: &mut FileFacts) {
        let text = text.text();
        let inner = ["user_message", "task", "feedback"].iter().find_map(|tag| {
            let rest = text.trim_start().strip_prefix(&format!("<{tag}>"))?;
            Some(rest.split_once(&format!("</{tag}>"))?.0.trim().to_owned())
        });
        let prompt = inner.and_then(|inner| redact::prompt_text(&inner));
        self.task = prompt.map(|prompt| facts.strings.intern(&prompt)).or(self.task);
    }

    fn details(&mut self, text: &str, facts: &mut FileFacts) {
        let model = text.split_once("\n# Current Mode\n").and_then(|(_, mode)| {
            let (_, rest) = mode.split_once("<model>")?;
            Some(rest.split_once("</model>")?.0)
        });
        if let Some(model) = model {
            self.model = facts.name(Some(Str(model.as_bytes()))).or(self.model);
        }
        let directory = text
            .split_once("\n# Current Workspace Directory (")
            .and_then(|(_, rest)| rest.split_once(") Files\n"));
        if let Some((directory, _)) = directory {
            self.context.cwd = facts.clean_name(directory).or(self.context.cwd);
        }
    }

    fn result(&self, block: &Block<'_>, at: Option<Millis>, facts: &mut FileFacts) {
        let Some(id) = self.ids.of_answer(block.answers, facts) else {
            return;
        };
        let called_as = self.called_as.get(&id).copied().unwrap_or(CalledAs::Other);
        let Ended {
            verdict,
            goes_on,
            is_known,
        } = outcome::of(block.output, block.is_error == Some(true), called_as);
        if !is_known {
            facts.problem(
                ProblemCode::UnclassifiedError,
                "a call ended in a way that is not known",
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

fn key(message: &Message<'_>, facts: &mut FileFacts) -> Option<Sym> {
    let id = message.id.map(|id| id.head(60).into_owned()).unwrap_or_default();
    match message.at {
        Some(at) => facts.clean_name(&format!("roo:{at}:{id}")),
        None => facts.name(message.id),
    }
}

fn tool(name: &str, input: Option<Raw<'_>>) -> ToolName {
    let field = |key: &[u8]| tool_name::field(input, key);
    let named = match name {
        "skill" => field(b"skill").map(|skill| ToolName::skill(&skill)),
        "new_task" => field(b"mode").map(|mode| ToolName::agent(&mode)),
        "use_mcp_tool" => {
            field(b"server_name").map(|server| ToolName::mcp(&server, field(b"tool_name").as_deref()))
        }
        name => match name.strip_prefix("mcp--").and_then(|rest| rest.split_once("--")) {
            Some((server, tool)) => Some(ToolName::mcp(server, Some(tool))),
            None => ToolName::mcp_prefixed(name),
        },
    };
    named.unwrap_or_else(|| ToolName::builtin(name))
}
