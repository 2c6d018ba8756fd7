//! Claude Code: one JSON object a line, below `~/.claude/projects`. Every line stands alone: session, working
//! directory, branch and version are repeated on each.
//!
//! The format is internal to Claude Code and changes without notice; records of an unknown type are counted and
//! otherwise ignored.

mod command;
mod inventory;
mod record;
mod verdict;

use std::collections::HashMap;

use model::{Verdict, limits};
use sha2::{Digest, Sha256};

use crate::{
    Agent, Options,
    claude::record::{Message, OwnFigures, Record, ToolResult, ToolUse},
    facts::{Answer, Call, Context, FileFacts, Load, Millis, Searches, Usage},
    json::{Cursor, Malformed, Str},
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
    /// The last thing that the person asked for.
    task: Option<Sym>,
    /// Session, working directory, branch and version of the last line as they stand in it, and what they became:
    /// they rarely change from line to line.
    last_context: ([Vec<u8>; 4], Context),
    model: Repeated,
    group: Repeated,
    /// Tools that their name alone tells, by the name as it stands in the log.
    tools: HashMap<Vec<u8>, Tool, foldhash::fast::RandomState>,
}

/// What the name of a tool became.
#[derive(Clone, Copy, Debug)]
struct Tool {
    id: Sym,
    operation: Option<Sym>,
    waits_for_person: bool,
}

/// A name that one record after another states, as it last stood in the log and what it became.
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

    /// Reads one line into `facts`; a line that is not one object leaves them as they were.
    pub(crate) fn line(&mut self, line: Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        let mut record = Record::default();
        record.read(line)?;
        match record.kind.map_or(&b""[..], |kind| kind.0) {
            b"assistant" | b"user" => self.message(&record, facts),
            b"progress" if record.data.kind == Some(Str(b"agent_progress")) => {
                let context = self.context(&record, facts);
                let at = time::parse(record.data.timestamp);
                self.tools(&record.data.message, record.data.outcome, at, context, facts);
            }
            b"system" if record.subtype == Some(Str(b"local_command")) => {
                if let Some(text) = record.content {
                    self.command(&record, text, facts);
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
            let texts = || record.message.text.iter().chain(&record.message.texts);
            if let Some(&text) = texts().find(|text| is_command(**text)) {
                self.command(record, text, facts);
            } else if self.task_text
                && !(record.is_meta || record.is_sidechain || record.is_compact_summary)
                && record.message.results.is_empty()
                && let Some(task) = texts().find_map(|text| redact::prompt(*text))
            {
                self.task = Some(facts.strings.intern(&task));
            }
        }
        self.tools(&record.message, record.outcome, at, context, facts);
    }

    /// The tool calls, results and usage of a message.
    fn tools(
        &mut self,
        message: &Message<'_>,
        own: OwnFigures,
        at: Option<Millis>,
        context: Context,
        facts: &mut FileFacts,
    ) {
        let synthetic = message.model == Some(Str(b"<synthetic>"));
        let needed = message.usage.is_some() || !message.uses.is_empty();
        let model = if needed && !synthetic {
            self.model.name(message.model, facts)
        } else {
            None
        };
        let group = if needed {
            self.group.name(message.id, facts)
        } else {
            None
        };
        if let (Some(group), Some(tokens), false) = (group, message.usage, synthetic) {
            facts.push_usage(Usage {
                model,
                at,
                tokens,
                ..Usage::of(group)
            });
        }
        for block in &message.uses {
            let Some(id) = facts.call_id(block.id) else {
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
        }
        // The record has one `toolUseResult`: with several results nobody knows whose it is.
        let own = if message.results.len() == 1 {
            own
        } else {
            OwnFigures::default()
        };
        for result in &message.results {
            let Some(id) = facts.call_id(result.id) else {
                continue;
            };
            facts.answers.push(Answer {
                id,
                at,
                verdict: verdict_of(result, own),
                duration_ms: whole_ms(own.duration_ms),
                goes_on: own.goes_on,
            });
            if own.searches > 0 {
                let count = u32::try_from(own.searches).unwrap_or(u32::MAX);
                facts.searches.push(Searches { id, count });
            }
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

    /// A slash command has no id of its own: the line's uuid, which copies of the line share, becomes it.
    fn command(&mut self, record: &Record<'_>, text: Str<'_>, facts: &mut FileFacts) {
        let Some(name) = command::custom_command(text) else {
            return;
        };
        let id = match record.uuid.map(Str::text).filter(|uuid| !uuid.is_empty()) {
            Some(uuid) if uuid.len() + 8 <= limits::UUID_BYTES => format!("command:{uuid}"),
            _ => {
                let text = |part: Option<Str<'_>>| part.map(Str::text).unwrap_or_default().into_owned();
                let key = [
                    text(record.uuid),
                    text(record.session),
                    text(record.timestamp),
                    name.clone(),
                ];
                let digest = Sha256::digest(key.join("\n").as_bytes());
                let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
                format!("command:{hex}")
            }
        };
        let Some(id) = facts.call_id(Some(Str(id.as_bytes()))) else {
            return;
        };
        let (tool, operation) = facts.tool(&ToolName::command(&name));
        let context = self.context(record, facts);
        facts.calls.push(Call {
            id,
            at: time::parse(record.timestamp),
            tool,
            operation,
            context,
            model: None,
            group: None,
            task: None,
            waits_for_person: false,
            unreported: true,
        });
    }

    fn attachment(&mut self, record: &Record<'_>, facts: &mut FileFacts) {
        let Some(attachment) = record.attachment else {
            return facts.ignore(record.kind, None);
        };
        let loaded = match inventory::loaded(attachment) {
            Ok(loaded) => loaded,
            Err(kind) => return facts.ignore(record.kind, kind),
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

fn verdict_of(result: &ToolResult<'_>, own: OwnFigures) -> Verdict {
    let flags = verdict::ResultFlags {
        is_error: result.is_error,
        ..own.flags
    };
    // The text decides only about errors; most results are none, and their text is long.
    if flags.is_error || result.may_begin_with_heading() {
        verdict::classify(flags, &result.text())
    } else {
        verdict::classify(flags, "")
    }
}

fn is_command(text: Str<'_>) -> bool {
    memchr::memmem::find(&text.0[..text.0.len().min(64)], b"<command-").is_some()
}

/// A duration in whole ms; `None` when it is negative or more than an event may state.
pub(crate) fn whole_ms(ms: Option<f64>) -> Option<i64> {
    let ms = ms?.round();
    #[expect(clippy::cast_precision_loss, reason = "a year of ms is far below 2^53")]
    let greatest = limits::DURATION_MS as f64;
    #[expect(clippy::cast_possible_truncation, reason = "checked against the bound")]
    (0.0..=greatest).contains(&ms).then_some(ms as i64)
}
