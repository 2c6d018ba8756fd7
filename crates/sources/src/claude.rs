//! Claude Code: one JSON object a line, below `~/.claude/projects`. Every line is complete by itself: session, working
//! directory, branch and version are repeated on each.
//!
//! The format is internal to Claude Code and changes without notice; records of an unknown type are counted and
//! otherwise ignored.

mod command;
mod inventory;
mod positional;
mod record;
mod response;
mod results;
mod task;
mod tool_result;
mod typed;
mod usage;
mod verdict;

use std::collections::HashMap;

use model::limits;

use crate::{
    Agent, Options,
    claude::{
        positional::Positions,
        record::{Message, OwnFigures, Record, Refusal, ToolUse},
        response::{push_usage, request_of, run_of, stated},
        task::Ended,
    },
    facts::{Call, Context, Ending, FileFacts, Load, Millis, Requested, Run, Usage},
    json::{Cursor, Malformed, Str},
    strings::Sym,
    time,
    tool_name::{self, ToolName},
};

/// Types of records that are known, so that a file of them is understood even when no fact comes from it.
const KNOWN: [&[u8]; 17] = [
    b"assistant",
    b"user",
    b"progress",
    b"attachment",
    b"system",
    b"summary",
    b"file-history-snapshot",
    b"queue-operation",
    b"pr-link",
    b"last-prompt",
    b"custom-title",
    b"mode",
    b"permission-mode",
    b"ai-title",
    b"agent-name",
    b"frame-link",
    b"compact-boundary",
];

/// Reads the lines of one file.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    task_text: bool,
    /// The person's last request.
    task: Option<Sym>,
    /// The raw session, working directory, branch and version of the last line, and their symbols:
    /// they rarely change from line to line.
    last_context: ([Vec<u8>; 4], Context),
    model: Repeated,
    group: Repeated,
    run: RepeatedRun,
    /// Calls with positional ids.
    positions: Positions,
    /// The last record of a response that has neither an id nor a request, and its group.
    nameless: Option<(Vec<u8>, Sym)>,
    /// Tools that are identified by their name alone, by the raw name in the log.
    tools: HashMap<Vec<u8>, Tool, foldhash::fast::RandomState>,
}

/// A tool by its name in the log.
#[derive(Clone, Copy, Debug)]
struct Tool {
    id: Sym,
    operation: Option<Sym>,
    waits_for_person: bool,
}

/// A name that is repeated in consecutive records: its raw text and its symbol.
#[derive(Debug, Default)]
struct Repeated {
    raw: Vec<u8>,
    name: Option<Sym>,
}

/// The run of the last record that had one, which most records after it have, too.
#[derive(Debug, Default)]
struct RepeatedRun {
    raw: Vec<u8>,
    session: Option<Sym>,
    name: Option<Sym>,
}

impl RepeatedRun {
    fn name(&mut self, raw: Str<'_>, context: Context, facts: &mut FileFacts) -> Option<Sym> {
        if self.name.is_none() || self.raw != raw.0 || self.session != context.session {
            self.raw.clear();
            self.raw.extend_from_slice(raw.0);
            self.session = context.session;
            self.name = run_of(raw, context, facts);
        }
        self.name
    }
}

impl Repeated {
    fn name(&mut self, field: Option<Str<'_>>, facts: &mut FileFacts) -> Option<Sym> {
        let raw = field?.0;
        if self.name.is_none() || self.raw != raw {
            self.raw.clear();
            self.raw.extend_from_slice(raw);
            self.name = facts.name(field);
        }
        self.name
    }
}

impl Reader {
    pub(crate) fn new(options: &Options) -> Reader {
        Reader {
            task_text: options.task_text,
            ..Reader::default()
        }
    }

    /// True for the type of a record that Claude Code writes.
    pub(crate) fn knows(kind: &[u8]) -> bool {
        KNOWN.contains(&kind)
    }

