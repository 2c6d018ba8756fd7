//! The verdict on a tool in an audit, and its reason in a sentence.

use chrono::{DateTime, Days, NaiveDate, Utc};
use model::api::Verdict;

/// A tool known for fewer days than the window, or than this in a longer window, is too new for a verdict.
pub const NEW_DAYS: i64 = 30;

/// Sessions that must have loaded a tool before its lack of calls counts.
pub const MIN_SESSIONS: i64 = 3;

/// Decided calls that a tool needs before its verdict can be failing or single user.
pub const MIN_DECIDED: i64 = 5;

/// A tool that succeeds at most this often, of what was decided, almost never succeeds.
pub const FAILING_RATE: f64 = 0.1;

/// The figures of a tool. Counts are of the window unless stated otherwise.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) tool_id: String,
    pub(super) known_since: DateTime<Utc>,
    /// Over all time.
    pub(super) last_used_at: Option<DateTime<Utc>>,
    pub(super) events: i64,
    pub(super) successes: i64,
    pub(super) failures: i64,
    /// Failures because there is no such tool.
    pub(super) unknown_tool: i64,
    pub(super) members: i64,
    pub(super) sessions_loaded: i64,
    pub(super) members_loaded: i64,
    pub(super) context_bytes: i64,
    pub(super) ever_loaded: bool,
    pub(super) installed: bool,
    /// Sessions say what they load: some session had it, or a member who has it installed has sessions that do.
    pub(super) listed: bool,
    /// Members who called any tool.
    pub(super) active_members: i64,
}

impl Facts {
    /// Classifies the tool over a window of `days` that ends on `today`.
    pub(super) fn judge(&self, days: i64, today: NaiveDate) -> (Verdict, String) {
        if self.events > 0 {
            return self.judge_called();
        }
        let new_days = days.min(NEW_DAYS);
        let known_days = (today - self.known_since.date_naive()).num_days();
        let used = match self.last_used_at {
            Some(at) => format!("last used on {}", at.date_naive()),
            None => "never used".to_owned(),
        };
        if known_days < new_days {
            return (
                Verdict::TooNew,
                format!(
                    "known since {}, fewer than {new_days} days; {used}",
                    self.known_since.date_naive()
                ),
            );
        }
        match self.sessions_loaded {
            0 if !self.listed => (
                Verdict::NotKnown,
                format!("no log of those who have it says what its sessions load; {used}"),
            ),
            0 if self.installed => (
                Verdict::NeverLoaded,
                format!("installed, loaded in no session; {used}"),
            ),
            0 => (Verdict::NeverLoaded, format!("loaded in no session; {used}")),
            some if some < MIN_SESSIONS => (
                Verdict::TooLittleEvidence,
                format!(
                    "loaded in {}, fewer than {MIN_SESSIONS}; {used}",
                    count(some, "session")
                ),
            ),
            some => (
                Verdict::Unused,
                format!(
                    "loaded in {} by {} and called in none; {used}",
                    count(some, "session"),
                    count(self.members_loaded, "member")
                ),
            ),
        }
    }

    fn judge_called(&self) -> (Verdict, String) {
        let decided = self.successes + self.failures;
        let calls = count(self.events, "call");
        if self.unknown_tool > 0 && self.successes == 0 && !self.ever_loaded && !self.installed {
            let unknown = self.unknown_tool;
            return (
                Verdict::Phantom,
                format!(
                    "{unknown} of {calls} answered that there is no such tool; never loaded or installed"
                ),
            );
        }
        if decided < MIN_DECIDED {
            return (
                Verdict::TooLittleEvidence,
                format!("{decided} of {calls} decided, fewer than {MIN_DECIDED}"),
            );
        }
        let decided_calls = count(decided, "decided call");
        #[expect(clippy::cast_precision_loss, reason = "counts of events stay far below 2^52")]
        let rate = self.successes as f64 / decided as f64;
        if rate <= FAILING_RATE {
            return (
                Verdict::Failing,
                format!("{} of {decided_calls} succeeded", self.successes),
            );
        }
        if self.members == 1 && self.active_members > 1 {
            return (
                Verdict::SingleUser,
                format!("{calls}, all by one of {} active members", self.active_members),
            );
        }
        (
            Verdict::InUse,
            format!(
                "{calls} by {}, {} of {decided_calls} succeeded",
                count(self.members, "member"),
                self.successes
            ),
        )
    }
}

