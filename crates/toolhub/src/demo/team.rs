//! The sample team: members, projects and tools.
//!
//! All data is invented. Some tools work well, some fail often, some are expensive, and some are loaded in every session but
//! have not been called for weeks, so that leaderboards and dead weight have something to show.

use model::team::MemberKind;

/// One member of the sample team.
pub(crate) struct Member {
    /// The handle.
    pub(crate) handle: &'static str,
    /// Person or CI.
    pub(crate) kind: MemberKind,
    /// The folder that holds the member's checkouts.
    pub(crate) checkouts: &'static str,
    /// The repositories that the member works on.
    pub(crate) projects: &'static [&'static str],
    /// The model of the member's sessions.
    pub(crate) model: &'static str,
    /// The only tools that the member calls; empty for all that [`Tool::users`] allows.
    pub(crate) calls_only: &'static [&'static str],
}

/// How an agent calls a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// A tool of the agent itself.
    Builtin(&'static str),
    /// A skill; one of a plugin where the name is `<plugin>:<skill>`.
    Skill(&'static str),
    /// An MCP server, with the operations that it offers.
    Mcp(&'static str, &'static [&'static str]),
    /// A subagent.
    Agent(&'static str),
    /// A slash command, typed by a person.
    Command(&'static str),
}

impl Call {
    /// The name by which the agent knows the tool.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Call::Builtin(name)
            | Call::Skill(name)
            | Call::Mcp(name, _)
            | Call::Agent(name)
            | Call::Command(name) => name,
        }
    }
}

/// One tool of the sample team.
pub(crate) struct Tool {
    /// The kind and name of the call.
    pub(crate) call: Call,
    /// The description in its listing; empty for a tool that is never listed.
    pub(crate) about: &'static str,
    /// How often it is called, relative to the others; 0 for never.
    pub(crate) weight: u32,
    /// Percentage of successes among the calls that are not stopped.
    pub(crate) success: u32,
    /// Percentage of calls that the person rejects.
    pub(crate) refused: u32,
    /// Median duration of a call, in ms. That of a subagent comes from the calls that it makes.
    pub(crate) median_ms: u32,
    /// Median of the output tokens of a message that makes the call: most of what it costs.
    pub(crate) tokens: u32,
    /// The number of last days without a call.
    pub(crate) quiet_days: u32,
    /// The members who have it; empty for all.
    pub(crate) users: &'static [&'static str],
    /// The tool does not exist: the calls fail.
    pub(crate) phantom: bool,
}

impl Tool {
    const fn new(call: Call, weight: u32, success: u32, median_ms: u32, tokens: u32) -> Tool {
        Tool {
            call,
            about: "",
            weight,
            success,
            refused: 0,
            median_ms,
            tokens,
            quiet_days: 0,
            users: &[],
            phantom: false,
        }
    }

    const fn never_called(call: Call) -> Tool {
        Tool::new(call, 0, 100, 1, 1)
    }

    const fn about(mut self, text: &'static str) -> Tool {
        self.about = text;
        self
    }

    const fn refused(mut self, percent: u32) -> Tool {
        self.refused = percent;
        self
    }

    const fn quiet_for(mut self, days: u32) -> Tool {
        self.quiet_days = days;
        self
    }

    const fn of(mut self, users: &'static [&'static str]) -> Tool {
        self.users = users;
        self
    }

    const fn phantom(mut self) -> Tool {
        self.phantom = true;
        self
    }

    /// True when the member has the tool.
    pub(crate) fn is_of(&self, member: &Member) -> bool {
        self.users.is_empty() || self.users.contains(&member.handle)
    }

    /// True when the member calls the tool on the day `days_ago` days ago.
    pub(crate) fn is_called_by(&self, member: &Member, days_ago: u32) -> bool {
        self.weight > 0
            && days_ago >= self.quiet_days
            && self.is_of(member)
            && (member.calls_only.is_empty() || member.calls_only.contains(&self.call.name()))
    }
}

const SONNET: &str = "claude-sonnet-5";
const OPUS: &str = "claude-opus-5";
const HAIKU: &str = "claude-haiku-4-5-20251001";

const fn person(
    handle: &'static str,
    checkouts: &'static str,
    projects: &'static [&'static str],
    model: &'static str,
) -> Member {
    Member {
        handle,
        kind: MemberKind::Person,
        checkouts,
        projects,
        model,
        calls_only: &[],
    }
}

/// The members of the sample team. The first one has a session open at this moment, and has one that was forked.
pub(crate) const MEMBERS: &[Member] = &[
    person("ada", "/home/ada/src", &["checkout", "payments-api"], SONNET),
    person("bo", "/home/bo/code", &["web-shop", "checkout"], SONNET),
    person("chinwe", "/Users/chinwe/work", &["payments-api", "infra"], OPUS),
    person("dmitri", "/home/dmitri/git", &["data-pipeline"], SONNET),
    person("elif", "/Users/elif/dev", &["web-shop"], HAIKU),
    person("farid", "/home/farid/src", &["infra", "data-pipeline"], SONNET),
    person("grete", "/home/grete/projects", &["checkout", "web-shop"], OPUS),
    Member {
        handle: "ci",
        kind: MemberKind::Ci,
        checkouts: "/home/runner/work",
        projects: &["checkout", "payments-api", "web-shop"],
        model: SONNET,
        calls_only: &[
            "Bash",
            "Read",
            "Grep",
            "github",
            "code-reviewer",
            "release-notes",
            "check-pr",
            "commit",
        ],
    },
];

