//! Bearer tokens and page sessions: authentication and authorization.

use std::{net::IpAddr, time::Instant};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Method, header::AUTHORIZATION, request::Parts},
    middleware::Next,
    response::Response,
};
use chrono::TimeDelta;
use model::{
    team::{Role, Scope},
    token::Token,
};
use store::{StoreError, audit::Act, team::Identity};

use crate::{
    access::Access, address::ClientAddress, error::ApiError, page_session, shares, state::App, timing::Timing,
};

/// The caller of a route that requires a token.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Identity);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, ApiError> {
        parts
            .extensions
            .get::<Caller>()
            .cloned()
            .ok_or(ApiError::Unauthenticated)
    }
}

/// The request as an audited act: by the caller, from the client's address, now.
pub(crate) struct Acting(pub(crate) Act);

impl FromRequestParts<App> for Acting {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Acting, ApiError> {
        let Caller(identity) = Caller::from_request_parts(parts, app).await?;
        let ClientAddress(address) = parts.extensions.get().copied().unwrap_or_default();
        Ok(Acting(Act::by_member(identity, address, app.now())))
    }
}

/// Lets a request pass when its token satisfies the access of the route.
pub(crate) async fn check(
    State((app, access)): State<(App, Access)>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if access == Access::Probe {
        return Ok(next.run(request).await);
    }
    let ClientAddress(address) = request.extensions().get().copied().unwrap_or_default();
    app.rates.check_address(address)?;
    if access == Access::Public {
        return Ok(next.run(request).await);
    }
    if access.is_page() {
        return page(&app, access, address, request, next).await;
    }
    let started = Instant::now();
    let identity = match authenticate(&app, request.headers()).await {
        Err(refused @ ApiError::InvalidToken) => {
            app.rates.charge_refused(address);
            return Err(refused);
        }
        other => other?,
    };
    if let Some(timing) = request.extensions().get::<Timing>() {
        timing.add("auth", started);
    }
    app.rates.check_token(identity.token_id)?;
    match access {
        Access::Probe
        | Access::Public
        | Access::Token
        | Access::OpenPage
        | Access::Page
        | Access::PageForm
        | Access::RolePage(_)
        | Access::RoleForm(_) => {}
        Access::Scope(scope) => require(&identity, scope)?,
        Access::Role(role) => require_role(&identity, role)?,
    }
    record_use(&app, &identity);
    run(&app, identity, request, next).await
}

/// Answers a request of a known member, within the shares of their token and org.
async fn run(app: &App, identity: Identity, mut request: Request, next: Next) -> Result<Response, ApiError> {
    let answering = app.shares.answer(&identity)?;
    let working = if uses_pool(&request) {
        Some(app.shares.work(identity.org).await?)
    } else {
        None
    };
    request.extensions_mut().insert(Caller(identity));
    let response = next.run(request).await;
    drop(working);
    Ok(shares::hold(response, answering))
}

/// False for what waits without a connection of the pool: uploads have a share of the commits, inventories take theirs
/// for each attempt, deletions have connections of their own, and who waits for a refresh asks for one only now and
/// then.
fn uses_pool(request: &Request) -> bool {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/v1/events") | (&Method::PUT, "/v1/inventory") | (&Method::GET, "/v1/refresh") => {
            false
        }
        (&Method::DELETE, path) => !path.ends_with("/data"),
        _ => true,
    }
}

/// Lets a browser pass: with a session to pages, and to the forms of its own pages. Without one it is led to the sign-in.
async fn page(
    app: &App,
    access: Access,
    address: Option<IpAddr>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if !request.method().is_safe() {
        page_session::check_origin(request.headers(), &app.config)?;
    }
    if access == Access::OpenPage {
        return Ok(next.run(request).await);
    }
    let visitor = match page_session::find(app, request.headers()).await? {
        page_session::Found::Visitor(visitor) => visitor,
        page_session::Found::Nothing => return Ok(page_session::to_sign_in(&request)),
        page_session::Found::Ended => {
            app.rates.charge_refused(address);
            return Ok(page_session::to_sign_in(&request));
        }
    };
    let identity = visitor.session.identity.clone();
    app.rates.check_token(identity.token_id)?;
    require(&identity, Scope::Read)?;
    if let Access::RolePage(role) | Access::RoleForm(role) = access {
        require_role(&identity, role)?;
    }
    record_use(app, &identity);
    request.extensions_mut().insert(*visitor);
    run(app, identity, request, next).await
}

async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Identity, ApiError> {
    let header = headers.get(AUTHORIZATION).ok_or(ApiError::Unauthenticated)?;
    let text = header
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or(ApiError::Unauthenticated)?;
    // A malformed token is refused without a database query.
    let token = Token::parse(text).map_err(|_| ApiError::InvalidToken)?;
    // Bounded here, because an upload as a whole may take longer than a read.
    let waited = app.config.read_timeout;
    tokio::time::timeout(waited, app.store.authenticate(token.hash(), app.now()))
        .await
        .unwrap_or(Err(StoreError::NoAnswer { waited }))?
        .ok_or(ApiError::InvalidToken)
}

/// Refuses a member without this role, or with a token that is not for administration.
pub(crate) fn require_role(identity: &Identity, role: Role) -> Result<(), ApiError> {
    require(identity, Scope::Admin)?;
    if identity.role < role {
        return Err(ApiError::MissingRole {
            needed: role,
            role: identity.role,
        });
    }
    Ok(())
}

fn require(identity: &Identity, scope: Scope) -> Result<(), ApiError> {
    if identity.scopes.contains(&scope) {
        Ok(())
    } else {
        Err(ApiError::MissingScope {
            needed: scope,
            scopes: identity.scopes.clone(),
        })
    }
}

/// Records when a token was last used: in a task beside the request, at most once a minute.
fn record_use(app: &App, identity: &Identity) {
    let now = app.now();
    if identity
        .last_used_at
        .is_some_and(|at| now - at < TimeDelta::minutes(1))
    {
        return;
    }
    let (app, org, token_id) = (app.clone(), identity.org, identity.token_id);
    tokio::spawn(async move {
        if let Err(error) = app.store.token_used(org, token_id, now).await {
            tracing::warn!(%error, "cannot record the use of a token");
        }
    });
}
