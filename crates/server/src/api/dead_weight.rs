//! `GET /v1/dead-weight`.

use axum::extract::State;
use model::api::{DeadWeight, query::DeadWeightQuery};

use super::refresh;
use crate::{
    auth::Caller,
    deadline::Deadline,
    error::ApiError,
    extract::{Json, Query},
    state::App,
};

/// Tools of the catalogue without an event in the window; with `verdict`, others too.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    deadline: Deadline,
    Query(query): Query<DeadWeightQuery>,
) -> Result<Json<DeadWeight>, ApiError> {
    let as_of = refresh::as_of(&app, caller.org, query.fresh, &deadline).await?;
    let page = app.store.dead_weight(caller.org, &query).await?;
    Ok(Json(DeadWeight {
        dead_weight: page.rows,
        next_cursor: page.next_cursor,
        as_of,
        days: query.days(),
    }))
}
