//! `GET /v1/scores` and `GET /v1/scores/{tool_id}`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use model::api::{Score, Scores};
use serde::{Deserialize, Serialize};
use store::scores::{ScoreFilter, ScoreSort};

use super::{check_kind, page_rows};
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
    let as_of = app.store.scores_as_of().await?;
    let limit = page_rows(parameters.limit)?;
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

/// The score of one tool.
#[derive(Serialize)]
pub(crate) struct Detail {
    #[serde(flatten)]
    score: Score,
    as_of: Option<DateTime<Utc>>,
}

/// The score of one tool.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    PathParam(tool_id): PathParam,
) -> Result<Json<Detail>, ApiError> {
    let as_of = app.store.scores_as_of().await?;
    let score =
        app.store.score_get(caller.org, &tool_id).await?.ok_or_else(|| {
            ApiError::NotFound(format!("score of a tool `{}`", model::text::clean(&tool_id)))
        })?;
    Ok(Json(Detail { score, as_of }))
}
