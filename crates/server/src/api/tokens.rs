//! `/v1/tokens`. Members manage their own tokens; admins also those of others.

use axum::{extract::State, http::StatusCode};
use chrono::TimeDelta;
use model::{
    OrgId,
    administration::{
        DEFAULT_OVERLAP_HOURS, DEFAULT_TOKEN_DAYS, IssuedToken, RotateRequest, TokenRequest, Tokens,
    },
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
        require_admin(&caller)?;
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

/// Longest life of a token that ends, in days.
const MAX_DAYS: u32 = 3_650;

/// Makes a token.
pub(crate) async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Acting(act): Acting,
    Input(request): Input<TokenRequest>,
) -> Result<(StatusCode, Json<IssuedToken>), ApiError> {
    let name = request
        .name
        .ok_or_else(|| ApiError::BadRequest("`name` is missing".into()))?;
    let days = request.expires_in_days.unwrap_or(DEFAULT_TOKEN_DAYS);
    if days > MAX_DAYS {
        return Err(ApiError::BadRequest(format!(
            "`expires_in_days` is 1 to {MAX_DAYS}, or 0 for never"
        )));
    }
    // Only an admin may create a token that does not expire, or that is valid for longer than the default.
    if days == 0 || days > DEFAULT_TOKEN_DAYS {
        require_admin(&caller)?;
    }
    let handle = request.member.unwrap_or_else(|| caller.handle.clone());
    let scopes = match request.scopes {
        Some(scopes) => scopes,
        None if handle == caller.handle => default_scopes(&caller.scopes),
        None => {
            let member = app.store.member_get(act.org, &handle, act.now).await?;
            default_scopes(member.role.scopes())
        }
    };
    let expires_at = (days > 0).then(|| act.now + TimeDelta::days(i64::from(days)));
    let new = NewToken {
        name: &name,
        scopes: &scopes,
        expires_at,
    };
    let token = app.store.token_issue(&act, &handle, &new).await?;
    Ok((StatusCode::CREATED, Json(issued(&app, act.org, token).await?)))
}

/// Upload and read, where they are allowed.
fn default_scopes(allowed: &[Scope]) -> Vec<Scope> {
    allowed
        .iter()
        .copied()
        .filter(|scope| *scope != Scope::Admin)
        .collect()
}

/// Replaces a token by a new one.
pub(crate) async fn rotate(
    State(app): State<App>,
    Acting(act): Acting,
    PathParam(token_id): PathParam,
    Input(request): Input<RotateRequest>,
) -> Result<(StatusCode, Json<IssuedToken>), ApiError> {
    replace(&app, &act, parse_id(&token_id)?, &request).await
}

/// Replaces the token of the request by a new one.
pub(crate) async fn rotate_current(
    State(app): State<App>,
    Caller(caller): Caller,
    Acting(act): Acting,
    Input(request): Input<RotateRequest>,
) -> Result<(StatusCode, Json<IssuedToken>), ApiError> {
    replace(&app, &act, caller.token_id, &request).await
}

async fn replace(
    app: &App,
    act: &Act,
    token_id: Uuid,
    request: &RotateRequest,
) -> Result<(StatusCode, Json<IssuedToken>), ApiError> {
    let overlap = TimeDelta::hours(i64::from(request.overlap_hours.unwrap_or(DEFAULT_OVERLAP_HOURS)));
    let name = request.name.as_deref();
    let token = app.store.token_rotate(act, token_id, overlap, name).await?;
    Ok((StatusCode::CREATED, Json(issued(app, act.org, token).await?)))
}

/// Ends a token.
pub(crate) async fn revoke(
    State(app): State<App>,
    Acting(act): Acting,
    PathParam(token_id): PathParam,
) -> Result<StatusCode, ApiError> {
    app.store.token_revoke(&act, parse_id(&token_id)?).await?;
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

/// A new token, with its description.
pub(super) async fn issued(app: &App, org: OrgId, issued: Issued) -> Result<IssuedToken, ApiError> {
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

fn require_admin(caller: &Identity) -> Result<(), ApiError> {
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

/// A malformed id is answered like an unknown one.
fn parse_id(text: &str) -> Result<Uuid, ApiError> {
    text.parse()
        .map_err(|_| ApiError::NotFound("no such token; `toolhub tokens list` shows their ids".into()))
}
