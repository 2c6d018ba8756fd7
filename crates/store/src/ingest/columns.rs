//! Events as the parameters of a statement.

use chrono::{DateTime, Utc};
use model::{MicroUsd, Outcome, Reason};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::group::Group;

/// One parameter of a statement.
pub(super) type Parameter<'p> = &'p (dyn ToSql + Sync);

/// The events as one array per column, for `unnest`. All have the same length: `unnest` would fill a shorter one with
/// nulls.
#[derive(Default)]
pub(super) struct Columns<'a> {
    member_id: Vec<i64>,
    occurred_at: Vec<DateTime<Utc>>,
    duration_ms: Vec<Option<i64>>,
    cost_micro_usd: Vec<Option<i64>>,
    outcome: Vec<&'static str>,
    reason: Vec<Option<&'static str>>,
    source: Vec<&'static str>,
    upload_id: Vec<Uuid>,
    uuid: Vec<&'a str>,
    tool_id: Vec<&'a str>,
    operation: Vec<Option<&'a str>>,
    session_id: Vec<Option<&'a str>>,
    project: Vec<Option<&'a str>>,
    model: Vec<Option<&'a str>>,
    agent: Vec<Option<&'a str>>,
    agent_version: Vec<Option<&'a str>>,
    git_branch: Vec<Option<&'a str>>,
    task_text: Vec<Option<&'a str>>,
    already_counted: Vec<bool>,
    telemetry: Vec<i16>,
    run_cost_micro_usd: Vec<Option<i64>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(groups: impl Iterator<Item = &'a Group<'a>>) -> Columns<'a> {
        let mut columns = Columns::default();
        for group in groups {
            let event = &group.event;
            columns.member_id.push(group.member.0);
            columns.occurred_at.push(event.occurred_at);
            columns.duration_ms.push(event.duration_ms);
            columns
                .cost_micro_usd
                .push(event.cost.map(|MicroUsd(micros)| micros));
            columns.outcome.push(Outcome::as_str(event.result.outcome()));
            columns.reason.push(event.result.reason().map(Reason::as_str));
            columns.source.push(group.source.as_str());
            columns.upload_id.push(group.upload_id);
            columns.uuid.push(&group.uuid);
            columns.tool_id.push(event.tool.as_str());
            columns.operation.push(event.operation.as_deref());
            columns.session_id.push(event.session.as_deref());
            columns.project.push(event.project.as_deref());
            columns.model.push(event.model.as_deref());
            columns.agent.push(event.agent.as_deref());
            columns.agent_version.push(event.agent_version.as_deref());
            columns.git_branch.push(event.git_branch.as_deref());
            columns.task_text.push(event.task_text.as_deref());
            columns.already_counted.push(group.already_counted);
            columns.telemetry.push(event.telemetry.bits());
            columns
                .run_cost_micro_usd
                .push(event.run_cost.map(|MicroUsd(micros)| micros));
        }
        columns
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.uuid.len()
    }

    /// The parameters of `insert.sql`.
    pub(super) fn insertable<'p>(&'p self, org: &'p i64, now: &'p DateTime<Utc>) -> [Parameter<'p>; 23] {
        [
            org,
            now,
            &self.member_id,
            &self.occurred_at,
            &self.duration_ms,
            &self.cost_micro_usd,
            &self.outcome,
            &self.reason,
            &self.source,
            &self.upload_id,
            &self.uuid,
            &self.tool_id,
            &self.operation,
            &self.session_id,
            &self.project,
            &self.model,
            &self.agent,
            &self.agent_version,
            &self.git_branch,
            &self.task_text,
            &self.already_counted,
            &self.run_cost_micro_usd,
            &self.telemetry,
        ]
    }

    /// The parameters of `compare.sql` and `upgrade.sql`.
    pub(super) fn comparable<'p>(&'p self, org: &'p i64) -> [Parameter<'p>; 19] {
        [
            org,
            &self.member_id,
            &self.uuid,
            &self.tool_id,
            &self.outcome,
            &self.reason,
            &self.duration_ms,
            &self.cost_micro_usd,
            &self.operation,
            &self.session_id,
            &self.project,
            &self.model,
            &self.agent,
            &self.agent_version,
            &self.git_branch,
            &self.task_text,
            &self.run_cost_micro_usd,
            &self.occurred_at,
            &self.telemetry,
        ]
    }
}
