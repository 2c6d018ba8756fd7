//! The read commands: the endpoints they ask, each with its parameters.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use model::api::{
    Board, DeadWeight, Events, Leaderboard, Me, ScoreDetail, Scores, Uploads, UsageReport,
    query::{
        AuditQuery, DeadWeightQuery, DecisionsQuery, EventsQuery, LeaderboardQuery, MembersQuery,
        PublishersQuery, SavingsQuery, ScoreQuery, ScoresQuery, TokensQuery, UploadsQuery, UsageQuery,
    },
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::{
    Error, Server,
    render::{Listing, rows, team},
};

/// An endpoint of the read API, with the parameters of a request to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Endpoint {
    /// The score of every tool.
    Scores(ScoresQuery),
    /// The score of one tool.
    Score(String, ScoreQuery),
    /// The leaderboard of tools, members or projects.
    Leaderboard(Board, LeaderboardQuery),
    /// The tools that are loaded and not used.
    DeadWeight(DeadWeightQuery),
    /// What responses of models used.
    Usage(UsageQuery),
    /// What was called, newest first.
    Events(EventsQuery),
    /// What was uploaded, newest first.
    Uploads(UploadsQuery),
    /// The member that the token belongs to.
    Me,
    /// The members of the org.
    Members(MembersQuery),
    /// Tokens: one's own, of a member, or all.
    Tokens(TokensQuery),
    /// Who did what in the org, newest first.
    Audit(AuditQuery),
    /// The CI that the org trusts.
    TrustedPublishers(PublishersQuery),
    /// What was decided about tools.
    Decisions(DecisionsQuery),
    /// What retired tools saved.
    Savings(SavingsQuery),
}

impl Endpoint {
    /// The path, with the query string where there is one.
    pub(crate) fn path_and_query(&self) -> String {
        match self {
            Endpoint::Scores(query) => target("/v1/scores", query),
            Endpoint::Score(tool, query) => target(&format!("/v1/scores/{}", segment(tool)), query),
            Endpoint::Leaderboard(board, query) => target(&format!("/v1/leaderboards/{board}"), query),
            Endpoint::DeadWeight(query) => target("/v1/dead-weight", query),
            Endpoint::Usage(query) => target("/v1/usage", query),
            Endpoint::Events(query) => target("/v1/events", query),
            Endpoint::Uploads(query) => target("/v1/uploads", query),
            Endpoint::Me => "/v1/me".to_owned(),
            Endpoint::Members(query) => target("/v1/members", query),
            Endpoint::Tokens(query) => target("/v1/tokens", query),
            Endpoint::Audit(query) => target("/v1/audit", query),
            Endpoint::TrustedPublishers(query) => target("/v1/trusted-publishers", query),
            Endpoint::Decisions(query) => target("/v1/decisions", query),
            Endpoint::Savings(query) => target("/v1/savings", query),
        }
    }

    /// Sends the request. Returns the body as the server sent it, for `--json`.
    ///
    /// # Errors
    /// When there is no token, or the server does not answer with success.
    pub async fn get(&self, server: &Server) -> Result<Vec<u8>, Error> {
        server.get(&self.path_and_query(), &[]).await
    }

    /// Lays an answer out for people. `now` is what "2 h ago" counts from.
    ///
    /// # Errors
    /// When the body is not one of this endpoint.
    pub fn listing(&self, server: &Server, body: &[u8], now: DateTime<Utc>) -> Result<Listing, Error> {
        Ok(match self {
            Endpoint::Scores(_) => rows::scores(&server.read::<Scores>(body)?, now),
            Endpoint::Score(..) => rows::score(&server.read::<ScoreDetail>(body)?, now),
            Endpoint::Leaderboard(board, _) => {
                rows::leaderboard(*board, &server.read::<Leaderboard>(body)?, now)
            }
            Endpoint::DeadWeight(_) => rows::dead_weight(&server.read::<DeadWeight>(body)?, now),
            Endpoint::Usage(_) => rows::usage(&server.read::<UsageReport>(body)?, now),
            Endpoint::Events(_) => rows::events(&server.read::<Events>(body)?, now),
            Endpoint::Uploads(_) => rows::uploads(&server.read::<Uploads>(body)?, now),
            Endpoint::Me => rows::me(&server.read::<Me>(body)?, now),
            Endpoint::Members(_) => team::members(&server.read(body)?, now),
            Endpoint::Tokens(_) => team::tokens(&server.read(body)?, now),
            Endpoint::Audit(_) => team::audit(&server.read(body)?, now),
            Endpoint::TrustedPublishers(_) => team::publishers(&server.read(body)?, now),
            Endpoint::Decisions(_) => rows::decisions(&server.read(body)?, now),
            Endpoint::Savings(_) => rows::savings(&server.read(body)?, now),
        })
    }
}

/// A path with a query.
fn target(path: &str, query: &impl Serialize) -> String {
    let query = serde_urlencoded::to_string(query).expect("a query is a flat struct");
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// What a segment of a path may contain as it is: the unreserved characters, `:` and `@` (RFC 3986, section 3.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@');

/// A text as one segment of a path.
pub fn segment(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, SEGMENT).into()
}

#[cfg(test)]
mod tests {
    use model::api::{AllOr, Window, query::ListQuery};

    use super::*;

    #[test]
    fn a_tool_id_is_one_segment_whatever_it_holds() {
        let path = |tool: &str| Endpoint::Score(tool.into(), ScoreQuery::default()).path_and_query();
        assert_eq!(path("plugin:a@b"), "/v1/scores/plugin:a@b");
        assert_eq!(path("mcp:../é?"), "/v1/scores/mcp:..%2F%C3%A9%3F");
    }

    #[test]
    fn a_request_carries_the_parameters_that_are_given_and_no_others() {
        let board = LeaderboardQuery {
            window: Some(Window::Week),
            kind: Some(AllOr::All),
            project: Some("a&b c".into()),
            ..LeaderboardQuery::default()
        };
        assert_eq!(
            Endpoint::Leaderboard(Board::Tools, board.with_page(Some(5), None)).path_and_query(),
            "/v1/leaderboards/tools?window=7d&kind=all&project=a%26b+c&limit=5"
        );
        assert_eq!(
            Endpoint::DeadWeight(DeadWeightQuery::default()).path_and_query(),
            "/v1/dead-weight"
        );
        assert_eq!(Endpoint::Me.path_and_query(), "/v1/me");
    }
}
