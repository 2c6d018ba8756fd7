//! `GET /v1/audit`.

use axum::extract::State;
use model::{administration::Audit, api::query::AuditQuery};

use crate::{
    auth::Caller,
    error::ApiError,
    extract::{Json, Query},
    state::App,
};

/// Who did what in the org, newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Audit>, ApiError> {
    let page = app.store.audit_list(caller.org, &query).await?;
    Ok(Json(Audit {
        audit: page.rows,
        next_cursor: page.next_cursor,
    }))
}
