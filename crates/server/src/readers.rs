//! The worker that holds the database roles of BI tools to their limits, which a role can lift for itself.

use std::time::Duration;

use tokio::time::sleep;

use crate::state::App;

/// Pause between two looks at the sessions of readers.
const INTERVAL: Duration = Duration::from_secs(15);

pub(crate) async fn run(app: App) {
    loop {
        sleep(INTERVAL).await;
        match app.store.readers_end_sessions().await {
            Ok(ended) => {
                for role in ended {
                    tracing::warn!(role, "ended a session of a reader: too long, or one too many");
                }
            }
            Err(error) => tracing::debug!(%error, "cannot look at the sessions of readers; trying again"),
        }
    }
}
