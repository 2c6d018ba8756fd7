//! Storing what sessions had loaded and what machines have installed.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use model::{
    MemberId, OrgId, TokenRule,
    inventory::{Inventory, InventoryReceipt, LoadedTool, MachineInventory, SessionInventory},
};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{
    Store, StoreError, derived::queue::Changed, ingest::arrivals, policy, session::plan_for_any_org,
};

impl Store {
    /// Stores an inventory in one transaction. Monotonic for sessions (the greatest size and the earliest time are kept); a
    /// machine's tools are replaced by those of the latest report. Sending it again changes nothing.
    ///
    /// # Errors
    /// Nothing is stored then. [`StoreError::MembersBusy`] when another inventory of the member is being stored, or
    /// their data is being deleted.
    pub async fn inventory_put(
        &self,
        org: OrgId,
        member: MemberId,
        inventory: &Inventory,
        now: DateTime<Utc>,
    ) -> Result<InventoryReceipt, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let policies = policy::read(&transaction, org, std::iter::once(member), now).await?;
        let policy = policies.get(&member).copied().unwrap_or_default();
        let kept = inventory
            .sessions
            .iter()
            .filter(|session| !policy.is_past(session.observed_at));
        let mut rows = Rows::of(kept.clone());
        let mut waited_for: Vec<(&str, &str, DateTime<Utc>)> = kept
            .flat_map(|session| {
                let tools = session.unreachable.iter();
                tools.map(|tool| (session.session_id.as_str(), tool.as_str(), session.observed_at))
            })
            .collect();
        let machine = inventory
            .machine
            .as_ref()
            .filter(|machine| !policy.is_past(machine.observed_at));
        let installed = machine.iter().flat_map(|machine| &machine.tools);
        let mut tools: Vec<&str> = rows.tool_id.clone();
        tools.extend(installed.map(|tool| tool.tool_id.as_str()));
        tools.extend(waited_for.iter().map(|(_, tool_id, _)| *tool_id));
        tools.sort_unstable();
        tools.dedup();
        plan_for_any_org(&transaction).await?;
        let refused = arrivals::admit_tools(&transaction, org, &tools, now).await?;
        rows.leave_out(&refused);
        waited_for.retain(|(_, tool_id, _)| !refused.contains(tool_id));
        let mut receipt = InventoryReceipt {
            sessions: inventory.sessions.len() as u64,
            loaded: rows.tool_id.len() as u64,
            too_many_tools: refused.len() as u64,
            ..InventoryReceipt::default()
        };
        receipt.changed += put_sessions(&transaction, org, member, &rows).await?;
        receipt.changed += put_unreachable(&transaction, org, member, &waited_for).await?;
        if let Some(machine) = machine {
            let (installed, changed) = put_machine(&transaction, org, member, machine, &refused).await?;
            receipt.installed = installed;
            receipt.changed += changed;
        }
        transaction.commit().await?;
        Ok(receipt)
    }
}

/// Stores what sessions had loaded, when a member last had it loaded, and what the boards lack. Returns how many rows
/// it changed.
async fn put_sessions(
    transaction: &Transaction<'_>,
    org: OrgId,
    member: MemberId,
    rows: &Rows<'_>,
) -> Result<u64, StoreError> {
    if rows.tool_id.is_empty() {
        return Ok(0);
    }
    // One inventory of a member at a time: what is read here of a session must not change until it is written.
    let locked = transaction
        .query_opt(
            "-- inventory::put_sessions\n\
             select from members where org_id = $1 and member_id = $2 for no key update skip locked",
            &[&org.0, &member.0],
        )
        .await?;
    if locked.is_none() {
        return Err(StoreError::MembersBusy(vec![member]));
    }
    let moved = transaction
        .prepare_cached(include_str!("inventory/moved.sql"))
        .await?;
    let sessions: [&(dyn ToSql + Sync); 5] = [
        &org.0,
        &member.0,
        &rows.session_id,
        &rows.tool_id,
        &rows.observed_at,
    ];
    let moved = transaction.query(&moved, &sessions).await?;
    let statement = transaction
        .prepare_cached(include_str!("inventory/sessions.sql"))
        .await?;
    let sizes: [&(dyn ToSql + Sync); 7] = [
        &rows.context_bytes,
        &rows.project,
        &rows.context_tokens,
        &rows.requests,
        &rows.carried_tokens,
        &rows.cost_micro_usd,
        &rows.invoke_tokens,
    ];
    let stored = transaction
        .query(&statement, &[&sessions[..], &sizes].concat())
        .await?;
    let mut changed = Changed::default();
    for row in stored.iter().chain(&moved) {
        let observed_at: DateTime<Utc> = row.try_get("observed_at")?;
        changed.loaded(row.try_get("tool_id")?, observed_at.date_naive());
    }
    put_last_loaded(transaction, org, member, &stored, &moved).await?;
    changed.write(transaction, org, Uuid::now_v7()).await?;
    Ok(stored.len() as u64)
}

