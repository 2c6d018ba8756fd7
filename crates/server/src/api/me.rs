//! `/v1/me`: the member of the token, their settings and their data.

use axum::{body::Body, extract::State, http::header, response::Response};
use futures_util::stream;
use model::{
    administration::{Deleted, MyChange, MySettings},
    api::{Me, query::EraseQuery},
};
use store::audit::Act;

use crate::{
    auth::{Acting, Caller},
    error::ApiError,
    extract::{Input, Json, Query},
    state::App,
};

/// The member of the token.
pub(crate) async fn get(Caller(identity): Caller) -> Json<Me> {
    Json(Me {
        org: identity.org_slug,
        member: identity.handle,
        role: identity.role,
        kind: identity.kind,
        scopes: identity.scopes,
        token_name: identity.token_name,
        token_expires_at: identity.expires_at,
    })
}

/// The settings of the member.
pub(crate) async fn settings(
    State(app): State<App>,
    Caller(caller): Caller,
) -> Result<Json<MySettings>, ApiError> {
    Ok(Json(app.store.my_settings(caller.org, caller.member).await?))
}

/// Changes it.
pub(crate) async fn change(
    State(app): State<App>,
    Caller(caller): Caller,
    Acting(act): Acting,
    Input(change): Input<MyChange>,
) -> Result<Json<MySettings>, ApiError> {
    Ok(Json(app.store.my_change(&act, caller.member, &change).await?))
}

/// Everything that is stored about the member. A response that was cut off does not end with `}`, and its connection
/// breaks.
pub(crate) async fn export(
    State(app): State<App>,
    Caller(caller): Caller,
    Acting(act): Acting,
) -> Result<Response, ApiError> {
    let pieces = app.store.member_export(&act, caller.member).await?;
    let body = Body::from_stream(stream::unfold(pieces, async |mut pieces| {
        let piece = pieces.recv().await?;
        if let Err(error) = &piece {
            tracing::error!(%error, "an export was cut off");
        }
        Some((piece, pieces))
    }));
    Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"toolhub-export.json\"",
        )
        .body(body)
        .map_err(|error| ApiError::Internal {
            cause: error.to_string(),
        })
}

/// Refuses a deletion unless the request names the member whose data it deletes, because it cannot be undone.
pub(crate) fn check_confirmed(query: &EraseQuery, handle: &str) -> Result<(), ApiError> {
    if query.confirm.as_deref() == Some(handle) {
        return Ok(());
    }
    Err(ApiError::BadQuery(format!(
        "this deletes every event of `{handle}` for good; say so with `?confirm={handle}`"
    )))
}

/// Deletes what the member has uploaded.
pub(crate) async fn erase(
    State(app): State<App>,
    Caller(caller): Caller,
    Acting(act): Acting,
    Query(query): Query<EraseQuery>,
) -> Result<Json<Deleted>, ApiError> {
    check_confirmed(&query, &caller.handle)?;
    Ok(Json(delete(app, act, caller.handle).await?))
}

/// Deletes in a task of its own: the deletion goes on when the caller disconnects.
pub(crate) async fn delete(app: App, act: Act, handle: String) -> Result<Deleted, ApiError> {
    let deleting = tokio::spawn(async move {
        let deleted = app.store.member_erase(&act, &handle).await?;
        app.stale.notify_one();
        Ok::<_, ApiError>(deleted)
    });
    deleting.await.map_err(|error| ApiError::Internal {
        cause: error.to_string(),
    })?
}
