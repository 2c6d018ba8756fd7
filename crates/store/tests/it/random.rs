//! Random events.

use model::{CallResult, Reason};

/// Results of every kind.
pub(crate) const RESULTS: [CallResult; 6] = [
    CallResult::SUCCESS,
    CallResult::UNANSWERED,
    CallResult::UNKNOWN,
    CallResult::because(Reason::Error),
    CallResult::because(Reason::UnknownTool),
    CallResult::because(Reason::Rejected),
];

/// A small generator of our own: the same in every run, so that a failure can be looked at.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number less than `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// The same, as events have it.
    pub(crate) fn signed(&mut self, limit: u64) -> i64 {
        self.below(limit).cast_signed()
    }

    /// One of a list.
    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}
