//! From the facts of all files of one person to events: results meet their calls, copies of a call become one, and
//! what a response cost is split over its calls.
//!
//! Whatever the order of the files, and wherever a file was cut in two, the result is the same: every choice between
//! records is made by their contents.

use std::{cmp::Ordering, collections::HashMap};

use chrono::{DateTime, Utc};
use model::{
    Event, MicroUsd, ToolId, Verdict,
    inventory::{LoadedTool, SessionInventory},
};

use crate::{
    Agent, Prices, Totals,
    facts::{Answer, Call, Context, FileFacts, Load, Millis, Note, Problem, ProblemCode, Usage, earlier},
    project,
    strings::{Strings, Sym},
};

/// Everything that one person's files say.
#[derive(Debug)]
pub struct Collected {
    strings: Strings,
    calls: Vec<Joined>,
    /// What each session had loaded, by session id.
    pub inventory: Vec<SessionInventory>,
    /// What was skipped, by file and line.
    pub problems: Vec<Problem>,
    /// The numbers.
    pub totals: Totals,
}

/// One call with all that is known about it.
#[derive(Debug)]
struct Joined {
    call: Call,
    at: Millis,
    verdict: Verdict,
    duration_ms: Option<i64>,
    cost: Option<MicroUsd>,
}

impl Collected {
    /// The events, by time and then by uuid.
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event> {
        self.calls.iter().map(|joined| self.event(joined))
    }

    fn event(&self, joined: &Joined) -> Event {
        let Joined {
            call,
            at,
            verdict,
            duration_ms,
            cost,
        } = *joined;
        let text = |sym: Option<Sym>| sym.map(|sym| self.strings.get(sym).to_owned());
        Event {
            uuid: text(Some(call.id)),
            operation: text(call.operation),
            session: text(call.context.session),
            // The working directory has given way to the project.
            project: text(call.context.cwd),
            task_text: text(call.task),
            duration_ms,
            cost,
            model: text(call.model),
            agent: call.context.agent.map(|agent| agent.to_string()),
            agent_version: text(call.context.version),
            git_branch: text(call.context.branch),
            ..Event::new(self.tool(call.tool), verdict, time(at))
        }
    }

    fn tool(&self, tool: Sym) -> ToolId {
        ToolId::parse(self.strings.get(tool)).expect("the text came from a tool id")
    }
}

/// Joins the facts of all files of one person. `resolve_project` names the project of a working directory (the
/// client asks the file system for the repository's root); where it does not know, the last part of the path does.
pub fn join(
    files: Vec<FileFacts>,
    prices: &Prices,
    resolve_project: &mut dyn FnMut(&str) -> Option<String>,
) -> Collected {
    let mut pool = Pool::default();
    for file in files {
        pool.add(file);
    }
    let Pool {
        mut strings,
        calls,
        answers,
        notes,
        usage,
        loads,
        mut problems,
        mut totals,
    } = pool;

    let calls = distinct_calls(calls, &strings, &mut problems, &mut totals);
    let usage = distinct_usage(usage);
    let costs = price(&usage, prices, &strings, &mut problems, &mut totals);
    let mut joined = answer(calls, answers, notes, &strings, &mut problems, &mut totals);
    split_costs(&mut joined, &costs, &strings);

    let mut projects = Projects {
        known: HashMap::new(),
        resolve: resolve_project,
    };
    for joined in &mut joined {
        let cwd = &mut joined.call.context.cwd;
        *cwd = cwd.and_then(|cwd| projects.of(cwd, &mut strings));
    }
    let inventory = inventory(loads, &mut strings, &mut projects, &mut totals);

    joined.sort_by(|a, b| (a.at, strings.get(a.call.id)).cmp(&(b.at, strings.get(b.call.id))));
    problems.sort();
    count(&joined, &strings, &mut totals);
    Collected {
        strings,
        calls: joined,
        inventory,
        problems,
        totals,
    }
}

/// The facts of all files in one set of symbols.
#[derive(Default)]
struct Pool {
    strings: Strings,
    calls: Vec<Call>,
    answers: Vec<Answer>,
    notes: Vec<Note>,
    usage: Vec<Usage>,
    loads: Vec<Load>,
    problems: Vec<Problem>,
    totals: Totals,
}

