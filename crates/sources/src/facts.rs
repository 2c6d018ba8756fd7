//! The facts of one file in compact form: the input of [`crate::join()`].
//!
//! Nothing is decided here that another file could change: a call and its result may be in two files, a message may be
//! counted in several, and a session may continue in another.

mod names;
mod rename;
mod usage;

use std::collections::BTreeMap;

use model::{CallResult, MicroUsd};

use crate::{
    Agent,
    json::Str,
    prices::Tier,
    problem::{Problem, ProblemCode},
    strings::{Strings, Sym},
};

/// What to read beyond the facts that are always read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Keep the beginning of the person's request, with secrets removed. Off by default.
    pub task_text: bool,
}

/// Greatest number of problems listed for one file; all are counted.
const LISTED_PROBLEMS: usize = 1_000;

/// Greatest number of types of records without facts that are counted separately.
const IGNORED_TYPES: usize = 256;

/// Milliseconds since 1970, UTC.
pub(crate) type Millis = i64;

/// One call as one record states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) id: Sym,
    pub(crate) at: Option<Millis>,
    pub(crate) tool: Sym,
    pub(crate) operation: Option<Sym>,
    pub(crate) context: Context,
    pub(crate) model: Option<Sym>,
    /// The API response that made the call: calls of one group share its cost.
    pub(crate) group: Option<Sym>,
    pub(crate) task: Option<Sym>,
    /// The call waits for a person, so its duration is not that of the tool.
    pub(crate) waits_for_person: bool,
    /// No record reports its end (a slash command).
    pub(crate) unreported: bool,
}

/// Where a record was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Context {
    pub(crate) session: Option<Sym>,
    /// The working directory, until it is replaced by the project.
    pub(crate) cwd: Option<Sym>,
    pub(crate) branch: Option<Sym>,
    pub(crate) version: Option<Sym>,
    pub(crate) agent: Option<Agent>,
}

/// The result of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) id: Sym,
    pub(crate) at: Option<Millis>,
    pub(crate) verdict: CallResult,
    /// The log's own figure.
    pub(crate) duration_ms: Option<i64>,
    /// The call was answered before its work was done, so the time until the answer is not its duration.
    pub(crate) goes_on: bool,
}

/// Additional facts about a call: Codex and Copilot report some of them separately from the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) id: Sym,
    /// Overrides the verdict of the result.
    pub(crate) verdict: Option<CallResult>,
    pub(crate) duration_ms: Option<i64>,
    /// The better name of the tool, with the operation.
    pub(crate) tool: Option<(Sym, Option<Sym>)>,
}

/// Tokens of one API response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Tokens {
    pub(crate) output: u64,
    pub(crate) input: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write_5m: u64,
    pub(crate) cache_write_1h: u64,
}

/// What one API response used, as one record states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) group: Sym,
    pub(crate) model: Option<Sym>,
    pub(crate) at: Option<Millis>,
    pub(crate) tokens: Tokens,
    /// The speed or class of service that was paid for.
    pub(crate) tier: Tier,
    /// Web searches that the response itself counts. Those that only a call's result counts are [`Searches`].
    pub(crate) web_searches: u32,
    /// The request, where an agent's messages may share an id: a hash of its id, which is odd, or else of values that
    /// are unique to one request, which is even. 0 where the group is sufficient.
    pub(crate) request: u64,
    /// The response on whose behalf this one was made (an advisor's): the calls of that one share its cost.
    pub(crate) within: Option<Sym>,
    /// The run of an agent in which the response was made; see [`Run`].
    pub(crate) run: Option<Sym>,
    /// The session whose listings the request carried; `None` for an agent's own requests and where it is not known.
    pub(crate) carrier: Option<Sym>,
    /// The sum of a whole session, not one request: the length of the prompts is unknown.
    pub(crate) sums_session: bool,
    /// The cost as stated in the log. It overrides the price table, but not a price that was given for this model by a
    /// file or by the org. Zero is ignored: agents write it when they do not know the cost.
    pub(crate) stated_cost: Option<MicroUsd>,
    /// The agent's id of the request, which its telemetry repeats.
    pub(crate) request_id: Option<Sym>,
    /// Where the response was recorded.
    pub(crate) context: Context,
}

/// A call that started an agent, and the name of that agent's run, which the responses within it state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) call: Sym,
    pub(crate) run: Sym,
}

/// The request that made a call, as one record states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Requested {
    pub(crate) call: Sym,
    pub(crate) group: Sym,
    /// As in [`Usage::request`].
    pub(crate) request: u64,
}

/// A call with a positional id, by the record that made it and the id in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub(crate) record: Option<Sym>,
    pub(crate) number: Sym,
    pub(crate) call: Sym,
}

