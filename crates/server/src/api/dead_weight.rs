//! `GET /v1/dead-weight`.

use axum::extract::State;
use chrono::TimeDelta;
use model::api::DeadWeight;
use serde::Deserialize;

use super::{check_kind, page_rows};
use crate::{
    auth::Caller,
    error::ApiError,
    extract::{Json, Query},
    state::App,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    days: Option<i64>,
    kind: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Longer windows than this are `all`, and nothing is dead in them.
const GREATEST_DAYS: i64 = 3_650;

/// Tools of the catalogue that nobody used in the window.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(parameters): Query<Parameters>,
) -> Result<Json<DeadWeight>, ApiError> {
    let days = parameters.days.unwrap_or(30);
    if !(1..=GREATEST_DAYS).contains(&days) {
        return Err(ApiError::BadQuery(format!("`days` is 1 to {GREATEST_DAYS}")));
    }
    let kind = check_kind(parameters.kind)?.filter(|kind| kind != "all");
    let as_of = app.store.scores_as_of().await?;
    let limit = page_rows(parameters.limit)?;
    let since = app.now() - TimeDelta::days(days);
    let page = app
        .store
        .dead_weight(
            caller.org,
            since,
            kind.as_deref(),
            parameters.cursor.as_deref(),
            limit,
        )
        .await?;
    Ok(Json(DeadWeight {
        dead_weight: page.rows,
        next_cursor: page.next_cursor,
        as_of,
        days,
    }))
}
