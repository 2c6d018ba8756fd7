//! `/v1/org`: the settings of the org.

use axum::extract::State;
use model::administration::{OrgChange, OrgSettings};

use crate::{
    auth::{Acting, Caller},
    error::ApiError,
    extract::{Input, Json},
    state::App,
};

/// The settings of the org.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
) -> Result<Json<OrgSettings>, ApiError> {
    Ok(Json(app.store.org_settings(caller.org).await?))
}

/// Changes them.
pub(crate) async fn change(
    State(app): State<App>,
    Acting(act): Acting,
    Input(change): Input<OrgChange>,
) -> Result<Json<OrgSettings>, ApiError> {
    Ok(Json(app.store.org_change(&act, &change).await?))
}
