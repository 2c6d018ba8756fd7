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
        }
    }

    /// Merges a later report of the same call into this one. Monotonic: the outcome only rises in rank, null values are
    /// filled, and the greater costs are kept; everything else stays. `ingest/upgrade.sql` and its function `merge_event`
    /// are the same rule for a stored event. Returns `Upgraded`, `Duplicate`, or, where the later report names another tool, `Conflict`.
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
        let mut upgraded = false;
        if later.result.rank() > self.result.rank() {
            self.result = later.result;
            upgraded = true;
        }
        if later.cost > self.cost {
            self.cost = later.cost;
            upgraded = true;
        }
        if later.run_cost > self.run_cost {
            self.run_cost = later.run_cost;
            upgraded = true;
        }
        upgraded |= fill(&mut self.duration_ms, later.duration_ms.as_ref());
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
        if upgraded {
            IngestResult::Upgraded
        } else {
            IngestResult::Duplicate
        }
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
