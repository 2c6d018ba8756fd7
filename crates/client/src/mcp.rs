//! What an agent asks about the team's tools, answered by the routes of the API with the person's token.

use model::{
    api::{
        Board, DeadWeight, Leaderboard, ScoreDetail,
        query::{DeadWeightQuery, LeaderboardQuery, ScoreQuery},
    },
    mcp::{self, Team},
};

use crate::{Error, Server, read::Endpoint};

/// Answers one message, a line of JSON-RPC; `None` for a notification, which has no answer.
pub async fn answer(server: &Server, message: &str) -> Option<String> {
    match serde_json::from_str(message) {
        Ok(message) => mcp::answer(server, &message).await,
        Err(_) => Some(mcp::not_json()),
    }
}

impl Team for Server {
    type Error = Error;

    async fn tools(&self, query: LeaderboardQuery) -> Result<Leaderboard, Error> {
        self.read(&Endpoint::Leaderboard(Board::Tools, query).get(self).await?)
    }

    async fn tool(&self, tool_id: &str, query: ScoreQuery) -> Result<ScoreDetail, Error> {
        self.read(&Endpoint::Score(tool_id.to_owned(), query).get(self).await?)
    }

    async fn dead_weight(&self, query: DeadWeightQuery) -> Result<DeadWeight, Error> {
        self.read(&Endpoint::DeadWeight(query).get(self).await?)
    }
}
