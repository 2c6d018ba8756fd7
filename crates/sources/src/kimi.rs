//! Kimi CLI: `wire.jsonl`, the messages from the agent to its user interface: a header, then messages with a type and a
//! time each. A step of the conversation makes calls, reports its usage, and receives the results in any order. The log
//! contains neither the model nor the directory; the session is the name of the folder that contains the file.
//!
//! The messages of a subagent are in its parent's file, wrapped, and in a file of its own; call ids are only positions.
//! A call therefore waits until its step reports the id of its response, which is the same in both files.
//!
//! Format: `src/kimi_cli/wire/{file,types}.py`, `src/kimi_cli/soul/{kimisoul,toolset,approval}.py`,
//! `src/kimi_cli/subagents/runner.py` and `packages/kosong/src/kosong/tooling/error.py` of MoonshotAI/kimi-cli.
//! Read at version 1.49.

mod message;

use std::collections::HashMap;

use model::CallResult;

use self::message::{Message, ToolResult};
use crate::{
    Agent, Options, call_id,
    facts::{Answer, Call, Command, Context, FileFacts, Millis, Usage},
    json::{Cursor, Malformed, Str},
    problem::ProblemCode,
    redact,
    strings::Sym,
    tool_name::{self, ToolName},
};

/// Prefix of a prompt that runs a skill.
const SKILL: &str = "/skill:";

/// The program's answer to an unknown command.
const UNKNOWN_COMMAND: &str = "Unknown slash command \"/";

/// Reads the records of one file, in order.
#[derive(Debug)]
pub(crate) struct Reader {
    options: Options,
    session: Option<Sym>,
    task: Option<Sym>,
    /// The servers of MCP tools, by the names of the tools.
    servers: HashMap<Sym, Sym>,
    /// The steps in progress, by subagent; `None` is the main agent.
    steps: HashMap<Option<Sym>, Step>,
    /// True when the last fact is the command that was just typed.
    typed: bool,
}

/// A step of one conversation: one response of the model and the results of its calls.
#[derive(Debug, Default)]
struct Step {
    /// Calls that wait for the id of their response, with their ids from the log.
    calls: Vec<Call>,
    /// Results of those calls.
    answers: Vec<Answer>,
    /// The uuids of earlier calls, by positional id.
    counted: HashMap<Sym, Sym>,
}

impl Reader {
    /// A reader for the file at `path`, which is used only for the session id.
    pub(crate) fn new(options: &Options, path: &str, facts: &mut FileFacts) -> Reader {
        let session = session(path).and_then(|session| facts.name(Some(Str(session.as_bytes()))));
        Reader {
            options: *options,
            session,
            task: None,
            servers: HashMap::new(),
            steps: HashMap::new(),
            typed: false,
        }
    }

    pub(crate) fn line(&mut self, line: Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        let (message, at) = message::record(line)?;
        self.message(&message, at, None, facts);
        Ok(())
    }

    /// Ends all steps in progress.
    pub(crate) fn finish(&mut self, facts: &mut FileFacts) {
        let mut agents: Vec<Option<Sym>> = self.steps.keys().copied().collect();
        agents.sort_unstable();
        for agent in agents {
            self.end_step(agent, None, facts);
        }
    }

    fn message(&mut self, message: &Message<'_>, at: At<'_>, agent: Option<Sym>, facts: &mut FileFacts) {
        let was_typed = std::mem::take(&mut self.typed);
        match message.kind.map_or(&b""[..], |kind| kind.0) {
            b"TurnBegin" => {
                self.end_step(agent, None, facts);
                if agent.is_none() {
                    self.prompt(message, at, facts);
                }
            }
            b"StepBegin" | b"StepInterrupted" | b"StepRetry" | b"TurnEnd" => {
                self.end_step(agent, None, facts);
            }
            b"ToolCall" => self.call(message, at, agent, facts),
            b"ToolResult" => self.result(&message.result, at, agent, facts),
            b"StatusUpdate" => self.status(message, at, agent, facts),
            b"SubagentEvent" => {
                if let Some((event, of)) = message.event() {
                    let of = facts.name(of);
                    self.message(&event, at, of.or(agent), facts);
                }
            }
            b"ContentPart" if was_typed && message.text.is_some_and(is_unknown_command) => {
                facts.commands.pop();
                facts.skill_texts.pop();
            }
            _ => facts.ignore(message.kind, None),
        }
    }

    fn context(&self) -> Context {
        Context {
            session: self.session,
            agent: Some(Agent::KimiCli),
            ..Context::default()
        }
    }

    fn prompt(&mut self, message: &Message<'_>, at: At<'_>, facts: &mut FileFacts) {
        let Some(text) = message.text else { return };
        if self.options.task_text
            && let Some(prompt) = redact::prompt(text)
        {
            self.task = Some(facts.strings.intern(&prompt));
        }
        let head = text.head(1_024);
        let skill = head
            .strip_prefix(SKILL)
            .and_then(|rest| rest.split_whitespace().next());
        if let (Some(skill), Some(key)) = (skill, at.key(facts)) {
            let id = format!("{}/skill", facts.strings.get(key));
            let id = facts.strings.intern(&id);
            let (skill, _) = facts.tool(&ToolName::skill(skill));
            facts.commands.push(Command {
                id,
                at: at.millis,
                context: self.context(),
                command: None,
                skill,
            });
            facts.skill_texts.push(id);
            self.typed = true;
        }
    }

