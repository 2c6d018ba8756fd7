//! Refusing work in time: a bound on requests in flight, and one on how long a request may take.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

use crate::{error::ApiError, state::App};

/// Lets a request in while there is room, and gives it up when the database no longer answers.
///
/// Probes are let through: a server that is busy is alive.
pub(crate) async fn shed(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    if matches!(request.uri().path(), "/livez" | "/readyz" | "/metrics") {
        return Ok(next.run(request).await);
    }
    let Ok(_room) = app.requests.try_acquire() else {
        return Err(ApiError::Overloaded { retry_after: 1 });
    };
    // Uploads have limits of their own: one for the body, one for the commit.
    let limit = if request.method().is_safe() {
        app.config.read_timeout
    } else {
        app.config.body_timeout + app.config.write_timeout
    };
    tokio::time::timeout(limit, next.run(request))
        .await
        .map_err(|_| ApiError::Unavailable {
            retry_after: 2,
            cause: format!("a request took longer than {} s", limit.as_secs()),
        })
}