    /// Reads one line into `facts`. A line that is not exactly one object does not change them.
    pub(crate) fn line(&mut self, line: Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        let mut record = Record::default();
        record.read(line)?;
        match record.kind.map_or(&b""[..], |kind| kind.0) {
            b"assistant" | b"user" => self.message(&record, facts),
            b"progress" if record.data.kind == Some(Str(b"agent_progress")) => {
                let context = self.context(&record, facts);
                let envelope = Envelope {
                    at: time::parse(record.data.timestamp),
                    own: record.data.outcome,
                    refusal: Refusal::default(),
                    context,
                    record: &record,
                };
                self.tools(&record.data.message, envelope, facts);
            }
            b"queue-operation" if record.content.is_some_and(task::is_notification) => {
                let at = time::parse(record.timestamp);
                if let Some(ended) = record.content.and_then(task::notified) {
                    self.ended(&record, &ended, at, facts);
                }
            }
            b"attachment" => self.attachment(&record, facts),
            _ => facts.ignore(record.kind, record.subtype.or(record.data.kind)),
        }
        Ok(())
    }

    fn message(&mut self, record: &Record<'_>, facts: &mut FileFacts) {
        let context = self.context(record, facts);
        let at = time::parse(record.timestamp);
        if record.kind == Some(Str(b"user")) {
            self.texts(record, at, facts);
        }
        let envelope = Envelope {
            at,
            own: record.outcome,
            refusal: record.refusal,
            context,
            record,
        };
        self.tools(&record.message, envelope, facts);
    }

    /// The tool calls, results and usage of a message.
    fn tools(&mut self, message: &Message<'_>, envelope: Envelope<'_>, facts: &mut FileFacts) {
        let Envelope { at, context, .. } = envelope;
        let synthetic = message.model.is_some_and(|model| model.is("<synthetic>"));
        let needed = message.usage.is_some() || !message.uses.is_empty();
        let model = if needed && !synthetic {
            self.model.name(message.model, facts)
        } else {
            None
        };
        let group = if needed {
            self.group(message, envelope.record, facts)
        } else {
            None
        };
        let request = if needed {
            request_of(envelope.record, message.usage)
        } else {
            0
        };
        if let (Some(group), Some(spent), false) = (group, message.usage, synthetic) {
            let run = self.run(envelope, facts);
            // An agent's own requests carry a context of their own.
            let carrier = context
                .session
                .filter(|_| run.is_none() && !envelope.record.is_sidechain);
            let response = Usage {
                model,
                at,
                request,
                run,
                carrier,
                context,
                request_id: facts.name(stated(envelope.record.request)),
                ..Usage::of(group)
            };
            push_usage(&spent, response, facts);
        }
        for block in &message.uses {
            let Some(id) = self.call_id(block, message, envelope.record, facts) else {
                continue;
            };
            let Tool {
                id: tool,
                operation,
                waits_for_person,
            } = self.tool(block, facts);
            facts.calls.push(Call {
                id,
                at,
                tool,
                operation,
                context,
                model,
                group,
                task: self.task,
                waits_for_person,
                unreported: false,
            });
            if let Some(group) = group {
                facts.requested.push(Requested {
                    call: id,
                    group,
                    request,
                });
            }
        }
        self.results(message, envelope, facts);
    }

    /// The run of an agent in which a record was written. A progress record also names the call that started it.
    fn run(&mut self, envelope: Envelope<'_>, facts: &mut FileFacts) -> Option<Sym> {
        let record = envelope.record;
        let raw = record.run.or(record.data.run)?;
        let run = self.run.name(raw, envelope.context, facts)?;
        if record.data.run.is_some()
            && let Some(call) = record.of.filter(|call| !self.positions.is_position(call.0))
            && let Some(call) = facts.call_id(Some(call))
        {
            facts.push_run(Run { call, run });
        }
        Some(run)
    }

