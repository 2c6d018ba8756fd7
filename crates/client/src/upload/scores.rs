//! Waiting until the scores include what was uploaded.

use std::time::Duration;

use model::api::RefreshState;
use tokio::time::Instant;

use crate::{Error, Server};

/// Longest time for which the server may hold one request for the refresh state.
const MAX_REFRESH_WAIT: Duration = Duration::from_secs(20);
/// First pause between two requests for the refresh state. It doubles with each further one.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Longest pause between two requests for the refresh state.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Waits until the scores include every event that was committed before. The server holds each request until they do,
/// or until [`MAX_REFRESH_WAIT`].
pub(super) async fn wait_for_scores(server: &Server, timeout: Duration) -> Result<(), Error> {
    let started = Instant::now();
    let mut pause = MIN_POLL_INTERVAL;
    loop {
        let left = timeout
            .saturating_sub(started.elapsed())
            .min(server.timeout() / 2)
            .min(MAX_REFRESH_WAIT);
        let state: RefreshState = server
            .get_as("/v1/refresh", &[("wait", left.as_secs().to_string())])
            .await?;
        if !state.pending {
            return Ok(());
        }
        if started.elapsed() + pause > timeout {
            return Err(Error::StillPending {
                after: started.elapsed(),
                last_error: state.last_error,
            });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_POLL_INTERVAL);
    }
}
