//! The parameters of the routes: one struct per route. The server parses it from the query string, the client builds
//! the query string from it, and the store takes it as an argument.
//!
//! Every parameter is optional. An unknown one is an error, so that a mistyped filter does not show everything.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{AllOr, Compare, Decision, GroupBy, ScoreSort, UsageBy, Verdict, Window, read_day};
use crate::{Kind, Outcome, limits, team::MemberKind};

/// The parameters of a route that answers a list in pages.
pub trait ListQuery {
    /// Rows of the page, where it is given.
    fn limit(&self) -> Option<u32>;

    /// Where the page before ended: its `next_cursor`.
    fn cursor(&self) -> Option<&str>;

    /// The same list, at this page. What is `None` is left out of the query.
    #[must_use]
    fn with_page(self, limit: Option<u32>, cursor: Option<String>) -> Self;

    /// Rows of the page: [`limits::DEFAULT_PAGE_ROWS`] unless given.
    fn page_rows(&self) -> u32 {
        self.limit().unwrap_or(limits::DEFAULT_PAGE_ROWS)
    }
}

macro_rules! queries {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident : $type:ty),* $(,)? }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>
            ),*
        }
    )*};
}

/// Like `queries`, with the two parameters of every list.
macro_rules! list_queries {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident : $type:ty),* $(,)? }
    )*) => {
        queries! {$(
            $(#[$meta])*
            pub struct $name {
                $($(#[$field_meta])* pub $field: $type,)*
                /// Rows of the page, 1 to 500; 50 unless given.
                #[serde(deserialize_with = "read_limit")]
                pub limit: u32,
                /// Where the page before ended: its `next_cursor`.
                pub cursor: String,
            }
        )*}
        $(
            impl ListQuery for $name {
                fn limit(&self) -> Option<u32> {
                    self.limit
                }

                fn cursor(&self) -> Option<&str> {
                    self.cursor.as_deref()
                }

                fn with_page(mut self, limit: Option<u32>, cursor: Option<String>) -> $name {
                    self.limit = limit;
                    self.cursor = cursor;
                    self
                }
            }
        )*
    };
}

list_queries! {
    /// `GET /v1/scores`.
    pub struct ScoresQuery {
        /// Tools of this kind; every kind unless given.
        pub kind: AllOr<Kind>,
        /// Tools with at least so many events.
        pub min_sample: i64,
        /// The column to sort by: `wilson_low` unless given.
        pub sort: ScoreSort,
        /// True waits until the scores include everything that was stored before the request, as long as a request may;
        /// false does not wait.
        pub fresh: bool,
    }

    /// `GET /v1/scores/{tool_id}`. The page is one of the tool's recent events.
    pub struct ScoreQuery {
        /// The days of the parts: 30 unless given.
        pub window: Window,
        /// True waits until the scores include everything that was stored before the request, as long as a request may;
        /// false does not wait.
        pub fresh: bool,
    }

    /// `GET /v1/leaderboards/{board}`.
    pub struct LeaderboardQuery {
        /// The days: 30 unless given, or `from` and `to`.
        pub window: Window,
        /// The first UTC day, in place of a window; from the first event on unless given.
        #[serde(deserialize_with = "read_date")]
        pub from: NaiveDate,
        /// The last UTC day, in place of a window; that of the latest refresh unless given.
        #[serde(deserialize_with = "read_date")]
        pub to: NaiveDate,
        /// What `previous` of each row is about: `previous`, the period of the same length before, or another such as
        /// `2026-09-01..2026-09-30`.
        pub compare: Compare,
        /// Tools of this kind. Unless given, every kind but the built-ins.
        pub kind: AllOr<Kind>,
        /// Events in this project.
        pub project: String,
        /// Events of the member with this handle.
        pub member: String,
        /// On the board of members, those of this kind: both unless given, people first.
        pub member_kind: MemberKind,
        /// Rows with at least so many events: 1 unless given.
        pub min_sample: i64,
        /// True waits until the scores include everything that was stored before the request, as long as a request may;
        /// false does not wait.
        pub fresh: bool,
    }

    /// `GET /v1/usage`.
    pub struct UsageQuery {
        /// What a row is about: `model` unless given.
        pub by: UsageBy,
        /// The days: 30 unless given, or `from` and `to`.
        pub window: Window,
        /// The first UTC day, in place of a window; from the first response on unless given.
        #[serde(deserialize_with = "read_date")]
        pub from: NaiveDate,
        /// The last UTC day, in place of a window; today unless given.
        #[serde(deserialize_with = "read_date")]
        pub to: NaiveDate,
        /// Responses in this project.
        pub project: String,
        /// Responses of the member with this handle.
        pub member: String,
        /// Responses of this model.
        pub model: String,
    }

    /// `GET /v1/dead-weight`.
    pub struct DeadWeightQuery {
        /// Length of the window in UTC days, 1 to 3,650. Unless given, 30, or less where the
        /// events do not reach back that far.
        #[serde(deserialize_with = "read_days")]
        pub days: i64,
        /// Tools of this kind. Unless given, every kind but the built-ins and commands, which cannot be removed.
        pub kind: AllOr<Kind>,
        /// Tools of this project.
        pub project: String,
        /// Tools of the member with this handle.
        pub member: String,
        /// Tools with this verdict. Unless given, tools without an event in the window.
        pub verdict: AllOr<Verdict>,
        /// True leaves out the tools that are too new for a verdict, where no verdict is asked for.
        pub judged: bool,
        /// Adds `groups` to the answer: what one step removes, or the marketplaces.
        pub group_by: GroupBy,
        /// True lists tools about which something is decided, too; `verdict=all` does as well.
        pub decided: bool,
        /// True waits until the scores include everything that was stored before the request, as long as a request may;
        /// false does not wait.
        pub fresh: bool,
    }

    /// `GET /v1/decisions`.
    pub struct DecisionsQuery {
        /// Decisions about this tool.
        pub tool_id: String,
        /// Decisions that say this.
        pub decision: Decision,
        /// True lists those that were replaced or ended, too.
        pub history: bool,
    }

    /// `GET /v1/savings`.
    pub struct SavingsQuery {
        /// The decision about this tool.
        pub tool_id: String,
        /// True waits until the scores include everything that was stored before the request, as long as a request may;
        /// false does not wait.
        pub fresh: bool,
    }

    /// `GET /v1/events`.
    pub struct EventsQuery {
        /// Events of this tool.
        pub tool_id: String,
        /// Events of the member with this handle.
        pub member: String,
        /// Events of this session.
        pub session: String,
        /// Events in this project.
        pub project: String,
        /// Events that ended like this.
        pub outcome: Outcome,
        /// Events at or after this time.
        #[serde(deserialize_with = "read_time")]
        pub since: DateTime<Utc>,
        /// Events before this time.
        #[serde(deserialize_with = "read_time")]
        pub until: DateTime<Utc>,
    }

    /// `GET /v1/uploads`.
    pub struct UploadsQuery {
        /// Uploads of the member with this handle.
        pub member: String,
        /// Uploads of CI runs, or of others.
        pub ci: bool,
        /// Uploads of CI runs of this repository.
        pub repository: String,
        /// Uploads of CI runs for this pull request.
        pub pull_request: String,
        /// Uploads of this CI run.
        pub run_id: String,
    }

    /// `GET /v1/members`.
    pub struct MembersQuery {
        /// Members who are active, or who are not.
        pub active: bool,
    }

    /// `GET /v1/tokens`.
    pub struct TokensQuery {
        /// Tokens of the member with this handle; the caller's unless given.
        pub member: String,
        /// True for the tokens of all members.
        pub all: bool,
        /// False for tokens that no longer work as well.
        pub active: bool,
    }

    /// `GET /v1/audit`.
    pub struct AuditQuery {
        /// Entries of this actor, as the log names them.
        pub actor: String,
        /// Entries of this action: `member.added`, or `member` for all that begin with it.
        pub action: String,
    }

    /// `GET /v1/trusted-publishers`.
    pub struct PublishersQuery {}
}

queries! {
    /// `GET /v1/overview`.
    pub struct OverviewQuery {
        /// The window: `30d` unless given.
        pub window: Window,
        /// True to wait until the answer includes everything that was stored before the request.
        pub fresh: bool,
    }

    /// `GET /v1/prices`.
    pub struct PricesQuery {
        /// False leaves out the models without a price.
        pub unpriced: bool,
    }

    /// `GET /v1/refresh`.
    pub struct RefreshQuery {
        /// Seconds to wait until the scores hold every event that was committed before the request.
        pub wait: u64,
    }

    /// The routes that delete a member's data.
    pub struct EraseQuery {
        /// The handle of the member, as a confirmation, because a deletion cannot be undone.
        pub confirm: String,
    }
}

impl DeadWeightQuery {
    /// Longest window, in days.
    pub const MAX_DAYS: i64 = 3_650;

    /// The windows that a request without one gets, the longest first.
    const DEFAULT_DAYS: [i64; 3] = [30, 14, 7];

    /// Length of the window in UTC days.
    pub fn days(&self) -> i64 {
        self.days.unwrap_or(Self::DEFAULT_DAYS[0])
    }

    /// The same query with a window: of those for a request without one, the longest that the events reach back,
    /// which is `known_days`.
    #[must_use]
    pub fn with_default_days(mut self, known_days: i64) -> DeadWeightQuery {
        let [.., shortest] = Self::DEFAULT_DAYS;
        let fitting = Self::DEFAULT_DAYS.into_iter().find(|days| *days <= known_days);
        self.days.get_or_insert(fitting.unwrap_or(shortest));
        self
    }
}

fn read_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    within(deserializer, 1, limits::PAGE_ROWS)
}

fn read_days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    within(deserializer, 1, DeadWeightQuery::MAX_DAYS)
}

