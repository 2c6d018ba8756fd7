//! `GET /v1/uploads`.

use axum::extract::State;
use model::api::{
    Uploads,
    query::{ListQuery, UploadsQuery},
};
use store::names::Name;

use super::names;
use crate::{
    auth::Caller,
    error::ApiError,
    extract::{Json, Query},
    state::App,
};

/// The receipts of the org, newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(query): Query<UploadsQuery>,
) -> Result<Json<Uploads>, ApiError> {
    let page = app.store.upload_list(caller.org, &query).await?;
    let asked = [query.member.as_deref().map(Name::Member)];
    names::check(&app, &caller, page.rows.is_empty(), query.cursor(), &asked).await?;
    Ok(Json(Uploads {
        uploads: page.rows,
        next_cursor: page.next_cursor,
    }))
}
