//! `POST /sign-out` and `POST /sign-out/everywhere`.

use axum::{extract::State, http::header, response::Response};

use super::{
    form::{Form, Nothing},
    visit::Visit,
};
use crate::{
    auth::Acting,
    error::ApiError,
    page_session::{end_cookie, see_other},
    state::App,
};

/// Ends the session of this browser.
pub(crate) async fn here(
    State(app): State<App>,
    visit: Visit,
    Acting(act): Acting,
    _: Form<Nothing>,
) -> Result<Response, ApiError> {
    app.store.page_session_end(&act, Some(visit.session.id)).await?;
    Ok(signed_out(&app))
}

/// Ends the sessions of the member in every browser.
pub(crate) async fn everywhere(
    State(app): State<App>,
    Acting(act): Acting,
    _: Form<Nothing>,
) -> Result<Response, ApiError> {
    app.store.page_session_end(&act, None).await?;
    Ok(signed_out(&app))
}

fn signed_out(app: &App) -> Response {
    let mut response = see_other("/sign-in");
    response
        .headers_mut()
        .insert(header::SET_COOKIE, end_cookie(&app.config));
    response
}