/// Reads a time of a year with four digits. Others are beyond what a database compares with.
fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let time = Option::<DateTime<Utc>>::deserialize(deserializer)?;
    match time {
        Some(time) if !(1..=9_999).contains(&time.year()) => {
            Err(D::Error::custom("a time of the years 1 to 9999 is expected"))
        }
        time => Ok(time),
    }
}

fn read_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| read_day(&text))
        .transpose()
        .map_err(D::Error::custom)
}

/// Reads a number and checks its bounds.
fn within<'de, N, D>(deserializer: D, min: N, max: N) -> Result<Option<N>, D::Error>
where
    N: Copy + Deserialize<'de> + PartialOrd + std::fmt::Display,
    D: Deserializer<'de>,
{
    let number = Option::<N>::deserialize(deserializer)?;
    match number {
        Some(number) if number < min || number > max => Err(D::Error::custom(format!(
            "a number from {min} to {max} is expected"
        ))),
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(query: &str) -> Result<T, String> {
        serde_urlencoded::from_str(query).map_err(|error| error.to_string())
    }

    #[test]
    fn a_query_reads_back_as_it_was_written_and_leaves_out_what_is_not_given() {
        let events = EventsQuery {
            tool_id: Some("plugin:a b@c&d".into()),
            outcome: Some(Outcome::Failure),
            since: Some("2026-11-23T09:30:00.25Z".parse().unwrap()),
            limit: Some(500),
            ..EventsQuery::default()
        };
        let text = serde_urlencoded::to_string(&events).unwrap();
        assert_eq!(
            text,
            "tool_id=plugin%3Aa+b%40c%26d&outcome=failure&since=2026-11-23T09%3A30%3A00.250Z&limit=500"
        );
        assert_eq!(read(&text), Ok(events));
        let dead = DeadWeightQuery {
            days: Some(7),
            kind: Some(AllOr::Only(Kind::Mcp)),
            verdict: Some(AllOr::All),
            fresh: Some(true),
            ..DeadWeightQuery::default()
        };
        let text = serde_urlencoded::to_string(&dead).unwrap();
        assert_eq!(text, "days=7&kind=mcp&verdict=all&fresh=true");
        assert_eq!(read(&text), Ok(dead));
        assert_eq!(read(""), Ok(PublishersQuery::default()));
        assert_eq!(serde_urlencoded::to_string(ScoresQuery::default()).unwrap(), "");
    }

    #[test]
    fn a_wrong_or_unknown_parameter_is_an_error_that_says_what_is_right() {
        for (error, right) in [
            (
                read::<ScoresQuery>("sort=best").unwrap_err(),
                "wilson_low, events",
            ),
            (read::<ScoresQuery>("kind=robot").unwrap_err(), "doc, all"),
            (
                read::<LeaderboardQuery>("window=8d").unwrap_err(),
                "7d, 30d, 90d, all",
            ),
            (
                read::<LeaderboardQuery>("from=today").unwrap_err(),
                "a day such as",
            ),
            (
                read::<LeaderboardQuery>("compare=x").unwrap_err(),
                "`previous` or",
            ),
            (read::<DeadWeightQuery>("verdict=bad").unwrap_err(), "in_use, all"),
            (read::<DeadWeightQuery>("days=3651").unwrap_err(), "1 to 3650"),
            (read::<EventsQuery>("limit=0").unwrap_err(), "1 to 500"),
            (read::<EventsQuery>("limit=501").unwrap_err(), "1 to 500"),
            (read::<EventsQuery>("outcome=ok").unwrap_err(), "success, failure"),
            (
                read::<EventsQuery>("since=%2B262000-01-01T00:00:00Z").unwrap_err(),
                "1 to 9999",
            ),
            (
                read::<EventsQuery>("until=-4800-01-01T00:00:00Z").unwrap_err(),
                "1 to 9999",
            ),
            (read::<UploadsQuery>("members=ann").unwrap_err(), "`member`"),
        ] {
            assert!(error.contains(right), "{error}");
        }
    }

    #[test]
    fn the_operator_may_ask_for_longer_pages_than_a_request() {
        let query = AuditQuery::default().with_page(Some(10_000), None);
        assert_eq!(query.page_rows(), 10_000);
    }
}
