//! `POST /mcp`: the Model Context Protocol over streamable HTTP. Each message is answered by itself: there is no session,
//! and no stream. <https://modelcontextprotocol.io/specification/2025-06-18/basic/transports>

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{
    api::{
        Board, DeadWeight, Leaderboard, ScoreDetail,
        query::{DeadWeightQuery, LeaderboardQuery, ScoreQuery},
    },
    mcp::{self, Team, VERSIONS},
};
use serde_json::Value;

use super::{dead_weight, leaderboards, scores};
use crate::{
    auth::Caller,
    deadline::Deadline,
    error::ApiError,
    extract::{Input, PathParam, Query},
    state::App,
};

/// The version of the protocol that a client states after it has been told one.
const VERSION_HEADER: &str = "mcp-protocol-version";

/// Answers one JSON-RPC message. A notification is accepted without an answer.
pub(crate) async fn post(
    State(app): State<App>,
    caller: Caller,
    deadline: Deadline,
    headers: HeaderMap,
    Input(message): Input<Value>,
) -> Result<Response, ApiError> {
    check_version(&headers)?;
    let team = OrgOf {
        app,
        caller,
        deadline,
    };
    Ok(match mcp::answer(&team, &message).await {
        Some(answer) => ([(header::CONTENT_TYPE, "application/json")], answer).into_response(),
        None => StatusCode::ACCEPTED.into_response(),
    })
}

fn check_version(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(version) = headers.get(VERSION_HEADER) else {
        return Ok(());
    };
    if VERSIONS.iter().any(|known| version == known) {
        return Ok(());
    }
    Err(ApiError::BadRequest(format!(
        "this server speaks the versions {} of the protocol",
        VERSIONS.join(", ")
    )))
}

/// The caller's org, asked with the caller's rights.
struct OrgOf {
    app: App,
    caller: Caller,
    deadline: Deadline,
}

impl Team for OrgOf {
    type Error = ApiError;

    async fn tools(&self, query: LeaderboardQuery) -> Result<Leaderboard, ApiError> {
        let board = PathParam(Board::Tools.as_str().to_owned());
        let (app, caller) = (State(self.app.clone()), self.caller.clone());
        let found = leaderboards::get(app, caller, self.deadline.clone(), board, Query(query)).await?;
        Ok(found.0)
    }

    async fn tool(&self, tool_id: &str, query: ScoreQuery) -> Result<ScoreDetail, ApiError> {
        let tool = PathParam(tool_id.to_owned());
        let (app, caller) = (State(self.app.clone()), self.caller.clone());
        let found = scores::get(app, caller, self.deadline.clone(), tool, Query(query)).await?;
        Ok(found.0)
    }

    async fn dead_weight(&self, query: DeadWeightQuery) -> Result<DeadWeight, ApiError> {
        let (app, caller) = (State(self.app.clone()), self.caller.clone());
        let found = dead_weight::list(app, caller, self.deadline.clone(), Query(query)).await?;
        Ok(found.0)
    }
}
