//! When to ask again, and when to give up: full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
//! Blog, 2015) between 1 s and 60 s, with the server's `Retry-After` as the floor.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::{Error, server::Trouble};

/// Upper bound of the first pause. It doubles with each further one.
const FIRST: Duration = Duration::from_secs(1);
/// Greatest pause, whatever the server asks for.
pub const LONGEST: Duration = Duration::from_secs(60);
/// How long a server is waited for that has answered before.
pub const FOREGROUND: Duration = Duration::from_secs(5 * 60);
/// How long an address is tried that has never answered like a toolhub server: most likely it is wrong.
pub const STRANGER: Duration = Duration::from_secs(10);

/// How long to go on trying. A given duration holds for every kind of trouble.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// What the person asked for.
    pub given: Option<Duration>,
}

impl Patience {
    fn with(self, trouble: &Trouble, answered_before: bool) -> Duration {
        let doubtful = match trouble {
            Trouble::NobodyThere(_) => !answered_before,
            Trouble::Stranger(_) => true,
            _ => false,
        };
        self.given.unwrap_or(if doubtful { STRANGER } else { FOREGROUND })
    }
}

/// The pause before attempt `attempt + 1`. `roll` is a random number in 0..1; `floor` is what the server asked for.
pub fn pause(attempt: u32, roll: f64, floor: Option<Duration>) -> Duration {
    let most = FIRST.saturating_mul(2_u32.saturating_pow(attempt)).min(LONGEST);
    most.mul_f64(roll.clamp(0.0, 1.0))
        .max(floor.unwrap_or_default().min(LONGEST))
}

/// Reads the value of a `Retry-After` header: seconds or an HTTP date (RFC 9110, section 10.2.3). What cannot be read,
/// or lies in the past, asks for nothing.
pub fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    (date.with_timezone(&Utc) - now).to_std().ok()
}

/// The attempts at one request.
pub(crate) struct Retry {
    attempt: u32,
    first_failed: Option<Instant>,
    patience: Patience,
}

impl Retry {
    pub(crate) fn new(patience: Patience) -> Retry {
        Retry {
            attempt: 0,
            first_failed: None,
            patience,
        }
    }

    /// Sleeps until it is time for the next attempt; gives up when the patience would be over by then.
    pub(crate) async fn wait(
        &mut self,
        trouble: Trouble,
        url: &str,
        answered_before: bool,
    ) -> Result<(), Error> {
        let floor = match &trouble {
            Trouble::Stop(_) | Trouble::TooLarge(_) | Trouble::Encoding(_) => {
                return Err(trouble.into_error(url));
            }
            Trouble::Busy { retry_after, .. } => *retry_after,
            Trouble::NobodyThere(_) | Trouble::Broken(_) | Trouble::Stranger(_) => None,
        };
        let now = Instant::now();
        let first_failed = *self.first_failed.get_or_insert(now);
        let pause = pause(self.attempt, roll(), floor);
        self.attempt += 1;
        if now + pause > first_failed + self.patience.with(&trouble, answered_before) {
            return Err(match trouble {
                Trouble::Stranger(what) => Error::NotToolhub {
                    url: url.to_owned(),
                    what,
                },
                trouble => Error::GaveUp {
                    url: url.to_owned(),
                    after: now - first_failed,
                    cause: trouble.cause(),
                },
            });
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

/// A random number in 0..1. Without randomness there is no jitter, only the full pause.
fn roll() -> f64 {
    getrandom::u32().map_or(1.0, |bits| f64::from(bits) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

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
        assert_eq!(pause(6, 1.0, Some(Duration::from_secs(7))), LONGEST);
        assert_eq!(
            pause(0, 0.0, Some(Duration::from_secs(86_400))),
            LONGEST,
            "a day is capped"
        );
        assert_eq!(pause(u32::MAX, 1.0, None), LONGEST);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_nonsense_asks_for_nothing() {
        let now = at("2026-11-23T09:00:00Z");
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("0", now), Some(Duration::ZERO));
        assert_eq!(
            retry_after("Mon, 23 Nov 2026 09:00:30 GMT", now),
            Some(Duration::from_secs(30))
        );
        for nothing in ["-5", "soon", "", "Mon, 23 Nov 2026 08:00:00 GMT"] {
            assert_eq!(retry_after(nothing, now), None, "{nothing}");
        }
    }

    fn busy(seconds: u64) -> Trouble {
        Trouble::Busy {
            detail: "full".into(),
            retry_after: Some(Duration::from_secs(seconds)),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn retry_after_is_slept_exactly_and_patience_ends_in_try_again() {
        let started = Instant::now();
        let mut retry = Retry::new(Patience::default());
        // Every pause is 60 s: the floor is above anything the first attempts could roll.
        for minute in 1..=5 {
            retry.wait(busy(60), "http://a", true).await.unwrap();
            assert_eq!(started.elapsed().as_secs(), minute * 60);
        }
        let error = retry.wait(busy(60), "http://a", true).await.unwrap_err();
        assert_eq!(error.exit(), crate::Exit::TryAgain);
        assert!(error.to_string().contains("300 s: full"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_never_answered_is_given_up_soon_and_one_that_did_is_not() {
        let nobody = || Trouble::NobodyThere("connection refused".into());
        for (answered, least, most) in [(false, 0, 10), (true, 200, 300)] {
            let started = Instant::now();
            let mut retry = Retry::new(Patience::default());
            while retry.wait(nobody(), "http://a", answered).await.is_ok() {}
            let waited = started.elapsed().as_secs();
            assert!((least..=most).contains(&waited), "{waited} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_final_is_not_tried_again() {
        let mut retry = Retry::new(Patience::default());
        let refused = Error::Forbidden {
            url: "http://a".into(),
            detail: "no".into(),
        };
        let started = Instant::now();
        let error = retry
            .wait(Trouble::Stop(refused), "http://a", true)
            .await
            .unwrap_err();
        assert_eq!(
            (error.exit(), started.elapsed()),
            (crate::Exit::NotAllowed, Duration::ZERO)
        );
    }
}