    fn tool(&mut self, block: &ToolUse<'_>, facts: &mut FileFacts) -> Tool {
        let raw = block.name.map_or(&b""[..], |name| name.0);
        if let Some(known) = self.tools.get(raw) {
            return *known;
        }
        let name = Str(raw).text();
        let (id, operation) = facts.tool(&ToolName::claude(&name, block.input));
        let tool = Tool {
            id,
            operation,
            waits_for_person: tool_name::waits_for_person(&name),
        };
        if !tool_name::told_by_input(&name) {
            self.tools.insert(raw.to_vec(), tool);
        }
        tool
    }

    /// The end of a task, as a notification or another call's result reports it.
    fn ended(&mut self, record: &Record<'_>, ended: &Ended<'_>, at: Option<Millis>, facts: &mut FileFacts) {
        let session = self.context(record, facts).session;
        let name =
            |name: Option<&str>, facts: &mut FileFacts| facts.name(name.map(|name| Str(name.as_bytes())));
        let call = match ended.call.as_deref() {
            // A positional id may have been reused since then, but the task's name identifies the start.
            Some(call) if self.positions.is_position(call.as_bytes()) => match ended.task {
                Some(_) => None,
                None => self.positions.last(call.as_bytes()),
            },
            call => name(call, facts),
        };
        let task = name(ended.task.as_deref(), facts);
        facts.endings.push(Ending {
            call,
            session,
            task,
            at,
            exact: ended.exact,
            verdict: ended.verdict,
            duration_ms: whole_ms(ended.duration_ms),
        });
    }

    fn attachment(&mut self, record: &Record<'_>, facts: &mut FileFacts) {
        let Some(attachment) = record.attachment else {
            return facts.ignore(record.kind, None);
        };
        let loaded = match inventory::loaded(attachment) {
            Ok(loaded) => loaded,
            Err(kind) => {
                if let Some((ended, queued)) = task::queued(attachment) {
                    let at = time::parse(queued.or(record.timestamp));
                    self.ended(record, &ended, at, facts);
                }
                return facts.ignore(record.kind, kind);
            }
        };
        let context = self.context(record, facts);
        let Some(key) = facts.path(record.uuid.or(record.timestamp)) else {
            return;
        };
        let at = time::parse(record.timestamp);
        for ((tool, listing), bytes) in loaded {
            let tool = facts.strings.intern(&tool);
            facts.loads.push(Load {
                context,
                record: key,
                at,
                tool,
                bytes,
                listing,
            });
        }
    }

    fn context(&mut self, record: &Record<'_>, facts: &mut FileFacts) -> Context {
        let fields = [record.session, record.cwd, record.branch, record.version];
        let (last, context) = &mut self.last_context;
        let same =
            |(last, field): (&Vec<u8>, &Option<Str<'_>>)| last == field.map_or(&b""[..], |field| field.0);
        if context.agent.is_none() || !last.iter().zip(&fields).all(same) {
            for (last, field) in last.iter_mut().zip(&fields) {
                last.clear();
                last.extend_from_slice(field.map_or(&b""[..], |field| field.0));
            }
            *context = Context {
                session: facts.name(record.session),
                cwd: facts.path(record.cwd),
                branch: facts.name(record.branch),
                version: facts.name(record.version),
                agent: Some(Agent::ClaudeCode),
            };
        }
        *context
    }
}

/// The record's data next to its message.
#[derive(Clone, Copy)]
struct Envelope<'r> {
    at: Option<Millis>,
    own: OwnFigures<'r>,
    refusal: Refusal,
    context: Context,
    record: &'r Record<'r>,
}

/// A duration in whole ms; `None` when it is negative or more than an event may state.
pub(crate) fn whole_ms(ms: Option<f64>) -> Option<i64> {
    let ms = ms?.round();
    #[expect(clippy::cast_precision_loss, reason = "a year of ms is far below 2^53")]
    let greatest = limits::DURATION_MS as f64;
    #[expect(clippy::cast_possible_truncation, reason = "checked against the bound")]
    (0.0..=greatest).contains(&ms).then_some(ms as i64)
}