    fn call(&mut self, message: &Message<'_>, at: At<'_>, agent: Option<Sym>, facts: &mut FileFacts) {
        let Some(id) = facts.call_id(message.id) else {
            return;
        };
        let name = message.name.map(Str::text).unwrap_or_default();
        let server = facts
            .name(message.name)
            .and_then(|tool| self.servers.get(&tool).copied());
        let tool = match server {
            Some(server) => ToolName::mcp(facts.strings.get(server), Some(&name)),
            None => message.tool(&name),
        };
        let (tool, operation) = facts.tool(&tool);
        let is_positional = call_id::is_positional(facts.strings.get(id), &name);
        let call = Call {
            id,
            at: at.millis,
            tool,
            operation,
            context: self.context(),
            model: None,
            // Until the step says the id of its response: what a call waits for if it never does.
            group: if is_positional { at.key(facts) } else { None },
            task: self.task,
            waits_for_person: tool_name::waits_for_person(&name),
            unreported: false,
        };
        let step = self.steps.entry(agent).or_default();
        if is_positional {
            step.calls.push(call);
        } else {
            step.counted.remove(&id);
            facts.calls.push(call);
        }
    }

    fn result(&mut self, result: &ToolResult<'_>, at: At<'_>, agent: Option<Sym>, facts: &mut FileFacts) {
        let Some(id) = facts.call_id(result.id) else {
            return;
        };
        let verdict = result.verdict().unwrap_or_else(|| {
            let detail = "a result does not say whether it is an error";
            facts.problem(ProblemCode::UnclassifiedError, detail);
            CallResult::UNKNOWN
        });
        let mut answer = Answer {
            id,
            at: at.millis,
            verdict,
            duration_ms: None,
            goes_on: result.goes_on,
        };
        let step = self.steps.entry(agent).or_default();
        if step.calls.iter().any(|call| call.id == id) {
            step.answers.push(answer);
        } else {
            answer.id = step.counted.get(&id).copied().unwrap_or(id);
            facts.answers.push(answer);
        }
    }

    fn status(&mut self, message: &Message<'_>, at: At<'_>, agent: Option<Sym>, facts: &mut FileFacts) {
        for (server, tools) in &message.servers {
            let Some(server) = facts.name(Some(*server)) else {
                continue;
            };
            for tool in tools {
                if let Some(tool) = facts.name(Some(*tool)) {
                    self.servers.insert(tool, server);
                }
            }
        }
        let response = facts.name(message.response);
        if response.is_some() {
            self.end_step(agent, response, facts);
        }
        if let (Some(tokens), Some(group)) = (message.tokens, response.or_else(|| at.key(facts))) {
            facts.push_usage(Usage {
                at: at.millis,
                tokens,
                context: self.context(),
                ..Usage::of(group)
            });
        }
    }

    /// Assigns the waiting calls to the response that made them, or else to the time at which they were made.
    fn end_step(&mut self, agent: Option<Sym>, response: Option<Sym>, facts: &mut FileFacts) {
        let Some(step) = self.steps.get_mut(&agent) else {
            return;
        };
        for mut call in step.calls.drain(..) {
            let Some(key) = response.or(call.group) else {
                facts.calls.push(call);
                continue;
            };
            let uuid = call_id::within(facts.strings.get(call.id), facts.strings.get(key));
            let uuid = facts.strings.intern(&uuid);
            step.counted.insert(call.id, uuid);
            call.id = uuid;
            call.group = response;
            facts.calls.push(call);
        }
        for mut answer in step.answers.drain(..) {
            answer.id = step.counted.get(&answer.id).copied().unwrap_or(answer.id);
            facts.answers.push(answer);
        }
    }
}

/// The time of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'a> {
    /// The time as written in the log, which is the same in all copies of a record.
    raw: &'a [u8],
    millis: Option<Millis>,
}

impl At<'_> {
    fn key(self, facts: &mut FileFacts) -> Option<Sym> {
        let raw = &self.raw[..self.raw.len().min(40)];
        self.millis?;
        facts.clean_name(&format!("kimi:{}", String::from_utf8_lossy(raw)))
    }
}

fn is_unknown_command(text: Str<'_>) -> bool {
    text.head(UNKNOWN_COMMAND.len() + 8).starts_with(UNKNOWN_COMMAND)
}

/// The session of `sessions/<directory>/<session>/wire.jsonl`, of `imported_sessions/<session>/wire.jsonl` and of
/// `<session>/subagents/<agent>/wire.jsonl`; `None` for any other path.
fn session(path: &str) -> Option<&str> {
    let parts: Vec<&str> = path.split(['/', '\\']).collect();
    let folders = match parts.as_slice() {
        [folders @ .., "subagents", _, "wire.jsonl"] | [folders @ .., "wire.jsonl"] => folders,
        _ => return None,
    };
    match folders {
        [.., "sessions", _, session] | [.., "imported_sessions", session] => {
            (!session.is_empty()).then_some(*session)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::session;

    #[test]
    fn the_session_is_the_folder_where_the_agent_puts_it_and_no_other() {
        for (path, expected) in [
            ("/h/.kimi/sessions/0a1b/s-1/wire.jsonl", Some("s-1")),
            ("/h/.kimi/sessions/0a1b/s-1/subagents/a1/wire.jsonl", Some("s-1")),
            (r"C:\h\.kimi\sessions\0a1b\s-1\wire.jsonl", Some("s-1")),
            ("/h/.kimi/imported_sessions/s-2/wire.jsonl", Some("s-2")),
            ("/h/Downloads/wire.jsonl", None),
            ("/h/sessions/0a1b/s-1/other.jsonl", None),
            ("wire.jsonl", None),
        ] {
            assert_eq!(session(path), expected, "{path}");
        }
    }
}
