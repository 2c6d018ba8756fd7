//! `GET /v1/refresh`: how fresh the scores are, and waiting until they are.

use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, Utc};
use model::{
    OrgId,
    api::{RefreshState, ViewRefresh, query::RefreshQuery},
};
use store::refresh::{Freshness, View};
use tokio::time::{Instant, timeout};

use crate::{
    auth::Caller,
    error::ApiError,
    extract::{Json, Query},
    state::App,
};

/// How long one request may wait.
const GREATEST_WAIT: Duration = Duration::from_secs(25);

/// How long a read waits by itself for a refresh that is due, where the last one was cheap.
const PATIENCE: Duration = Duration::from_secs(3);

/// What cheap means, in ms. Where refreshing costs more, a read answers at once from what there is.
const CHEAP_MS: i64 = 500;

/// The refresh state, at once or as soon as the scores hold everything committed before the request.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(query): Query<RefreshQuery>,
) -> Result<Json<RefreshState>, ApiError> {
    let wait = Duration::from_secs(query.wait.unwrap_or(0)).min(GREATEST_WAIT);
    let state = wait_until_fresh(&app, caller.org, View::Scores, wait, false).await?;
    // Whoever waited for the scores looks at a board next.
    wait_until_fresh(&app, caller.org, View::Boards, wait.min(PATIENCE), true).await?;
    Ok(Json(state))
}

/// When a view was last refreshed, after waiting until it holds everything that was committed before the request: with
/// `fresh=true` as long as a request may, with `fresh=false` not at all, and otherwise for a moment where refreshing is
/// cheap. The answer's `as_of` tells whether that was long enough.
pub(super) async fn as_of(
    app: &App,
    org: OrgId,
    view: View,
    fresh: Option<bool>,
) -> Result<Option<DateTime<Utc>>, ApiError> {
    let (patience, only_if_cheap) = match fresh {
        Some(true) => (GREATEST_WAIT, false),
        Some(false) => (Duration::ZERO, false),
        None => (PATIENCE, true),
    };
    let state = wait_until_fresh(app, org, view, patience, only_if_cheap).await?;
    Ok(view_of(&state, view).and_then(|one| one.as_of))
}

fn view_of(state: &RefreshState, view: View) -> Option<&ViewRefresh> {
    state.views.iter().find(|one| one.view == view.as_str())
}

async fn wait_until_fresh(
    app: &App,
    org: OrgId,
    view: View,
    wait: Duration,
    only_if_cheap: bool,
) -> Result<RefreshState, ApiError> {
    let deadline = Instant::now() + wait;
    let mut asked_at = None;
    loop {
        let refreshed = app.scores_fresh.notified();
        let Freshness { at, mut state } = app.store.freshness(org).await?;
        let asked_at = *asked_at.get_or_insert(at);
        for one in &mut state.views {
            // For the caller, what came after the question does not count as pending.
            one.pending = one.pending && one.as_of.is_none_or(|as_of| as_of < asked_at);
        }
        let pending = |view| view_of(&state, view).is_some_and(|one| one.pending);
        let (waiting, scores_wait) = (pending(view), pending(View::Scores));
        let dear = view_of(&state, view).is_some_and(|one| one.duration_ms > Some(CHEAP_MS));
        state.pending = scores_wait;
        let left = deadline.saturating_duration_since(Instant::now());
        if !waiting || left.is_zero() || (only_if_cheap && dear) {
            return Ok(state);
        }
        // Another process may be the one that refreshes: look again at least this often.
        let _ = timeout(left.min(Duration::from_millis(250)), refreshed).await;
    }
}
