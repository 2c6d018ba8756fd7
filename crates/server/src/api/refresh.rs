//! `GET /v1/refresh`: how fresh the scores and boards are, and waiting until they are fresh.

use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, Utc};
use model::{
    OrgId,
    api::{RefreshState, ViewRefresh, query::RefreshQuery},
};
use store::derived::refresh::{Freshness, View};
use tokio::time::Instant;

use crate::{
    auth::Caller,
    deadline::Deadline,
    error::ApiError,
    extract::{Json, Query},
    state::App,
};

/// How long one request may wait, whatever it asks for.
const MAX_WAIT: Duration = Duration::from_secs(25);

/// How long a read waits by default for a refresh that is due.
const DEFAULT_WAIT: Duration = Duration::from_secs(3);

/// How often a waiting request queries the database, because another process may be the one that refreshes.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The refresh state, at once or as soon as the scores include everything committed before the request.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    deadline: Deadline,
    Query(query): Query<RefreshQuery>,
) -> Result<Json<RefreshState>, ApiError> {
    let limit = Duration::from_secs(query.wait.unwrap_or(0)).min(MAX_WAIT);
    let state = wait_until_fresh(&app, caller.org, View::Boards, limit, &deadline).await?;
    // For who reads the view next, in SQL.
    wait_until_fresh(&app, caller.org, View::Scores, limit.min(DEFAULT_WAIT), &deadline).await?;
    Ok(Json(state))
}

/// When the boards were last refreshed, after waiting until they include everything that was committed before the
/// request: with `fresh=true` as long as a request may, with `fresh=false` not at all, and otherwise for a moment.
/// `as_of` in the answer shows whether that was long enough.
pub(super) async fn as_of(
    app: &App,
    org: OrgId,
    fresh: Option<bool>,
    deadline: &Deadline,
) -> Result<Option<DateTime<Utc>>, ApiError> {
    let limit = match fresh {
        Some(true) => MAX_WAIT,
        Some(false) => Duration::ZERO,
        None => DEFAULT_WAIT,
    };
    let state = wait_until_fresh(app, org, View::Boards, limit, deadline).await?;
    Ok(state.as_of)
}

fn view_of(state: &RefreshState, view: View) -> Option<&ViewRefresh> {
    state.views.iter().find(|one| one.view == view.as_str())
}

/// Waits until the view includes everything that was committed before the request, within the limit. The time that it
/// waits does not count against the deadline of the request. A server that is shutting down does not wait, and nobody
/// waits for a refresh that fails.
async fn wait_until_fresh(
    app: &App,
    org: OrgId,
    view: View,
    limit: Duration,
    deadline: &Deadline,
) -> Result<RefreshState, ApiError> {
    let end = Instant::now() + limit;
    let mut requested_at = None;
    loop {
        let refreshed = app.fresh.notified();
        let Freshness { at, mut state } = app.store.freshness(org).await?;
        let requested_at = *requested_at.get_or_insert(at);
        for one in &mut state.views {
            // For the caller, what came after the request does not count as pending.
            one.pending = one.pending && one.as_of.is_none_or(|as_of| as_of < requested_at);
        }
        state.pending = view_of(&state, View::Boards).is_some_and(|one| one.pending);
        let waits = view_of(&state, view).is_some_and(|one| one.pending && one.last_error.is_none());
        let left = end.saturating_duration_since(Instant::now());
        if !waits || left.is_zero() || app.is_draining() {
            return Ok(state);
        }
        deadline.wait_for(refreshed, left.min(POLL_INTERVAL)).await;
    }
}
