//! Every error of the API: its status, code and message. No other module chooses the status of an error.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use model::{
    limits,
    problem::Problem,
    team::{Role, Scope},
    wire::InvalidFraming,
};
use store::{StoreError, device_logins::NoToken, publishers::Untrusted};

use crate::oidc::{InvalidIdentity, VerifyError};

/// An error of a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("send `Authorization: Bearer <token>`; `toolhub admin token create` makes one")]
    Unauthenticated,
    #[error("the token is unknown, expired or revoked; ask an admin of your org for a new one")]
    InvalidToken,
    #[error("this needs a token with scope `{needed}`; yours has {}", words(.scopes))]
    MissingScope { needed: Scope, scopes: Vec<Scope> },
    #[error("this needs the role `{needed}`; yours is `{role}`")]
    MissingRole { needed: Role, role: Role },
    #[error("{0}")]
    NotFound(String),
    #[error("no such route; `docs/api.md` lists them")]
    NoRoute,
    #[error("the route does not take this method")]
    MethodNotAllowed,
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    BadQuery(String),
    #[error("{0}")]
    Framing(InvalidFraming),
    #[error("the body cannot be decompressed: it is damaged or was cut off in transit")]
    Encoding,
    #[error("{what} has more than {limit} {unit}; `GET /v1/limits` lists the limits")]
    TooLarge {
        what: &'static str,
        limit: usize,
        unit: &'static str,
    },
    #[error("{0}")]
    UnsupportedMediaType(String),
    #[error("the body did not arrive within {0} s")]
    BodyTimeout(u64),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    NotAllowed(String),
    #[error("{0}")]
    Identity(InvalidIdentity),
    #[error("{0}")]
    Untrusted(#[from] Untrusted),
    #[error("{0}")]
    NoToken(#[from] NoToken),
    #[error("too many requests; try again in {retry_after} s")]
    TooManyRequests { retry_after: u32 },
    #[error("the issuer's keys are not available at the moment; try again in {retry_after} s")]
    IssuerUnavailable { retry_after: u32, cause: String },
    #[error("the database is not available at the moment; try again in {retry_after} s")]
    Unavailable { retry_after: u32, cause: String },
    #[error("the data of this member is being changed by another request; try again in {retry_after} s")]
    MemberBusy { retry_after: u32 },
    #[error("{detail}; try again in {retry_after} s")]
    TooMany { detail: String, retry_after: u32 },
    #[error("the server is overloaded; try again in {retry_after} s")]
    Overloaded { retry_after: u32 },
    #[error("internal error; the server's log has the cause under this request id")]
    Internal { cause: String },
}

fn words(scopes: &[Scope]) -> String {
    scopes
        .iter()
        .map(|scope| format!("`{scope}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            ApiError::Unauthenticated | ApiError::InvalidToken => StatusCode::UNAUTHORIZED,
            ApiError::Identity(_) => StatusCode::UNAUTHORIZED,
            ApiError::MissingScope { .. }
            | ApiError::MissingRole { .. }
            | ApiError::NotAllowed(_)
            | ApiError::Untrusted(_) => StatusCode::FORBIDDEN,
            ApiError::TooManyRequests { .. } | ApiError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            ApiError::NotFound(_) | ApiError::NoRoute => StatusCode::NOT_FOUND,
            ApiError::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ApiError::BadRequest(_)
            | ApiError::BadQuery(_)
            | ApiError::Framing(_)
            | ApiError::Encoding
            | ApiError::NoToken(_) => StatusCode::BAD_REQUEST,
            ApiError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ApiError::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ApiError::BodyTimeout(_) => StatusCode::REQUEST_TIMEOUT,
            ApiError::Conflict(_) => StatusCode::CONFLICT,
            ApiError::Unavailable { .. }
            | ApiError::IssuerUnavailable { .. }
            | ApiError::MemberBusy { .. }
            | ApiError::Overloaded { .. } => StatusCode::SERVICE_UNAVAILABLE,
            ApiError::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Stable: clients branch on it. Listed in `docs/api.md`.
    fn code(&self) -> &'static str {
        match self {
            ApiError::Unauthenticated => "unauthenticated",
            ApiError::InvalidToken => "invalid_token",
            ApiError::MissingScope { .. } => "missing_scope",
            ApiError::MissingRole { .. } => "missing_role",
            ApiError::NotFound(_) => "not_found",
            ApiError::NoRoute => "no_such_route",
            ApiError::MethodNotAllowed => "method_not_allowed",
            ApiError::BadRequest(_) => "invalid_body",
            ApiError::BadQuery(_) => "invalid_parameter",
            ApiError::Framing(_) => "invalid_framing",
            ApiError::Encoding => "invalid_encoding",
            ApiError::TooLarge { .. } => "too_large",
            ApiError::UnsupportedMediaType(_) => "unsupported_media_type",
            ApiError::BodyTimeout(_) => "body_timeout",
            ApiError::Conflict(_) => "conflict",
            ApiError::NotAllowed(_) => "not_allowed",
            ApiError::Identity(why) => why.code(),
            ApiError::Untrusted(why) => why.code(),
            ApiError::NoToken(why) => why.code(),
            ApiError::TooManyRequests { .. } => "too_many_requests",
            ApiError::IssuerUnavailable { .. } => "issuer_unavailable",
            ApiError::Unavailable { .. } => "unavailable",
            ApiError::MemberBusy { .. } => "member_busy",
            ApiError::TooMany { .. } => "too_many_long_requests",
            ApiError::Overloaded { .. } => "overloaded",
            ApiError::Internal { .. } => "internal",
        }
    }

    /// The cause, for the log only.
    fn cause(&self) -> Option<&str> {
        match self {
            ApiError::Unavailable { cause, .. }
            | ApiError::IssuerUnavailable { cause, .. }
            | ApiError::Internal { cause } => Some(cause),
            _ => None,
        }
    }

    pub(crate) fn body_too_large(what: &'static str, limit: usize) -> ApiError {
        ApiError::TooLarge {
            what,
            limit,
            unit: "bytes",
        }
    }
}

impl From<InvalidFraming> for ApiError {
    fn from(error: InvalidFraming) -> ApiError {
        match error {
            InvalidFraming::TooManyEvents => ApiError::TooLarge {
                what: "the batch",
                limit: limits::BATCH_EVENTS,
                unit: "events",
            },
            error => ApiError::Framing(error),
        }
    }
}

impl From<VerifyError> for ApiError {
    fn from(error: VerifyError) -> ApiError {
        match error {
            VerifyError::Invalid(why) => ApiError::Identity(why),
            VerifyError::IssuerUnavailable { retry_after, cause } => {
                ApiError::IssuerUnavailable { retry_after, cause }
            }
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::Cursor => ApiError::BadQuery(error.to_string()),
            StoreError::Invalid(detail) => ApiError::BadRequest(detail),
            StoreError::NotFound(_) => ApiError::NotFound(error.to_string()),
            StoreError::Exists(_) | StoreError::Conflict(_) => ApiError::Conflict(error.to_string()),
            StoreError::NotAllowed(detail) => ApiError::NotAllowed(detail),
            StoreError::Untrusted(why) => ApiError::Untrusted(why),
            StoreError::NoToken(why) => ApiError::NoToken(why),
            StoreError::MembersBusy(_) => ApiError::MemberBusy { retry_after: 2 },
            StoreError::TooMany(detail) => ApiError::TooMany {
                detail,
                retry_after: 10,
            },
            error if error.is_temporary() => ApiError::Unavailable {
                retry_after: 1,
                cause: error.to_string(),
            },
            error => ApiError::Internal {
                cause: error.to_string(),
            },
        }
    }
}

/// A failed request, as an extension of its response: [`crate::observe`] writes the body, because it knows the request id.
#[derive(Clone)]
pub(crate) struct Failure {
    pub(crate) problem: Problem,
    pub(crate) cause: Option<String>,
}

impl Failure {
    fn of(error: &ApiError) -> Failure {
        let status = error.status();
        Failure {
            problem: Problem {
                kind: "about:blank".to_owned(),
                title: status.canonical_reason().unwrap_or_default().to_owned(),
                status: status.as_u16(),
                code: error.code().to_owned(),
                detail: error.to_string(),
                request_id: String::new(),
            },
            cause: error.cause().map(str::to_owned),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        let headers = response.headers_mut();
        match &self {
            ApiError::Unavailable { retry_after, .. }
            | ApiError::IssuerUnavailable { retry_after, .. }
            | ApiError::MemberBusy { retry_after }
            | ApiError::TooMany { retry_after, .. }
            | ApiError::Overloaded { retry_after }
            | ApiError::TooManyRequests { retry_after } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
            }
            ApiError::Unauthenticated | ApiError::InvalidToken => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response.extensions_mut().insert(Failure::of(&self));
        response
    }
}
