//! Load shedding: a bound on requests in flight, and one on how long a request may take.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

use crate::{connections::Place, deadline::Deadline, error::ApiError, state::App};

/// Rejects a request when there are too many, and aborts it when the database no longer answers.
///
/// Probes always pass: a busy server is still alive.
pub(crate) async fn shed(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if matches!(request.uri().path(), "/livez" | "/readyz" | "/metrics") {
        return Ok(next.run(request).await);
    }
    let shed =
        |reason: &'static str| metrics::counter!("toolhub_shed_total", "reason" => reason).increment(1);
    if request.extensions().get() == Some(&Place::Probes) {
        shed("connections");
        return Err(ApiError::Overloaded { retry_after: 1 });
    }
    let Ok(_permit) = app.requests.try_acquire() else {
        shed("requests");
        return Err(ApiError::Overloaded { retry_after: 1 });
    };
    // Uploads have limits of their own: one for the body, one for the commit.
    let limit = if request.method().is_safe() {
        app.config.read_timeout
    } else {
        app.config.body_timeout + app.config.write_timeout
    };
    let deadline = Deadline::after(limit);
    request.extensions_mut().insert(deadline.clone());
    tokio::select! {
        response = next.run(request) => Ok(response),
        () = deadline.passed() => {
            shed("time");
            Err(ApiError::Unavailable {
                retry_after: 2,
                cause: format!("a request took longer than {} s", limit.as_secs()),
            })
        }
    }
}
