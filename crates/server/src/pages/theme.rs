//! `POST /theme`: the switch between light and dark.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::Response,
};
use serde::Deserialize;

use super::{appearance, form::Form};
use crate::{
    error::ApiError,
    page_session::{is_secure, local_path, see_other},
    state::App,
};

/// A browser's choice for a year.
const SECONDS: u32 = 365 * 24 * 60 * 60;

/// What the switch sends.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Choice {
    appearance: Option<String>,
    next: Option<String>,
}

/// Remembers the choice in the browser, and leads back to the page.
pub(crate) async fn post(
    State(app): State<App>,
    Form { fields, .. }: Form<Choice>,
) -> Result<Response, ApiError> {
    let choice = fields
        .appearance
        .as_deref()
        .and_then(appearance::Appearance::parse)
        .ok_or_else(|| ApiError::BadRequest("`appearance` is system, light or dark".into()))?;
    let secure = if is_secure(&app.config) { "; Secure" } else { "" };
    let cookie = format!(
        "{}={}; Path=/; Max-Age={SECONDS}; HttpOnly; SameSite=Lax{secure}",
        appearance::COOKIE,
        choice.as_str()
    );
    let mut response = see_other(local_path(fields.next.as_deref()));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
