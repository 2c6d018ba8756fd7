//! The bodies of the read routes. The server writes them, the client reads them, and `--json` prints them.
//!
//! A list answers `{"<noun>":[…],"next_cursor":…|null}`; every aggregate carries `as_of`, the time at which the scores
//! were last refreshed.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Outcome, Reason,
    team::{MemberKind, Role, Scope},
};

macro_rules! body {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident : $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }
    };
}

body! {
    /// What the events of one subject (a tool, a member, a project) add up to. The columns of `tool_scores`.
    pub struct Tally {
        /// All events.
        pub events: i64,
        /// Events with outcome `success`.
        pub successes: i64,
        /// Events with outcome `failure`.
        pub failures: i64,
        /// Events with outcome `abandoned`.
        pub abandoned: i64,
        /// Events with outcome `unknown`.
        pub unknown: i64,
        /// successes / events; null when there are no events.
        pub success_rate: Option<f64>,
        /// successes / (successes + failures); null when nothing was decided.
        pub decided_rate: Option<f64>,
        /// Lower bound of the 95 % Wilson score interval of `decided_rate` (E. B. Wilson, "Probable Inference, the Law
        /// of Succession, and Statistical Inference", Journal of the American Statistical Association 22, 1927).
        pub wilson_low: Option<f64>,
        /// Mean cost in USD over the events that have one.
        pub avg_cost_usd: Option<f64>,
        /// Median duration in ms (`percentile_cont(0.5)`) over the events that have one.
        pub median_duration_ms: Option<f64>,
        /// Members with at least one event.
        pub members: i64,
        /// The earliest event.
        pub first_used_at: Option<DateTime<Utc>>,
        /// The latest event.
        pub last_used_at: Option<DateTime<Utc>>,
    }
}

body! {
    /// The score of one tool over all its events.
    pub struct Score {
        /// The tool.
        pub tool_id: String,
        /// The kind of the tool.
        pub kind: String,
        /// The figures.
        #[serde(flatten)]
        pub tally: Tally,
    }
}

body! {
    /// `GET /v1/scores`.
    pub struct Scores {
        /// One row per tool.
        pub scores: Vec<Score>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
        /// When the scores were last refreshed; null before the first time.
        pub as_of: Option<DateTime<Utc>>,
    }
}

body! {
    /// What a subject of a leaderboard did in the window before: the trend is the difference.
    pub struct Previous {
        /// All events.
        pub events: i64,
        /// successes / (successes + failures); null when nothing was decided.
        pub decided_rate: Option<f64>,
        /// Lower bound of the 95 % Wilson score interval of `decided_rate`.
        pub wilson_low: Option<f64>,
    }
}

body! {
    /// One row of a leaderboard.
    pub struct LeaderboardRow {
        /// Position, from 1.
        pub rank: i64,
        /// The tool, on the board of tools.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tool_id: Option<String>,
        /// The kind of the tool, on the board of tools.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub kind: Option<String>,
        /// The member's handle, on the board of members.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub member: Option<String>,
        /// The project, on the board of projects.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub project: Option<String>,
        /// Distinct tools used, on the boards of members and projects.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tools: Option<i64>,
        /// The window of the same length before this one; null for `all`, which has none.
        #[serde(default)]
        pub previous: Option<Previous>,
        /// The figures, for the window of the board.
        #[serde(flatten)]
        pub tally: Tally,
    }
}

body! {
    /// `GET /v1/leaderboards/{tools,members,projects}`.
    pub struct Leaderboard {
        /// The rows, best first.
        pub leaderboard: Vec<LeaderboardRow>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
        /// When the scores were last refreshed.
        pub as_of: Option<DateTime<Utc>>,
        /// `7d`, `30d`, `90d` or `all`.
        pub window: String,
        /// The first UTC day of the window; null for `all`.
        #[serde(default)]
        pub first_day: Option<NaiveDate>,
        /// The last UTC day of the window: the day on which the boards were refreshed.
        #[serde(default)]
        pub last_day: Option<NaiveDate>,
    }
}