/// The tools of the sample team.
pub(crate) const TOOLS: &[Tool] = &[
    Tool::new(Call::Builtin("Bash"), 220, 91, 1_400, 160).refused(3),
    Tool::new(Call::Builtin("Read"), 200, 98, 40, 90),
    Tool::new(Call::Builtin("Edit"), 130, 95, 60, 420).refused(5),
    Tool::new(Call::Builtin("Grep"), 80, 99, 90, 80),
    Tool::new(Call::Builtin("Write"), 60, 99, 50, 1_300).refused(2),
    Tool::new(Call::Builtin("Glob"), 50, 100, 30, 60),
    Tool::new(Call::Builtin("WebFetch"), 18, 78, 4_200, 110),
    Tool::new(Call::Builtin("TodoWrite"), 40, 100, 10, 210),
    Tool::new(Call::Skill("design-md"), 22, 97, 120, 350)
        .about("Writes a design document from a short talk about the problem."),
    Tool::new(Call::Skill("write-tests"), 30, 93, 130, 480)
        .about("Writes tests for a module, beginning with the promises in its documentation."),
    Tool::new(Call::Skill("sql-review"), 14, 88, 140, 300)
        .about("Reads a migration or query for locks, missing indexes and lost updates."),
    Tool::new(Call::Skill("api-conventions"), 16, 96, 110, 240)
        .about("The team's rules for HTTP routes, status codes and error bodies."),
    Tool::new(Call::Skill("release-notes"), 10, 90, 150, 700)
        .about("Turns merged pull requests into release notes."),
    Tool::new(Call::Skill("flaky-test-hunter"), 9, 55, 160, 900)
        .about("Runs a test many times under load and reports what it depends on."),
    Tool::new(Call::Skill("legacy-migrator"), 12, 80, 150, 600)
        .about("Moves a module from the old framework to the new one, file by file.")
        .quiet_for(23),
    Tool::never_called(Call::Skill("figma-import")).about(
        "Reads a design file and writes components for it: layout, spacing, colours, typography, states and the \
         accessible names. Needs a personal access token of the design tool in the environment.",
    ),
    Tool::never_called(Call::Skill("quarterly-report"))
        .about("Collects figures for the quarterly engineering report."),
    Tool::new(Call::Skill("commit"), 5, 0, 30, 120).phantom(),
    Tool::new(Call::Skill("tidy:changelog"), 11, 95, 120, 260)
        .about("Adds a line to the changelog for the change at hand."),
    Tool::new(Call::Skill("tidy:dead-code"), 8, 82, 130, 520)
        .about("Finds code that nothing calls and proposes its removal."),
    Tool::new(Call::Skill("workflows:plan"), 15, 98, 110, 800)
        .about("Writes a plan with steps that can each be checked."),
    Tool::new(Call::Skill("workflows:incident"), 4, 85, 140, 900)
        .about("Walks through an incident: impact, timeline, mitigation, follow-up.")
        .quiet_for(16),
    Tool::never_called(Call::Skill("workflows:quarter-planning"))
        .about("Prepares the planning of a quarter from the open issues."),
    Tool::new(
        Call::Mcp("linear", &["list_issues", "get_issue", "create_issue", "update_issue"]),
        34,
        96,
        700,
        150,
    )
    .about("Use this server to read and write the team's issues. Ask before you close one.")
    .refused(4),
    Tool::new(
        Call::Mcp("github", &["get_pull_request", "list_checks", "add_comment", "search_code"]),
        44,
        94,
        900,
        170,
    )
    .about("Pull requests, checks and code search of the team's repositories."),
    Tool::new(Call::Mcp("postgres", &["query", "describe_table", "explain"]), 26, 86, 350, 190)
        .about("Read-only access to the staging database."),
    Tool::new(Call::Mcp("sentry", &["search_issues", "get_event"]), 13, 71, 2_600, 140)
        .about("Errors and their events, from the last thirty days."),
    Tool::new(Call::Mcp("browser", &["navigate", "click", "screenshot", "read_console"]), 24, 62, 5_200, 230)
        .about("Drives a browser on this machine.")
        .refused(6)
        .of(&["bo", "elif", "grete"]),
    Tool::new(Call::Mcp("wiki", &["search_pages", "get_page"]), 9, 90, 1_100, 120)
        .about("The team's wiki.")
        .quiet_for(20),
    Tool::never_called(Call::Mcp(
        "analytics",
        &["run_report", "list_dashboards", "get_dashboard", "list_metrics", "export", "list_segments"],
    ))
    .about(
        "Reports on the use of the product. Always state the time range, the segment and the time zone of a figure; \
         do not add figures of different segments; prefer a saved dashboard to a report of your own.",
    ),
    Tool::new(Call::Agent("code-reviewer"), 16, 95, 0, 500)
        .about("Reviews a change for correctness, then for clarity (Tools: Read, Grep, Bash)"),
    Tool::new(Call::Agent("test-runner"), 12, 87, 0, 300)
        .about("Runs the tests that a change touches and explains failures (Tools: Bash, Read)"),
    Tool::new(Call::Agent("Explore"), 14, 99, 0, 350)
        .about("Searches a code base and reports where things are (Tools: Read, Grep, Glob)"),
    Tool::new(Call::Agent("security-auditor"), 14, 90, 0, 700)
        .about("Looks for ways to misuse a change (Tools: Read, Grep)")
        .of(&["chinwe"]),
    Tool::never_called(Call::Agent("translator"))
        .about("Translates the texts of the user interface (Tools: Read, Edit)"),
    Tool::new(Call::Command("check-pr"), 12, 100, 0, 0),
    Tool::new(Call::Command("ship"), 6, 100, 0, 0),
    Tool::new(Call::Command("standup"), 5, 100, 0, 0).of(&["ada", "chinwe", "grete"]),
];
