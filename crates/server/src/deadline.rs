//! The deadline of a request.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{extract::FromRequestParts, http::request::Parts};
use tokio::time::{Instant, sleep_until, timeout};

use crate::error::ApiError;

/// The time at which a request is answered with 503. A handler that waits at the client's request extends the deadline
/// by the time that it waited: only work counts against the limit, not waiting.
#[derive(Clone, Debug)]
pub(crate) struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    /// A deadline this far ahead.
    pub(crate) fn after(limit: Duration) -> Deadline {
        Deadline(Arc::new(Mutex::new(Instant::now() + limit)))
    }

    /// Waits for an event, at most `limit`. The deadline moves by the time that this takes.
    pub(crate) async fn wait_for(&self, event: impl Future, limit: Duration) {
        let started = Instant::now();
        *self.lock() += limit;
        let _ = timeout(limit, event).await;
        *self.lock() -= limit.saturating_sub(started.elapsed());
    }

    /// Completes at the deadline, wherever it has been moved meanwhile.
    pub(crate) async fn passed(&self) {
        loop {
            let at = self.at();
            sleep_until(at).await;
            if self.at() <= at {
                return;
            }
        }
    }

    fn at(&self) -> Instant {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Sync> FromRequestParts<S> for Deadline {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Deadline, ApiError> {
        parts.extensions.get().cloned().ok_or_else(|| ApiError::Internal {
            cause: "the request has no deadline".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_moves_the_deadline_and_work_does_not() {
        let started = Instant::now();
        let deadline = Deadline::after(Duration::from_secs(9));
        let waiter = deadline.clone();
        tokio::spawn(async move {
            let event = tokio::time::sleep(Duration::from_millis(250));
            waiter.wait_for(event, Duration::from_secs(20)).await;
            for _ in 0..99 {
                let never = std::future::pending::<()>();
                waiter.wait_for(never, Duration::from_millis(250)).await;
            }
        });
        deadline.passed().await;
        assert_eq!(started.elapsed().as_secs(), 34, "25 s of waiting and 9 s of work");
    }
}
