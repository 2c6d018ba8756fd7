//! Extractors. Those of axum answer a bad request in plain text; these answer with `application/problem+json`.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Serialize, de::DeserializeOwned};

use crate::{error::ApiError, state::App};

/// A JSON answer.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let mut response = Response::new(Body::from(body));
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response
            }
            Err(error) => ApiError::Internal {
                cause: error.to_string(),
            }
            .into_response(),
        }
    }
}

/// The body of a request, from JSON. No body is the same as `{}`.
pub(crate) struct Input<T>(pub(crate) T);

/// Longest body of an administrative request, in bytes.
const MAX_INPUT_BYTES: usize = 64 * 1024;

impl<T: DeserializeOwned> FromRequest<App> for Input<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Input<T>, ApiError> {
        let too_large = || ApiError::TooLarge {
            what: "the body",
            limit: MAX_INPUT_BYTES,
            unit: "bytes",
        };
        let deadline = app.config.body_timeout;
        let body = Limited::new(request.into_body(), MAX_INPUT_BYTES).collect();
        let bytes = tokio::time::timeout(deadline, body)
            .await
            .map_err(|_| ApiError::BodyTimeout(deadline.as_secs()))?
            .map_err(|error| {
                if error.is::<LengthLimitError>() {
                    too_large()
                } else {
                    ApiError::BadRequest("the body was cut off in transit".into())
                }
            })?
            .to_bytes();
        let json = if bytes.is_empty() {
            b"{}".as_slice()
        } else {
            &bytes
        };
        let value = serde_json::from_slice(json)
            .map_err(|error| ApiError::BadRequest(format!("the body cannot be read: {error}")))?;
        Ok(Input(value))
    }
}

/// The query string, into a struct. An unknown key is an error, so that a mistyped filter does not show everything.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    #[expect(
        clippy::disallowed_types,
        reason = "wrapped here, so that its rejection becomes an ApiError"
    )]
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query<T>, ApiError> {
        let axum::extract::Query(value) =
            axum::extract::Query::try_from_uri(&parts.uri).map_err(|error| {
                let text = error.body_text();
                let detail = text.strip_prefix("Failed to deserialize query string: ");
                ApiError::BadQuery(detail.unwrap_or(&text).to_owned())
            })?;
        Ok(Query(value))
    }
}

/// The only parameter of the path, decoded.
pub(crate) struct PathParam(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathParam {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<PathParam, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|error| ApiError::BadQuery(error.body_text()))?;
        let value = params
            .iter()
            .next()
            .map(|(_, value)| value.to_owned())
            .unwrap_or_default();
        Ok(PathParam(value))
    }
}
