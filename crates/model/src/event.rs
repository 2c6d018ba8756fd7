//! An event: one call of one tool; and how two reports of the same call are merged.

use chrono::{DateTime, Utc};
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use crate::{
    CallResult, MicroUsd, ToolId,
    receipt::IngestResult,
    words::{UnknownWord, words},
};

/// One call of one tool, checked: every text is within its limit and free of control characters.
///
/// Who made the call (org and member) is not part of it: that comes from the token of the upload.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The agent's own id of the call (`toolu_…`, `call_…`). `None`: the server gives a fresh one.
    pub uuid: Option<String>,
    /// What was called.
    pub tool: ToolId,
    /// The operation inside the tool: the MCP tool name.
    pub operation: Option<String>,
    /// The agent's session.
    pub session: Option<String>,
    /// The project (repository) in which the agent worked.
    pub project: Option<String>,
    /// The text of the person's request. Off by default, at the client and at the server.
    pub task_text: Option<String>,
    /// How the call ended.
    pub result: CallResult,
    /// How long the call took, in ms.
    pub duration_ms: Option<i64>,
    /// What the call cost.
    pub cost: Option<MicroUsd>,
    /// What ran inside the call cost, where it started an agent: that agent's responses, and those of the agents that it
    /// started. They are also the costs of its own calls, so no total adds both.
    pub run_cost: Option<MicroUsd>,
    /// The model that made the call.
    pub model: Option<String>,
    /// The agent program (`claude-code`, `codex`, …).
    pub agent: Option<String>,
    /// Its version.
    pub agent_version: Option<String>,
    /// The git branch that was checked out.
    pub git_branch: Option<String>,
    /// When the call was made.
    pub occurred_at: DateTime<Utc>,
    /// Which of these facts came as telemetry.
    pub telemetry: Telemetry,
}

/// Which facts of an event came as telemetry, not from a log. Logs and telemetry disagree about some of them, and arrive
/// in any order: this is what lets the merge end the same in each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Telemetry {
    /// No log has reported the call yet.
    pub alone: bool,
    /// How the call ended.
    pub result: bool,
    /// How long it took.
    pub duration: bool,
}

impl Telemetry {
    /// As one number, for storage.
    pub fn bits(self) -> i16 {
        i16::from(self.alone) | i16::from(self.result) << 1 | i16::from(self.duration) << 2
    }
}

/// A call that telemetry reports without the name of its tool. The log of the session names it.
#[derive(Clone, Debug, PartialEq)]
pub struct UnnamedCall {
    /// The agent's own id of the call.
    pub uuid: String,
    /// The agent's session.
    pub session: Option<String>,
    /// The agent program.
    pub agent: Option<String>,
    /// Its version.
    pub agent_version: Option<String>,
    /// How the call ended.
    pub result: CallResult,
    /// How long it took, in ms.
    pub duration_ms: Option<i64>,
    /// When it was made.
    pub occurred_at: DateTime<Utc>,
}

impl UnnamedCall {
    /// The call as an event of a tool.
    pub fn named(&self, tool: ToolId) -> Event {
        Event {
            uuid: Some(self.uuid.clone()),
            session: self.session.clone(),
            agent: self.agent.clone(),
            agent_version: self.agent_version.clone(),
            duration_ms: self.duration_ms,
            ..Event::new(tool, self.result, self.occurred_at)
        }
        .from_telemetry()
    }
}

impl Event {
    /// An event with only the tool, the time and the outcome.
    pub fn new(tool: ToolId, result: CallResult, occurred_at: DateTime<Utc>) -> Event {
        Event {
            uuid: None,
            tool,
            operation: None,
            session: None,
            project: None,
            task_text: None,
            result,
            duration_ms: None,
            cost: None,
            run_cost: None,
            model: None,
            agent: None,
            agent_version: None,
            git_branch: None,
            occurred_at,
            telemetry: Telemetry::default(),
        }
    }

    /// The event as a report of telemetry.
    #[must_use]
    pub fn from_telemetry(mut self) -> Event {
        self.telemetry = Telemetry {
            alone: true,
            result: true,
            duration: self.duration_ms.is_some(),
        };
        self
    }

