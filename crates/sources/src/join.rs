//! Joins the facts of all files of one person into events: matches results with their calls, merges the copies of a
//! call, and splits the cost of a response over its calls.
//!
//! The result does not depend on the order of the files or on where a file was split: every choice between records
//! depends only on their contents.

mod aliases;
mod answers;
mod carried;
mod commands;
mod cost;
mod endings;
mod frames;
mod inventory;
mod numbered;
mod projects;
mod responses;
mod runs;
mod servers;
mod shared;
mod spending;

use std::{cmp::Ordering, collections::HashMap};

use chrono::{DateTime, Utc};
use model::{CallResult, Event, MicroUsd, ToolId, inventory::SessionInventory, usage::Response};

use self::{carried::Carrier, projects::Projects, spending::Spending};
use crate::{
    Excluded, Prices, Totals,
    facts::{
        Answer, Body, Call, Command, Context, Ending, FileFacts, Frame, Launch, Load, Millis, Note, Numbered,
        NumberedResult, Requested, Run, Searches, Usage,
    },
    problem::{Problem, ProblemCode},
    strings::{Strings, Sym},
};

/// The result of reading all files of one person.
#[derive(Debug)]
pub struct Collected {
    strings: Strings,
    calls: Vec<Joined>,
    spending: Vec<Spending>,
    tools: HashMap<Sym, ToolId, foldhash::fast::RandomState>,
    /// What each session had loaded, by session id.
    pub inventory: Vec<SessionInventory>,
    /// What was skipped, by file and line.
    pub problems: Vec<Problem>,
    /// The numbers.
    pub totals: Totals,
    /// What was left out because its project is not shared.
    pub excluded: Excluded,
}

/// One call with all that is known about it.
#[derive(Debug)]
struct Joined {
    call: Call,
    at: Millis,
    verdict: CallResult,
    duration_ms: Option<i64>,
    cost: Option<MicroUsd>,
    run_cost: Option<MicroUsd>,
}

impl Collected {
    /// The events, by time and then by uuid.
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event> {
        self.calls.iter().map(|joined| self.event(joined))
    }

    /// What each API response used, by time and then by id; those that call no tool, too.
    pub fn responses(&self) -> impl Iterator<Item = Response> {
        self.spending
            .iter()
            .map(|spending| spending.response(&self.strings))
    }

    fn event(&self, joined: &Joined) -> Event {
        let Joined {
            call,
            at,
            verdict,
            duration_ms,
            cost,
            run_cost,
        } = *joined;
        let text = |sym: Option<Sym>| sym.map(|sym| self.strings.get(sym).to_owned());
        Event {
            uuid: text(Some(call.id)),
            operation: text(call.operation),
            session: text(call.context.session),
            // The working directory has been replaced by the project.
            project: text(call.context.cwd),
            task_text: text(call.task),
            duration_ms,
            cost,
            run_cost,
            model: text(call.model),
            agent: call.context.agent.map(|agent| agent.as_str().to_owned()),
            agent_version: text(call.context.version),
            git_branch: text(call.context.branch),
            ..Event::new(self.tools[&call.tool].clone(), verdict, time(at))
        }
    }
}

/// What the caller provides about working directories.
pub trait Directories {
    /// The project of a working directory; `None` when it is unknown, and then the last part of the path is used.
    fn project_of(&mut self, cwd: &str) -> Option<String>;

    /// Whether the facts of a working directory may be shared. `project` is its name, if it has one.
    fn is_shared(&mut self, cwd: Option<&str>, project: Option<&str>) -> bool;
}

/// Shares every project.
struct ShareAll<'a>(&'a mut dyn FnMut(&str) -> Option<String>);

impl Directories for ShareAll<'_> {
    fn project_of(&mut self, cwd: &str) -> Option<String> {
        (self.0)(cwd)
    }

    fn is_shared(&mut self, _: Option<&str>, _: Option<&str>) -> bool {
        true
    }
}

/// Joins the facts of all files of one person. `resolve_project` returns the project of a working directory (the client
/// looks for the root of the repository in the file system); for `None` the last part of the path is used.
pub fn join(
    files: Vec<FileFacts>,
    prices: &Prices,
    resolve_project: &mut dyn FnMut(&str) -> Option<String>,
) -> Collected {
    join_shared(files, prices, &mut ShareAll(resolve_project))
}

