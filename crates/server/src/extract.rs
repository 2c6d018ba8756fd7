//! Extractors. Those of axum answer a bad request in plain text; these answer with `application/problem+json`.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, RawPathParams, Request, rejection::QueryRejection},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use model::text;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

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
        let unreadable =
            |error: serde_json::Error| ApiError::BadRequest(format!("the body cannot be read: {error}"));
        // JSON writes NUL in this way alone; most bodies are read once.
        if json.windows(NUL_ESCAPE.len()).any(|part| part == NUL_ESCAPE)
            && let Some(field) = field_with_nul("", &serde_json::from_slice(json).map_err(unreadable)?)
        {
            return Err(nul(&field));
        }
        Ok(Input(serde_json::from_slice(json).map_err(unreadable)?))
    }
}

/// How JSON writes the character NUL.
const NUL_ESCAPE: &[u8] = br"\u0000";

/// The refusal of a text with the character NUL, which PostgreSQL cannot store or compare.
pub(crate) fn nul(parameter: &str) -> ApiError {
    let parameter = text::clean(parameter);
    ApiError::BadQuery(format!("`{parameter}` contains the character NUL"))
}

/// The name of the field at which a value has the character NUL, in a name or in a text.
fn field_with_nul(field: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(|| field.to_owned()),
        Value::Array(values) => values.iter().find_map(|value| field_with_nul(field, value)),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            if name.contains('\0') {
                return Some(name.clone());
            }
            field_with_nul(name, value)
        }),
        _ => None,
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
        let unreadable = |error: QueryRejection| {
            let text = error.body_text();
            let detail = text.strip_prefix("Failed to deserialize query string: ");
            ApiError::BadQuery(detail.unwrap_or(&text).to_owned())
        };
        let axum::extract::Query(pairs): axum::extract::Query<Vec<(String, String)>> =
            axum::extract::Query::try_from_uri(&parts.uri).map_err(unreadable)?;
        for (name, value) in pairs {
            if name.contains('\0') || value.contains('\0') {
                return Err(nul(&name));
            }
        }
        let axum::extract::Query(value) =
            axum::extract::Query::try_from_uri(&parts.uri).map_err(unreadable)?;
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
        let Some((name, value)) = params.iter().next() else {
            return Ok(PathParam(String::new()));
        };
        if value.contains('\0') {
            return Err(nul(name));
        }
        Ok(PathParam(value.to_owned()))
    }
}
