//! `/sign-in`: with a token, or by a link that works once.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use maud::{Markup, html};
use model::{
    administration::{PageLink, PageLinkRequest},
    token::{PageSecret, Token},
};
use serde::Deserialize;
use store::{audit::Act, team::Identity};

use super::{appearance::Appearance, form::Form, layout, view::address};
use crate::{
    address::ClientAddress,
    auth::Acting,
    error::ApiError,
    extract::{Input, Json, Query},
    page_session::{self, Found, HOME, local_path, see_other},
    state::App,
};

/// Where a browser goes after the sign-in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Next {
    next: Option<String>,
}

/// The form; a browser that is signed in already is led on.
pub(crate) async fn get(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<Next>,
) -> Result<Response, ApiError> {
    let next = local_path(query.next.as_deref());
    match page_session::find(&app, &headers).await? {
        Found::Visitor(_) => Ok(see_other(next)),
        Found::Nothing | Found::Ended => page(&headers, next, None),
    }
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    token: Option<String>,
    next: Option<String>,
}

/// Begins a session with a token.
pub(crate) async fn post(
    State(app): State<App>,
    address: Address,
    headers: HeaderMap,
    Form { fields }: Form<SignIn>,
) -> Result<Response, ApiError> {
    let next = local_path(fields.next.as_deref());
    let refused = |why: &str| {
        let mut response = page(&headers, next, Some(why))?;
        *response.status_mut() = StatusCode::FORBIDDEN;
        Ok(response)
    };
    let token = fields.token.as_deref().unwrap_or_default().trim();
    let identity = match Token::parse(token) {
        Ok(token) => app.store.authenticate(token.hash(), app.now()).await?,
        Err(_) => None,
    };
    let Some(identity) = identity else {
        app.rates.charge_refused(address.0);
        return refused(&ApiError::InvalidToken.to_string());
    };
    if !identity.scopes.contains(&model::team::Scope::Read) {
        return refused("this token may not read; sign in with one that has the scope `read`");
    }
    begin(&app, identity, address, next).await
}

/// What a link brings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    code: Option<String>,
    next: Option<String>,
}

/// Takes the link and begins a session. A link that was taken leads to the form.
pub(crate) async fn follow(
    State(app): State<App>,
    address: Address,
    headers: HeaderMap,
    Query(link): Query<Link>,
) -> Result<Response, ApiError> {
    let next = local_path(link.next.as_deref());
    let taken = match link.code.as_deref().and_then(PageSecret::parse) {
        Some(secret) => app.store.page_link_take(&secret, app.now()).await?,
        None => None,
    };
    if let Some(identity) = taken {
        return begin(&app, identity, address, next).await;
    }
    app.rates.charge_refused(address.0);
    if let Found::Visitor(_) = page_session::find(&app, &headers).await? {
        return Ok(see_other(next));
    }
    let why = "this link was used before or has expired; `toolhub open` makes another";
    let mut response = page(&headers, next, Some(why))?;
    *response.status_mut() = StatusCode::FORBIDDEN;
    Ok(response)
}

/// Makes a link that signs a browser in as the member of the token.
pub(crate) async fn create_link(
    State(app): State<App>,
    Acting(act): Acting,
    Input(request): Input<PageLinkRequest>,
) -> Result<(StatusCode, Json<PageLink>), ApiError> {
    let next = match request.path.as_deref() {
        Some(path) if local_path(Some(path)) != path => {
            return Err(ApiError::BadRequest(
                "`path` is the path of a page, such as `/tools`".into(),
            ));
        }
        other => other.unwrap_or(HOME),
    };
    let issued = app.store.page_link_issue(&act).await?;
    let code = issued.secret.reveal();
    let path = address("/sign-in/link", &(), &[("code", code), ("next", next)]);
    Ok((
        StatusCode::CREATED,
        Json(PageLink {
            path,
            expires_at: issued.expires_at,
        }),
    ))
}

/// The address of the client.
pub(crate) struct Address(Option<std::net::IpAddr>);

impl<S: Sync> axum::extract::FromRequestParts<S> for Address {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &S) -> Result<Address, ApiError> {
        let ClientAddress(address) = parts.extensions.get().copied().unwrap_or_default();
        Ok(Address(address))
    }
}

async fn begin(app: &App, identity: Identity, address: Address, next: &str) -> Result<Response, ApiError> {
    app.rates.check_token(identity.token_id)?;
    let act = Act::by_member(identity, address.0, app.now());
    let issued = app.store.page_session_begin(&act).await?;
    let mut response = see_other(next);
    let cookie = page_session::begin_cookie(&app.config, &issued.secret, issued.expires_at, act.now);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

fn page(headers: &HeaderMap, next: &str, error: Option<&str>) -> Result<Response, ApiError> {
    let appearance = Appearance::of(headers);
    let content = html! {
        main #main .narrow {
            p .brand { "toolhub" }
            h1 { "Sign in" }
            @if let Some(error) = error { p .alert role="alert" { (error) } }
            (form(next, error.is_some()))
            section .hint {
                h2 { "Without typing a token" }
                p { "On a machine that is logged in, this opens the page signed in:" }
                pre { code { "toolhub open" } }
                p { "A new token, to paste above:" }
                pre { code { "toolhub tokens create browser --scope read" } }
            }
        }
        (layout::footer(appearance, &address("/sign-in", &(), &[("next", next)])))
    };
    layout::respond(&layout::document("Sign in", appearance, &content))
}

fn form(next: &str, has_error: bool) -> Markup {
    html! {
        form .stack method="post" action="/sign-in" {
            input type="hidden" name="next" value=(next);
            label for="token" { "Token" }
            input #token type="password" name="token" required autocomplete="current-password" spellcheck="false"
                placeholder="thb_…" aria-invalid=[has_error.then_some("true")];
            button .primary type="submit" { "Sign in" }
        }
    }
}