impl Pool {
    fn add(&mut self, mut file: FileFacts) {
        let names = self.strings.absorb(std::mem::take(&mut file.strings));
        file.rename(&names);
        self.calls.append(&mut file.calls);
        self.answers.append(&mut file.answers);
        self.notes.append(&mut file.notes);
        self.usage.append(&mut file.usage);
        self.loads.append(&mut file.loads);
        self.problems.append(&mut file.problems);
        let totals = &mut self.totals;
        totals.files += 1;
        totals.bytes += file.bytes;
        totals.lines += file.lines;
        totals.unfinished_lines += file.unfinished_lines;
        if let Some(agent) = file.agent {
            *totals.agents.entry(agent.as_str()).or_default() += 1;
        }
        for (kind, count) in file.ignored {
            *totals.ignored.entry(kind).or_default() += count;
        }
        for (code, count) in file.problem_counts {
            *totals.problems.entry(code).or_default() += count;
        }
    }
}

/// A known time before an unknown one.
fn by_time(a: Option<Millis>, b: Option<Millis>) -> Ordering {
    (a.is_none(), a).cmp(&(b.is_none(), b))
}

/// One call for each id: of its copies (forks, resumes, snapshots) the earliest, its gaps filled from the others.
fn distinct_calls(
    mut calls: Vec<Call>,
    strings: &Strings,
    problems: &mut Vec<Problem>,
    totals: &mut Totals,
) -> Vec<Call> {
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
        ]
        .map(text);
        (strings.get(call.tool).to_owned(), names, agent)
    };
    calls.sort_unstable_by(|a, b| {
        let time = || by_time(a.at, b.at);
        a.id.cmp(&b.id).then_with(time).then_with(|| {
            if a == b {
                Ordering::Equal
            } else {
                contents(a).cmp(&contents(b))
            }
        })
    });
    calls.dedup_by(|later, first| {
        if later.id != first.id {
            return false;
        }
        if later.tool != first.tool {
            let (kept, other) = (strings.get(first.tool), strings.get(later.tool));
            problem(
                problems,
                totals,
                ProblemCode::ConflictingTool,
                format!(
                    "{} is {kept} and later {other}; the first stands",
                    strings.get(first.id)
                ),
            );
            return true;
        }
        first.fill(later);
        true
    });
    calls.shrink_to_fit();
    calls
}

