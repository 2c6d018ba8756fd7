//! `/livez` and `/readyz`.

use std::{any::Any, time::Duration};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{error::ApiError, extract::Json, state::App};

/// The process runs. Does not use the database, so that a slow one does not get the process killed.
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    draining: bool,
    database: &'static str,
    schema: &'static str,
    durable: bool,
}

/// Requests can be served: 200, or 503 with what is missing.
pub(crate) async fn readyz(State(app): State<App>) -> Response {
    let draining = app.is_draining();
    let answered = tokio::time::timeout(Duration::from_secs(1), app.store.check_schema()).await;
    let (database, schema) = match answered {
        Ok(Ok(())) => ("ok", "ok"),
        Ok(Err(error)) if error.is_temporary() => ("unreachable", "unknown"),
        Ok(Err(_)) => ("ok", "not this program's"),
        Err(_) => ("no answer within 1 s", "unknown"),
    };
    let ready = !draining && database == "ok" && schema == "ok";
    let body = Json(Readiness {
        ready,
        draining,
        database,
        schema,
        durable: app.durable,
    });
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, body).into_response()
}

/// A handler panicked: the request fails, the process goes on.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let cause = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic")
        .to_owned();
    ApiError::Internal { cause }.into_response()
}