    /// Merges a later report of the same call into this one. Monotonic: the outcome only rises in rank, null values are
    /// filled, and the greater costs are kept; everything else stays. Between a log and telemetry the order does not
    /// matter: the log knows better how the call ended, when, and what it was; telemetry how long it took, because its
    /// durations have no waiting in them; and of what telemetry alone tells, a denial beats a failure and a failure a
    /// success. The SQL function `merge_report` is the same rule for a stored event. Returns `Upgraded`, `Duplicate`, or,
    /// where the later report names another tool, `Conflict`.
    pub fn merge(&mut self, later: &Event) -> IngestResult {
        fn fill<T: Clone>(known: &mut Option<T>, later: Option<&T>) -> bool {
            if known.is_none() && later.is_some() {
                *known = later.cloned();
                return true;
            }
            false
        }

        if self.tool != later.tool {
            return IngestResult::Conflict;
        }
        let before = self.telemetry;
        let mut upgraded = false;
        if later.result_replaces(self) {
            upgraded |= self.result != later.result;
            self.result = later.result;
            self.telemetry.result = later.telemetry.result;
        }
        if later.cost > self.cost {
            self.cost = later.cost;
            upgraded = true;
        }
        if later.run_cost > self.run_cost {
            self.run_cost = later.run_cost;
            upgraded = true;
        }
        if later.telemetry.duration && !before.duration {
            upgraded |= self.duration_ms != later.duration_ms;
            self.duration_ms = later.duration_ms;
            self.telemetry.duration = true;
        }
        upgraded |= fill(&mut self.duration_ms, later.duration_ms.as_ref());
        // What is known from telemetry alone gives way to the log.
        let by_log = before.alone && !later.telemetry.alone;
        if by_log {
            upgraded |= self.occurred_at != later.occurred_at;
            self.occurred_at = later.occurred_at;
            self.telemetry.alone = false;
        }
        for (known, later) in [
            (&mut self.operation, &later.operation),
            (&mut self.session, &later.session),
            (&mut self.agent, &later.agent),
            (&mut self.agent_version, &later.agent_version),
        ] {
            if by_log && later.is_some() && known != later {
                known.clone_from(later);
                upgraded = true;
            }
        }
        for (known, later) in [
            (&mut self.operation, &later.operation),
            (&mut self.session, &later.session),
            (&mut self.project, &later.project),
            (&mut self.task_text, &later.task_text),
            (&mut self.model, &later.model),
            (&mut self.agent, &later.agent),
            (&mut self.agent_version, &later.agent_version),
            (&mut self.git_branch, &later.git_branch),
        ] {
            upgraded |= fill(known, later.as_ref());
        }
        upgraded |= self.telemetry != before;
        if upgraded {
            IngestResult::Upgraded
        } else {
            IngestResult::Duplicate
        }
    }

    /// True when the result of this report takes the place of that of `known`.
    fn result_replaces(&self, known: &Event) -> bool {
        let (rank, known_rank) = (self.result.rank(), known.result.rank());
        // The order of results is success, failure, abandoned.
        let further = !self.telemetry.result || self.result > known.result;
        rank > known_rank || rank == known_rank && known.telemetry.result && further
    }
}

/// Where an event came from, stored with it as its provenance.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray, VariantNames,
)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<Source>
)]
pub enum Source {
    /// Read from an agent's session log.
    Jsonl,
    /// Received as OpenTelemetry.
    Otlp,
    /// Sent by another program.
    #[default]
    Api,
}