fn problem(problems: &mut Vec<Problem>, totals: &mut Totals, code: ProblemCode, detail: String) {
    *totals.problems.entry(code).or_default() += 1;
    problems.push(Problem {
        file: String::new(),
        line: None,
        code,
        detail,
    });
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

/// One usage for each response, by group.
fn distinct_usage(mut usage: Vec<Usage>) -> Vec<Usage> {
    usage.sort_unstable_by_key(|usage| usage.group);
    usage.dedup_by(|other, kept| {
        let same = other.group == kept.group;
        if same {
            kept.absorb(other);
        }
        same
    });
    usage
}

/// What each response cost, by group.
fn price(
    usage: &[Usage],
    prices: &Prices,
    strings: &Strings,
    problems: &mut Vec<Problem>,
    totals: &mut Totals,
) -> HashMap<Sym, MicroUsd, foldhash::fast::RandomState> {
    let mut costs = HashMap::default();
    let mut unpriced: HashMap<Sym, u64> = HashMap::new();
    let mut sum = 0_i64;
    for usage in usage {
        totals.tokens.groups += 1;
        totals.tokens.input += usage.tokens.input;
        totals.tokens.output += usage.tokens.output;
        totals.tokens.cache_read += usage.tokens.cache_read;
        totals.tokens.cache_creation += usage.tokens.cache_creation();
        let Some(model) = usage.model else { continue };
        let prompt = if usage.sums_session {
            0
        } else {
            usage.tokens.prompt()
        };
        let price = prices.find(strings.get(model), usage.at, prompt);
        match price.map(|price| price.cost(&usage.tokens)).or(usage.stated_cost) {
            Some(cost) => {
                sum = sum.saturating_add(cost.0);
                costs.insert(usage.group, cost);
            }
            None => *unpriced.entry(model).or_default() += 1,
        }
    }
    totals.cost_usd = MicroUsd(sum).as_usd();
    let mut unpriced: Vec<(&str, u64)> = unpriced
        .into_iter()
        .map(|(model, count)| (strings.get(model), count))
        .collect();
    unpriced.sort_unstable();
    for (model, count) in unpriced {
        let detail = format!("{model} has no price: {count} responses have no cost; a price file can add it");
        problem(problems, totals, ProblemCode::UnpricedModel, detail);
    }
    costs
}

/// Joins the calls, sorted by id, with their results: of several the earliest.
fn answer(
    calls: Vec<Call>,
    mut answers: Vec<Answer>,
    mut notes: Vec<Note>,
    strings: &Strings,
    problems: &mut Vec<Problem>,
    totals: &mut Totals,
) -> Vec<Joined> {
    let rank = |answer: &Answer| (answer.verdict, answer.goes_on, answer.duration_ms);
    answers.sort_unstable_by(|a, b| {
        a.id.cmp(&b.id)
            .then_with(|| by_time(a.at, b.at))
            .then_with(|| rank(a).cmp(&rank(b)))
    });
    answers.dedup_by_key(|answer| answer.id);
    notes.sort_unstable_by_key(|note| (note.id, note.verdict.is_none(), note.verdict, note.duration_ms));
    let mut answers = answers.into_iter().peekable();
    let mut notes = notes.into_iter().peekable();
    let mut joined = Vec::with_capacity(calls.len());
    for mut call in calls {
        while answers.next_if(|answer| answer.id < call.id).is_some() {
            totals.orphan_results += 1;
        }
        let answer = answers.next_if(|answer| answer.id == call.id);
        while notes.next_if(|note| note.id < call.id).is_some() {}
        let mut verdict = match answer {
            Some(answer) => answer.verdict,
            None if call.unreported => Verdict::UNKNOWN,
            None => Verdict::UNANSWERED,
        };
        let mut stated = answer.and_then(|answer| answer.duration_ms);
        while let Some(note) = notes.next_if(|note| note.id == call.id) {
            if let (Some(better), Some(_)) = (note.verdict, answer) {
                verdict = better;
            }
            stated = note.duration_ms.or(stated);
            if let Some((tool, operation)) = note.tool {
                (call.tool, call.operation) = (tool, operation.or(call.operation));
            }
        }
        let Some(at) = call.at.or(answer.and_then(|answer| answer.at)) else {
            let detail = format!(
                "{} has no time, and neither has its result; it was skipped",
                strings.get(call.id)
            );
            problem(problems, totals, ProblemCode::NoTimestamp, detail);
            continue;
        };
        let measured = || {
            let answer = answer.filter(|answer| !answer.goes_on)?;
            Some(answer.at? - call.at?).filter(|ms| (0..=model::limits::DURATION_MS).contains(ms))
        };
        let duration_ms = if call.waits_for_person {
            None
        } else {
            stated.or_else(measured)
        };
        joined.push(Joined {
            call,
            at,
            verdict,
            duration_ms,
            cost: None,
        });
    }
    totals.orphan_results += answers.count() as u64;
    joined
}

/// Splits what a response cost over its calls. The micro-USD that do not divide go to the first by id, one each.
fn split_costs(
    joined: &mut [Joined],
    costs: &HashMap<Sym, MicroUsd, foldhash::fast::RandomState>,
    strings: &Strings,
) {
    let mut in_groups: Vec<(Sym, &mut Joined)> = joined
        .iter_mut()
        .filter_map(|joined| Some((joined.call.group?, joined)))
        .collect();
    in_groups.sort_unstable_by(|(a_group, a), (b_group, b)| {
        a_group
            .cmp(b_group)
            .then_with(|| strings.get(a.call.id).cmp(strings.get(b.call.id)))
    });
    for group in in_groups.chunk_by_mut(|(a, _), (b, _)| a == b) {
        let Some(MicroUsd(cost)) = costs.get(&group[0].0) else {
            continue;
        };
        let calls = i64::try_from(group.len()).expect("fewer calls than i64::MAX");
        for (nth, (_, joined)) in (0..).zip(group) {
            joined.cost = Some(MicroUsd(cost / calls + i64::from(nth < cost % calls)));
        }
    }
}

/// Projects by working directory.
struct Projects<'a> {
    known: HashMap<Sym, Option<Sym>>,
    resolve: &'a mut dyn FnMut(&str) -> Option<String>,
}

