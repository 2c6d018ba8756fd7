//! What `GET /v1/leaderboards/…` answers.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{Tally, Window};
use crate::team::MemberKind;

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
        /// Position, from 1; on the board of members among those of its kind.
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
        /// `person` or `ci`, on the board of members: each kind is ranked on its own, people first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub member_kind: Option<MemberKind>,
        /// The project, on the board of projects.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub project: Option<String>,
        /// Distinct tools used, on the boards of members and projects.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tools: Option<i64>,
        /// The period that this one is compared with; null where there is none, as for `all`.
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
        /// The window of the board; null where `from` or `to` was given.
        #[serde(default)]
        pub window: Option<Window>,
        /// The first UTC day that counts; null where the period has no beginning.
        #[serde(default)]
        pub first_day: Option<NaiveDate>,
        /// The last UTC day that counts: that on which the boards were refreshed, or `to`.
        #[serde(default)]
        pub last_day: Option<NaiveDate>,
        /// The first UTC day of the period that `previous` is about; null where there is none.
        #[serde(default)]
        pub previous_first_day: Option<NaiveDate>,
        /// Its last UTC day.
        #[serde(default)]
        pub previous_last_day: Option<NaiveDate>,
    }
}