words!(Source);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;

    fn event(result: CallResult) -> Event {
        Event::new(ToolId::parse("mcp:linear").unwrap(), result, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_late_answer_upgrades_and_nothing_takes_it_back() {
        let mut stored = event(CallResult::UNANSWERED);
        let answered = Event {
            duration_ms: Some(5),
            ..event(CallResult::SUCCESS)
        };
        assert_eq!(stored.merge(&answered), IngestResult::Upgraded);
        assert_eq!(stored, answered);
        assert_eq!(
            stored.merge(&event(CallResult::UNANSWERED)),
            IngestResult::Duplicate
        );
        assert_eq!(
            stored.merge(&event(CallResult::because(Reason::Error))),
            IngestResult::Duplicate
        );
        assert_eq!(stored, answered);
    }

    #[test]
    fn nulls_are_filled_and_cost_takes_the_greater() {
        let mut stored = Event {
            cost: Some(MicroUsd(5)),
            ..event(CallResult::SUCCESS)
        };
        let later = Event {
            cost: Some(MicroUsd(3)),
            project: Some("api".into()),
            ..event(CallResult::SUCCESS)
        };
        assert_eq!(stored.merge(&later), IngestResult::Upgraded);
        assert_eq!(
            (stored.cost, stored.project.as_deref()),
            (Some(MicroUsd(5)), Some("api"))
        );
        assert_eq!(
            stored.merge(&Event {
                cost: Some(MicroUsd(9)),
                ..later
            }),
            IngestResult::Upgraded
        );
        assert_eq!(stored.cost, Some(MicroUsd(9)));
    }

    #[test]
    fn log_and_telemetry_end_in_the_same_event_in_every_order() {
        let at = |ms: i64| DateTime::UNIX_EPOCH + chrono::TimeDelta::milliseconds(ms);
        let log = |result, duration_ms| Event {
            duration_ms,
            session: Some("s".into()),
            occurred_at: at(1),
            ..event(result)
        };
        let pushed = |result, duration_ms| {
            Event {
                duration_ms,
                occurred_at: at(5),
                ..event(result)
            }
            .from_telemetry()
        };
        let failed = CallResult::because(Reason::Error);
        let reports = [
            log(CallResult::UNANSWERED, None),
            log(failed, Some(278)),
            pushed(CallResult::SUCCESS, Some(40)),
            pushed(failed, None),
            pushed(CallResult::because(Reason::Denied), None),
        ];
        // Of every subset of the reports, every order ends the same but for the time between telemetry and telemetry,
        // which is the same here.
        for subset in 1_u32..32 {
            let mut ends: Vec<Event> = Vec::new();
            for order in orders(5) {
                let mut chosen = order
                    .iter()
                    .filter(|at| subset >> **at & 1 == 1)
                    .map(|at| &reports[*at]);
                let mut known = chosen.next().unwrap().clone();
                for later in chosen {
                    known.merge(later);
                    let mut again = known.clone();
                    assert_eq!(again.merge(later), IngestResult::Duplicate);
                }
                if !ends.contains(&known) {
                    ends.push(known);
                }
            }
            assert_eq!(ends.len(), 1, "{subset:b}: {ends:#?}");
        }
        let mut denied = pushed(failed, None);
        denied.merge(&pushed(CallResult::because(Reason::Denied), None));
        assert_eq!(denied.result, CallResult::because(Reason::Denied));
        let mut merged = pushed(CallResult::SUCCESS, Some(40));
        merged.merge(&log(failed, Some(278)));
        assert_eq!(
            (merged.result, merged.duration_ms, merged.occurred_at),
            (failed, Some(40), at(1))
        );
    }

    /// Every order of so many things.
    fn orders(count: usize) -> Vec<Vec<usize>> {
        let Some(last) = count.checked_sub(1) else {
            return vec![Vec::new()];
        };
        let mut all = Vec::new();
        for order in orders(last) {
            for at in 0..count {
                let mut longer = order.clone();
                longer.insert(at, last);
                all.push(longer);
            }
        }
        all
    }

    #[test]
    fn another_tool_under_the_same_id_is_a_conflict_and_the_first_stands() {
        let mut stored = event(CallResult::UNANSWERED);
        let other = Event {
            tool: ToolId::parse("mcp:other").unwrap(),
            ..event(CallResult::SUCCESS)
        };
        assert_eq!(stored.merge(&other), IngestResult::Conflict);
        assert_eq!(stored, event(CallResult::UNANSWERED));
    }
}