/// Stores which servers sessions waited for. Returns how many rows it changed.
async fn put_unreachable(
    transaction: &Transaction<'_>,
    org: OrgId,
    member: MemberId,
    waited_for: &[(&str, &str, DateTime<Utc>)],
) -> Result<u64, StoreError> {
    if waited_for.is_empty() {
        return Ok(0);
    }
    let session_id: Vec<&str> = waited_for.iter().map(|(session, ..)| *session).collect();
    let tool_id: Vec<&str> = waited_for.iter().map(|(_, tool_id, _)| *tool_id).collect();
    let observed_at: Vec<DateTime<Utc>> = waited_for.iter().map(|(.., at)| *at).collect();
    let statement = transaction
        .prepare_cached(include_str!("inventory/unreachable.sql"))
        .await?;
    let stored = transaction
        .execute(
            &statement,
            &[&org.0, &member.0, &session_id, &tool_id, &observed_at],
        )
        .await?;
    Ok(stored)
}

/// Stores when a member last had tools loaded. `stored`: the sessions as they are now, which may be older than what was
/// uploaded; `moved`: those that are older than they were known to be.
async fn put_last_loaded(
    transaction: &Transaction<'_>,
    org: OrgId,
    member: MemberId,
    stored: &[Row],
    moved: &[Row],
) -> Result<(), StoreError> {
    let statement = transaction
        .prepare_cached(include_str!("inventory/last_loaded.sql"))
        .await?;
    let (mut tool_id, mut observed_at): (Vec<&str>, Vec<DateTime<Utc>>) = Default::default();
    for row in stored {
        tool_id.push(row.try_get("tool_id")?);
        observed_at.push(row.try_get("observed_at")?);
    }
    transaction
        .execute(&statement, &[&org.0, &member.0, &tool_id, &observed_at])
        .await?;
    if moved.is_empty() {
        return Ok(());
    }
    let tools: Vec<&str> = moved
        .iter()
        .map(|row| row.try_get("tool_id"))
        .collect::<Result<_, _>>()?;
    transaction
        .execute(
            include_str!("inventory/correct_last_loaded.sql"),
            &[&org.0, &member.0, &tools],
        )
        .await?;
    Ok(())
}

/// Replaces the tools of a machine, where this report of it is not older than the stored one. Returns how many tools
/// the report names, and how many rows it changed.
async fn put_machine(
    transaction: &Transaction<'_>,
    org: OrgId,
    member: MemberId,
    machine: &MachineInventory,
    refused: &HashSet<&str>,
) -> Result<(u64, u64), StoreError> {
    let installed: BTreeMap<&str, _> = machine
        .tools
        .iter()
        .map(|tool| (tool.tool_id.as_str(), tool))
        .filter(|(tool_id, _)| !refused.contains(tool_id))
        .collect();
    let tool_id: Vec<&str> = installed.keys().copied().collect();
    let description: Vec<Option<&str>> = installed
        .values()
        .map(|tool| tool.description.as_deref())
        .collect();
    let source: Vec<Option<&str>> = installed.values().map(|tool| tool.source.as_deref()).collect();
    let path: Vec<Option<&str>> = installed.values().map(|tool| tool.path.as_deref()).collect();
    let marketplace: Vec<Option<&str>> = installed
        .values()
        .map(|tool| tool.marketplace.as_deref())
        .collect();
    let statement = transaction
        .prepare_cached(include_str!("inventory/machine.sql"))
        .await?;
    let stored = transaction
        .execute(
            &statement,
            &[
                &org.0,
                &member.0,
                &machine.machine_id,
                &machine.observed_at,
                &tool_id,
                &description,
                &source,
                &path,
                &marketplace,
            ],
        )
        .await?;
    let statement = transaction
        .prepare_cached(include_str!("inventory/forget.sql"))
        .await?;
    let removed = transaction
        .execute(
            &statement,
            &[
                &org.0,
                &member.0,
                &machine.machine_id,
                &machine.observed_at,
                &tool_id,
            ],
        )
        .await?;
    Ok((tool_id.len() as u64, stored + removed))
}