body! {
    /// One tool of a dead-weight audit.
    pub struct DeadWeightRow {
        /// The tool.
        pub tool_id: String,
        /// The kind of the tool.
        pub kind: String,
        /// Its latest event, ever; null when it was never used.
        pub last_used_at: Option<DateTime<Utc>>,
        /// Events within the window.
        pub events: i64,
        /// Members who used it within the window.
        #[serde(default)]
        pub members: i64,
        /// Sessions within the window that had the tool loaded.
        pub sessions_loaded: i64,
        /// Members who had it loaded in a session of the window.
        pub members_loaded: i64,
        /// Members who have it installed.
        pub members_installed: i64,
        /// Who they are: at most twenty handles, or pseudonyms where the org hides names.
        #[serde(default)]
        pub installed_by: Vec<String>,
        /// Since when the tool is known: its first event, or the first session or machine that had it.
        #[serde(default)]
        pub known_since: Option<DateTime<Utc>>,
        /// Bytes that its listing cost the context of those sessions, in total.
        pub context_bytes: i64,
        /// `unused`, `never_loaded`, `single_user`, `failing`, `phantom`, `too_new`, `too_little_evidence`, `in_use`.
        pub verdict: String,
        /// The verdict in a sentence.
        pub reason: String,
    }
}

body! {
    /// `GET /v1/dead-weight`.
    pub struct DeadWeight {
        /// The tools, heaviest first.
        pub dead_weight: Vec<DeadWeightRow>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
        /// When the scores were last refreshed.
        pub as_of: Option<DateTime<Utc>>,
        /// Length of the window in UTC days, today included.
        pub days: i64,
    }
}

body! {
    /// A stored event: the event's own keys, and who made it.
    pub struct EventRow {
        /// The agent's id of the call, or the one that the server gave.
        pub uuid: String,
        /// The handle of the member.
        pub member: String,
        /// The tool.
        pub tool_id: String,
        /// What inside the tool was called.
        pub operation: Option<String>,
        /// The agent's session.
        pub session_id: Option<String>,
        /// The project.
        pub project: Option<String>,
        /// What the person had asked for, where the org stores it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub task_text: Option<String>,
        /// How the call ended.
        pub outcome: Outcome,
        /// Why, where known.
        pub reason: Option<Reason>,
        /// How long it took, in ms.
        pub duration_ms: Option<i64>,
        /// What it cost, in USD.
        pub cost_usd: Option<f64>,
        /// The model that made the call.
        pub model: Option<String>,
        /// The agent program.
        pub agent: Option<String>,
        /// Its version.
        pub agent_version: Option<String>,
        /// The git branch.
        pub git_branch: Option<String>,
        /// When the call was made.
        pub occurred_at: DateTime<Utc>,
        /// When the server first received it.
        pub received_at: DateTime<Utc>,
        /// `jsonl`, `otlp` or `api`.
        pub source: String,
    }
}

body! {
    /// `GET /v1/events`.
    pub struct Events {
        /// The events, newest first.
        pub events: Vec<EventRow>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
    }
}

body! {
    /// One upload as received.
    pub struct Upload {
        /// Id of the upload.
        pub upload_id: String,
        /// The handle of the member who sent it.
        pub member: String,
        /// When it was received.
        pub received_at: DateTime<Utc>,
        /// `jsonl`, `otlp` or `api`.
        pub source: String,
        /// The program that sent it, as it calls itself.
        pub client: Option<String>,
        /// Facts about the CI run that sent it.
        pub ci: Option<CiContext>,
        /// SHA-256 of the decoded body.
        pub batch: String,
        /// Events in it.
        pub received: i64,
        /// New events.
        pub inserted: i64,
        /// Known events about which it knew more.
        pub upgraded: i64,
        /// Known events.
        pub duplicate: i64,
        /// Events whose uuid is stored with another tool.
        pub conflict: i64,
        /// Events that could not be stored.
        pub rejected: i64,
    }
}

/// Facts about the CI run in which an upload was made. Sent as JSON in the request header [`CI_HEADER`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct CiContext {
    /// `github`, `gitlab`, `buildkite`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// `owner/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The branch or tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<String>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The job within the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The pull request, where the run belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<String>,
}

/// Request header of `POST /v1/events` that carries a [`CiContext`] as JSON.
pub const CI_HEADER: &str = "toolhub-ci";
/// Request header of `POST /v1/events` that says where the events come from: `jsonl`, `otlp`, `api` (the default).
pub const SOURCE_HEADER: &str = "toolhub-source";

body! {
    /// `GET /v1/uploads`.
    pub struct Uploads {
        /// The uploads, newest first.
        pub uploads: Vec<Upload>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
    }
}

