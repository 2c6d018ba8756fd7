//! `GET /v1/uploads`.

use axum::extract::State;
use model::api::Uploads;
use serde::Deserialize;

use super::page_rows;
use crate::{
    auth::Caller,
    error::ApiError,
    extract::{Json, Query},
    state::App,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    member: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// The receipts of the org, newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Uploads>, ApiError> {
    let limit = page_rows(parameters.limit)?;
    let page = app
        .store
        .upload_list(
            caller.org,
            parameters.member.as_deref(),
            parameters.cursor.as_deref(),
            limit,
        )
        .await?;
    Ok(Json(Uploads {
        uploads: page.rows,
        next_cursor: page.next_cursor,
    }))
}
