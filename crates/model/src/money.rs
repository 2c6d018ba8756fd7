//! Money as integer micro-USD (1 USD = 1,000,000), so that sums are exact.

use std::fmt;

use crate::limits;

/// An amount of US dollars in millionths. Never negative in an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MicroUsd(pub i64);

impl MicroUsd {
    /// The maximum cost of one event: one million USD.
    pub const MAX_PER_EVENT: MicroUsd = MicroUsd(limits::COST_USD as i64 * 1_000_000);

    /// Rounds an amount in USD to the nearest millionth. `None` when it is not finite, negative, or more than
    /// [`MicroUsd::MAX_PER_EVENT`].
    pub fn from_usd(usd: f64) -> Option<MicroUsd> {
        let micros = (usd * 1e6).round();
        #[expect(clippy::cast_precision_loss, reason = "the bound is far below 2^53")]
        let max = MicroUsd::MAX_PER_EVENT.0 as f64;
        if !(0.0..=max).contains(&micros) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked against the bound above")]
        Some(MicroUsd(micros as i64))
    }

    /// The amount in USD, for people and for JSON.
    #[expect(clippy::cast_precision_loss, reason = "exact below 9 billion USD")]
    pub fn as_usd(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${:.4}", self.as_usd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usd_rounds_to_the_nearest_millionth() {
        assert_eq!(MicroUsd::from_usd(0.000_000_4), Some(MicroUsd(0)));
        assert_eq!(MicroUsd::from_usd(0.000_000_6), Some(MicroUsd(1)));
        assert_eq!(MicroUsd::from_usd(12.345_678), Some(MicroUsd(12_345_678)));
    }

    #[test]
    fn amounts_that_cannot_be_a_cost_are_refused() {
        for usd in [-0.01, f64::NAN, f64::INFINITY, 1e7] {
            assert_eq!(MicroUsd::from_usd(usd), None, "{usd}");
        }
    }
}
