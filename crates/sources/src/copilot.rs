//! Copilot CLI: `~/.copilot/session-state/<id>/events.jsonl`, one `{type, data, id, timestamp, parentId}` per line. A
//! call is announced by the message that requests it and by its start; its end shows whether it succeeded. A command or
//! a subagent in the background is answered at once, and its end is reported later.

mod accounts;
mod record;
mod verdict;

use std::collections::HashMap;

use model::{CallResult, MicroUsd, Reason};

use crate::{
    Agent, Options, call_id,
    claude::whole_ms,
    copilot::{
        accounts::Accounts,
        record::{Record, Request, Spent},
    },
    facts::{Answer, Call, Context, FileFacts, Millis, Note, Usage},
    json::{Cursor, Malformed, Str},
    problem::ProblemCode,
    redact,
    strings::Sym,
    time,
    tool_name::{self, ToolName},
};

/// Tools that start a command.
const SHELLS: [&str; 4] = ["bash", "powershell", "shell", "local_shell"];

/// Billionths of an AI credit in a micro-USD: a credit is a cent.
const NANO_CREDITS: u64 = 100_000;

/// Reads the lines of one session.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    task_text: bool,
    task: Option<Sym>,
    context: Context,
    model: Option<Sym>,
    calls: HashMap<Sym, Asked>,
    /// The uuids of calls with positional ids: those of the last calls with these ids.
    positional: HashMap<Sym, Sym>,
    /// The call that each request for permission is about.
    permissions: HashMap<Sym, Sym>,
    /// The call that each shell runs a command of.
    shells: HashMap<Sym, Sym>,
    /// Requests to the model whose usage is known.
    requests: HashMap<Sym, Sym>,
    /// Calls whose request has no usage yet: the request, and the index of the call.
    unpaid: Vec<(Sym, usize)>,
    /// Where the calls begin that came after the last shutdown.
    recent: usize,
    shutdowns: u64,
    accounts: Accounts,
}

/// The state of a call until it ends.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    /// When it began to run: its start, or the permission that it had to wait for.
    began: Option<Millis>,
    runs_commands: bool,
    /// It was answered, but continues.
    runs_on: bool,
    refused: bool,
    request: Option<Sym>,
    model: Option<Sym>,
}