/// The first day of a window of `days` that ends on `today`.
pub(super) fn first_day(days: i64, today: NaiveDate) -> NaiveDate {
    today - Days::new(u64::try_from(days - 1).unwrap_or(0))
}

fn count(n: i64, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        "2026-11-01".parse().unwrap()
    }

    /// Known for long, loaded often, never called.
    fn silent() -> Facts {
        Facts {
            tool_id: "skill:x".to_owned(),
            known_since: "2026-01-01T00:00:00Z".parse().unwrap(),
            last_used_at: None,
            events: 0,
            successes: 0,
            failures: 0,
            unknown_tool: 0,
            members: 0,
            sessions_loaded: 40,
            members_loaded: 4,
            context_bytes: 9_000,
            ever_loaded: true,
            installed: false,
            listed: true,
            active_members: 6,
        }
    }

    fn called(successes: i64, failures: i64) -> Facts {
        Facts {
            events: successes + failures,
            successes,
            failures,
            members: 2,
            ..silent()
        }
    }

    fn new() -> DateTime<Utc> {
        "2026-10-20T00:00:00Z".parse().unwrap()
    }

    fn check(cases: impl IntoIterator<Item = (Facts, Verdict)>) {
        for (facts, verdict) in cases {
            let (found, reason) = facts.judge(30, today());
            assert_eq!(found, verdict, "{reason}");
        }
    }

    #[test]
    fn each_verdict_on_a_tool_without_a_call_has_its_case() {
        check([
            (silent(), Verdict::Unused),
            (
                Facts {
                    sessions_loaded: 0,
                    ..silent()
                },
                Verdict::NeverLoaded,
            ),
            (
                Facts {
                    sessions_loaded: 0,
                    ever_loaded: false,
                    listed: false,
                    ..silent()
                },
                Verdict::NotKnown,
            ),
            (
                Facts {
                    known_since: new(),
                    ..silent()
                },
                Verdict::TooNew,
            ),
            (
                Facts {
                    sessions_loaded: 2,
                    ..silent()
                },
                Verdict::TooLittleEvidence,
            ),
        ]);
    }

    #[test]
    fn each_verdict_on_a_tool_with_calls_has_its_case() {
        check([
            (called(3, 1), Verdict::TooLittleEvidence),
            (called(1, 9), Verdict::Failing),
            (called(2, 8), Verdict::InUse),
            (
                Facts {
                    members: 1,
                    ..called(9, 0)
                },
                Verdict::SingleUser,
            ),
            (
                Facts {
                    members: 1,
                    active_members: 1,
                    ..called(9, 0)
                },
                Verdict::InUse,
            ),
            (
                Facts {
                    unknown_tool: 9,
                    ever_loaded: false,
                    ..called(0, 9)
                },
                Verdict::Phantom,
            ),
            (
                Facts {
                    unknown_tool: 9,
                    ..called(0, 9)
                },
                Verdict::Failing,
            ),
            (
                Facts {
                    known_since: new(),
                    ..called(9, 0)
                },
                Verdict::InUse,
            ),
        ]);
    }

    #[test]
    fn a_tool_is_new_for_the_length_of_the_window_but_not_for_ever() {
        let known = |since: &str| Facts {
            known_since: since.parse().unwrap(),
            ..silent()
        };
        assert_eq!(known("2026-10-26T00:00:00Z").judge(7, today()).0, Verdict::TooNew);
        assert_eq!(known("2026-10-25T00:00:00Z").judge(7, today()).0, Verdict::Unused);
        assert_eq!(
            known("2026-10-02T00:00:00Z").judge(365, today()).0,
            Verdict::Unused
        );
    }
}
