//! What an org decides about its tools: `/v1/decisions`.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use crate::words::{UnknownWord, words};

/// What to do about a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray, VariantNames)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<Decision>
)]
pub enum Decision {
    /// It stays, used or not.
    Keep,
    /// It goes.
    Retire,
    /// It is looked at again later.
    Watch,
}

words!(Decision);

body! {
    /// A decision about a tool.
    pub struct ToolDecision {
        /// The tool.
        pub tool_id: String,
        /// What was decided.
        pub decision: Decision,
        /// Why.
        pub note: Option<String>,
        /// The last day (UTC) on which it holds; null for no end.
        pub until: Option<NaiveDate>,
        /// Who looks after the tool.
        pub owner: Option<String>,
        /// Who decided.
        pub decided_by: String,
        /// When.
        pub decided_at: DateTime<Utc>,
        /// When another decision, or none, took its place; null for the one that stands.
        pub ended_at: Option<DateTime<Utc>>,
        /// It stands, and its last day has not passed: audits leave the tool out.
        pub active: bool,
    }
}

body! {
    /// `GET /v1/decisions`.
    pub struct Decisions {
        /// The decisions, newest first.
        pub decisions: Vec<ToolDecision>,
        /// Pass it as `cursor` to get the next page; null on the last.
        pub next_cursor: Option<String>,
    }
}

/// `PUT /v1/decisions/{tool_id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// What is decided.
    pub decision: Decision,
    /// Why: at most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The last day (UTC) on which it holds, as `2026-12-31`; the day of a time is taken. No end unless given.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "read_day"
    )]
    pub until: Option<NaiveDate>,
    /// Who looks after the tool: at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Most characters of a note.
pub const NOTE_CHARS: usize = 2_000;

/// Reads a day, or the day of a time.
fn read_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let day = text.parse().ok().or_else(|| {
        let time = DateTime::parse_from_rfc3339(&text).ok()?;
        Some(time.with_timezone(&Utc).date_naive())
    });
    day.map(Some)
        .ok_or_else(|| D::Error::custom("`until` is a day, such as 2026-12-31"))
}