impl Reader {
    pub(crate) fn new(options: &Options) -> Reader {
        let context = Context {
            agent: Some(Agent::CopilotCli),
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
        let at = time::parse(record.timestamp);
        match record.kind.map_or(&b""[..], |kind| kind.0) {
            b"session.start" | b"session.resume" => self.session(&record, facts),
            b"session.model_change" if record.agent.is_none() => {
                self.model = facts.name(record.model).or(self.model);
            }
            b"user.message" if self.task_text => {
                let task = record.content.and_then(redact::prompt);
                self.task = task.map(|task| facts.strings.intern(&task)).or(self.task);
            }
            b"assistant.message" => {
                self.accounts.message();
                for request in &record.requests {
                    self.call(request, at, &record, facts);
                }
            }
            b"tool.execution_start" => {
                if let Some(id) = self.call(&record.call, at, &record, facts) {
                    self.begins(id, at);
                }
            }
            b"tool.execution_complete" => self.completed(&record, at, facts),
            b"permission.requested" => {
                if let (Some(request), Some(_)) = (facts.name(record.request_id), record.call.id)
                    && let Some(id) = self.known(record.call.id, facts)
                {
                    self.permissions.insert(request, id);
                }
            }
            b"permission.completed" => self.decided(&record, at, facts),
            b"subagent.completed" => self.subagent(&record, CallResult::SUCCESS, facts),
            b"subagent.failed" => self.subagent(&record, CallResult::because(Reason::Error), facts),
            b"system.notification" if record.shell.is_some() => {
                let failed = record.exit_code.map(|code| code != 0.0);
                let shell = record.shell.map(Str::text).unwrap_or_default();
                self.command_ended(&shell, failed, at, facts);
            }
            b"session.usage_record" | b"assistant.usage" => self.request_used(&record, at, facts),
            b"session.shutdown" => self.shutdown(&record, at, facts),
            _ => facts.ignore(record.kind, None),
        }
        Ok(())
    }

    fn session(&mut self, record: &Record<'_>, facts: &mut FileFacts) {
        let known = self.context;
        self.context = Context {
            session: facts.name(record.session).or(known.session),
            cwd: facts.path(record.git_root.or(record.cwd)).or(known.cwd),
            branch: facts.name(record.branch).or(known.branch),
            version: facts.name(record.version).or(known.version),
            ..known
        };
        self.model = facts.name(record.model).or(self.model);
        self.accounts.resumed();
    }

    fn call(
        &mut self,
        request: &Request<'_>,
        at: Option<Millis>,
        record: &Record<'_>,
        facts: &mut FileFacts,
    ) -> Option<Sym> {
        let name = request.name.map(Str::text).unwrap_or_default();
        let id = self.known(request.id, facts)?;
        let id = match record.message.or(record.id) {
            Some(message) if record.call.id.is_none() => self.key(request.id, &name, message, facts)?,
            _ => id,
        };
        let named = match &*name {
            "skill" => tool_name::field(request.arguments, b"skill").map(|skill| ToolName::skill(&skill)),
            "task" => tool_name::field(request.arguments, b"agent_type").map(|agent| ToolName::agent(&agent)),
            name => ToolName::mcp_prefixed(name),
        };
        let (tool, operation) = facts.tool(&named.unwrap_or_else(|| ToolName::builtin(&name)));
        // The name alone does not show where the server's name ends.
        if let Some(server) = request.server {
            let operation = request.operation.or(request.name).map(Str::text);
            let tool = Some(facts.tool(&ToolName::mcp(&server.text(), operation.as_deref())));
            facts.notes.push(Note {
                id,
                verdict: None,
                duration_ms: None,
                tool,
            });
        }
        let stated = facts.name(record.api_call);
        let model = facts.name(record.model);
        let asked = self.calls.entry(id).or_default();
        asked.model = asked.model.or(model).or(self.model);
        let model = asked.model;
        asked.runs_commands = SHELLS.contains(&&*name);
        asked.request = asked.request.or(stated);
        let request = asked.request;
        let group = request.and_then(|request| self.requests.get(&request).copied());
        if let (Some(request), None) = (request, group) {
            self.unpaid.push((request, facts.calls.len()));
        }
        facts.calls.push(Call {
            id,
            at,
            tool,
            operation,
            context: self.context,
            model,
            group,
            task: self.task,
            waits_for_person: tool_name::waits_for_person(&name),
            unreported: false,
        });
        Some(id)
    }

    /// The uuid of a call that a message requests: its id, or its id within the message.
    fn key(
        &mut self,
        id: Option<Str<'_>>,
        name: &str,
        message: Str<'_>,
        facts: &mut FileFacts,
    ) -> Option<Sym> {
        let id = facts.call_id(id)?;
        let text = facts.strings.get(id);
        if !call_id::is_positional(text, name) {
            return Some(id);
        }
        let key = call_id::within(text, &message.text());
        let key = facts.strings.intern(&key);
        self.positional.insert(id, key);
        Some(key)
    }

    /// The uuid of the call that a later record is about.
    fn known(&self, id: Option<Str<'_>>, facts: &mut FileFacts) -> Option<Sym> {
        let id = facts.call_id(id)?;
        Some(self.positional.get(&id).copied().unwrap_or(id))
    }

    /// A call runs from here; before, it waited.
    fn begins(&mut self, id: Sym, at: Option<Millis>) {
        let asked = self.calls.entry(id).or_default();
        asked.began = asked.began.max(at);
    }

    fn completed(&mut self, record: &Record<'_>, at: Option<Millis>, facts: &mut FileFacts) {
        let Some(id) = self.known(record.call.id, facts) else {
            return;
        };
        let asked = self.calls.entry(id).or_default();
        let judged = verdict::classify(record, asked.runs_commands);
        if !judged.known {
            let detail = "a call failed with a code that is not known; it counts as an error";
            facts.problem(ProblemCode::UnclassifiedError, detail);
        }
        let answer = record.answer.map(Str::text).unwrap_or_default();
        let shell = verdict::still_running(&answer).filter(|_| asked.runs_commands);
        let mode = record.execution_mode.map_or(&b""[..], |mode| mode.0);
        asked.runs_on = record.success == Some(true)
            && (shell.is_some()
                || mode == b"background"
                || answer.starts_with("Agent started in background"));
        let refused = asked.refused || judged.verdict.outcome() == model::Outcome::Abandoned;
        let goes_on = asked.runs_on || refused;
        let duration_ms = at
            .zip(asked.began)
            .and_then(|(at, began)| at.checked_sub(began))
            .filter(|ms| !goes_on && (0..=model::limits::DURATION_MS).contains(ms));
        facts.answers.push(Answer {
            id,
            at,
            verdict: judged.verdict,
            duration_ms,
            goes_on,
        });
        if let Some(shell) = shell {
            let shell = facts.strings.intern(shell);
            self.shells.insert(shell, id);
        } else if let Some((shell, failed)) = verdict::ended_command(&answer) {
            self.command_ended(shell, Some(failed), at, facts);
        }
    }

    /// A command that was left running has ended.
    fn command_ended(
        &mut self,
        shell: &str,
        failed: Option<bool>,
        at: Option<Millis>,
        facts: &mut FileFacts,
    ) {
        let Some(shell) = facts.strings.find(shell) else {
            return;
        };
        let Some(id) = self.shells.remove(&shell) else {
            return;
        };
        let began = self.calls.get(&id).and_then(|asked| asked.began);
        let verdict = failed.map(|failed| match failed {
            true => CallResult::because(Reason::Error),
            false => CallResult::SUCCESS,
        });
        facts.notes.push(Note {
            id,
            verdict,
            duration_ms: at.zip(began).and_then(|(at, began)| at.checked_sub(began)),
            tool: None,
        });
    }

    /// A subagent has ended. The end of a subagent that the call waited for is reported by the call's own end.
    fn subagent(&mut self, record: &Record<'_>, verdict: CallResult, facts: &mut FileFacts) {
        let Some(id) = self.known(record.call.id, facts) else {
            return;
        };
        if self.calls.get(&id).is_some_and(|asked| asked.runs_on) {
            facts.notes.push(Note {
                id,
                verdict: Some(verdict),
                duration_ms: whole_ms(record.duration_ms),
                tool: None,
            });
        }
    }

    fn decided(&mut self, record: &Record<'_>, at: Option<Millis>, facts: &mut FileFacts) {
        let id = match record.call.id {
            Some(id) => self.known(Some(id), facts),
            None => facts
                .name(record.request_id)
                .and_then(|request| self.permissions.get(&request).copied()),
        };
        let Some(id) = id else { return };
        let decision = record.decision.map(Str::text).unwrap_or_default();
        let decided_by = record.decided_by.map(Str::text).unwrap_or_default();
        if let Some(reason) = verdict::refusal(&decision, &decided_by) {
            self.calls.entry(id).or_default().refused = true;
            facts.notes.push(Note {
                id,
                verdict: Some(CallResult::because(reason)),
                duration_ms: None,
                tool: None,
            });
        } else {
            self.begins(id, at);
        }
    }

    /// One request to the model has a record of its own: its calls share its cost.
    fn request_used(&mut self, record: &Record<'_>, at: Option<Millis>, facts: &mut FileFacts) {
        let model = facts.name(record.model);
        let Some(request) = facts.name(record.api_call.or(record.id)) else {
            return;
        };
        let group = format!("copilot:{}", facts.strings.get(request));
        let group = facts.strings.intern(&group);
        if self.requests.insert(request, group).is_none()
            && let Some(model) = model
        {
            self.accounts.request(model, &record.usage);
        }
        self.unpaid.retain(|&(unpaid, call)| {
            if unpaid == request {
                facts.calls[call].group = Some(group);
            }
            unpaid != request
        });
        push_usage(group, model, at, &record.usage, (false, self.context), facts);
    }

    /// The calls since the last shutdown share, by model, the usage in its sums that no record of a request covers.
    fn shutdown(&mut self, record: &Record<'_>, at: Option<Millis>, facts: &mut FileFacts) {
        let metrics: Vec<(Sym, Spent)> = record
            .metrics
            .iter()
            .filter_map(|(model, spent)| Some((facts.name(Some(*model))?, *spent)))
            .collect();
        self.shutdowns += 1;
        let place = match facts.name(record.id) {
            Some(id) => facts.strings.get(id).to_owned(),
            None => {
                let session = self
                    .context
                    .session
                    .map_or("", |session| facts.strings.get(session));
                format!("{session}:{}", self.shutdowns)
            }
        };
        let rest = self.accounts.shutdown(record, metrics);
        let first = std::mem::replace(&mut self.recent, facts.calls.len());
        for (model, spent) in rest.iter().filter(|(_, spent)| !spent.is_empty()) {
            let group = format!("copilot:{place}:{}", facts.strings.get(*model));
            let group = facts.strings.intern(&group);
            for call in &mut facts.calls[first..] {
                if call.group.is_none()
                    && (call.model == Some(*model) || call.model.is_none() && rest.len() == 1)
                {
                    call.group = Some(group);
                }
            }
            push_usage(group, Some(*model), at, spent, (true, self.context), facts);
        }
    }
}

fn push_usage(
    group: Sym,
    model: Option<Sym>,
    at: Option<Millis>,
    spent: &Spent,
    (sums_session, context): (bool, Context),
    facts: &mut FileFacts,
) {
    let micro = spent.nano_credits / NANO_CREDITS;
    let stated = i64::try_from(micro).ok().filter(|micro| *micro > 0);
    facts.push_usage(Usage {
        model,
        at,
        tokens: spent.tokens,
        sums_session,
        stated_cost: stated.map(MicroUsd),
        context,
        ..Usage::of(group)
    });
}
