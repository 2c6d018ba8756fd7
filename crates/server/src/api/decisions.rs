//! `/v1/decisions`: what the org has decided about its tools.

use axum::{extract::State, http::StatusCode};
use model::api::{
    DecisionRequest, Decisions, ToolDecision,
    query::{DecisionsQuery, ListQuery},
};
use store::names::Name;

use super::names;
use crate::{
    auth::{Acting, Caller},
    error::ApiError,
    extract::{Input, Json, PathParam, Query},
    state::App,
};

/// The decisions that stand, newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(query): Query<DecisionsQuery>,
) -> Result<Json<Decisions>, ApiError> {
    let page = app.store.decision_list(caller.org, &query, app.now()).await?;
    let asked = [query.tool_id.as_deref().map(Name::Tool)];
    names::check(&app, &caller, page.rows.is_empty(), query.cursor(), &asked).await?;
    Ok(Json(Decisions {
        decisions: page.rows,
        next_cursor: page.next_cursor,
    }))
}

/// Decides about a tool.
pub(crate) async fn put(
    State(app): State<App>,
    Acting(act): Acting,
    PathParam(tool_id): PathParam,
    Input(request): Input<DecisionRequest>,
) -> Result<Json<ToolDecision>, ApiError> {
    Ok(Json(app.store.decide(&act, &tool_id, &request).await?))
}

/// Takes a decision back.
pub(crate) async fn end(
    State(app): State<App>,
    Acting(act): Acting,
    PathParam(tool_id): PathParam,
) -> Result<StatusCode, ApiError> {
    app.store.decision_end(&act, &tool_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
