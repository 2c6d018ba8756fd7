//! `GET /v1/scores` and `GET /v1/scores/{tool_id}`.

use axum::extract::State;
use model::api::{ScoreDetail, Scores};
use serde::Deserialize;
use store::{
    events::EventFilter,
    leaderboards::Window,
    refresh::View,
    scores::{ScoreFilter, ScoreSort},
};

use super::{check_kind, page_rows, refresh};
use crate::{
    auth::Caller,
    error::ApiError,
    extract::{Json, PathParam, Query},
    state::App,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    kind: Option<String>,
    min_sample: Option<i64>,
    sort: Option<String>,
    fresh: Option<bool>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// The scores of the org's tools, best first.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Scores>, ApiError> {
    let sort = match parameters.sort.as_deref() {
        None => ScoreSort::default(),
        Some(word) => word.parse().map_err(ApiError::BadQuery)?,
    };
    let filter = ScoreFilter {
        kind: check_kind(parameters.kind)?.filter(|kind| kind != "all"),
        min_sample: parameters.min_sample.unwrap_or(0),
        sort,
    };
    let limit = page_rows(parameters.limit)?;
    let as_of = refresh::as_of(&app, caller.org, View::Scores, parameters.fresh).await?;
    let page = app
        .store
        .score_list(caller.org, &filter, parameters.cursor.as_deref(), limit)
        .await?;
    Ok(Json(Scores {
        scores: page.rows,
        next_cursor: page.next_cursor,
        as_of,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetailParameters {
    window: Option<String>,
    fresh: Option<bool>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// The score of one tool, and what stands behind it in a window.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    PathParam(tool_id): PathParam,
    Query(parameters): Query<DetailParameters>,
) -> Result<Json<ScoreDetail>, ApiError> {
    let window: Window = parameters
        .window
        .as_deref()
        .unwrap_or("30d")
        .parse()
        .map_err(ApiError::BadQuery)?;
    let limit = page_rows(parameters.limit)?;
    let as_of = refresh::as_of(&app, caller.org, View::Scores, parameters.fresh).await?;
    let score =
        app.store.score_get(caller.org, &tool_id).await?.ok_or_else(|| {
            ApiError::NotFound(format!("score of a tool `{}`", model::text::clean(&tool_id)))
        })?;
    let detail = app.store.tool_detail(caller.org, &tool_id, window).await?;
    let filter = EventFilter {
        tool_id: Some(tool_id),
        ..EventFilter::default()
    };
    let recent = app
        .store
        .event_list(caller.org, &filter, parameters.cursor.as_deref(), limit)
        .await?;
    Ok(Json(ScoreDetail {
        score,
        as_of,
        window: window.as_str().to_owned(),
        detail,
        recent: recent.rows,
        next_cursor: recent.next_cursor,
    }))
}
