//! Rate limits, per token and per address.
//!
//! Tokens are counted by their id, after they were found to be valid: an invalid token takes no memory. Addresses are
//! counted before that, IPv6 by its /64, which is what one subscriber has. The memory is bounded: when more keys than
//! [`MAX_KEYS`] are busy at once, further ones share [`SHARED_KEYS`] among them.
//!
//! The counters live in this process: several processes behind a balancer each allow the full rate.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use uuid::Uuid;

use crate::{
    config::{Config, Rate},
    error::ApiError,
};

/// Keys that are counted one by one.
const MAX_KEYS: usize = 50_000;
/// Counters that further keys share.
const SHARED_KEYS: u64 = 4_096;
/// How often the number of keys is checked, in requests.
const SWEEP_EVERY: u32 = 256;
/// What a refused token costs its address, in requests: the database was queried for it.
const REFUSED_COST: NonZeroU32 = NonZeroU32::new(20).expect("20 is not zero");

/// The counters of this process.
pub(crate) struct Rates {
    tokens: Keyed<Uuid>,
    addresses: Keyed<IpAddr>,
}

impl Rates {
    pub(crate) fn new(config: &Config) -> Rates {
        Rates {
            tokens: Keyed::new(config.token_rate),
            addresses: Keyed::new(config.address_rate),
        }
    }

    /// Counts a request of an address.
    pub(crate) fn check_address(&self, address: Option<IpAddr>) -> Result<(), ApiError> {
        address.map_or(Ok(()), |address| {
            self.addresses
                .check(subscriber(address))
                .inspect_err(|_| limited("address"))
        })
    }

    /// Counts a request with a valid token.
    pub(crate) fn check_token(&self, token: Uuid) -> Result<(), ApiError> {
        self.tokens.check(token).inspect_err(|_| limited("token"))
    }

    /// Charges an address for a token that was refused.
    pub(crate) fn charge_refused(&self, address: Option<IpAddr>) {
        if let Some(address) = address {
            let key = self.addresses.key(subscriber(address));
            // When it has less left than that, the next request is refused soon enough.
            let _ = self.addresses.limiter.check_key_n(&key, REFUSED_COST);
        }
    }
}

fn limited(limit: &'static str) {
    metrics::counter!("toolhub_rate_limited_total", "limit" => limit).increment(1);
}

/// An IPv6 subscriber has a whole /64 of addresses.
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key<K> {
    Own(K),
    Shared(u64),
}

struct Keyed<K: Clone + Eq + Hash> {
    limiter: DefaultKeyedRateLimiter<Key<K>>,
    clock: DefaultClock,
    asked: AtomicU32,
    /// There were too many keys at the last check.
    crowded: AtomicBool,
    /// Secret, so that a client cannot choose with which key it shares a counter.
    hasher: RandomState,
}

impl<K: Clone + Eq + Hash> Keyed<K> {
    fn new(rate: Rate) -> Keyed<K> {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Keyed {
            limiter: RateLimiter::dashmap(quota),
            clock: DefaultClock::default(),
            asked: AtomicU32::new(0),
            crowded: AtomicBool::new(false),
            hasher: RandomState::new(),
        }
    }

    fn check(&self, key: K) -> Result<(), ApiError> {
        if self
            .asked
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(SWEEP_EVERY)
        {
            self.sweep();
        }
        self.limiter.check_key(&self.key(key)).map_err(|refused| {
            let wait = refused.wait_time_from(self.clock.now());
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
            ApiError::TooManyRequests {
                retry_after: seconds.saturating_add(1),
            }
        })
    }

    fn key(&self, key: K) -> Key<K> {
        if self.crowded.load(Ordering::Relaxed) {
            Key::Shared(self.hasher.hash_one(key) % SHARED_KEYS)
        } else {
            Key::Own(key)
        }
    }

    /// Removes the keys whose counters are full again, when there are many.
    fn sweep(&self) {
        if self.limiter.len() >= MAX_KEYS {
            self.limiter.retain_recent();
            self.crowded
                .store(self.limiter.len() >= MAX_KEYS, Ordering::Relaxed);
        } else {
            self.crowded.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(per_second: u32, burst: u32) -> Rates {
        let rate = Rate::new(
            NonZeroU32::new(per_second).unwrap(),
            NonZeroU32::new(burst).unwrap(),
        );
        Rates::new(&Config {
            token_rate: rate,
            address_rate: rate,
            ..Config::default()
        })
    }

    #[test]
    fn a_token_over_its_rate_gets_a_retry_time_and_others_are_not_affected() {
        let rates = rates(1, 3);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for _ in 0..3 {
            rates.check_token(one).unwrap();
        }
        let refused = rates.check_token(one).unwrap_err();
        assert!(
            matches!(refused, ApiError::TooManyRequests { retry_after: 1..=2 }),
            "{refused:?}"
        );
        rates.check_token(other).unwrap();
    }

    #[test]
    fn the_addresses_of_one_subscriber_count_as_one() {
        let rates = rates(1, 2);
        let at = |text: &str| Some(text.parse().unwrap());
        rates.check_address(at("2001:db8::1")).unwrap();
        rates.check_address(at("2001:db8::2")).unwrap();
        assert!(rates.check_address(at("2001:db8::ffff:3")).is_err());
        rates.check_address(at("2001:db8:0:1::1")).unwrap();
        rates.check_address(at("192.0.2.1")).unwrap();
    }

    #[test]
    fn refused_tokens_use_up_the_rate_of_an_address() {
        let rates = rates(1, 60);
        let address = Some("192.0.2.1".parse().unwrap());
        let mut asked = 0;
        while rates.check_address(address).is_ok() {
            rates.charge_refused(address);
            asked += 1;
        }
        assert!((2..=20).contains(&asked), "{asked}");
    }

    #[test]
    fn a_million_addresses_and_a_million_tokens_take_bounded_memory() {
        let rates = rates(200, 2_000);
        for number in 0..1_000_000_u128 {
            let address = IpAddr::from(Ipv6Addr::from_bits((0x2001_0db8 << 96) + (number << 64)));
            // Crowded counters may refuse; what counts here is how many there are.
            let _ = rates.check_address(Some(address));
            let _ = rates.check_token(Uuid::from_u128(number));
        }
        let bound = MAX_KEYS + usize::try_from(SWEEP_EVERY).unwrap() + usize::try_from(SHARED_KEYS).unwrap();
        for keys in [rates.addresses.limiter.len(), rates.tokens.limiter.len()] {
            assert!(keys <= bound, "{keys}");
        }
    }
}
