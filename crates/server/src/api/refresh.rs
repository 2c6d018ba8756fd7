//! `GET /v1/refresh`: how fresh the scores are, and waiting until they are fresh.

use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, Utc};
use model::{
    OrgId,
    api::{RefreshState, ViewRefresh, query::RefreshQuery},
};
use store::refresh::{Freshness, View};
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

/// How long a read waits by default for a refresh that is due, where the last one was cheap.
const DEFAULT_WAIT: Duration = Duration::from_secs(3);

/// A refresh that took longer than this, in ms, is expensive: a read does not wait for the next one by default.
const MAX_CHEAP_MS: i64 = 500;

/// How often a waiting request queries the database, because another process may be the one that refreshes.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How long to wait for a refresh.
#[derive(Clone, Copy)]
struct Wait {
    limit: Duration,
    /// Do not wait where refreshing is expensive.
    only_if_cheap: bool,
}

/// The refresh state, at once or as soon as the scores include everything committed before the request.
pub(crate) async fn get(
    State(app): State<App>,
    Caller(caller): Caller,
    deadline: Deadline,
    Query(query): Query<RefreshQuery>,
) -> Result<Json<RefreshState>, ApiError> {
    let wait = Wait {
        limit: Duration::from_secs(query.wait.unwrap_or(0)).min(MAX_WAIT),
        only_if_cheap: false,
    };
    let state = wait_until_fresh(&app, caller.org, View::Scores, wait, &deadline).await?;
    // A client that waited for the scores reads a board next.
    let wait = Wait {
        limit: wait.limit.min(DEFAULT_WAIT),
        only_if_cheap: true,
    };
    wait_until_fresh(&app, caller.org, View::Boards, wait, &deadline).await?;
    Ok(Json(state))
}

/// When a view was last refreshed, after waiting until it includes everything that was committed before the request:
/// with `fresh=true` as long as a request may, with `fresh=false` not at all, and otherwise for a moment where
/// refreshing is cheap. `as_of` in the answer shows whether that was long enough.
pub(super) async fn as_of(
    app: &App,
    org: OrgId,
    view: View,
    fresh: Option<bool>,
    deadline: &Deadline,
) -> Result<Option<DateTime<Utc>>, ApiError> {
    let wait = Wait {
        limit: match fresh {
            Some(true) => MAX_WAIT,
            Some(false) => Duration::ZERO,
            None => DEFAULT_WAIT,
        },
        only_if_cheap: fresh.is_none(),
    };
    let state = wait_until_fresh(app, org, view, wait, deadline).await?;
    Ok(view_of(&state, view).and_then(|one| one.as_of))
}

fn view_of(state: &RefreshState, view: View) -> Option<&ViewRefresh> {
    state.views.iter().find(|one| one.view == view.as_str())
}

/// Waits until the view includes everything that was committed before the request, within the limit. The time that it
/// waits does not count against the deadline of the request. A server that is shutting down does not wait.
async fn wait_until_fresh(
    app: &App,
    org: OrgId,
    view: View,
    wait: Wait,
    deadline: &Deadline,
) -> Result<RefreshState, ApiError> {
    let end = Instant::now() + wait.limit;
    let mut requested_at = None;
    loop {
        let refreshed = app.scores_fresh.notified();
        let Freshness { at, mut state } = app.store.freshness(org).await?;
        let requested_at = *requested_at.get_or_insert(at);
        for one in &mut state.views {
            // For the caller, what came after the request does not count as pending.
            one.pending = one.pending && one.as_of.is_none_or(|as_of| as_of < requested_at);
        }
        let pending = |view| view_of(&state, view).is_some_and(|one| one.pending);
        let (waiting, scores_pending) = (pending(view), pending(View::Scores));
        let expensive = view_of(&state, view).is_some_and(|one| one.duration_ms > Some(MAX_CHEAP_MS));
        state.pending = scores_pending;
        let left = end.saturating_duration_since(Instant::now());
        if !waiting || left.is_zero() || (wait.only_if_cheap && expensive) || app.is_draining() {
            return Ok(state);
        }
        deadline.wait_for(refreshed, left.min(POLL_INTERVAL)).await;
    }
}
