//! What `GET /v1/refresh` answers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

body! {
    /// How fresh the scores and boards are: part of `GET /v1/refresh`.
    pub struct RefreshState {
        /// When they were last refreshed: they include every event committed before.
        pub as_of: Option<DateTime<Utc>>,
        /// When that refresh began.
        pub started_at: Option<DateTime<Utc>>,
        /// How long it took, in ms.
        pub duration_ms: Option<i64>,
        /// Rows that it changed, of all orgs that it refreshed.
        pub rows_changed: Option<i64>,
        /// Why the latest attempt failed, if it did.
        pub last_error: Option<String>,
        /// True while there are events that they do not include.
        pub pending: bool,
        /// The boards, which the API reads, and the view of the scores, for readers in SQL.
        #[serde(default)]
        pub views: Vec<ViewRefresh>,
    }
}

body! {
    /// How fresh one view is: part of `GET /v1/refresh`.
    pub struct ViewRefresh {
        /// `board_scores` (scores, leaderboards and dead weight), or the materialized view `tool_scores`.
        pub view: String,
        /// When its last refresh began: it includes every event committed before.
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
        /// True while there are events that the view does not include.
        pub pending: bool,
    }
}