/// The result of a call with a positional id, where the call was unknown when the result was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NumberedResult {
    /// The placeholder of the call's id in the result until the call is known.
    pub(crate) result: Sym,
    pub(crate) number: Sym,
    /// The records that the result's own names: that of the call, and the one before it.
    pub(crate) named: [Option<Sym>; 2],
    pub(crate) session: Option<Sym>,
    pub(crate) at: Option<Millis>,
    /// The last call with this id before it in the file.
    pub(crate) last: Option<Sym>,
}

/// A command that a person typed. Its kind is decided once everything that the session listed is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) id: Sym,
    pub(crate) at: Option<Millis>,
    pub(crate) context: Context,
    /// The command as a tool; `None` for one that the agent answers itself, unless it is a skill.
    pub(crate) command: Option<Sym>,
    /// The same name as a skill.
    pub(crate) skill: Sym,
}

/// A call that started work which continues after its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    pub(crate) call: Sym,
    pub(crate) session: Option<Sym>,
    pub(crate) at: Option<Millis>,
    /// The name of the work, valid within the session until it is reused.
    pub(crate) task: Sym,
}

/// The end of started work. It names the call, or only the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) call: Option<Sym>,
    pub(crate) session: Option<Sym>,
    pub(crate) task: Option<Sym>,
    pub(crate) at: Option<Millis>,
    /// True when the time is that of the end, not of a later check.
    pub(crate) exact: bool,
    pub(crate) verdict: CallResult,
    pub(crate) duration_ms: Option<i64>,
}

/// Web searches of one call, as counted in its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Searches {
    pub(crate) id: Sym,
    pub(crate) count: u32,
}

/// One tool that one record added to a session's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) context: Context,
    /// The record: a record that is repeated within a session counts once.
    pub(crate) record: Sym,
    pub(crate) at: Option<Millis>,
    pub(crate) tool: Sym,
    pub(crate) bytes: u64,
    pub(crate) listing: ListingKind,
}

/// Which list a record states. A later record of a kind takes the place of an earlier one for its tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ListingKind {
    Skills,
    Agents,
    DeferredTools,
    Instructions,
    /// Servers that the session waits for: they are not loaded.
    Unreachable,
}

/// The text that one call loaded into the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) call: Sym,
    pub(crate) bytes: u64,
}

/// Values from the record of a message or of a session that apply to all its calls where a call's own record lacks
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The message; `None` when the frame is of a session.
    pub(crate) message: Option<Sym>,
    pub(crate) session: Option<Sym>,
    pub(crate) cwd: Option<Sym>,
    pub(crate) version: Option<Sym>,
    pub(crate) model: Option<Sym>,
    pub(crate) task: Option<Sym>,
    pub(crate) created: Option<Millis>,
    pub(crate) completed: Option<Millis>,
    pub(crate) tokens: Tokens,
}

/// A name that joins an MCP server and its tool, and how it was split without the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JoinedName {
    pub(crate) name: Sym,
    pub(crate) tool: Sym,
    pub(crate) operation: Option<Sym>,
}

/// The type of a record and the type of its payload.
pub(crate) type RecordType = (Option<Sym>, Option<Sym>);

/// The facts of one file. Opaque: [`crate::join()`] reads it.
#[derive(Debug)]
pub struct FileFacts {
    pub(crate) file: String,
    pub(crate) agent: Option<Agent>,
    /// Lines that are not blank.
    pub(crate) lines: u64,
    /// The line being read, from 1, blank ones included; 0 when it is the file as a whole.
    pub(crate) line: u64,
    pub(crate) bytes: u64,
    pub(crate) unfinished_lines: u64,
    pub(crate) strings: Strings,
    pub(crate) calls: Vec<Call>,
    /// Calls that only a report of their end states. They count where no record states the call itself.
    pub(crate) implied: Vec<Call>,
    /// Ids that were made up for calls, and the ids that other records state for these calls.
    pub(crate) aliases: Vec<(Sym, Sym)>,
    pub(crate) answers: Vec<Answer>,
    pub(crate) notes: Vec<Note>,
    pub(crate) usage: Vec<Usage>,
    pub(crate) runs: Vec<Run>,
    pub(crate) searches: Vec<Searches>,
    pub(crate) requested: Vec<Requested>,
    pub(crate) numbered: Vec<Numbered>,
    pub(crate) numbered_results: Vec<NumberedResult>,
    pub(crate) commands: Vec<Command>,
    /// The ids of commands that loaded the text of a skill, or that are installed as a skill.
    pub(crate) skill_texts: Vec<Sym>,
    pub(crate) launches: Vec<Launch>,
    pub(crate) endings: Vec<Ending>,
    pub(crate) loads: Vec<Load>,
    pub(crate) bodies: Vec<Body>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) joined_names: Vec<JoinedName>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) problem_counts: BTreeMap<ProblemCode, u64>,
    /// Recognised records without facts, or of an unknown kind.
    pub(crate) ignored: Vec<(RecordType, u64)>,
}

