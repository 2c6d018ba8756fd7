//! Every request: its id, its log line, its metrics, and the body of an error.

use std::time::Instant;

use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use model::problem::Problem;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    api::otlp::Wire,
    error::{ApiError, Failure},
    pages::{self, AsPage},
    timing::Timing,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Gives the request an id, logs how it ended, and writes the body of every failure: a page
/// for a browser that asked for one, a `Status` for a program that speaks OTLP, `application/problem+json` otherwise.
pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let request_id = Uuid::now_v7().to_string();
    let method = request.method().clone();
    // The matched route and not the path: paths contain names, and a metric label must have few values.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("-".to_owned(), |path| path.as_str().to_owned());
    let wire = route
        .starts_with("/otlp/")
        .then(|| Wire::of_answer(request.headers()));
    let span = tracing::info_span!("request", %request_id, %method, route);
    let started = Instant::now();
    let timing = Timing::default();
    request.extensions_mut().insert(timing.clone());
    async {
        let mut response = next.run(request).await;
        // Responses of the router itself and of layers have no problem body yet.
        if response.extensions().get::<Failure>().is_none() {
            match response.status() {
                StatusCode::NOT_FOUND if route == "-" => response = ApiError::NoRoute.into_response(),
                StatusCode::METHOD_NOT_ALLOWED => {
                    let allow = response.headers().get(header::ALLOW).cloned();
                    response = ApiError::MethodNotAllowed.into_response();
                    if let Some(allow) = allow {
                        response.headers_mut().insert(header::ALLOW, allow);
                    }
                }
                _ => {}
            }
        }
        if let Some(failure) = response.extensions_mut().remove::<Failure>() {
            response = write(response, failure, &request_id, wire);
        }
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        protect(&mut response);
        if route.starts_with("/v1/")
            && let Some(header) = timing.header(started.elapsed())
        {
            response.headers_mut().insert(SERVER_TIMING, header);
        }
        let labels = [
            ("method", known(&method).to_owned()),
            ("route", route.clone()),
            ("status", response.status().as_u16().to_string()),
        ];
        metrics::counter!("toolhub_requests_total", &labels).increment(1);
        metrics::histogram!("toolhub_request_seconds", "route" => route.clone()).record(started.elapsed());
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await
}

/// A method as a label. A client may invent methods, and each would be a series of its own.
fn known(method: &Method) -> &str {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    if KNOWN.contains(method) {
        method.as_str()
    } else {
        "other"
    }
}

/// Prevents caching of an answer, unless its route has set its own caching, and interpretation of its body as another
/// type.
fn protect(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

fn write(mut response: Response, failure: Failure, request_id: &str, wire: Option<Wire>) -> Response {
    if let Some(cause) = failure.cause {
        tracing::error!(code = failure.problem.code, cause, "request failed");
    }
    let problem = Problem {
        request_id: request_id.to_owned(),
        ..failure.problem
    };
    let (media_type, body) = match (response.extensions_mut().remove::<AsPage>(), wire) {
        (_, Some(wire)) => (wire.media_type(), wire.status(&problem)),
        (Some(page), None) => (pages::HTML, page.of_problem(&problem).into_bytes()),
        (None, None) => (
            Problem::CONTENT_TYPE,
            serde_json::to_vec(&problem).unwrap_or_default(),
        ),
    };
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
    response
}
