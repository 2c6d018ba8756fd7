//! `GET /v1/refresh`: how fresh the scores are, and waiting until they are.

use std::time::Duration;

use axum::extract::State;
use model::api::RefreshState;
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use crate::{
    auth::Caller,
    error::ApiError,
    extract::{Json, Query},
    state::App,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// Wait up to so many seconds until the scores hold every event committed before this request.
    wait: Option<u64>,
}

/// How long one request may wait, in seconds.
const GREATEST_WAIT: u64 = 25;

/// The refresh state, at once or as soon as the scores hold everything committed before the request.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(parameters): Query<Parameters>,
) -> Result<Json<RefreshState>, ApiError> {
    let asked_at = app.store.clock().await?;
    let deadline = Instant::now() + Duration::from_secs(parameters.wait.unwrap_or(0).min(GREATEST_WAIT));
    loop {
        let fresh = app.scores_fresh.notified();
        let mut state = app.store.refresh_state(caller.org).await?;
        let covered = state.as_of.is_some_and(|as_of| as_of >= asked_at);
        // For the caller, what came after the question does not count as pending.
        state.pending = state.pending && !covered;
        let left = deadline.saturating_duration_since(Instant::now());
        if !state.pending || left.is_zero() {
            return Ok(Json(state));
        }
        // Another process may be the one that refreshes: look again at least this often.
        let _ = timeout(left.min(Duration::from_millis(250)), fresh).await;
    }
}
