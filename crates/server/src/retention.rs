//! The worker that deletes what is older than an org's retention.
//!
//! Every process runs it, and the database lets one at a time do the work. It begins soon after the start, so that a
//! server that is restarted every day deletes as well.

use std::time::Duration;

use tokio::time::sleep;

use crate::state::App;

/// Pause between the start of the process and the first run.
const FIRST_RUN_DELAY: Duration = Duration::from_secs(10);

pub(crate) async fn run(app: App) {
    sleep(FIRST_RUN_DELAY.min(app.config.retention_interval)).await;
    loop {
        match app.store.retention_run(app.now()).await {
            Ok(kept) => {
                if kept.events > 0 {
                    app.stale.notify_one();
                }
                if kept != store::privacy::RetentionDeleted::default() {
                    tracing::info!(
                        events = kept.events,
                        others = kept.others,
                        ended = kept.ended,
                        "deleted what was older than the retention"
                    );
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot delete what is older than the retention; trying again later")
            }
        }
        sleep(app.config.retention_interval).await;
    }
}
