//! `GET /v1/scores` and `GET /v1/scores/{tool_id}`.

use axum::extract::State;
use model::api::{
    ScoreDetail, Scores,
    query::{ScoreQuery, ScoresQuery},
};
use store::names::Name;

use super::{names, refresh};
use crate::{
    auth::Caller,
    deadline::Deadline,
    error::ApiError,
    extract::{Json, PathParam, Query},
    state::App,
};

/// The scores of the org's tools, best first.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    deadline: Deadline,
    Query(query): Query<ScoresQuery>,
) -> Result<Json<Scores>, ApiError> {
    let as_of = refresh::as_of(&app, caller.org, query.fresh, &deadline).await?;
    let page = app.store.score_list(caller.org, &query).await?;
    Ok(Json(Scores {
        scores: page.rows,
        next_cursor: page.next_cursor,
        as_of,
    }))
}

/// The score of one tool, and its details for a window.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    deadline: Deadline,
    PathParam(tool_id): PathParam,
    Query(query): Query<ScoreQuery>,
) -> Result<Json<ScoreDetail>, ApiError> {
    let window = query.window.unwrap_or_default();
    refresh::as_of(&app, caller.org, query.fresh, &deadline).await?;
    let snapshot = app.store.tool_snapshot(caller.org, &tool_id, &query).await?;
    let asked = [Some(Name::Tool(&tool_id))];
    names::check(&app, &caller, snapshot.is_none(), None, &asked).await?;
    let tool = snapshot.ok_or_else(|| {
        ApiError::NotFound(format!(
            "the scores hold no event of the tool `{}` yet; `toolhub dead-weight --verdict all` shows where it is loaded",
            model::text::clean(&tool_id)
        ))
    })?;
    Ok(Json(ScoreDetail {
        score: tool.score,
        as_of: tool.as_of,
        window,
        detail: tool.detail,
        recent: tool.recent.rows,
        next_cursor: tool.recent.next_cursor,
    }))
}