body! {
    /// `GET /v1/me`: who the token speaks for.
    pub struct Me {
        /// The slug of the org.
        pub org: String,
        /// The handle of the member.
        pub member: String,
        /// The member's role.
        pub role: Role,
        /// Person or CI.
        pub kind: MemberKind,
        /// What the token may do.
        pub scopes: Vec<Scope>,
        /// The token's name.
        pub token_name: String,
        /// When the token ends; null for never.
        pub token_expires_at: Option<DateTime<Utc>>,
    }
}

body! {
    /// How fresh the scores are: part of `GET /v1/refresh`.
    pub struct RefreshState {
        /// When the scores were last refreshed: they hold every event committed before.
        pub as_of: Option<DateTime<Utc>>,
        /// When that refresh began.
        pub started_at: Option<DateTime<Utc>>,
        /// How long it took, in ms.
        pub duration_ms: Option<i64>,
        /// Rows of the view that it changed.
        pub rows_changed: Option<i64>,
        /// Why the latest attempt failed, if it did.
        pub last_error: Option<String>,
        /// True while events wait that the scores do not hold.
        pub pending: bool,
        /// The scores and the boards, one by one.
        #[serde(default)]
        pub views: Vec<ViewRefresh>,
    }
}

body! {
    /// How fresh one view is: part of `GET /v1/refresh`.
    pub struct ViewRefresh {
        /// `tool_scores`, or `board_scores` (leaderboards and dead weight).
        pub view: String,
        /// When its last refresh began: it holds every event committed before.
        pub as_of: Option<DateTime<Utc>>,
        /// When that refresh ended.
        pub finished_at: Option<DateTime<Utc>>,
        /// How long it took, in ms.
        pub duration_ms: Option<i64>,
        /// Rows that it changed.
        pub rows_changed: Option<i64>,
        /// Time since `as_of`, in ms.
        pub age_ms: Option<i64>,
        /// Why the latest attempt failed, if it did.
        pub last_error: Option<String>,
        /// True while events wait that the view does not hold.
        pub pending: bool,
    }
}

body! {
    /// How often a tool ended in some way.
    pub struct OutcomeCount {
        /// How.
        pub outcome: Outcome,
        /// Why, where known.
        pub reason: Option<Reason>,
        /// How often.
        pub events: i64,
    }
}

body! {
    /// A part of the events of a tool: those of one operation, member, project or version.
    pub struct Part {
        /// Which; null for events that do not say.
        pub name: Option<String>,
        /// All its events.
        pub events: i64,
        /// Those with outcome `success`.
        pub successes: i64,
        /// Those with outcome `failure`.
        pub failures: i64,
    }
}

body! {
    /// One UTC day of a tool.
    pub struct Day {
        /// The day.
        pub day: NaiveDate,
        /// All events.
        pub events: i64,
        /// Events with outcome `success`.
        pub successes: i64,
        /// Events with outcome `failure`.
        pub failures: i64,
    }
}

body! {
    /// How long calls took, in ms, over the events that know it (`percentile_cont`); null when none does.
    pub struct Durations {
        /// Half of the calls took no longer.
        pub p50: Option<f64>,
        /// Nine in ten took no longer.
        pub p90: Option<f64>,
        /// All but one in a hundred took no longer.
        pub p99: Option<f64>,
    }
}

body! {
    /// `GET /v1/scores/{tool_id}`: the score over all events, and what stands behind it in a window.
    pub struct ScoreDetail {
        /// The score.
        #[serde(flatten)]
        pub score: Score,
        /// When the scores were last refreshed. Everything below is counted at the time of the request.
        pub as_of: Option<DateTime<Utc>>,
        /// The window of everything below: `7d`, `30d`, `90d` or `all`.
        pub window: String,
        /// Every outcome and reason, most frequent first.
        pub outcomes: Vec<OutcomeCount>,
        /// The operations, at most 100, most frequent first.
        pub by_operation: Vec<Part>,
        /// The versions of the agent, at most 100, most frequent first.
        pub by_version: Vec<Part>,
        /// The members (those who opted out of boards are left out), at most 100, most frequent first.
        pub by_member: Vec<Part>,
        /// The projects, at most 100, most frequent first.
        pub by_project: Vec<Part>,
        /// The days with events, oldest first.
        pub daily: Vec<Day>,
        /// How long calls took.
        pub durations: Durations,
        /// Recent events, newest first.
        pub recent: Vec<EventRow>,
        /// Pass it as `cursor` to get older events; null when there are none.
        pub next_cursor: Option<String>,
    }
}