/// What the listing of a tool came to in a session.
#[derive(Clone, Copy)]
struct Sizes {
    bytes: i64,
    /// Tokens, requests, tokens over all requests, their cost, tokens of a call's text.
    known: [Option<i64>; 5],
}

impl Sizes {
    fn of(tool: &LoadedTool, session: &SessionInventory) -> Sizes {
        let bytes = tool.context_bytes.max(0);
        let rule = TokenRule::of(session.agent.as_deref());
        let estimate = || (bytes > 0).then(|| rule.listing(bytes));
        let known = [
            tool.context_tokens.or_else(estimate),
            tool.requests,
            tool.carried_tokens,
            tool.cost_micro_usd,
            tool.invoke_tokens,
        ];
        Sizes {
            bytes,
            known: known.map(|known| known.map(|known| known.max(0))),
        }
    }

    fn most(self, other: Sizes) -> Sizes {
        let mut known = self.known;
        for (known, other) in known.iter_mut().zip(other.known) {
            *known = (*known).max(other);
        }
        Sizes {
            bytes: self.bytes.max(other.bytes),
            known,
        }
    }
}

/// The loaded tools as one array per column, each session and tool once.
#[derive(Default)]
struct Rows<'a> {
    session_id: Vec<&'a str>,
    tool_id: Vec<&'a str>,
    context_bytes: Vec<i64>,
    context_tokens: Vec<Option<i64>>,
    requests: Vec<Option<i64>>,
    carried_tokens: Vec<Option<i64>>,
    cost_micro_usd: Vec<Option<i64>>,
    invoke_tokens: Vec<Option<i64>>,
    project: Vec<Option<&'a str>>,
    observed_at: Vec<DateTime<Utc>>,
}

impl<'a> Rows<'a> {
    fn of(sessions: impl Iterator<Item = &'a SessionInventory>) -> Rows<'a> {
        let mut once: BTreeMap<(&str, &str), (Sizes, &SessionInventory)> = BTreeMap::new();
        for session in sessions {
            for tool in &session.tools {
                let sizes = Sizes::of(tool, session);
                let known = once
                    .entry((&session.session_id, tool.tool_id.as_str()))
                    .or_insert((sizes, session));
                known.0 = known.0.most(sizes);
            }
        }
        let mut rows = Rows::default();
        for ((session_id, tool_id), (sizes, session)) in once {
            rows.session_id.push(session_id);
            rows.tool_id.push(tool_id);
            rows.context_bytes.push(sizes.bytes);
            let [
                context_tokens,
                requests,
                carried_tokens,
                cost_micro_usd,
                invoke_tokens,
            ] = sizes.known;
            rows.context_tokens.push(context_tokens);
            rows.requests.push(requests);
            rows.carried_tokens.push(carried_tokens);
            rows.cost_micro_usd.push(cost_micro_usd);
            rows.invoke_tokens.push(invoke_tokens);
            rows.project.push(session.project.as_deref());
            rows.observed_at.push(session.observed_at);
        }
        rows
    }

    /// Leaves out rows of these tools.
    fn leave_out(&mut self, tools: &HashSet<&str>) {
        if tools.is_empty() {
            return;
        }
        let kept: Vec<bool> = self.tool_id.iter().map(|tool| !tools.contains(tool)).collect();
        fn keep<T>(column: &mut Vec<T>, kept: &[bool]) {
            let mut kept = kept.iter();
            column.retain(|_| *kept.next().expect("columns are of one length"));
        }
        keep(&mut self.session_id, &kept);
        keep(&mut self.tool_id, &kept);
        keep(&mut self.context_bytes, &kept);
        keep(&mut self.context_tokens, &kept);
        keep(&mut self.requests, &kept);
        keep(&mut self.carried_tokens, &kept);
        keep(&mut self.cost_micro_usd, &kept);
        keep(&mut self.invoke_tokens, &kept);
        keep(&mut self.project, &kept);
        keep(&mut self.observed_at, &kept);
    }
}
