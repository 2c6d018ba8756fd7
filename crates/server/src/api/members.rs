//! `/v1/members`.

use axum::{extract::State, http::StatusCode};
use model::{
    administration::{AddedMember, Deleted, Invitation, Member, MemberChange, MemberRequest, Members},
    api::query::{EraseQuery, MembersQuery},
    team::Role,
};
use store::{audit::Act, team::NewMember};

use super::{
    me::{check_confirmed, delete},
    tokens,
};
use crate::{
    auth::{Acting, Caller},
    error::ApiError,
    extract::{Input, Json, PathParam, Query},
    state::App,
};

/// The members of the org, by handle.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(query): Query<MembersQuery>,
) -> Result<Json<Members>, ApiError> {
    let page = app.store.member_list(caller.org, &query, app.now()).await?;
    Ok(Json(Members {
        members: page.rows,
        next_cursor: page.next_cursor,
    }))
}

/// One member.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    PathParam(handle): PathParam,
) -> Result<Json<Member>, ApiError> {
    Ok(Json(app.store.member_get(caller.org, &handle, app.now()).await?))
}

/// Adds a member, with an invitation if requested.
pub(crate) async fn add(
    State(app): State<App>,
    Acting(act): Acting,
    Input(request): Input<MemberRequest>,
) -> Result<(StatusCode, Json<AddedMember>), ApiError> {
    let handle = request
        .handle
        .ok_or_else(|| ApiError::BadRequest("`handle` is missing".into()))?;
    let role = request.role.unwrap_or(Role::Member);
    let new = NewMember {
        handle: &handle,
        kind: request.kind.unwrap_or_default(),
        role,
    };
    app.store.member_create(&act, new).await?;
    let invitation = if request.invite.unwrap_or(false) {
        Some(invitation(&app, &act, &handle).await?)
    } else {
        None
    };
    let member = app.store.member_get(act.org, &handle, act.now).await?;
    Ok((StatusCode::CREATED, Json(AddedMember { member, invitation })))
}

/// Invites a member again, who has lost the token or has never logged in.
pub(crate) async fn invite(
    State(app): State<App>,
    Acting(act): Acting,
    PathParam(handle): PathParam,
) -> Result<(StatusCode, Json<Invitation>), ApiError> {
    Ok((StatusCode::CREATED, Json(invitation(&app, &act, &handle).await?)))
}

async fn invitation(app: &App, act: &Act, handle: &str) -> Result<Invitation, ApiError> {
    let issued = app.store.invitation_issue(act, handle).await?;
    Ok(Invitation {
        token: tokens::issued(app, act.org, issued).await?,
        server_url: app.config.public_url.clone(),
    })
}

/// Renames a member, changes the role, deactivates or reactivates.
pub(crate) async fn change(
    State(app): State<App>,
    Acting(act): Acting,
    PathParam(handle): PathParam,
    Input(change): Input<MemberChange>,
) -> Result<Json<Member>, ApiError> {
    Ok(Json(app.store.member_change(&act, &handle, &change).await?))
}

/// Deletes what a member has uploaded.
pub(crate) async fn erase(
    State(app): State<App>,
    Acting(act): Acting,
    PathParam(handle): PathParam,
    Query(query): Query<EraseQuery>,
) -> Result<Json<Deleted>, ApiError> {
    // Checked first: the answer must not depend on members of other orgs.
    app.store.member_find(act.org, &handle).await?;
    check_confirmed(&query, &handle)?;
    Ok(Json(delete(app, act, handle).await?))
}
