//! The worker that keeps nothing longer than an org wants to.
//!
//! Every process runs it, and the database lets one at a time do the work. It begins soon after the start, so that a
//! server that is restarted every day keeps the promise as well.

use std::time::Duration;

use tokio::time::sleep;

use crate::state::App;

/// Not at once: a start has other things to do.
const FIRST: Duration = Duration::from_secs(10);

pub(crate) async fn run(app: App) {
    sleep(FIRST.min(app.config.retention_interval)).await;
    loop {
        match app.store.retention_run(app.now()).await {
            Ok(kept) => {
                if kept.events > 0 {
                    app.scores_stale.notify_one();
                }
                if kept != store::privacy::RetentionDeleted::default() {
                    tracing::info!(
                        events = kept.events,
                        others = kept.others,
                        ended = kept.ended,
                        "deleted what was kept long enough"
                    );
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot delete what was kept long enough; trying again later")
            }
        }
        sleep(app.config.retention_interval).await;
    }
}
