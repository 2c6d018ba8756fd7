//! The verdict on a tool in an audit, and its reason in a sentence.

use chrono::{DateTime, Days, NaiveDate, Utc};
use model::{MicroUsd, api::Verdict};

use super::shipped;

/// A tool known for fewer days than the window, or than this in a longer window, is too new for a verdict.
pub const NEW_DAYS: i64 = 30;

/// Sessions that must have loaded a tool before its lack of calls counts.
pub const MIN_SESSIONS: i64 = 3;

/// Decided calls that a tool needs before its verdict can be failing or single user.
pub const MIN_DECIDED: i64 = 5;

/// A tool that succeeds at most this often, of what was decided, almost never succeeds.
pub const FAILING_RATE: f64 = 0.1;

/// The days of `est_cost_usd_month`.
pub const MONTH_DAYS: i64 = 30;

/// The share of sessions or calls without it, of a tool that one in twenty needs.
const RARE_USE: f64 = 0.95;

/// A tool is used by few when at most one in so many of those who have it loaded called it.
pub const FEW_OF: i64 = 4;

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
    /// Sessions with a size of the listing, and the sum of its tokens over them.
    pub(super) sized: i64,
    pub(super) context_tokens: i64,
    pub(super) requests: Option<i64>,
    pub(super) carried_tokens: Option<i64>,
    pub(super) cost_micro_usd: Option<i64>,
    pub(super) invoke_tokens: Option<i64>,
    /// Sessions that waited for this server and never got it.
    pub(super) sessions_unreachable: i64,
    /// A tool that does the same and is called.
    pub(super) duplicate_of: Option<String>,
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
        if !self.installed && shipped::ships_with_agent(&self.tool_id) {
            return (
                Verdict::ShipsWithAgent,
                "a part of the agent, which cannot be removed".to_owned(),
            );
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
        if self.sessions_loaded == 0 && self.sessions_unreachable >= MIN_SESSIONS {
            return (
                Verdict::Unreachable,
                format!(
                    "{} waited for the server or for a sign-in, and none got it; {used}",
                    count(self.sessions_unreachable, "session")
                ),
            );
        }
        if let Some(twin) = &self.duplicate_of {
            return (
                Verdict::Duplicate,
                format!("does the same as {twin}, which is called; {used}"),
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
                match self.last_used_at {
                    Some(_) => Verdict::Dormant,
                    None => Verdict::Unused,
                },
                format!(
                    "loaded in {} by {} and called in none; {used}",
                    count(some, "session"),
                    count(self.members_loaded, "member")
                ),
            ),
        }
    }

    /// How sure a verdict is, 0 to 1: how likely a tool that one of twenty sessions (of called tools: one of twenty decided
    /// calls) needs would have shown itself among those that were seen.
    pub(super) fn confidence(&self, verdict: Verdict) -> f64 {
        let seen = match verdict {
            Verdict::ShipsWithAgent | Verdict::Duplicate => return 1.0,
            Verdict::NotKnown | Verdict::TooNew => return 0.0,
            Verdict::Unreachable => self.sessions_unreachable,
            Verdict::Unused | Verdict::Dormant | Verdict::NeverLoaded => self.sessions_loaded,
            Verdict::TooLittleEvidence if self.events == 0 => self.sessions_loaded,
            _ => self.successes.saturating_add(self.failures),
        };
        let missed = RARE_USE.powi(i32::try_from(seen).unwrap_or(i32::MAX));
        ((1.0 - missed) * 1_000.0).round() / 1_000.0
    }

    /// The mean tokens of its listing, over the sessions that state a size.
    pub(super) fn mean_tokens(&self) -> Option<i64> {
        (self.sized > 0).then(|| (self.context_tokens + self.sized / 2) / self.sized)
    }

    /// What its listing costs in 30 days, at the rate of a window of `days`.
    pub(super) fn month_usd(&self, days: i64) -> Option<f64> {
        month_usd(self.cost_micro_usd, days)
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
        if self.members_loaded >= FEW_OF && self.members * FEW_OF <= self.members_loaded {
            return (
                Verdict::UsedByFew,
                format!(
                    "loaded by {}, called by {}",
                    count(self.members_loaded, "member"),
                    self.members
                ),
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

/// A cost of a window of `days`, for 30 days.
pub(super) fn month_usd(cost_micro_usd: Option<i64>, days: i64) -> Option<f64> {
    let cost = i128::from(cost_micro_usd?) * i128::from(MONTH_DAYS) / i128::from(days.max(1));
    Some(MicroUsd(i64::try_from(cost).unwrap_or(i64::MAX)).as_usd())
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
            sized: 40,
            context_tokens: 2_000,
            requests: Some(400),
            carried_tokens: Some(20_000),
            cost_micro_usd: Some(6_000),
            invoke_tokens: None,
            sessions_unreachable: 0,
            duplicate_of: None,
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
            members_loaded: 2,
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
    fn what_names_or_waiting_sessions_tell_has_a_verdict_of_its_own() {
        check([
            (
                Facts {
                    last_used_at: Some("2026-02-01T00:00:00Z".parse().unwrap()),
                    ..silent()
                },
                Verdict::Dormant,
            ),
            (
                Facts {
                    sessions_loaded: 0,
                    sessions_unreachable: 3,
                    ..silent()
                },
                Verdict::Unreachable,
            ),
            (
                Facts {
                    sessions_unreachable: 30,
                    ..silent()
                },
                Verdict::Unused,
            ),
            (
                Facts {
                    duplicate_of: Some("mcp:x".to_owned()),
                    ..silent()
                },
                Verdict::Duplicate,
            ),
            (
                Facts {
                    tool_id: "agent:Explore".to_owned(),
                    ..silent()
                },
                Verdict::ShipsWithAgent,
            ),
            (
                Facts {
                    tool_id: "agent:Explore".to_owned(),
                    installed: true,
                    ..silent()
                },
                Verdict::Unused,
            ),
            (
                Facts {
                    members: 1,
                    members_loaded: 4,
                    ..called(9, 0)
                },
                Verdict::UsedByFew,
            ),
        ]);
    }

    #[test]
    fn confidence_grows_with_what_was_seen_and_the_month_is_that_of_the_window() {
        let seen = |sessions| {
            let facts = Facts {
                sessions_loaded: sessions,
                ..silent()
            };
            facts.confidence(Verdict::Unused)
        };
        assert_eq!([0, 3, 60].map(seen), [0.0, 0.143, 0.954]);
        assert_eq!(silent().confidence(Verdict::TooNew), 0.0);
        assert_eq!(silent().confidence(Verdict::ShipsWithAgent), 1.0);
        assert_eq!(silent().mean_tokens(), Some(50));
        assert_eq!(
            (silent().month_usd(30), silent().month_usd(10)),
            (Some(0.006), Some(0.018))
        );
        let unknown = Facts {
            sized: 0,
            cost_micro_usd: None,
            ..silent()
        };
        assert_eq!((unknown.mean_tokens(), unknown.month_usd(30)), (None, None));
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
