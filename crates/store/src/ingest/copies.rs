//! Calls that two members of an org upload: the same session, as where CI and a laptop send the same logs. Each member
//! has the event, by the key; the org counts the call once, for the one who was first.
//!
//! Two events are the same call when the agent's own id, the tool and the session are the same. Ids that only count
//! calls, and those that the server gave, say nothing. The rows of the sessions are locked before the events are
//! inserted, so that of two members who upload a session at the same time one sees the events of the other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use model::{OrgId, call_id};
use tokio_postgres::types::ToSql;

use super::{arrivals::Arrivals, group::Group};
use crate::StoreError;

/// Of how many members of one session the calls are compared. Later ones count as if they had uploaded another session.
const MAX_MEMBERS: usize = 16;

/// Finds the calls that another member has uploaded before, among the groups that are not stored yet.
pub(super) async fn mark(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &mut [Group<'_>],
    arrivals: &Arrivals<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let members = lock_sessions(transaction, org, groups, arrivals, now).await?;
    let [mut pairs, mut sessionless] = <[Pairs<'_>; 2]>::default();
    let mut in_batch: HashMap<(&str, Option<&str>, &str), i64> = HashMap::new();
    let mut copies = Vec::new();
    for (call, group) in groups.iter().enumerate() {
        let (uuid, session) = (&*group.uuid, group.event.session.as_deref());
        if group.state.is_some() || !identifies(group) {
            continue;
        }
        match session {
            None => sessionless.push(group.member.0, group, call),
            Some(session) => {
                let Some(others) = members.get(session).filter(|members| members.len() > 1) else {
                    continue;
                };
                for other in others.iter().filter(|other| **other != group.member.0) {
                    pairs.push(*other, group, call);
                }
            }
        }
        let first = in_batch
            .entry((uuid, session, group.event.tool.as_str()))
            .or_insert(group.member.0);
        if *first != group.member.0 {
            copies.push(call);
        }
    }
    drop(in_batch);
    if !sessionless.call.is_empty() {
        lock_sessionless(transaction, &org.0).await?;
    }
    for (pairs, sql) in [
        (&pairs, include_str!("copies/with_session.sql")),
        (&sessionless, include_str!("copies/sessionless.sql")),
    ] {
        copies.extend(pairs.find(transaction, org, sql).await?);
    }
    drop((pairs, sessionless));
    for call in copies {
        groups[call].already_counted = true;
    }
    Ok(())
}

/// Locks the calls of an org that name no session: there is no row of a session to lock.
pub(crate) async fn lock_sessionless(
    transaction: &Transaction<'_>,
    org: &(dyn ToSql + Sync),
) -> Result<(), StoreError> {
    transaction
        .execute(
            "-- ingest::copies::lock_sessionless\n\
             select pg_advisory_xact_lock(hashtextextended('toolhub.sessionless', $1))",
            &[org],
        )
        .await?;
    Ok(())
}

/// True when the uuid is the agent's own and unique.
fn identifies(group: &Group<'_>) -> bool {
    let tool = group
        .event
        .operation
        .as_deref()
        .unwrap_or_else(|| group.event.tool.name());
    group.event.uuid.is_some() && call_id::is_unique(&group.uuid, tool)
}

/// Locks the sessions of the groups, and answers the members who have uploaded calls of those that several have.
async fn lock_sessions<'g>(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &'g [Group<'_>],
    arrivals: &Arrivals<'_>,
    now: DateTime<Utc>,
) -> Result<HashMap<&'g str, Vec<i64>>, StoreError> {
    let mut uploaded: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for group in groups {
        if let Some(session) = group.event.session.as_deref() {
            uploaded.entry(session).or_default().insert(group.member.0);
        }
    }
    if uploaded.is_empty() {
        return Ok(HashMap::new());
    }
    if !arrivals.sessions.is_empty() {
        let sessions: Vec<&str> = arrivals.sessions.keys().copied().collect();
        let members: Vec<i64> = arrivals.sessions.values().map(|member| member.0).collect();
        let statement = transaction
            .prepare_cached(include_str!("copies/add_sessions.sql"))
            .await?;
        transaction
            .execute(&statement, &[&org.0, &now, &sessions, &members])
            .await?;
    }
    let sessions: Vec<&str> = uploaded.keys().copied().collect();
    let statement = transaction
        .prepare_cached(include_str!("copies/lock_sessions.sql"))
        .await?;
    let mut shared = HashMap::new();
    let (mut joined, mut joining): (Vec<&str>, Vec<i64>) = (vec![], vec![]);
    for row in transaction.query(&statement, &[&org.0, &sessions]).await? {
        let (session, members) = uploaded
            .get_key_value(row.try_get::<_, &str>("session_id")?)
            .expect("only sessions that were asked for are answered");
        let mut known: Vec<i64> = row.try_get("members")?;
        for member in members {
            if known.len() < MAX_MEMBERS && !known.contains(member) {
                known.push(*member);
                joined.push(session);
                joining.push(*member);
            }
        }
        if known.len() > 1 {
            shared.insert(*session, known);
        }
    }
    if !joined.is_empty() {
        let statement = transaction
            .prepare_cached(include_str!("copies/join_sessions.sql"))
            .await?;
        transaction
            .execute(&statement, &[&org.0, &joined, &joining])
            .await?;
    }
    Ok(shared)
}

/// Calls to look up, as one array per column.
#[derive(Default)]
struct Pairs<'g> {
    member_id: Vec<i64>,
    uuid: Vec<&'g str>,
    tool_id: Vec<&'g str>,
    call: Vec<i32>,
}

impl<'g> Pairs<'g> {
    fn push(&mut self, member: i64, group: &'g Group<'_>, call: usize) {
        self.member_id.push(member);
        self.uuid.push(&group.uuid);
        self.tool_id.push(group.event.tool.as_str());
        self.call
            .push(i32::try_from(call).expect("a transaction has fewer events"));
    }

    /// The calls that are stored.
    async fn find(
        &self,
        transaction: &Transaction<'_>,
        org: OrgId,
        sql: &str,
    ) -> Result<Vec<usize>, StoreError> {
        if self.call.is_empty() {
            return Ok(Vec::new());
        }
        let statement = transaction.prepare_cached(sql).await?;
        let row = transaction
            .query_one(
                &statement,
                &[&org.0, &self.member_id, &self.uuid, &self.tool_id, &self.call],
            )
            .await?;
        let calls: Vec<i32> = row.try_get("calls")?;
        Ok(calls
            .into_iter()
            .map(|call| usize::try_from(call).expect("a call's position"))
            .collect())
    }
}
