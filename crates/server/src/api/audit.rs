//! `GET /v1/audit`.

use axum::extract::State;
use model::administration::Audit;
use serde::Deserialize;
use store::audit::AuditFilter;

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
    actor: Option<String>,
    action: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// Who did what in the org, newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Audit>, ApiError> {
    let limit = page_rows(parameters.limit)?;
    let filter = AuditFilter {
        actor: parameters.actor,
        action: parameters.action,
    };
    let page = app
        .store
        .audit_list(caller.org, &filter, parameters.cursor.as_deref(), limit)
        .await?;
    Ok(Json(Audit {
        audit: page.rows,
        next_cursor: page.next_cursor,
    }))
}
