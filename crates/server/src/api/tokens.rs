//! `/v1/tokens`. Everybody manages their own tokens; who administers, those of others as well.

use axum::{extract::State, http::StatusCode};
use chrono::TimeDelta;
use model::{
    OrgId,
    administration::{IssuedToken, OVERLAP_HOURS, RotateRequest, TOKEN_DAYS, TokenRequest, Tokens},
    api::query::{ListQuery, TokensQuery},
    team::{Role, Scope},
};
use store::{
    audit::Act,
    team::{Identity, Issued, NewToken, TokenFilter},
};
use uuid::Uuid;

use crate::{
    auth::{Acting, Caller},
    error::ApiError,
    extract::{Input, Json, PathParam, Query},
    state::App,
};

/// Tokens, newest first: the caller's own, or those of a member, or all.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(query): Query<TokensQuery>,
) -> Result<Json<Tokens>, ApiError> {
    let all = query.all.unwrap_or(false) && query.member.is_none();
    let member = query.member.as_ref().unwrap_or(&caller.handle);
    if all || *member != caller.handle {
        administers(&caller)?;
    }
    if *member != caller.handle {
        // An empty list would look like a member without a token.
        app.store.member_find(caller.org, member).await?;
    }
    let filter = TokenFilter {
        member: (!all).then_some(member.as_str()),
        token_id: None,
        active: query.active.unwrap_or(true),
    };
    let page = app
        .store
        .token_list(caller.org, filter, query.cursor(), query.page_rows(), app.now())
        .await?;
    Ok(Json(Tokens {
        tokens: page.rows,
        next_cursor: page.next_cursor,
    }))
}

/// Greatest life of a token that ends, in days.
const GREATEST_DAYS: u32 = 3_650;

/// Makes a token.
pub(crate) async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Acting(act): Acting,
    Input(request): Input<TokenRequest>,
) -> Result<(StatusCode, Json<IssuedToken>), ApiError> {
    let name = request
        .name
        .ok_or_else(|| ApiError::BadRequest("`name` is missing: what people call the token".into()))?;
    let days = request.expires_in_days.unwrap_or(TOKEN_DAYS);
    if days > GREATEST_DAYS {
        return Err(ApiError::BadRequest(format!(
            "`expires_in_days` is 1 to {GREATEST_DAYS}, or 0 for never"
        )));
    }
    // A token without end, or one that outlives the usual, is for those who look after the org.
    if days == 0 || days > TOKEN_DAYS {
        administers(&caller)?;
    }
    let handle = request.member.unwrap_or_else(|| caller.handle.clone());
    let scopes = match request.scopes {
        Some(scopes) => scopes,
        None if handle == caller.handle => usual(&caller.scopes),
        None => {
            let member = app.store.member_get(act.org, &handle, act.now).await?;
            usual(member.role.scopes())
        }
    };
    let expires_at = (days > 0).then(|| act.now + TimeDelta::days(i64::from(days)));
    let new = NewToken {
        name: &name,
        scopes: &scopes,
        expires_at,
    };
    let issued = app.store.token_issue(&act, &handle, &new).await?;
    Ok((StatusCode::CREATED, Json(shown(&app, act.org, issued).await?)))
}

/// Upload and read, as far as they are allowed.
fn usual(allowed: &[Scope]) -> Vec<Scope> {
    allowed
        .iter()
        .copied()
        .filter(|scope| *scope != Scope::Admin)
        .collect()
}

/// Makes a fresh token in place of another.
pub(crate) async fn rotate(
    State(app): State<App>,
    Acting(act): Acting,
    PathParam(token_id): PathParam,
    Input(request): Input<RotateRequest>,
) -> Result<(StatusCode, Json<IssuedToken>), ApiError> {
    exchange(&app, &act, id(&token_id)?, &request).await
}

/// Makes a fresh token in place of the one of the request.
pub(crate) async fn rotate_current(
    State(app): State<App>,
    Caller(caller): Caller,
    Acting(act): Acting,
    Input(request): Input<RotateRequest>,
) -> Result<(StatusCode, Json<IssuedToken>), ApiError> {
    exchange(&app, &act, caller.token_id, &request).await
}

async fn exchange(
    app: &App,
    act: &Act,
    token_id: Uuid,
    request: &RotateRequest,
) -> Result<(StatusCode, Json<IssuedToken>), ApiError> {
    let overlap = TimeDelta::hours(i64::from(request.overlap_hours.unwrap_or(OVERLAP_HOURS)));
    let name = request.name.as_deref();
    let issued = app.store.token_rotate(act, token_id, overlap, name).await?;
    Ok((StatusCode::CREATED, Json(shown(app, act.org, issued).await?)))
}

/// Ends a token.
pub(crate) async fn revoke(
    State(app): State<App>,
    Acting(act): Acting,
    PathParam(token_id): PathParam,
) -> Result<StatusCode, ApiError> {
    app.store.token_revoke(&act, id(&token_id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the token of the request: what `toolhub logout` does.
pub(crate) async fn revoke_current(
    State(app): State<App>,
    Caller(caller): Caller,
    Acting(act): Acting,
) -> Result<StatusCode, ApiError> {
    app.store.token_revoke(&act, caller.token_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token that was made, with what is known about it.
pub(super) async fn shown(app: &App, org: OrgId, issued: Issued) -> Result<IssuedToken, ApiError> {
    let filter = TokenFilter {
        token_id: Some(issued.token_id),
        ..TokenFilter::default()
    };
    let page = app.store.token_list(org, filter, None, 1, app.now()).await?;
    let info = page
        .rows
        .into_iter()
        .next()
        .ok_or_else(|| ApiError::NotFound("the token does not exist any more".into()))?;
    Ok(IssuedToken {
        token: issued.token,
        info,
    })
}

fn administers(caller: &Identity) -> Result<(), ApiError> {
    if !caller.scopes.contains(&Scope::Admin) {
        return Err(ApiError::MissingScope {
            needed: Scope::Admin,
            scopes: caller.scopes.clone(),
        });
    }
    if caller.role < Role::Admin {
        return Err(ApiError::MissingRole {
            needed: Role::Admin,
            role: caller.role,
        });
    }
    Ok(())
}

/// An id that is none is the same as one that is unknown.
fn id(text: &str) -> Result<Uuid, ApiError> {
    text.parse()
        .map_err(|_| ApiError::NotFound("no such token".into()))
}