/// Like [`join()`], but leaves out everything that belongs to projects that are not shared.
pub fn join_shared(files: Vec<FileFacts>, prices: &Prices, directories: &mut dyn Directories) -> Collected {
    let mut projects = Projects::new(directories);
    let mut pool = Pool::default();
    for file in files {
        pool.add(file, &mut projects);
    }
    pool.apply_frames();
    pool.typed_calls();
    pool.apply_aliases();
    let stated = std::mem::take(&mut pool.calls);
    let mut calls = pool.distinct(stated);
    pool.add_implied(&mut calls);
    pool.place_numbered(&calls);
    let (mut calls, excluded) = pool.exclude(calls, &mut projects);
    let costs = pool.costs(prices);
    pool.regroup(&mut calls);
    let mut calls = pool.answered(calls);
    pool.share(&mut calls, costs, prices);

    for joined in &mut calls {
        let cwd = &mut joined.call.context.cwd;
        *cwd = cwd.and_then(|cwd| projects.of(cwd, &mut pool.strings));
    }
    let inventory = pool.inventory(&calls, &mut projects);
    let spending = pool.finish_spending(&mut projects);

    let Pool {
        strings,
        mut problems,
        mut totals,
        ..
    } = pool;
    // Here and below: the sort that is faster on what is nearly sorted.
    calls.sort_by(|a, b| (a.at, strings.get(a.call.id)).cmp(&(b.at, strings.get(b.call.id))));
    problems.sort();
    let tools = count(&calls, &strings, &mut totals);
    Collected {
        strings,
        calls,
        spending,
        tools,
        inventory,
        problems,
        totals,
        excluded,
    }
}

/// Merges the facts of all files into one set of symbols.
#[derive(Default)]
struct Pool {
    strings: Strings,
    calls: Vec<Call>,
    implied: Vec<Call>,
    aliases: Vec<(Sym, Sym)>,
    answers: Vec<Answer>,
    notes: Vec<Note>,
    usage: Vec<Usage>,
    spending: Vec<Spending>,
    runs: Vec<Run>,
    searches: Vec<Searches>,
    requested: Vec<Requested>,
    /// The groups of calls whose message has an id that several responses share.
    regrouped: HashMap<(Sym, Sym), Sym, foldhash::fast::RandomState>,
    numbered: Vec<Numbered>,
    numbered_results: Vec<NumberedResult>,
    commands: Vec<Command>,
    skill_texts: Vec<Sym>,
    launches: Vec<Launch>,
    endings: Vec<Ending>,
    loads: Vec<Load>,
    bodies: Vec<Body>,
    /// The requests of sessions that listed their tools.
    carriers: Vec<Carrier>,
    frames: Vec<Frame>,
    problems: Vec<Problem>,
    totals: Totals,
}

impl Pool {
    fn add(&mut self, mut file: FileFacts, projects: &mut Projects<'_>) {
        let names = self.strings.absorb(&std::mem::take(&mut file.strings));
        file.rename(&names);
        for usage in &mut file.usage {
            usage.context.agent = usage.context.agent.or(file.agent);
        }
        self.exclude_usage(&mut file, projects);
        self.calls.append(&mut file.calls);
        self.implied.append(&mut file.implied);
        self.aliases.append(&mut file.aliases);
        self.answers.append(&mut file.answers);
        self.notes.append(&mut file.notes);
        self.usage.append(&mut file.usage);
        self.runs.append(&mut file.runs);
        self.searches.append(&mut file.searches);
        self.requested.append(&mut file.requested);
        self.numbered.append(&mut file.numbered);
        self.numbered_results.append(&mut file.numbered_results);
        self.commands.append(&mut file.commands);
        self.skill_texts.append(&mut file.skill_texts);
        self.launches.append(&mut file.launches);
        self.endings.append(&mut file.endings);
        self.loads.append(&mut file.loads);
        self.bodies.append(&mut file.bodies);
        self.frames.append(&mut file.frames);
        self.problems.append(&mut file.problems);
        let totals = &mut self.totals;
        totals.files += 1;
        totals.bytes += file.bytes;
        totals.lines += file.lines;
        totals.unfinished_lines += file.unfinished_lines;
        if let Some(agent) = file.agent {
            *totals.agents.entry(agent.as_str()).or_default() += 1;
        }
        for ((kind, part), count) in file.ignored {
            let text = |sym: Option<Sym>| sym.map(|sym| self.strings.get(sym));
            let name = match (text(kind), text(part)) {
                (Some(kind), Some(part)) => format!("{kind}/{part}"),
                (Some(kind), None) => kind.to_owned(),
                (None, _) => "(unknown)".to_owned(),
            };
            *totals.ignored.entry(name).or_default() += count;
        }
        for (code, count) in file.problem_counts {
            *totals.problems.entry(code).or_default() += count;
        }
    }
}

