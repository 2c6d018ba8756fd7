//! Codex CLI: rollouts below `~/.codex/sessions`, one `{timestamp, type, payload}` a line. Who, where and which model
//! is said once (`session_meta`, `turn_context`) and holds for the lines below.
//!
//! A result says how a command ended only in its text. MCP calls and patches end with an event of their own, apart
//! from the result, and tokens are counted after the results of a response's calls.

mod record;

use model::{Reason, Verdict};

use crate::{
    Agent, Options,
    claude::whole_ms,
    codex::record::{Output, Payload, Record},
    facts::{Answer, Call, Context, FileFacts, Note, Usage},
    json::{Cursor, Malformed, Str},
    redact,
    strings::Sym,
    time,
    tool_name::{self, ToolName},
};

/// Reads the lines of one rollout.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    task_text: bool,
    task: Option<Sym>,
    context: Context,
    model: Option<Sym>,
    /// Where the calls of the response begin whose tokens have not been counted yet.
    uncounted: usize,
    /// Tokens of the session so far, to tell a repeated count.
    session_tokens: Option<u64>,
}

impl Reader {
    pub(crate) fn new(options: &Options) -> Reader {
        let context = Context {
            agent: Some(Agent::Codex),
            ..Context::default()
        };
        Reader {
            task_text: options.task_text,
            context,
            ..Reader::default()
        }
    }

    /// Reads one line into `facts`; a line that is not one object leaves them as they were.
    pub(crate) fn line(&mut self, line: Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        let record = Record::read(line)?;
        let payload = &record.payload;
        let kind = record.kind.map(Str::text).unwrap_or_default();
        let part = payload.kind.map(Str::text).unwrap_or_default();
        match (&*kind, &*part) {
            ("session_meta", _) => self.session(payload, facts),
            ("turn_context", _) => {
                self.model = facts.name(payload.model).or(self.model);
                self.context.cwd = facts.path(payload.cwd).or(self.context.cwd);
            }
            ("response_item", "function_call" | "custom_tool_call" | "local_shell_call") => {
                self.call(&record, facts);
            }
            ("response_item", "function_call_output" | "custom_tool_call_output") => result(&record, facts),
            ("event_msg", "mcp_tool_call_end" | "patch_apply_end" | "exec_command_end") => {
                note(payload, facts)
            }
            ("event_msg", "token_count") => self.tokens(&record, facts),
            ("event_msg", "user_message") if self.task_text => {
                let task = payload.message.and_then(redact::prompt);
                self.task = task.map(|task| facts.strings.intern(&task)).or(self.task);
            }
            _ => facts.ignore(record.kind, payload.kind),
        }
        Ok(())
    }

    /// A fork begins with its own record and repeats its parent's: the first one is the file's.
    fn session(&mut self, payload: &Payload<'_>, facts: &mut FileFacts) {
        if self.context.session.is_none() {
            self.context.session = facts.name(payload.id);
            self.context.cwd = facts.path(payload.cwd);
            self.context.version = facts.name(payload.version);
            self.context.branch = facts.name(payload.branch);
        }
    }

    fn call(&mut self, record: &Record<'_>, facts: &mut FileFacts) {
        let payload = &record.payload;
        let Some(id) = facts.call_id(payload.call_id) else {
            return;
        };
        let name = payload.name.map_or("shell".into(), |name| name.text());
        let namespace = payload.namespace.map(|namespace| namespace.text());
        let in_namespace = namespace.and_then(|namespace| {
            let server = namespace.strip_prefix("mcp__")?;
            Some(ToolName::mcp(
                server.split_once("__").map_or(server, |(server, _)| server),
                Some(&name),
            ))
        });
        let named = in_namespace.or_else(|| ToolName::mcp_prefixed(&name));
        let (tool, operation) = facts.tool(&named.unwrap_or_else(|| ToolName::builtin(&name)));
        facts.calls.push(Call {
            id,
            at: time::parse(record.timestamp),
            tool,
            operation,
            context: self.context,
            model: self.model,
            group: None,
            task: self.task,
            waits_for_person: tool_name::waits_for_person(&name),
            unreported: false,
        });
    }

    /// The tokens of the response that made the calls since the last count. A replay in a fork repeats its calls, so
    /// the first of them names the response; a response without calls is named by the session's tokens so far.
    fn tokens(&mut self, record: &Record<'_>, facts: &mut FileFacts) {
        let Some(total) = record.payload.session_tokens else {
            return;
        };
        if self.session_tokens.replace(total) == Some(total) {
            return;
        }
        let counted = std::mem::replace(&mut self.uncounted, facts.calls.len());
        let group = match facts.calls.get(counted) {
            Some(call) => format!("codex:{}", facts.strings.get(call.id)),
            None => {
                let session = self
                    .context
                    .session
                    .map_or("", |session| facts.strings.get(session));
                format!("codex:{session}:{total}")
            }
        };
        let group = facts.strings.intern(&group);
        for call in &mut facts.calls[counted..] {
            call.group = Some(group);
        }
        facts.push_usage(Usage {
            model: self.model,
            at: time::parse(record.timestamp),
            tokens: record.payload.tokens,
            ..Usage::of(group)
        });
    }
}

fn result(record: &Record<'_>, facts: &mut FileFacts) {
    let Some(id) = facts.call_id(record.payload.call_id) else {
        return;
    };
    let output = Output::of(record.payload.output);
    facts.answers.push(Answer {
        id,
        at: time::parse(record.timestamp),
        verdict: verdict(&output),
        duration_ms: whole_ms(output.wall_seconds().map(|seconds| seconds * 1e3))
            .filter(|_| !output.runs_on()),
        goes_on: output.runs_on(),
    });
}

fn verdict(output: &Output) -> Verdict {
    let head = output.head.trim_start();
    if output.exit_code().is_some_and(|code| code != 0) {
        return Verdict::because(Reason::Error);
    }
    if head.starts_with("exec command rejected by user") {
        return Verdict::because(Reason::Rejected);
    }
    if head.starts_with("aborted by user") {
        return Verdict::because(Reason::Interrupted);
    }
    // How Codex begins the report of a tool that could not run: `<tool> failed…`, `<tool> verification failed…`.
    let after_tool = head.split_once(' ').map_or("", |(_, rest)| rest);
    if ["failed", "verification failed"]
        .iter()
        .any(|words| after_tool.starts_with(words))
    {
        return Verdict::because(Reason::Error);
    }
    Verdict::SUCCESS
}

fn note(payload: &Payload<'_>, facts: &mut FileFacts) {
    let Some(id) = facts.call_id(payload.call_id) else {
        return;
    };
    let tool = payload.server.map(|server| {
        let operation = payload.tool.map(|tool| tool.text());
        facts.tool(&ToolName::mcp(&server.text(), operation.as_deref()))
    });
    facts.notes.push(Note {
        id,
        verdict: payload.failed.then_some(Verdict::because(Reason::Error)),
        duration_ms: whole_ms(payload.duration_ms),
        tool,
    });
}
