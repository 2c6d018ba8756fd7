//! `GET /v1/dead-weight`.

use axum::extract::State;
use model::api::DeadWeight;
use serde::Deserialize;
use store::{
    dead_weight::{Audit, Show},
    refresh::View,
};

use super::{check_kind, page_rows, refresh};
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
    project: Option<String>,
    member: Option<String>,
    verdict: Option<String>,
    fresh: Option<bool>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Longer windows than this are `all`, and nothing is dead in them.
const GREATEST_DAYS: i64 = 3_650;

/// Tools of the catalogue that nobody used in the window; with `verdict`, others too.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(parameters): Query<Parameters>,
) -> Result<Json<DeadWeight>, ApiError> {
    let days = parameters.days.unwrap_or(30);
    if !(1..=GREATEST_DAYS).contains(&days) {
        return Err(ApiError::BadQuery(format!("`days` is 1 to {GREATEST_DAYS}")));
    }
    let show = match parameters.verdict.as_deref() {
        None => Show::default(),
        Some("all") => Show::All,
        Some(word) => Show::Only(word.parse().map_err(ApiError::BadQuery)?),
    };
    let audit = Audit {
        days,
        kind: check_kind(parameters.kind)?.filter(|kind| kind != "all"),
        project: parameters.project,
        member: parameters.member,
        show,
    };
    let limit = page_rows(parameters.limit)?;
    let as_of = refresh::as_of(&app, caller.org, View::Boards, parameters.fresh).await?;
    let page = app
        .store
        .dead_weight(caller.org, &audit, parameters.cursor.as_deref(), limit)
        .await?;
    Ok(Json(DeadWeight {
        dead_weight: page.rows,
        next_cursor: page.next_cursor,
        as_of,
        days,
    }))
}
