//! One session of the sample team: prompts, calls and their results.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    random::Random,
    record::Log,
    team::{Call, Member, TOOLS, Tool},
};
use model::team::MemberKind;

/// One finished log: the file below the session's folder, and its text.
pub(super) struct File {
    /// The path below `projects/<folder>`.
    pub(super) path: String,
    /// The lines.
    pub(super) text: String,
}

/// A session with the logs of its subagents.
pub(super) struct Session {
    /// The folder below `projects`.
    pub(super) folder: String,
    /// The agent's id of the session.
    pub(super) id: String,
    /// Its own log first.
    pub(super) files: Vec<File>,
}

/// The time of a session.
pub(super) struct Slot {
    /// The start of the session.
    pub(super) begin: DateTime<Utc>,
    /// The age of the session in days, which determines the tools in use.
    pub(super) days_ago: u32,
    /// The current time: no record is later.
    pub(super) now: DateTime<Utc>,
    /// The session is still open, with a call that has no result yet.
    pub(super) open: bool,
}

const PROMPTS: &[&str] = &[
    "The totals on the invoice page are off by one cent for some orders. Find out why and fix it.",
    "Add an endpoint that lists refunds of a customer, newest first, with paging.",
    "The nightly import has become slow since last week. What changed?",
    "Write tests for the retry logic. It must not retry what the other side has refused.",
    "Upgrade the HTTP client and mend what breaks.",
    "Explain how a payment moves through the system, then write it down for newcomers.",
    "The end-to-end suite fails every fifth run. Find out which test depends on the clock.",
    "Rename the module `basket` to `cart` everywhere, also in the documentation.",
    "Please look at the error that came in this morning and propose a fix.",
    "Make the search page usable with a keyboard alone.",
];

const CLOSINGS: &[&str] = &[
    "Done. The tests pass, and the change is small enough to review in one go.",
    "I found the cause and fixed it; the test that shows it is in the same commit.",
    "Here is what I found. I changed nothing yet, because two ways are open to you.",
    "The change is ready. One test was already failing before, and still does.",
];

/// How a call ends.
pub(super) enum Ending {
    Success,
    Error,
    InvalidInput,
    UnknownTool,
    Rejected,
    Interrupted,
    Cancelled,
    Denied,
}

/// Writes a session of the member.
pub(super) fn session(member: &Member, slot: &Slot, mut random: Random) -> Session {
    let project = random.pick(member.projects);
    let log = Log::begin(member, project, slot.begin, random.split());
    let folder = log.folder();
    let id = log.session_id.clone();
    let mut run = Run {
        person: member.kind == MemberKind::Person,
        now: slot.now,
        log,
        subagents: Vec::new(),
    };
    let called = TOOLS
        .iter()
        .filter(|tool| tool.is_called_by(member, slot.days_ago));
    let (typed, tools): (Vec<&Tool>, Vec<&Tool>) =
        called.partition(|tool| matches!(tool.call, Call::Command(_)));
    let has_command = !typed.is_empty() && random.chance(if run.person { 12 } else { 60 });
    if has_command {
        run.log
            .command(random.weighted(&typed, |tool| tool.weight).call.name());
    } else {
        run.log.prompt(random.pick(PROMPTS));
    }
    let loaded: Vec<&Tool> = TOOLS.iter().filter(|tool| tool.is_of(member)).collect();
    run.log.loaded(&loaded);
    run.answer_prompts(&tools, &mut random);
    if slot.open {
        run.leave_open();
    }

    let mut files = vec![File {
        path: format!("{id}.jsonl"),
        text: run.log.lines,
    }];
    files.extend(run.subagents.into_iter().map(|file| File {
        path: format!("{id}/subagents/{}", file.path),
        ..file
    }));
    Session { folder, id, files }
}

/// A session that is being written.
pub(super) struct Run {
    person: bool,
    now: DateTime<Utc>,
    pub(super) log: Log,
    subagents: Vec<File>,
}

impl Run {
    /// True when the next record would be in the future.
    fn is_over(&self) -> bool {
        self.log.clock + TimeDelta::seconds(5) > self.now
    }

    /// Writes the exchanges after the first prompt, and further prompts of a person.
    fn answer_prompts(&mut self, tools: &[&Tool], random: &mut Random) {
        let prompts = if self.person { random.between(1, 3) } else { 1 };
        for prompt in 0..prompts {
            if prompt > 0 {
                self.log.pause(240_000);
                if self.is_over() {
                    return;
                }
                self.log.prompt(random.pick(PROMPTS));
            }
            for _ in 0..random.between(2, 7) {
                if !self.exchange(tools) {
                    return;
                }
            }
            self.log.pause(6_000);
            if self.is_over() {
                return;
            }
            let closing = self.log.message(300);
            self.log.text(&closing, random.pick(CLOSINGS), "end_turn");
        }
    }

