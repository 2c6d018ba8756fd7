//! `GET /v1/audit`.

use axum::extract::State;
use model::{
    administration::Audit,
    api::query::{AuditQuery, ListQuery},
};
use store::names::Name;

use super::names;
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
    let asked = [query.actor.as_deref().map(Name::Actor)];
    names::check(&app, &caller, page.rows.is_empty(), query.cursor(), &asked).await?;
    Ok(Json(Audit {
        audit: page.rows,
        next_cursor: page.next_cursor,
    }))
}
