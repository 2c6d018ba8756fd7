//! Calls that telemetry reports without the name of their tool: they wait in `unnamed_calls`, under the key of an event.
//!
//! Whichever comes first, the call without a name or the event that a log makes of it, they become one event: a call whose
//! event is stored becomes a further report of it, and an event takes the call that waits for it. A transaction with such
//! calls locks the rows of their members, so that no other one stores an event that it does not see.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use model::{CallResult, MemberId, OrgId, Outcome, Reason, ToolId, event::UnnamedCall};
use tokio_postgres::Row;

use super::{batch::Batch, group::Group};
use crate::{StoreError, policy::Policy, row};

/// Locks the members whose batches have such calls; the first statement of the transaction. Uploads of these members end
/// before it, and later ones see what it stores.
pub(super) async fn lock(
    transaction: &Transaction<'_>,
    org: OrgId,
    batches: &[Batch],
) -> Result<(), StoreError> {
    let members: BTreeSet<i64> = batches
        .iter()
        .filter(|batch| !batch.unnamed.is_empty())
        .map(|batch| batch.member.0)
        .collect();
    if members.is_empty() {
        return Ok(());
    }
    let members: Vec<i64> = members.into_iter().collect();
    transaction
        .execute(
            "-- ingest::unnamed::lock\n\
             select from members where org_id = $1 and member_id = any($2) order by member_id for update",
            &[&org.0, &members],
        )
        .await?;
    Ok(())
}

/// The batches with those of their unnamed calls as events whose events are stored already; the others begin to wait.
/// `None` when no batch has any.
pub(super) async fn name_known(
    transaction: &Transaction<'_>,
    org: OrgId,
    batches: &[Batch],
    policies: &HashMap<MemberId, Policy>,
    now: DateTime<Utc>,
) -> Result<Option<Vec<Batch>>, StoreError> {
    if batches.iter().all(|batch| batch.unnamed.is_empty()) {
        return Ok(None);
    }
    let calls = || {
        batches
            .iter()
            .flat_map(|batch| batch.unnamed.iter().map(move |call| (batch.member, call)))
    };
    let members: Vec<i64> = calls().map(|(member, _)| member.0).collect();
    let uuids: Vec<&str> = calls().map(|(_, call)| &*call.uuid).collect();
    let statement = transaction
        .prepare_cached(include_str!("unnamed/known.sql"))
        .await?;
    let rows = transaction.query(&statement, &[&org.0, &members, &uuids]).await?;
    let mut tools: HashMap<(i64, &str), ToolId> = HashMap::with_capacity(rows.len());
    for row in &rows {
        let tool: &str = row.try_get("tool_id")?;
        // A stored id is valid; one that is not leaves the call waiting.
        if let Ok(tool) = ToolId::parse(tool) {
            tools.insert((row.try_get("member_id")?, row.try_get("uuid")?), tool);
        }
    }
    let mut waiting = Waiting::default();
    let mut named = batches.to_vec();
    for (batch, named) in batches.iter().zip(&mut named) {
        let policy = policies.get(&batch.member).copied().unwrap_or_default();
        named.unnamed.clear();
        for call in &batch.unnamed {
            match tools.get(&(batch.member.0, &*call.uuid)) {
                Some(tool) => named.events.push(call.named(tool.clone())),
                None if policy.is_past(call.occurred_at) => {}
                None => {
                    waiting.push(batch.member, call);
                    named.unnamed.push(call.clone());
                }
            }
        }
    }
    waiting.wait(transaction, org, now).await?;
    Ok(Some(named))
}

/// Gives the groups the calls that wait for their names, which no longer wait then.
pub(super) async fn take(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &mut [Group<'_>],
) -> Result<(), StoreError> {
    let members: BTreeSet<i64> = groups.iter().map(|group| group.member.0).collect();
    let members: Vec<i64> = members.into_iter().collect();
    let statement = transaction
        .prepare_cached(
            "-- ingest::unnamed::take (any)\n\
             select exists (select from unnamed_calls where org_id = $1 and member_id = any($2))",
        )
        .await?;
    let row = transaction.query_one(&statement, &[&org.0, &members]).await?;
    if !row::only::<bool>(&row)? {
        return Ok(());
    }
    let members: Vec<i64> = groups.iter().map(|group| group.member.0).collect();
    let uuids: Vec<&str> = groups.iter().map(|group| &*group.uuid).collect();
    let statement = transaction
        .prepare_cached(include_str!("unnamed/take.sql"))
        .await?;
    let rows = transaction.query(&statement, &[&org.0, &members, &uuids]).await?;
    let mut calls = HashMap::with_capacity(rows.len());
    for row in &rows {
        let call = read(row)?;
        calls.insert((row.try_get::<_, i64>("member_id")?, call.uuid.clone()), call);
    }
    for group in groups {
        // Of a key that was sent with several tools, the group that arrived first.
        if let Some(call) = calls.remove(&(group.member.0, group.uuid.to_string())) {
            let waited = call.named(group.event.tool.clone());
            group.event.to_mut().merge(&waited);
        }
    }
    Ok(())
}

fn read(row: &Row) -> Result<UnnamedCall, StoreError> {
    let outcome: Outcome = row::word(row, "outcome")?;
    let reason: Option<Reason> = row::optional_word(row, "reason")?;
    Ok(UnnamedCall {
        uuid: row.try_get("uuid")?,
        session: row.try_get("session_id")?,
        agent: row.try_get("agent")?,
        agent_version: row.try_get("agent_version")?,
        result: CallResult::new(outcome, reason).unwrap_or(CallResult::UNKNOWN),
        duration_ms: row.try_get("duration_ms")?,
        occurred_at: row.try_get("occurred_at")?,
    })
}

/// Calls as one array per column, for `unnest`.
#[derive(Default)]
struct Waiting<'a> {
    member_id: Vec<i64>,
    uuid: Vec<&'a str>,
    occurred_at: Vec<DateTime<Utc>>,
    duration_ms: Vec<Option<i64>>,
    outcome: Vec<&'static str>,
    reason: Vec<Option<&'static str>>,
    session_id: Vec<Option<&'a str>>,
    agent: Vec<Option<&'a str>>,
    agent_version: Vec<Option<&'a str>>,
}

impl<'a> Waiting<'a> {
    fn push(&mut self, member: MemberId, call: &'a UnnamedCall) {
        self.member_id.push(member.0);
        self.uuid.push(&call.uuid);
        self.occurred_at.push(call.occurred_at);
        self.duration_ms.push(call.duration_ms);
        self.outcome.push(Outcome::as_str(call.result.outcome()));
        self.reason.push(call.result.reason().map(Reason::as_str));
        self.session_id.push(call.session.as_deref());
        self.agent.push(call.agent.as_deref());
        self.agent_version.push(call.agent_version.as_deref());
    }

    async fn wait(
        &self,
        transaction: &Transaction<'_>,
        org: OrgId,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if self.uuid.is_empty() {
            return Ok(());
        }
        let statement = transaction
            .prepare_cached(include_str!("unnamed/wait.sql"))
            .await?;
        transaction
            .execute(
                &statement,
                &[
                    &org.0,
                    &now,
                    &self.member_id,
                    &self.uuid,
                    &self.occurred_at,
                    &self.duration_ms,
                    &self.outcome,
                    &self.reason,
                    &self.session_id,
                    &self.agent,
                    &self.agent_version,
                ],
            )
            .await?;
        Ok(())
    }
}
