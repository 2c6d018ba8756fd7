//! The two encodings of OTLP over HTTP: which one a request has, and answers in it.
//!
//! The messages are small, so their protobuf is written here. Errors are a `google.rpc.Status` with a code of gRPC.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use model::problem::Problem;
use serde_json::json;
use sources::otlp::Encoding;

use crate::error::ApiError;

/// The encoding of a request, and of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wire(Encoding);

impl Wire {
    /// That of the request.
    pub(crate) fn of_request(headers: &HeaderMap) -> Result<Wire, ApiError> {
        Wire::of(headers).ok_or_else(|| {
            ApiError::UnsupportedMediaType(
                "`Content-Type` is application/x-protobuf or application/json".into(),
            )
        })
    }

    /// That of the answer to any request: JSON, where the request has neither.
    pub(crate) fn of_answer(headers: &HeaderMap) -> Wire {
        Wire::of(headers).unwrap_or(Wire(Encoding::Json))
    }

    fn of(headers: &HeaderMap) -> Option<Wire> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let media_type = value.split(';').next().unwrap_or_default().trim();
        match media_type.to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Some(Wire(Encoding::Protobuf)),
            "application/json" => Some(Wire(Encoding::Json)),
            _ => None,
        }
    }

    pub(crate) fn encoding(self) -> Encoding {
        self.0
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self.0 {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        }
    }

    /// The answer to a request that was accepted, but for some of its records. Without those, `partial_success` is not
    /// set.
    pub(super) fn accepted(self, field: &str, rejected: u64, why: Option<&str>) -> Response {
        let rejected = rejected.min(i64::MAX.cast_unsigned());
        let why = why.unwrap_or_default();
        let body = match self.0 {
            _ if rejected == 0 => match self.0 {
                Encoding::Protobuf => Vec::new(),
                Encoding::Json => b"{}".to_vec(),
            },
            Encoding::Protobuf => {
                let mut partial = Vec::new();
                put_number(&mut partial, 1, rejected);
                put_bytes(&mut partial, 2, why.as_bytes());
                let mut answer = Vec::new();
                put_bytes(&mut answer, 1, &partial);
                answer
            }
            // 64-bit integers are texts in the JSON of protobuf.
            Encoding::Json => {
                json!({ "partialSuccess": { field: rejected.to_string(), "errorMessage": why } })
                    .to_string()
                    .into_bytes()
            }
        };
        let mut response = Response::new(Body::from(body));
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type()));
        response
    }

    /// The body of a failure.
    pub(crate) fn status(self, problem: &Problem) -> Vec<u8> {
        let code = grpc_code(problem.status);
        let message = format!("{} (request {})", problem.detail, problem.request_id);
        match self.0 {
            Encoding::Protobuf => {
                let mut status = Vec::new();
                put_number(&mut status, 1, code);
                put_bytes(&mut status, 2, message.as_bytes());
                status
            }
            Encoding::Json => json!({ "code": code, "message": message })
                .to_string()
                .into_bytes(),
        }
    }
}

/// The code of gRPC for a status of HTTP.
fn grpc_code(status: u16) -> u64 {
    match status {
        401 => 16,
        403 => 7,
        404 => 5,
        405 => 12,
        408 => 4,
        409 => 10,
        413 | 429 => 8,
        502..=504 => 14,
        500..=599 => 13,
        _ => 3,
    }
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// A field of type varint.
fn put_number(bytes: &mut Vec<u8>, field: u8, number: u64) {
    bytes.push(field << 3);
    put_varint(bytes, number);
}

/// A field of a length and so many bytes.
fn put_bytes(bytes: &mut Vec<u8>, field: u8, value: &[u8]) {
    bytes.push(field << 3 | 2);
    put_varint(bytes, value.len() as u64);
    bytes.extend_from_slice(value);
}
