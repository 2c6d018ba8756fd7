//! When to retry and when to give up: full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
//! Blog, 2015) between 1 s and 60 s, with the server's `Retry-After` as the floor.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Error, server::RequestError};

/// Upper bound of the first pause. It doubles with each further one.
const INITIAL_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause, even if the server asks for a longer one.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// How long to retry a server that has answered before.
pub(crate) const DEFAULT_RETRY_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// How long to retry an address that has never answered like a toolhub server: it is probably wrong.
const UNVERIFIED_HOST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to retry. A timeout that the user chose applies to every kind of error.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RetryPolicy {
    /// The timeout that the user chose.
    pub(crate) timeout: Option<Duration>,
}

impl RetryPolicy {
    fn timeout(self, error: &RequestError, answered_before: bool) -> Duration {
        let unverified = match error {
            RequestError::Unreachable(_) => !answered_before,
            RequestError::NotToolhub(_) => true,
            _ => false,
        };
        self.timeout.unwrap_or(if unverified {
            UNVERIFIED_HOST_TIMEOUT
        } else {
            DEFAULT_RETRY_TIMEOUT
        })
    }
}

/// The pause before attempt `attempt + 1`. `jitter` is a random number in 0..1; `floor` is the server's `Retry-After`.
fn pause(attempt: u32, jitter: f64, floor: Option<Duration>) -> Duration {
    let max = INITIAL_PAUSE
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(MAX_PAUSE);
    max.mul_f64(jitter.clamp(0.0, 1.0))
        .max(floor.unwrap_or_default().min(MAX_PAUSE))
}

/// The attempts at one request.
pub(crate) struct Retry {
    attempt: u32,
    began: Instant,
    first_failed: Option<Instant>,
    policy: RetryPolicy,
}

impl Retry {
    pub(crate) fn new(policy: RetryPolicy) -> Retry {
        Retry {
            attempt: 0,
            began: Instant::now(),
            first_failed: None,
            policy,
        }
    }

    /// How long the next attempt may take: what is left of the time that the user chose. An attempt that hangs uses up
    /// that time like a pause.
    pub(crate) fn limit(&self) -> Duration {
        match self.policy.timeout {
            Some(timeout) if !timeout.is_zero() => timeout.saturating_sub(self.began.elapsed()),
            _ => Duration::MAX,
        }
    }

    /// Sleeps until the next attempt. Returns an error when the policy does not allow another one.
    pub(crate) async fn wait(
        &mut self,
        error: RequestError,
        url: &str,
        answered_before: bool,
    ) -> Result<(), Error> {
        let floor = match &error {
            RequestError::Fatal(_) | RequestError::TooLarge(_) | RequestError::UnsupportedEncoding(_) => {
                return Err(error.into_error(url));
            }
            RequestError::Busy { retry_after, .. } => *retry_after,
            RequestError::Unreachable(_)
            | RequestError::ConnectionFailed(_)
            | RequestError::NotToolhub(_) => None,
        };
        let now = Instant::now();
        let first_failed = *self.first_failed.get_or_insert(now);
        let pause = pause(self.attempt, random_jitter(), floor);
        self.attempt += 1;
        let since = match self.policy.timeout {
            Some(_) => self.began,
            None => first_failed,
        };
        if now + pause > since + self.policy.timeout(&error, answered_before) {
            return Err(match error {
                RequestError::NotToolhub(what) => Error::NotToolhub {
                    url: url.to_owned(),
                    what,
                },
                error => Error::GaveUp {
                    url: url.to_owned(),
                    after: now - first_failed,
                    cause: error.cause(),
                },
            });
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// A random number in 0..1. Without randomness there is no jitter, only the full pause.
fn random_jitter() -> f64 {
    getrandom::u32().map_or(1.0, |bits| f64::from(bits) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_the_server_sets_the_floor() {
        let full: Vec<u64> = (0..8)
            .map(|attempt| pause(attempt, 1.0, None).as_secs())
            .collect();
        assert_eq!(full, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pause(3, 0.5, None), Duration::from_secs(4));
        assert_eq!(
            pause(0, 0.0, Some(Duration::from_secs(7))),
            Duration::from_secs(7)
        );
        assert_eq!(pause(6, 1.0, Some(Duration::from_secs(7))), MAX_PAUSE);
        assert_eq!(
            pause(0, 0.0, Some(Duration::from_secs(86_400))),
            MAX_PAUSE,
            "a day is capped"
        );
        assert_eq!(pause(u32::MAX, 1.0, None), MAX_PAUSE);
    }

    fn busy(seconds: u64) -> RequestError {
        RequestError::Busy {
            detail: "full".into(),
            retry_after: Some(Duration::from_secs(seconds)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_slept_exactly_and_the_timeout_ends_in_try_again() {
        let started = Instant::now();
        let mut retry = Retry::new(RetryPolicy::default());
        // Every pause is 60 s: the floor is above the pauses of the first attempts.
        for minute in 1..=5 {
            retry.wait(busy(60), "http://a", true).await.unwrap();
            assert_eq!(started.elapsed().as_secs(), minute * 60);
        }
        let error = retry.wait(busy(60), "http://a", true).await.unwrap_err();
        assert_eq!(error.exit(), crate::Exit::TryAgain);
        assert!(error.to_string().contains("300 s: full"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_never_answered_is_retried_for_a_shorter_time() {
        let refused = || RequestError::Unreachable("connection refused".into());
        for (answered, min, max) in [(false, 0, 10), (true, 200, 300)] {
            let started = Instant::now();
            let mut retry = Retry::new(RetryPolicy::default());
            while retry.wait(refused(), "http://a", answered).await.is_ok() {}
            let waited = started.elapsed().as_secs();
            assert!((min..=max).contains(&waited), "{waited} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fatal_error_is_not_retried() {
        let mut retry = Retry::new(RetryPolicy::default());
        let refused = Error::Forbidden {
            code: String::new(),
            url: "http://a".into(),
            detail: "no".into(),
        };
        let started = Instant::now();
        let error = retry
            .wait(RequestError::Fatal(refused), "http://a", true)
            .await
            .unwrap_err();
        assert_eq!(
            (error.exit(), started.elapsed()),
            (crate::Exit::NotAllowed, Duration::ZERO)
        );
    }
}
