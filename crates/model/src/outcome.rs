//! How a call ended. Outcomes form a lattice: what is known about a call only grows.

use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use crate::words::{UnknownWord, words};

/// How a call ended.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<Outcome>
)]
pub enum Outcome {
    /// The tool did what was asked.
    Success,
    /// The tool failed, by its own fault or because the agent called it wrongly.
    Failure,
    /// The call was stopped: not a failure of the tool.
    Abandoned,
    /// Not known.
    Unknown,
}

/// Why a call failed or was abandoned.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<Reason>
)]
pub enum Reason {
    /// Failure: the tool reported an error.
    Error,
    /// Failure: the agent sent input that the tool does not take.
    InvalidInput,
    /// Failure: no such tool.
    UnknownTool,
    /// Abandoned: the person refused the call.
    Rejected,
    /// Abandoned: the person interrupted the agent.
    Interrupted,
    /// Abandoned: a call made in parallel failed, so this one was cancelled.
    Cancelled,
    /// Abandoned: a policy or hook forbade the call.
    Denied,
    /// Abandoned: the log contains no answer yet. A later upload may contain one.
    Unanswered,
}

words!(Outcome, Reason);

impl Reason {
    /// The only outcome that this reason explains.
    pub fn outcome(self) -> Outcome {
        match self {
            Reason::Error | Reason::InvalidInput | Reason::UnknownTool => Outcome::Failure,
            Reason::Rejected
            | Reason::Interrupted
            | Reason::Cancelled
            | Reason::Denied
            | Reason::Unanswered => Outcome::Abandoned,
        }
    }
}

/// How a call ended: an outcome with its reason. Only pairs that make sense exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallResult {
    outcome: Outcome,
    reason: Option<Reason>,
}

impl CallResult {
    /// A success.
    pub const SUCCESS: CallResult = CallResult {
        outcome: Outcome::Success,
        reason: None,
    };
    /// Nothing is known.
    pub const UNKNOWN: CallResult = CallResult {
        outcome: Outcome::Unknown,
        reason: None,
    };
    /// No answer yet.
    pub const UNANSWERED: CallResult = CallResult::because(Reason::Unanswered);

    /// The result that a reason implies.
    pub const fn because(reason: Reason) -> CallResult {
        let outcome = match reason {
            Reason::Error | Reason::InvalidInput | Reason::UnknownTool => Outcome::Failure,
            _ => Outcome::Abandoned,
        };
        CallResult {
            outcome,
            reason: Some(reason),
        }
    }

    /// Pairs an outcome with a reason. `None` when the reason explains another outcome (`success` with `error`).
    pub fn new(outcome: Outcome, reason: Option<Reason>) -> Option<CallResult> {
        match reason {
            Some(reason) if reason.outcome() != outcome => None,
            reason => Some(CallResult { outcome, reason }),
        }
    }

    /// How the call ended.
    pub fn outcome(self) -> Outcome {
        self.outcome
    }

    /// Why, where it is known.
    pub fn reason(self) -> Option<Reason> {
        self.reason
    }

    /// The rank in the lattice: unknown (0), unanswered (1), decided (2). A stored verdict is replaced only by one of a
    /// higher rank.
    pub fn rank(self) -> i16 {
        match (self.outcome, self.reason) {
            (Outcome::Unknown, _) => 0,
            (Outcome::Abandoned, Some(Reason::Unanswered)) => 1,
            _ => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_explains_one_outcome_only() {
        for &reason in Reason::ALL {
            for &outcome in Outcome::ALL {
                assert_eq!(
                    CallResult::new(outcome, Some(reason)).is_some(),
                    reason.outcome() == outcome
                );
            }
            assert_eq!(CallResult::because(reason).outcome(), reason.outcome());
        }
    }

    #[test]
    fn a_refusal_is_not_a_failure_of_the_tool() {
        assert_eq!(
            CallResult::because(Reason::Rejected).outcome(),
            Outcome::Abandoned
        );
        assert_eq!(CallResult::because(Reason::Denied).outcome(), Outcome::Abandoned);
    }

    #[test]
    fn the_lattice_rises_from_unknown_over_unanswered_to_decided() {
        assert!(CallResult::UNKNOWN.rank() < CallResult::UNANSWERED.rank());
        assert!(CallResult::UNANSWERED.rank() < CallResult::because(Reason::Rejected).rank());
        assert_eq!(
            CallResult::SUCCESS.rank(),
            CallResult::because(Reason::Error).rank()
        );
    }
}
