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
mod task;
mod verdict;

use std::collections::HashMap;

use model::{CallResult, limits};
use sha2::{Digest, Sha256};

use crate::{
    Agent, Options,
    claude::{
        positional::Positions,
        record::{Message, OwnFigures, Record, Refusal, ToolResult, ToolUse},
        response::{advice, request_of, stated},
        task::Ended,
        verdict::Classified,
    },
    facts::{
        Answer, Call, Command, Context, Ending, FileFacts, Launch, Load, Millis, Requested, Searches, Usage,
    },
    json::{Cursor, Malformed, Str},
    problem::ProblemCode,
    redact,
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

    /// The texts of a user record: a command, the text of a skill, the end of a task, or a prompt.
    fn texts(&mut self, record: &Record<'_>, at: Option<Millis>, facts: &mut FileFacts) {
        let texts = || record.message.text.iter().chain(&record.message.texts).copied();
        let Some(first) = texts().next() else {
            return;
        };
        if let Some(ended) = texts().find_map(task::notified) {
            self.ended(record, &ended, at, facts);
        } else if let Some(text) = texts().find(|text| is_command(*text)) {
            if let Some(name) = command::typed(text) {
                let command = (!command::is_built_in(&name)).then(|| ToolName::command(&name));
                self.command(record, &name, command.as_ref(), facts);
            }
        } else if record.is_meta {
            skill_text(record, first, facts);
        } else if let Some(name) = command::plain(first) {
            // A skill that runs in a fork leaves the command that the person typed; any other path or word is no skill.
            self.command(record, &name, None, facts);
        }
        if self.task_text
            && !record.is_meta
            && !(record.is_sidechain || record.is_compact_summary)
            && record.message.results.is_empty()
            && let Some(task) = texts().find_map(redact::prompt)
        {
            self.task = Some(facts.strings.intern(&task));
        }
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
            facts.push_usage(Usage {
                model,
                at,
                tokens: spent.tokens,
                tier: spent.tier,
                web_searches: spent.web_searches,
                request,
                ..Usage::of(group)
            });
            if spent.iterations.is_some() {
                advice(&spent, group, request, at, facts);
            }
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

    fn results(&mut self, message: &Message<'_>, envelope: Envelope<'_>, facts: &mut FileFacts) {
        // The record has one `toolUseResult`: with several results it is not known which one it describes.
        let (own, refusal) = if message.results.len() == 1 {
            (envelope.own, envelope.refusal)
        } else {
            (OwnFigures::default(), Refusal::default())
        };
        for result in &message.results {
            let raw = result.id.map_or(&b""[..], |id| id.0);
            let launched = own.goes_on || !own.stated && result.is_launch();
            let Classified { verdict, known } = verdict_of(result, own, refusal);
            let id = if self.positions.is_position(raw) {
                let place = (envelope.context.session, envelope.at);
                self.positions.of_result(Str(raw), envelope.record, place, facts)
            } else {
                match facts.call_id(result.id) {
                    Some(id) => id,
                    None => continue,
                }
            };
            facts.answers.push(Answer {
                id,
                at: envelope.at,
                // A start does not show how the work ends.
                verdict: if launched && !result.is_error {
                    CallResult::UNKNOWN
                } else {
                    verdict
                },
                duration_ms: whole_ms(own.duration_ms).filter(|_| !launched),
                goes_on: launched,
            });
            if own.searches > 0 {
                let count = own.searches;
                facts.searches.push(Searches { id, count });
            }
            if launched && let Some(task) = facts.name(own.task.or_else(|| result.launched_task())) {
                let session = envelope.context.session;
                facts.launches.push(Launch {
                    call: id,
                    session,
                    at: envelope.at,
                    task,
                });
            }
            if !known {
                unclassified(id, facts);
            }
        }
        if let Some(ended) = own.asked.ended() {
            self.ended(envelope.record, &ended, envelope.at, facts);
        }
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

    /// A slash command has no id of its own: the line's uuid, which copies of the line share, becomes it.
    /// `command` is what it is as a tool when it is no skill.
    fn command(
        &mut self,
        record: &Record<'_>,
        name: &str,
        command: Option<&ToolName>,
        facts: &mut FileFacts,
    ) {
        let id = command_id(record.uuid).unwrap_or_else(|| {
            let text = |part: Option<Str<'_>>| part.map(Str::text).unwrap_or_default().into_owned();
            let key = [
                text(record.uuid),
                text(record.session),
                text(record.timestamp),
                name.to_owned(),
            ];
            let digest = Sha256::digest(key.join("\n").as_bytes());
            format!("command:{}", model::text::hex(&digest[..16]))
        });
        let Some(id) = facts.call_id(Some(Str(id.as_bytes()))) else {
            return;
        };
        let command = command.map(|command| facts.tool(command).0);
        let (skill, _) = facts.tool(&ToolName::skill(name));
        let context = self.context(record, facts);
        facts.commands.push(Command {
            id,
            at: time::parse(record.timestamp),
            context,
            command,
            skill,
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
        for (tool, bytes) in loaded {
            let tool = facts.strings.intern(&tool);
            facts.loads.push(Load {
                context,
                record: key,
                at,
                tool,
                bytes,
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

/// The id of a command by the uuid of its record.
fn command_id(uuid: Option<Str<'_>>) -> Option<String> {
    let uuid = stated(uuid)?.text();
    (uuid.len() + 8 <= limits::UUID_BYTES).then(|| format!("command:{uuid}"))
}

/// The text that a typed skill brings names the record of its command as the one before it.
fn skill_text(record: &Record<'_>, text: Str<'_>, facts: &mut FileFacts) {
    if !record.of_call
        && command::is_skill_text(text)
        && let Some(command) = command_id(record.parent)
    {
        let command = facts.strings.intern(&command);
        facts.skill_texts.push(command);
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

fn verdict_of(result: &ToolResult<'_>, own: OwnFigures<'_>, refusal: Refusal) -> Classified {
    let flags = refusal.with(verdict::ResultFlags {
        is_error: result.is_error,
        ..own.flags
    });
    // The text decides only about errors; most results are none, and their text is long.
    if flags.is_error || result.may_begin_with_heading() {
        verdict::classify(flags, &result.text())
    } else {
        verdict::classify(flags, "")
    }
}

/// Counts an error with an unknown message. The answers of an MCP server are not Claude Code's messages.
fn unclassified(id: Sym, facts: &mut FileFacts) {
    const NEAR: usize = 256;
    let call = facts.calls.iter().rev().take(NEAR).find(|call| call.id == id);
    let tool = call.map_or("", |call| facts.strings.get(call.tool));
    if tool.starts_with("mcp:") {
        return;
    }
    let of = if tool.is_empty() {
        String::new()
    } else {
        format!(" of {tool}")
    };
    let detail =
        format!("a call{of} ended with an error in words that are not known; it counts as a failure");
    facts.problem(ProblemCode::UnclassifiedError, detail);
}

fn is_command(text: Str<'_>) -> bool {
    let head = &text.0[..text.0.len().min(64)];
    memchr::memmem::find(head, b"<command-").is_some()
        || memchr::memchr(b'\\', head).is_some() && text.head(64).contains("<command-")
}

/// A duration in whole ms; `None` when it is negative or more than an event may state.
pub(crate) fn whole_ms(ms: Option<f64>) -> Option<i64> {
    let ms = ms?.round();
    #[expect(clippy::cast_precision_loss, reason = "a year of ms is far below 2^53")]
    let greatest = limits::DURATION_MS as f64;
    #[expect(clippy::cast_possible_truncation, reason = "checked against the bound")]
    (0.0..=greatest).contains(&ms).then_some(ms as i64)
}
