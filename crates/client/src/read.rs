//! The read commands: which route answers a question, and with which filters.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use model::api::{DeadWeight, Events, Leaderboard, Me, ScoreDetail, Scores, Uploads};

use crate::{
    Error, Server,
    render::{Listing, rows, team},
};

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The score of every tool.
    Scores,
    /// The score of one tool.
    Score(String),
    /// The leaderboard of tools, members or projects.
    Leaderboard(Board),
    /// The tools that nobody uses.
    DeadWeight,
    /// What was called, newest first.
    Events,
    /// What was uploaded, newest first.
    Uploads,
    /// Who the token speaks for.
    Me,
    /// The members of the org.
    Members,
    /// Tokens: one's own, of a member, or all.
    Tokens,
    /// Who did what in the org, newest first.
    Audit,
    /// The CI that the org trusts.
    TrustedPublishers,
}

/// What a leaderboard ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Board {
    /// Tools, by how surely they work.
    Tools,
    /// Members, by adoption.
    Members,
    /// Projects.
    Projects,
}

/// Which rows to answer. What a route does not know is not sent to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `7d`, `30d`, `90d` or `all`.
    pub window: Option<String>,
    /// The kind of tools; `all` for every kind.
    pub kind: Option<String>,
    /// Length of a dead-weight audit in days.
    pub days: Option<u32>,
    /// Rows of a page.
    pub limit: Option<u32>,
    /// Calls that a tool needs to be ranked.
    pub min_sample: Option<u64>,
    /// One tool.
    pub tool: Option<String>,
    /// One member.
    pub member: Option<String>,
    /// One project.
    pub project: Option<String>,
    /// One session.
    pub session: Option<String>,
    /// One outcome.
    pub outcome: Option<String>,
    /// The verdict of a dead-weight audit; `all` for every verdict.
    pub verdict: Option<String>,
    /// From then on.
    pub since: Option<DateTime<Utc>>,
    /// Until then.
    pub until: Option<DateTime<Utc>>,
    /// The column to sort by.
    pub sort: Option<String>,
    /// Those of everybody.
    pub all: bool,
    /// Who acted.
    pub actor: Option<String>,
    /// What they did.
    pub action: Option<String>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl Question {
    /// The route that answers.
    pub fn path(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Question::Scores => "/v1/scores",
            Question::Score(tool) => return format!("/v1/scores/{}", segment(tool)).into(),
            Question::Leaderboard(Board::Tools) => "/v1/leaderboards/tools",
            Question::Leaderboard(Board::Members) => "/v1/leaderboards/members",
            Question::Leaderboard(Board::Projects) => "/v1/leaderboards/projects",
            Question::DeadWeight => "/v1/dead-weight",
            Question::Events => "/v1/events",
            Question::Uploads => "/v1/uploads",
            Question::Me => "/v1/me",
            Question::Members => "/v1/members",
            Question::Tokens => "/v1/tokens",
            Question::Audit => "/v1/audit",
            Question::TrustedPublishers => "/v1/trusted-publishers",
        })
    }

    fn parameters(&self) -> &'static [&'static str] {
        match self {
            Question::Scores => &["kind", "min_sample", "sort", "limit", "cursor"],
            Question::Leaderboard(_) => &[
                "window",
                "kind",
                "project",
                "member",
                "min_sample",
                "limit",
                "cursor",
            ],
            Question::DeadWeight => &["days", "kind", "project", "member", "verdict", "limit", "cursor"],
            Question::Events => &[
                "tool_id", "member", "project", "session", "outcome", "since", "until", "limit", "cursor",
            ],
            Question::Uploads => &["member", "limit", "cursor"],
            Question::Tokens => &["member", "all", "limit", "cursor"],
            Question::Audit => &["actor", "action", "limit", "cursor"],
            Question::Members | Question::TrustedPublishers => &["limit", "cursor"],
            Question::Score(_) => &["window", "limit", "cursor"],
            Question::Me => &[],
        }
    }

    /// The query of the route.
    pub fn query(&self, filter: &Filter) -> Vec<(&'static str, String)> {
        let number = |number: Option<u32>| number.map(|number| number.to_string());
        let values = [
            ("window", filter.window.clone()),
            ("kind", filter.kind.clone()),
            ("days", number(filter.days)),
            ("limit", number(filter.limit)),
            ("min_sample", filter.min_sample.map(|least| least.to_string())),
            ("tool_id", filter.tool.clone()),
            ("member", filter.member.clone()),
            ("project", filter.project.clone()),
            ("session", filter.session.clone()),
            ("outcome", filter.outcome.clone()),
            ("verdict", filter.verdict.clone()),
            ("since", filter.since.map(|time| time.to_rfc3339())),
            ("until", filter.until.map(|time| time.to_rfc3339())),
            ("sort", filter.sort.clone()),
            ("all", filter.all.then(|| "true".to_owned())),
            ("actor", filter.actor.clone()),
            ("action", filter.action.clone()),
            ("cursor", filter.cursor.clone()),
        ];
        let known = self.parameters();
        values
            .into_iter()
            .filter(|(name, _)| known.contains(name))
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }

    /// Asks. Answers the body as the server sent it, for `--json`.
    pub async fn ask(&self, server: &Server, filter: &Filter) -> Result<Vec<u8>, Error> {
        server.get(&self.path(), &self.query(filter)).await
    }

    /// Lays an answer out for people. `now` is what "2 h ago" counts from.
    pub fn listing(&self, server: &Server, body: &[u8], now: DateTime<Utc>) -> Result<Listing, Error> {
        Ok(match self {
            Question::Scores => rows::scores(&server.read::<Scores>(body)?, now),
            Question::Score(_) => rows::score(&server.read::<ScoreDetail>(body)?, now),
            Question::Leaderboard(board) => {
                rows::leaderboard(*board, &server.read::<Leaderboard>(body)?, now)
            }
            Question::DeadWeight => rows::dead_weight(&server.read::<DeadWeight>(body)?, now),
            Question::Events => rows::events(&server.read::<Events>(body)?, now),
            Question::Uploads => rows::uploads(&server.read::<Uploads>(body)?, now),
            Question::Me => rows::me(&server.read::<Me>(body)?, now),
            Question::Members => team::members(&server.read(body)?, now),
            Question::Tokens => team::tokens(&server.read(body)?, now),
            Question::Audit => team::audit(&server.read(body)?, now),
            Question::TrustedPublishers => team::publishers(&server.read(body)?, now),
        })
    }
}

/// A text as one segment of a path (RFC 3986, section 2.3).
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_id_is_one_segment_whatever_it_holds() {
        assert_eq!(
            Question::Score("plugin:a@b".into()).path(),
            "/v1/scores/plugin:a@b"
        );
        assert_eq!(
            Question::Score("mcp:../é?".into()).path(),
            "/v1/scores/mcp:..%2F%C3%A9%3F"
        );
    }

    #[test]
    fn a_route_gets_only_the_parameters_that_it_knows() {
        let filter = Filter {
            window: Some("7d".into()),
            days: Some(30),
            tool: Some("mcp:linear".into()),
            limit: Some(5),
            ..Filter::default()
        };
        let limit = ("limit", "5".to_owned());
        assert_eq!(
            Question::DeadWeight.query(&filter),
            [("days", "30".into()), limit.clone()]
        );
        assert_eq!(
            Question::Events.query(&filter),
            [limit.clone(), ("tool_id", "mcp:linear".into())]
        );
        assert_eq!(
            Question::Leaderboard(Board::Tools).query(&filter),
            [("window", "7d".into()), limit]
        );
        assert_eq!(Question::Me.query(&filter), []);
    }
}
