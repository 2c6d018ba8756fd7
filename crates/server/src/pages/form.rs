//! What a form sends.

use axum::{
    extract::{FromRequest, Request},
    http::header,
};
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{error::ApiError, page_session::Visitor, state::App};

/// The field by which a form proves that a page of the session made it.
pub(super) const TOKEN_FIELD: &str = "form_token";

/// Longest body of a form, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// The fields of a form. An empty field counts as absent, because a browser sends every field. In a session the form
/// must carry its token.
#[derive(Debug)]
pub(crate) struct Form<T> {
    pub(crate) fields: T,
}

impl<T: DeserializeOwned> FromRequest<App> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Form<T>, ApiError> {
        let expected = request.extensions().get::<Visitor>().map(Visitor::form_token);
        let media_type = request.headers().get(header::CONTENT_TYPE);
        let is_form = media_type
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        let pairs = if is_form {
            read(request, app).await?
        } else {
            Vec::new()
        };
        if let Some(expected) = expected {
            check(&pairs, &expected)?;
        }
        let fields = pairs
            .into_iter()
            .filter(|(name, value)| name != TOKEN_FIELD && !value.is_empty())
            .collect::<Vec<_>>();
        if let Some((name, _)) = fields
            .iter()
            .find(|(name, value)| name.contains('\0') || value.contains('\0'))
        {
            return Err(crate::extract::nul(name));
        }
        let unreadable =
            |error: &dyn std::fmt::Display| ApiError::BadRequest(format!("the form cannot be read: {error}"));
        let text = serde_urlencoded::to_string(fields).map_err(|error| unreadable(&error))?;
        let fields = serde_urlencoded::from_str(&text).map_err(|error| unreadable(&error))?;
        Ok(Form { fields })
    }
}

/// The fields of a form that has none but its token.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

async fn read(request: Request, app: &App) -> Result<Vec<(String, String)>, ApiError> {
    let deadline = app.config.body_timeout;
    let body = Limited::new(request.into_body(), MAX_BYTES).collect();
    let bytes = tokio::time::timeout(deadline, body)
        .await
        .map_err(|_| ApiError::BodyTimeout(deadline.as_secs()))?
        .map_err(|_| ApiError::TooLarge {
            what: "the form",
            limit: MAX_BYTES,
            unit: "bytes",
        })?
        .to_bytes();
    serde_urlencoded::from_bytes(&bytes)
        .map_err(|error| ApiError::BadRequest(format!("the form cannot be read: {error}")))
}

/// Compares digests, so that the time tells nothing about how much was right.
fn check(pairs: &[(String, String)], expected: &str) -> Result<(), ApiError> {
    let sent = pairs
        .iter()
        .find(|(name, _)| name == TOKEN_FIELD)
        .map(|(_, value)| value.as_str())
        .unwrap_or_default();
    if Sha256::digest(sent) == Sha256::digest(expected) {
        Ok(())
    } else {
        Err(ApiError::NotAllowed(
            "the form belongs to another session; open the page again and send it from there".into(),
        ))
    }
}
