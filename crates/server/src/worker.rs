//! The worker that refreshes the scores after new events.
//!
//! It sleeps until an upload of this process wakes it, or until the poll finds what another process took. It waits a
//! moment, so that a burst shares one refresh, and never spends more than a tenth of the database's time: after a
//! refresh that took one second it rests for nine.

use std::time::Duration;

use store::refresh::Refresh;
use tokio::time::{Instant, sleep, timeout};

use crate::state::App;

/// A refresh takes at most one part in so many of the database's time.
const SHARE_OF_TIME: u32 = 10;

pub(crate) async fn run(app: App) {
    let mut rest_until = Instant::now();
    loop {
        let woken = timeout(app.config.refresh_poll, app.scores_stale.notified())
            .await
            .is_ok();
        if !woken {
            match app.store.refresh_needed().await {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    tracing::warn!(%error, "cannot see whether the scores are stale");
                    continue;
                }
            }
        }
        tokio::time::sleep_until(rest_until.max(Instant::now() + app.config.refresh_debounce)).await;
        let started = Instant::now();
        match app.store.refresh().await {
            Ok(Refresh::Done {
                duration_ms,
                rows_changed,
                ..
            }) => {
                tracing::debug!(duration_ms, rows_changed, "refreshed the scores");
                rest_until = started + started.elapsed() * SHARE_OF_TIME;
            }
            // Whoever holds the lock may have begun before our events came.
            Ok(Refresh::Busy) => {
                sleep(Duration::from_millis(100)).await;
                app.scores_stale.notify_one();
            }
            Err(error) => {
                tracing::warn!(%error, "cannot refresh the scores; trying again");
                rest_until = Instant::now() + Duration::from_secs(2);
                app.scores_stale.notify_one();
            }
        }
        app.scores_fresh.notify_waiters();
    }
}
