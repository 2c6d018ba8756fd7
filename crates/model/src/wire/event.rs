//! One event as JSON: writing it ([`EventV1`]), reading one from any program ([`read_event`]), and what can
//! be wrong with it ([`NoticeCode`](crate::NoticeCode)).
//!
//! Reading is two steps: `read` finds the fields in the JSON, `check` decides whether their values make an event.

mod check;
mod finding;
mod read;

pub use check::check_uuid;
pub use read::read_event;

use chrono::SecondsFormat;
use serde::{Serialize, Serializer};

use crate::{Event, EventNotice, MicroUsd, Outcome, Reason, ToolId};

/// An [`Event`] in the wire format v1: `serde_json::to_string(&EventV1(&event))`.
pub struct EventV1<'a>(pub &'a Event);

impl Serialize for EventV1<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            uuid: Option<&'a str>,
            tool_id: &'a ToolId,
            #[serde(skip_serializing_if = "Option::is_none")]
            operation: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            session_id: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            project: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            task_text: Option<&'a str>,
            outcome: Outcome,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<Reason>,
            #[serde(skip_serializing_if = "Option::is_none")]
            duration_ms: Option<i64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            cost_usd: Option<f64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            run_cost_usd: Option<f64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            model: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            agent: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            agent_version: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            git_branch: Option<&'a str>,
            occurred_at: String,
        }
        let event = self.0;
        Wire {
            uuid: event.uuid.as_deref(),
            tool_id: &event.tool,
            operation: event.operation.as_deref(),
            session_id: event.session.as_deref(),
            project: event.project.as_deref(),
            task_text: event.task_text.as_deref(),
            outcome: event.result.outcome(),
            reason: event.result.reason(),
            duration_ms: event.duration_ms,
            cost_usd: event.cost.map(MicroUsd::as_usd),
            run_cost_usd: event.run_cost.map(MicroUsd::as_usd),
            model: event.model.as_deref(),
            agent: event.agent.as_deref(),
            agent_version: event.agent_version.as_deref(),
            git_branch: event.git_branch.as_deref(),
            occurred_at: event.occurred_at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        }
        .serialize(serializer)
    }
}

/// An event that can be stored, with what was changed in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The event.
    pub event: Event,
    /// What was changed or left out.
    pub warnings: Vec<EventNotice>,
}

#[cfg(test)]
mod tests;
