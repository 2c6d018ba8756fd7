//! The workers that refresh what is derived from the events: one for the scores, one for the boards.
//!
//! Each sleeps until it is woken by this process, or until polling finds an upload of another process. It waits a
//! moment, so that a burst shares one refresh, and then rests for a multiple of the time that the refresh took: the two
//! together never take more than a tenth of the database's time. The boards do not delay the scores: they cost ten
//! times as much, and people wait for the scores.

use std::time::Duration;

use chrono::NaiveDate;
use store::{
    StoreError,
    refresh::{Needed, Refresh, View},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until, timeout},
};

use crate::state::App;

/// The scores take at most one part in so many of the database's time …
const SCORES_SHARE: u32 = 15;
/// … and the boards one in so many: 1/15 + 1/30 = 1/10.
const BOARDS_SHARE: u32 = 30;

/// Shortest pause after a failure.
const MIN_FAILURE_PAUSE: Duration = Duration::from_secs(2);

/// Runs both workers until the task is aborted.
pub(crate) async fn run(app: App) {
    tokio::join!(keep(&app, View::Scores), keep(&app, View::Boards));
}

async fn keep(app: &App, view: View) {
    let (stale, share) = match view {
        View::Scores => (&app.scores_stale, SCORES_SHARE),
        View::Boards => (&app.boards_stale, BOARDS_SHARE),
    };
    let mut rest_until = Instant::now();
    loop {
        wait_until_needed(app, view, stale).await;
        sleep_until(rest_until.max(Instant::now() + app.config.refresh_debounce)).await;
        let started = Instant::now();
        match app.store.refresh_view(view, today(app)).await {
            Ok(Refresh::Done {
                duration_ms,
                rows_changed,
                ..
            }) => {
                tracing::debug!(view = view.as_str(), duration_ms, rows_changed, "refreshed");
                rest_until = started + started.elapsed() * share;
                if view == View::Scores {
                    app.boards_stale.notify_one();
                }
            }
            // The process that has the lock may have started before these events were committed.
            Ok(Refresh::Busy) => {
                sleep(Duration::from_millis(100)).await;
                stale.notify_one();
            }
            Err(error) => {
                tracing::warn!(view = view.as_str(), %error, "cannot refresh; trying again");
                rest_until = Instant::now() + MIN_FAILURE_PAUSE.max(started.elapsed() * share);
                stale.notify_one();
            }
        }
        app.scores_fresh.notify_waiters();
    }
}

/// Returns when this process has woken the worker, or the database reports a change that the view lacks.
async fn wait_until_needed(app: &App, view: View, stale: &Notify) {
    while timeout(app.config.refresh_poll, stale.notified()).await.is_err() {
        let needed: Result<Needed, StoreError> = app.store.refresh_needed(today(app)).await;
        match needed {
            Ok(needed) if view == View::Scores && needed.scores => return,
            Ok(needed) if view == View::Boards && needed.boards => return,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot see whether the scores are stale"),
        }
    }
}

/// The UTC day on which windows end.
fn today(app: &App) -> NaiveDate {
    app.now().date_naive()
}
