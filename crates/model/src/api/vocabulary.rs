//! The words of the read routes: what a board ranks, over which days, how scores are sorted, and the verdicts of dead
//! weight.

use std::{fmt, str::FromStr};

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use crate::words::{self, UnknownWord, words};

/// What a leaderboard ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, VariantNames)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<Board>
)]
pub enum Board {
    /// Tools, by the lower bound of their decided rate.
    Tools,
    /// Members, by how many tools they use and how well that goes; not by volume.
    Members,
    /// Projects, by events.
    Projects,
}

/// The days that an answer covers: the last so many UTC days, that of the latest refresh included.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, VariantNames,
)]
#[strum(
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<Window>
)]
pub enum Window {
    /// `7d`.
    #[strum(serialize = "7d")]
    Week,
    /// `30d`.
    #[default]
    #[strum(serialize = "30d")]
    Month,
    /// `90d`.
    #[strum(serialize = "90d")]
    Quarter,
    /// All days.
    #[strum(serialize = "all")]
    All,
}

impl Window {
    /// Its length in days; 0 for [`Window::All`].
    pub fn days(self) -> u16 {
        match self {
            Window::Week => 7,
            Window::Month => 30,
            Window::Quarter => 90,
            Window::All => 0,
        }
    }

    /// Its first day, when `today` is its last; `None` when it has none.
    pub fn first_day(self, today: NaiveDate) -> Option<NaiveDate> {
        (self != Window::All).then(|| today - Days::new(u64::from(self.days() - 1)))
    }
}

/// By which column scores are sorted, greatest first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, VariantNames,
)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<ScoreSort>
)]
pub enum ScoreSort {
    /// Lower bound of the decided rate: what boards rank by.
    #[default]
    WilsonLow,
    /// Number of events.
    Events,
    /// Share of successes.
    SuccessRate,
    /// Mean cost.
    AvgCostUsd,
    /// Median duration.
    MedianDurationMs,
    /// Latest use.
    LastUsedAt,
}

/// The verdict of a dead-weight audit on a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, VariantNames)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<Verdict>
)]
pub enum Verdict {
    /// Loaded in sessions of the window, and never called.
    Unused,
    /// Loaded in sessions of the window and called in none of them, but called before.
    Dormant,
    /// An MCP server that sessions waited for, or that needed a sign-in, and that none got.
    Unreachable,
    /// Not called, and another tool that does the same is: a server that a plugin brings, too; a command and a skill of
    /// one name.
    Duplicate,
    /// Not even loaded.
    NeverLoaded,
    /// Not called, and nothing says whether a session had it: the agents of those who have it do not list what they load.
    NotKnown,
    /// Called by one member only, of several who are active.
    SingleUser,
    /// Called by few of the members who have it loaded.
    UsedByFew,
    /// Called, and almost never successful.
    Failing,
    /// Called, and does not exist: a name that an agent made up.
    Phantom,
    /// Not called, and known for too short a time for a verdict.
    TooNew,
    /// Not loaded or called often enough for a verdict.
    TooLittleEvidence,
    /// Not called, and a part of the agent: it cannot be removed.
    ShipsWithAgent,
    /// Called by several members, and successful.
    InUse,
}

/// How an audit groups tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, VariantNames)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<GroupBy>
)]
pub enum GroupBy {
    /// By what one step removes: a plugin, an MCP server, or the tool itself.
    Removal,
    /// By plugin.
    Plugin,
    /// By MCP server.
    Server,
    /// By the marketplace that a plugin is from.
    Marketplace,
}

/// What a row of `GET /v1/usage` is about.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, VariantNames,
)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<UsageBy>
)]
pub enum UsageBy {
    /// A model.
    #[default]
    Model,
    /// A member.
    Member,
    /// A project.
    Project,
    /// A UTC day.
    Day,
}

words!(Board, Window, ScoreSort, Verdict, GroupBy, UsageBy);

/// A filter that takes one word, or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllOr<T> {
    /// `all`.
    All,
    /// Only this one.
    Only(T),
}

impl<T> AllOr<T> {
    /// The word of [`AllOr::All`].
    pub const ALL: &'static str = "all";

    /// The one value; `None` for all.
    pub fn only(self) -> Option<T> {
        match self {
            AllOr::All => None,
            AllOr::Only(one) => Some(one),
        }
    }
}

impl<T: fmt::Display> fmt::Display for AllOr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AllOr::All => f.write_str(Self::ALL),
            AllOr::Only(one) => one.fmt(f),
        }
    }
}

impl<T: FromStr<Err = UnknownWord>> FromStr for AllOr<T> {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<AllOr<T>, UnknownWord> {
        if word == Self::ALL {
            return Ok(AllOr::All);
        }
        word.parse()
            .map(AllOr::Only)
            .map_err(|error: UnknownWord| error.or(Self::ALL))
    }
}

impl<T: fmt::Display> Serialize for AllOr<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, T: FromStr<Err = UnknownWord>> Deserialize<'de> for AllOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AllOr<T>, D::Error> {
        words::deserialize(deserializer)
    }
}

#[cfg(feature = "schema")]
impl<T: strum::VariantNames> schemars::JsonSchema for AllOr<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AllOr".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let words = [&[AllOr::<T>::ALL], T::VARIANTS].concat();
        crate::words::schema(&words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn a_window_is_whole_utc_days_with_today() {
        let today = "2026-03-08".parse().unwrap();
        let first = "7d".parse::<Window>().unwrap().first_day(today);
        assert_eq!(first, Some("2026-03-02".parse().unwrap()));
        assert_eq!("all".parse::<Window>().unwrap().first_day(today), None);
        assert!("8d".parse::<Window>().is_err());
    }

    #[test]
    fn a_filter_takes_one_word_or_all() {
        assert_eq!("all".parse(), Ok(AllOr::<Kind>::All));
        assert_eq!("mcp".parse(), Ok(AllOr::Only(Kind::Mcp)));
        assert_eq!(AllOr::Only(Verdict::InUse).to_string(), "in_use");
        assert_eq!(AllOr::<Verdict>::All.to_string(), "all");
        let error = "x".parse::<AllOr<Kind>>().unwrap_err().to_string();
        assert_eq!(
            error,
            "`x` is not one of skill, plugin, mcp, agent, command, builtin, cli, doc, all"
        );
    }
}