impl Projects<'_> {
    fn of(&mut self, cwd: Sym, strings: &mut Strings) -> Option<Sym> {
        if let Some(&project) = self.known.get(&cwd) {
            return project;
        }
        let path = strings.get(cwd);
        let name = (self.resolve)(path).or_else(|| project::name_of(path).map(str::to_owned));
        let name = name.map(|name| name.chars().take(model::limits::NAME_CHARS).collect::<String>());
        let project = name
            .filter(|name| !name.is_empty())
            .map(|name| strings.intern(&model::text::clean(&name)));
        self.known.insert(cwd, project);
        project
    }
}

/// What each session had loaded. The same record twice in a session counts once; a fork's copies count for the fork.
fn inventory(
    mut loads: Vec<Load>,
    strings: &mut Strings,
    projects: &mut Projects<'_>,
    totals: &mut Totals,
) -> Vec<SessionInventory> {
    let record = |load: &Load| (load.context.session, load.record);
    loads.retain(|load| load.context.session.is_some() && load.at.is_some());
    loads.sort_unstable_by_key(|load| (record(load), load.tool, load.bytes, load.at));
    loads.dedup_by_key(|load| (record(load), load.tool));
    totals.listings = loads.chunk_by(|a, b| record(a) == record(b)).count() as u64;
    let mut sessions: Vec<SessionInventory> = Vec::new();
    for session in loads.chunk_by_mut(|a, b| a.context.session == b.context.session) {
        let first = *session
            .iter()
            .min_by_key(|load| (load.at, strings.get(load.record)))
            .expect("a chunk is not empty");
        let observed_at = session.iter().fold(None, |at, load| earlier(at, load.at));
        session.sort_unstable_by_key(|load| load.tool);
        let mut tools: Vec<LoadedTool> = session
            .chunk_by(|a, b| a.tool == b.tool)
            .map(|loads| LoadedTool {
                tool_id: ToolId::parse(strings.get(loads[0].tool)).expect("the text came from a tool id"),
                context_bytes: i64::try_from(loads.iter().map(|load| load.bytes).sum::<u64>())
                    .unwrap_or(i64::MAX),
            })
            .collect();
        tools.sort_by(|a, b| a.tool_id.cmp(&b.tool_id));
        let project = first.context.cwd.and_then(|cwd| projects.of(cwd, strings));
        sessions.push(SessionInventory {
            session_id: first
                .context
                .session
                .map_or("", |session| strings.get(session))
                .to_owned(),
            project: project.map(|project| strings.get(project).to_owned()),
            agent: first.context.agent.map(|agent: Agent| agent.to_string()),
            observed_at: time(observed_at.unwrap_or_default()),
            tools,
        });
    }
    sessions.sort_by(|a, b| a.session_id.cmp(&b.session_id));
    sessions
}

fn count(joined: &[Joined], strings: &Strings, totals: &mut Totals) {
    totals.events = joined.len() as u64;
    let mut sessions: Vec<Sym> = Vec::new();
    for Joined { call, verdict, .. } in joined {
        *totals.outcomes.entry(verdict.outcome().as_str()).or_default() += 1;
        if let Some(reason) = verdict.reason() {
            *totals.reasons.entry(reason.as_str()).or_default() += 1;
        }
        let kind = ToolId::parse(strings.get(call.tool)).map(|tool| tool.kind().as_str());
        *totals.kinds.entry(kind.unwrap_or_default()).or_default() += 1;
        sessions.extend(call.context.session);
    }
    sessions.sort_unstable();
    sessions.dedup();
    totals.sessions = sessions.len() as u64;
}

fn time(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or(DateTime::UNIX_EPOCH)
}
