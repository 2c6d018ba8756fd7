//! The worker that refreshes what is derived from the events.
//!
//! It sleeps until it is woken by this process, or until polling finds an upload of another process. It waits a moment,
//! so that a burst shares one refresh. How long the database rests between two refreshes is a multiple of the time that
//! the last one took in any process, so that many servers together refresh no more often than one.

use std::time::Duration;

use chrono::NaiveDate;
use store::{
    StoreError,
    derived::refresh::{Refresh, Refresher, View},
};
use tokio::time::{sleep, timeout};

use crate::state::App;

/// After a refresh of the boards the database rests for so many times its length: they take at most half of one
/// processor, and an upload waits for at most three lengths until it is in the boards.
const BOARDS_REST: u32 = 1;

/// The view `tool_scores` covers all orgs and only SQL readers wait for it: a fifteenth at most.
const SCORES_REST: u32 = 14;

/// Pause after a failure, and while another process is refreshing.
const FAILURE_PAUSE: Duration = Duration::from_secs(2);
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// Refreshes until the task is aborted.
pub(crate) async fn run(app: App) {
    // Connected before there is anything to refresh: later all connections may be taken.
    let mut refresher = match app.store.refresher().await {
        Ok(refresher) => Some(refresher),
        Err(error) => {
            tracing::warn!(%error, "cannot connect for refreshes; trying again");
            None
        }
    };
    let mut next = app.config.refresh_poll;
    loop {
        // Woken, or in case another process stored something: both end the wait.
        let _ = timeout(next, app.stale.notified()).await;
        sleep(app.config.refresh_debounce).await;
        next = match refresh(&app, &mut refresher).await {
            Ok(wait) => wait.min(app.config.refresh_poll),
            Err(error) => {
                metrics::counter!("toolhub_refresh_failures_total").increment(1);
                tracing::warn!(%error, "cannot refresh; trying again");
                FAILURE_PAUSE
            }
        };
        app.fresh.notify_waiters();
    }
}

/// Refreshes once. Returns when to look again at the latest.
async fn refresh(app: &App, kept: &mut Option<Refresher>) -> Result<Duration, StoreError> {
    if kept.as_ref().is_some_and(Refresher::is_closed) {
        *kept = None;
    }
    let refresher = match kept {
        Some(refresher) => refresher,
        None => kept.insert(app.store.refresher().await?),
    };
    let boards = refresher.boards(today(app), BOARDS_REST).await?;
    count(View::Boards, boards);
    if let Refresh::Done { .. } = boards {
        tracing::debug!(?boards, "refreshed the boards");
        app.fresh.notify_waiters();
    }
    let scores = refresher.scores(SCORES_REST).await?;
    count(View::Scores, scores);
    Ok(wait_after(boards).min(wait_after(scores)))
}

fn count(view: View, refresh: Refresh) {
    if let Refresh::Done {
        duration_ms,
        rows_changed,
        ..
    } = refresh
    {
        let took = Duration::from_millis(duration_ms.unsigned_abs());
        metrics::histogram!("toolhub_refresh_seconds", "view" => view.as_str()).record(took);
        metrics::counter!("toolhub_refresh_rows_total", "view" => view.as_str())
            .increment(rows_changed.unsigned_abs());
    }
}

fn wait_after(refresh: Refresh) -> Duration {
    match refresh {
        Refresh::Done { more: true, .. } => Duration::ZERO,
        Refresh::Done { .. } | Refresh::Unneeded => Duration::MAX,
        Refresh::Resting(left) => left,
        // The process that has the lock may have started before the latest events were committed.
        Refresh::Busy => BUSY_PAUSE,
    }
}

/// The UTC day on which windows end.
fn today(app: &App) -> NaiveDate {
    app.now().date_naive()
}
