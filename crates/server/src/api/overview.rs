//! `GET /v1/overview`.

use axum::extract::State;
use model::api::{Overview, query::OverviewQuery};

use super::refresh;
use crate::{
    auth::Caller,
    deadline::Deadline,
    error::ApiError,
    extract::{Json, Query},
    state::App,
};

/// The calls of the org in a window, all tools together.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    deadline: Deadline,
    Query(query): Query<OverviewQuery>,
) -> Result<Json<Overview>, ApiError> {
    refresh::as_of(&app, caller.org, query.fresh, &deadline).await?;
    let window = query.window.unwrap_or_default();
    Ok(Json(app.store.overview(caller.org, window).await?))
}