impl Pool {
    /// A problem that concerns no single file.
    fn problem(&mut self, code: ProblemCode, detail: String) {
        *self.totals.problems.entry(code).or_default() += 1;
        self.problems.push(Problem {
            file: String::new(),
            line: None,
            code,
            detail,
        });
    }

    /// One call per id, sorted by id: the earliest of its copies (forks, resumes, snapshots), with missing values
    /// filled from the others.
    fn distinct(&mut self, mut calls: Vec<Call>) -> Vec<Call> {
        let strings = &self.strings;
        let text = |sym: Option<Sym>| sym.map(|sym| strings.get(sym));
        let contents = |call: &Call| {
            let Context {
                session,
                cwd,
                branch,
                version,
                agent,
            } = call.context;
            let names = [
                session,
                cwd,
                branch,
                version,
                call.operation,
                call.model,
                call.group,
                call.task,
            ];
            (strings.get(call.tool), names.map(text), agent)
        };
        calls.sort_by(|a, b| {
            let same_time = || {
                if a == b {
                    Ordering::Equal
                } else {
                    contents(a).cmp(&contents(b))
                }
            };
            a.id.cmp(&b.id)
                .then_with(|| by_time(a.at, b.at))
                .then_with(same_time)
        });
        let mut conflicts = Vec::new();
        calls.dedup_by(|later, first| {
            if later.id != first.id {
                return false;
            }
            if later.tool == first.tool {
                first.fill(later);
            } else {
                let [id, kept, other] = [first.id, first.tool, later.tool].map(|sym| strings.get(sym));
                conflicts.push(format!("{id} calls {kept} and later {other}; the first is kept"));
            }
            true
        });
        for conflict in conflicts {
            self.problem(ProblemCode::ConflictingTool, conflict);
        }
        calls.shrink_to_fit();
        calls
    }

    /// Adds the calls for which there is only a report of their end to the calls, which are sorted by id.
    fn add_implied(&mut self, calls: &mut Vec<Call>) {
        let mut implied = std::mem::take(&mut self.implied);
        if implied.is_empty() {
            return;
        }
        implied.retain(|call| calls.binary_search_by_key(&call.id, |known| known.id).is_err());
        let mut implied = self.distinct(implied);
        calls.append(&mut implied);
        calls.sort_unstable_by_key(|call| call.id);
    }
}

/// Sorts a known time before an unknown one.
fn by_time(a: Option<Millis>, b: Option<Millis>) -> Ordering {
    (a.is_none(), a).cmp(&(b.is_none(), b))
}

impl Call {
    fn fill(&mut self, later: &Call) {
        self.operation = self.operation.or(later.operation);
        self.model = self.model.or(later.model);
        self.group = self.group.or(later.group);
        self.task = self.task.or(later.task);
        self.context.session = self.context.session.or(later.context.session);
        self.context.cwd = self.context.cwd.or(later.context.cwd);
        self.context.branch = self.context.branch.or(later.context.branch);
        self.context.version = self.context.version.or(later.context.version);
    }
}

/// Counts the calls, and returns the tools that they call.
fn count(
    joined: &[Joined],
    strings: &Strings,
    totals: &mut Totals,
) -> HashMap<Sym, ToolId, foldhash::fast::RandomState> {
    totals.events = joined.len() as u64;
    let mut sessions: Vec<Sym> = Vec::new();
    let mut tools: HashMap<Sym, u64, foldhash::fast::RandomState> = HashMap::default();
    for Joined { call, verdict, .. } in joined {
        *totals.outcomes.entry(verdict.outcome().as_str()).or_default() += 1;
        if let Some(reason) = verdict.reason() {
            *totals.reasons.entry(reason.as_str()).or_default() += 1;
        }
        *tools.entry(call.tool).or_default() += 1;
        sessions.extend(call.context.session);
    }
    let mut ids = HashMap::default();
    for (tool, calls) in tools {
        let id = tool_id(strings, tool);
        *totals.kinds.entry(id.kind().as_str()).or_default() += calls;
        ids.insert(tool, id);
    }
    sessions.sort_unstable();
    sessions.dedup();
    totals.sessions = sessions.len() as u64;
    ids
}

fn time(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or(DateTime::UNIX_EPOCH)
}

fn tool_id(strings: &Strings, tool: Sym) -> ToolId {
    ToolId::parse(strings.get(tool)).expect("the text came from a tool id")
}