    /// Writes one message of the model with its calls and their results. Returns false at the end of the session.
    fn exchange(&mut self, tools: &[&Tool]) -> bool {
        self.log.pause(7_000);
        if self.is_over() {
            return false;
        }
        let first = self.log.random.weighted(tools, |tool| tool.weight);
        let mut calls = vec![first];
        if matches!(first.call, Call::Builtin(_)) {
            while calls.len() < 3 && self.log.random.chance(22) {
                calls.push(first);
            }
        }
        let message = self.log.message(calls.iter().map(|tool| tool.tokens).sum());
        if self.log.random.chance(30) {
            self.log.text(&message, "Let me look at this.", "tool_use");
        }

        let mut waiting = Vec::new();
        let mut stopped = false;
        let mut failed = false;
        for tool in calls {
            let (name, input) = self.invocation(tool.call);
            let call = self.log.tool_use(&message, &name, &input);
            let ending = if failed {
                Ending::Cancelled
            } else {
                self.ending(tool)
            };
            failed |= matches!(ending, Ending::Error) && self.log.random.chance(50);
            stopped |= matches!(ending, Ending::Interrupted);
            let result = self.result(tool, &ending, &name);
            waiting.push((self.answered_at(tool, &ending), call, tool, result));
        }
        waiting.sort_by_key(|(at, ..)| *at);
        for (at, call, tool, result) in waiting {
            self.log.clock = self.log.clock.max(at);
            if at > self.now {
                continue;
            }
            self.log.tool_result(at, &call, &result);
            if let Call::Skill(name) = tool.call
                && !result.is_error
            {
                self.log.skill_body(&call, name);
            }
        }
        if stopped && !self.is_over() {
            self.log.interruption();
            return false;
        }
        true
    }

    /// Writes a call without a result.
    fn leave_open(&mut self) {
        self.log.clock = self.log.clock.min(self.now - TimeDelta::seconds(20));
        let message = self.log.message(160);
        let input = json!({"command": "cargo test --workspace", "description": "Run all tests"});
        self.log.tool_use(&message, "Bash", &input);
    }

    fn ending(&mut self, tool: &Tool) -> Ending {
        let random = &mut self.log.random;
        if tool.phantom {
            return Ending::UnknownTool;
        }
        if self.person {
            if random.chance(tool.refused) {
                return Ending::Rejected;
            }
            if random.below(250) == 0 {
                return Ending::Interrupted;
            }
        }
        if tool.call == Call::Builtin("Bash") && random.chance(1) {
            return Ending::Denied;
        }
        if random.chance(tool.success) {
            Ending::Success
        } else if matches!(tool.call, Call::Mcp(..)) && random.chance(20) {
            Ending::InvalidInput
        } else {
            Ending::Error
        }
    }

    /// The name and input of a call in the log.
    fn invocation(&mut self, call: Call) -> (String, Value) {
        let random = &mut self.log.random;
        match call {
            Call::Builtin(name) => {
                let file = random.pick(&[
                    "src/totals.rs",
                    "src/refund.rs",
                    "docs/payments.md",
                    "tests/retry.rs",
                ]);
                let input = match name {
                    "Bash" => json!({"command": "cargo test", "description": "Run the tests"}),
                    "Edit" => {
                        json!({"file_path": file, "old_string": "round()", "new_string": "round_half_even()"})
                    }
                    "Write" => json!({"file_path": file, "content": "//! Totals of an order.\n"}),
                    "Grep" | "Glob" => json!({"pattern": "round"}),
                    "WebFetch" => json!({"url": "https://example.org/changes", "prompt": "What changed?"}),
                    "TodoWrite" => json!({"todos": [{"content": "Find the cause", "status": "in_progress"}]}),
                    _ => json!({"file_path": file}),
                };
                (name.to_owned(), input)
            }
            Call::Skill(name) => ("Skill".to_owned(), json!({"skill": name})),
            Call::Mcp(server, operations) => {
                let operation = random.pick(operations);
                (
                    format!("mcp__{server}__{operation}"),
                    json!({"limit": random.between(1, 50)}),
                )
            }
            Call::Agent(kind) => (
                "Agent".to_owned(),
                json!({"subagent_type": kind, "description": "A part of the task", "prompt": "Look at the change."}),
            ),
            Call::Command(name) => unreachable!("/{name} is typed by a person, not called by the model"),
        }
    }

    /// The time of the result of a call that is made now.
    fn answered_at(&mut self, tool: &Tool, ending: &Ending) -> DateTime<Utc> {
        let median = match ending {
            Ending::Success | Ending::Error => tool.median_ms,
            // A person has to read the question first.
            Ending::Rejected | Ending::Interrupted => 9_000,
            Ending::InvalidInput | Ending::UnknownTool | Ending::Cancelled | Ending::Denied => 20,
        };
        if let Call::Agent(kind) = tool.call
            && matches!(ending, Ending::Success | Ending::Error)
        {
            return self.subagent(kind);
        }
        let ms = self.log.random.around(median.max(1));
        self.log.clock + TimeDelta::milliseconds(i64::from(ms))
    }

    /// Runs a subagent, whose calls stand in a log of their own. Returns when it is done.
    fn subagent(&mut self, kind: &str) -> DateTime<Utc> {
        let tools: Vec<&Tool> = TOOLS
            .iter()
            .filter(|tool| match tool.call {
                Call::Builtin("Read" | "Grep") => true,
                Call::Builtin("Bash") => kind != "Explore",
                _ => false,
            })
            .collect();
        let (id, mut log) = self.log.begin_subagent();
        log.prompt("Look at the change.");
        let calls = log.random.between(2, 5);
        let mut run = Run {
            person: false,
            now: self.now,
            log,
            subagents: Vec::new(),
        };
        let done = (0..calls).all(|_| run.exchange(&tools));
        run.log.pause(5_000);
        if done && !run.is_over() {
            let closing = run.log.message(500);
            run.log
                .text(&closing, "No objections to this change.", "end_turn");
        }
        self.subagents.push(File {
            path: format!("agent-{id}.jsonl"),
            text: run.log.lines,
        });
        run.log.clock
    }
}
