//! `GET /v1/scores` and `GET /v1/scores/{tool_id}`.

use axum::extract::State;
use model::api::{
    ScoreDetail, Scores,
    query::{EventsQuery, ScoreQuery, ScoresQuery},
};
use store::refresh::View;

use super::refresh;
use crate::{
    auth::Caller,
    error::ApiError,
    extract::{Json, PathParam, Query},
    state::App,
};

/// The scores of the org's tools, best first.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(query): Query<ScoresQuery>,
) -> Result<Json<Scores>, ApiError> {
    let as_of = refresh::as_of(&app, caller.org, View::Scores, query.fresh).await?;
    let page = app.store.score_list(caller.org, &query).await?;
    Ok(Json(Scores {
        scores: page.rows,
        next_cursor: page.next_cursor,
        as_of,
    }))
}

/// The score of one tool, and what stands behind it in a window.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    PathParam(tool_id): PathParam,
    Query(query): Query<ScoreQuery>,
) -> Result<Json<ScoreDetail>, ApiError> {
    let window = query.window.unwrap_or_default();
    let as_of = refresh::as_of(&app, caller.org, View::Scores, query.fresh).await?;
    let score = app.store.score_get(caller.org, &tool_id).await?.ok_or_else(|| {
        ApiError::NotFound(format!("no score of a tool `{}`", model::text::clean(&tool_id)))
    })?;
    let detail = app.store.tool_detail(caller.org, &tool_id, window).await?;
    let of_tool = EventsQuery {
        tool_id: Some(tool_id),
        limit: query.limit,
        cursor: query.cursor,
        ..EventsQuery::default()
    };
    let recent = app.store.event_list(caller.org, &of_tool).await?;
    Ok(Json(ScoreDetail {
        score,
        as_of,
        window,
        detail,
        recent: recent.rows,
        next_cursor: recent.next_cursor,
    }))
}