impl FileFacts {
    pub(crate) fn new(file: &str) -> FileFacts {
        FileFacts {
            file: file.to_owned(),
            agent: None,
            lines: 0,
            line: 0,
            bytes: 0,
            unfinished_lines: 0,
            strings: Strings::default(),
            calls: Vec::new(),
            implied: Vec::new(),
            aliases: Vec::new(),
            answers: Vec::new(),
            notes: Vec::new(),
            usage: Vec::new(),
            runs: Vec::new(),
            searches: Vec::new(),
            requested: Vec::new(),
            numbered: Vec::new(),
            numbered_results: Vec::new(),
            commands: Vec::new(),
            skill_texts: Vec::new(),
            launches: Vec::new(),
            endings: Vec::new(),
            loads: Vec::new(),
            bodies: Vec::new(),
            frames: Vec::new(),
            joined_names: Vec::new(),
            problems: Vec::new(),
            problem_counts: BTreeMap::new(),
            ignored: Vec::new(),
        }
    }

    /// Counts a problem of the line being read, and lists it unless the list is full.
    pub(crate) fn problem(&mut self, code: ProblemCode, detail: impl Into<String>) {
        let line = (self.line > 0).then_some(self.line);
        *self.problem_counts.entry(code).or_default() += 1;
        if self.problems.len() < LISTED_PROBLEMS || code == ProblemCode::UnknownFormat {
            self.problems.push(Problem {
                file: self.file.clone(),
                line,
                code,
                detail: detail.into(),
            });
        }
    }

    /// Counts a record without facts, by its type and by the type of its payload.
    pub(crate) fn ignore(&mut self, kind: Option<Str<'_>>, part: Option<Str<'_>>) {
        let is = |raw: Option<Str<'_>>, name: Option<Sym>| match (raw, name) {
            (Some(Str(raw)), Some(name)) => self.strings.get(name).as_bytes() == raw && !raw.contains(&b'\\'),
            (raw, name) => raw.is_none() && name.is_none(),
        };
        let known = self
            .ignored
            .iter_mut()
            .find(|((known_kind, known_part), _)| is(kind, *known_kind) && is(part, *known_part));
        if let Some((_, count)) = known {
            *count += 1;
            return;
        }
        // A hostile file could have a different type in every record.
        let full = self.ignored.len() >= IGNORED_TYPES;
        let key = if full {
            (None, None)
        } else {
            (self.name(kind), self.name(part))
        };
        match self.ignored.iter_mut().find(|(known, _)| *known == key) {
            Some((_, count)) => *count += 1,
            None => self.ignored.push((key, 1)),
        }
    }

    /// Adds usage. Records of one response follow each other, so the group's last record usually absorbs this one.
    pub(crate) fn push_usage(&mut self, usage: Usage) {
        if let Some(last) =
            self.usage.iter_mut().rev().take(4).find(|last| {
                (last.group, last.request, last.model) == (usage.group, usage.request, usage.model)
            })
        {
            last.absorb(&usage);
        } else {
            self.usage.push(usage);
        }
    }

    /// True when a person typed a command in this file.
    pub fn has_typed_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    /// Marks the typed commands that are skills: `is_skill` gets the name of a command without its slash, and the
    /// directory in which it was typed.
    pub fn mark_skills(&mut self, is_skill: &mut dyn FnMut(&str, Option<&str>) -> bool) {
        for command in &self.commands {
            let name = self.strings.get(command.skill).strip_prefix("skill:");
            let directory = command.context.cwd.map(|cwd| self.strings.get(cwd));
            if name.is_some_and(|name| is_skill(name, directory)) {
                self.skill_texts.push(command.id);
            }
        }
    }

    /// Adds that a call started the run of an agent. Records repeat it one after the other.
    pub(crate) fn push_run(&mut self, run: Run) {
        if self.runs.last() != Some(&run) {
            self.runs.push(run);
        }
    }

    /// Releases unused capacity: the facts stay in memory until all other files have been read.
    pub(crate) fn shrink(&mut self) {
        self.calls.shrink_to_fit();
        self.implied.shrink_to_fit();
        self.answers.shrink_to_fit();
        self.notes.shrink_to_fit();
        self.usage.shrink_to_fit();
        self.searches.shrink_to_fit();
        self.requested.shrink_to_fit();
        self.loads.shrink_to_fit();
        self.frames.shrink_to_fit();
        self.strings.shrink();
    }
}

/// The earlier of two times; a known one before an unknown.
pub(crate) fn earlier(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
