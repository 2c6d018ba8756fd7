//! Storing events: each call once, whatever is sent, however often and in whatever order.
//!
//! One transaction takes any number of batches of one org: the tools join the catalogue, new events are inserted,
//! known ones are compared and, where the upload knows more, raised; what that changed is counted in the daily rollup.
//! Every statement is set-based and sorted by the key, so that writers who send the same events in different orders
//! never wait for each other in a circle. The transaction is READ COMMITTED: an insert that lost a race must see, in
//! its next statement, what the winner stored.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use model::{Event, MemberId, Merge, MicroUsd, OrgId, Outcome, Reason, api::CiContext, event::Source};
use uuid::Uuid;

use crate::{
    Store, StoreError,
    policy::{self, Policy},
    rollup,
};

/// One upload: the events that passed the checks, and what its receipt needs to know about those that did not.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Who sent it.
    pub member: MemberId,
    /// Id of the upload, made by the caller (UUIDv7, so that ids sort by time).
    pub upload_id: Uuid,
    /// Where the events come from.
    pub source: Source,
    /// The program that sent it, as it calls itself.
    pub client: Option<String>,
    /// Facts about the CI run.
    pub ci: Option<CiContext>,
    /// SHA-256 of the decoded body, hex.
    pub hash: String,
    /// Events that were rejected before they came here.
    pub rejected: u64,
    /// The events to store.
    pub events: Vec<Event>,
}

/// What became of the events of one batch. The sum is the number of events in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New.
    pub inserted: u64,
    /// Known, and now better known.
    pub upgraded: u64,
    /// Known.
    pub duplicate: u64,
    /// Known as a call of another tool.
    pub conflict: u64,
    /// Refused by the policy.
    pub refused: u64,
}

/// What became of a batch, and the policy that held in its transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// What became of its events.
    pub counts: Counts,
    /// Which of them it refused, and whether their task texts were dropped.
    pub policy: Policy,
}

impl Counts {
    /// True when the batch changed something.
    pub fn changed(self) -> bool {
        self.inserted + self.upgraded > 0
    }

    fn add(&mut self, fate: Fate) {
        match fate {
            Fate::Inserted => self.inserted += 1,
            Fate::Upgraded => self.upgraded += 1,
            Fate::Duplicate => self.duplicate += 1,
            Fate::Conflict => self.conflict += 1,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Inserted,
    Upgraded,
    Duplicate,
    Conflict,
}

/// All reports of one call of one tool within the transaction, folded into one event.
struct Group {
    member: MemberId,
    uuid: String,
    event: Event,
    source: Source,
    upload_id: Uuid,
    /// The batch of each report, in the order of arrival, and whether it told more than those before it.
    reports: Vec<(usize, Merge)>,
    fate: Fate,
}

const ATTEMPTS: u32 = 4;

impl Store {
    /// Stores the batches of one org in one transaction and answers, per batch and after COMMIT, what became of its
    /// events. Deadlocks and serialization failures are retried here.
    ///
    /// # Errors
    /// Nothing of any batch is stored then.
    pub async fn ingest(
        &self,
        org: OrgId,
        batches: &[Batch],
        now: DateTime<Utc>,
    ) -> Result<Vec<Stored>, StoreError> {
        let mut attempt = 1;
        loop {
            match self.ingest_once(org, batches, now).await {
                Err(error) if error.is_conflict_of_transactions() && attempt < ATTEMPTS => {
                    tracing::warn!(attempt, %error, "ingest lost a race; trying again");
                    let jitter = u64::from(batches[0].upload_id.as_bytes()[15]) % 20;
                    tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 5 + jitter)).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn ingest_once(
        &self,
        org: OrgId,
        batches: &[Batch],
        now: DateTime<Utc>,
    ) -> Result<Vec<Stored>, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let members = batches.iter().map(|batch| batch.member);
        let policies = policy::read(&transaction, org, members, now).await?;
        let (mut groups, mut stored) = fold(batches, &policies);
        catalogue(&transaction, org, &groups, now).await?;
        insert(&transaction, org, &mut groups, now).await?;
        let raised = raise(&transaction, org, &mut groups).await?;
        let mut changes = rollup::Changes::default();
        for group in groups.iter().filter(|group| group.fate == Fate::Inserted) {
            changes.insert(group.member, &group.event);
        }
        for raised in &raised {
            changes.raise(raised);
        }
        changes.apply(&transaction, org).await?;
        count(&mut stored, &groups);
        for (batch, stored) in batches.iter().zip(&stored) {
            crate::uploads::insert(&transaction, org, batch, stored.counts, now).await?;
        }
        transaction.commit().await?;
        Ok(stored)
    }
}

/// Brings all reports of a call together and sorts by the key. A key that stands with several tools gives several
/// groups, the one that arrived first in front. What the policy refuses is counted and left out.
fn fold(batches: &[Batch], policies: &HashMap<MemberId, Policy>) -> (Vec<Group>, Vec<Stored>) {
    let mut stored = Vec::with_capacity(batches.len());
    let mut groups: Vec<Group> = Vec::with_capacity(batches.iter().map(|batch| batch.events.len()).sum());
    let mut known: HashMap<(MemberId, &str, &str), usize> = HashMap::with_capacity(groups.capacity());
    for (index, batch) in batches.iter().enumerate() {
        let policy = policies.get(&batch.member).copied().unwrap_or_default();
        let mut counts = Counts::default();
        for event in &batch.events {
            if policy.refuses(event).is_some() {
                counts.refused += 1;
                continue;
            }
            if let Some(uuid) = &event.uuid {
                let key = (batch.member, uuid.as_str(), event.tool.as_str());
                if let Some(&at) = known.get(&key) {
                    let group: &mut Group = &mut groups[at];
                    let merge = group.event.merge(&policy.apply(event));
                    group.reports.push((index, merge));
                    continue;
                }
                known.insert(key, groups.len());
            }
            groups.push(Group {
                member: batch.member,
                uuid: event.uuid.clone().unwrap_or_else(|| Uuid::new_v4().to_string()),
                event: policy.apply(event).into_owned(),
                source: batch.source,
                upload_id: batch.upload_id,
                reports: vec![(index, Merge::Upgraded)],
                fate: Fate::Duplicate,
            });
        }
        stored.push(Stored { counts, policy });
    }
    // Stable, so that of two tools under one key the first to arrive stays in front.
    groups.sort_by(|a, b| (a.member, &a.uuid).cmp(&(b.member, &b.uuid)));
    (groups, stored)
}

fn count(stored: &mut [Stored], groups: &[Group]) {
    for group in groups {
        // As if the reports had come one after the other: one of them brought the news, the rest did not.
        let news = match group.fate {
            Fate::Inserted => 0,
            _ => group
                .reports
                .iter()
                .rposition(|(_, merge)| *merge == Merge::Upgraded)
                .unwrap_or(0),
        };
        for (at, (batch, merge)) in group.reports.iter().enumerate() {
            let fate = match group.fate {
                Fate::Conflict => Fate::Conflict,
                fate if at == news => fate,
                Fate::Inserted if *merge == Merge::Upgraded => Fate::Upgraded,
                _ => Fate::Duplicate,
            };
            stored[*batch].counts.add(fate);
        }
    }
}

async fn catalogue(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &[Group],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let tools: BTreeSet<&str> = groups.iter().map(|group| group.event.tool.as_str()).collect();
    if tools.is_empty() {
        return Ok(());
    }
    let tools: Vec<&str> = tools.into_iter().collect();
    let statement = transaction
        .prepare_cached(include_str!("events/catalogue.sql"))
        .await?;
    transaction.execute(&statement, &[&org.0, &now, &tools]).await?;
    Ok(())
}

async fn insert(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &mut [Group],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for group in groups.iter_mut() {
        group.fate = Fate::Duplicate;
    }
    let columns = Columns::of(first_of_each_key(groups));
    if columns.uuid.is_empty() {
        return Ok(());
    }
    let statement = transaction
        .prepare_cached(include_str!("events/insert.sql"))
        .await?;
    let rows = transaction
        .query(
            &statement,
            &[
                &org.0,
                &now,
                &columns.member_id,
                &columns.occurred_at,
                &columns.duration_ms,
                &columns.cost_micro_usd,
                &columns.outcome,
                &columns.reason,
                &columns.source,
                &columns.upload_id,
                &columns.uuid,
                &columns.tool_id,
                &columns.operation,
                &columns.session_id,
                &columns.project,
                &columns.model,
                &columns.agent,
                &columns.agent_version,
                &columns.git_branch,
                &columns.task_text,
            ],
        )
        .await?;
    let everything_is_new = rows.len() == columns.uuid.len();
    let new: HashSet<(i64, &str)> = if everything_is_new {
        HashSet::new()
    } else {
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let mut previous: Option<(MemberId, String)> = None;
    for group in groups.iter_mut() {
        let first = previous
            .as_ref()
            .is_none_or(|(member, uuid)| (*member, uuid) != (group.member, &group.uuid));
        if first && (everything_is_new || new.contains(&(group.member.0, group.uuid.as_str()))) {
            group.fate = Fate::Inserted;
        }
        if first {
            previous = Some((group.member, group.uuid.clone()));
        }
    }
    Ok(())
}

fn first_of_each_key(groups: &[Group]) -> impl Iterator<Item = &Group> {
    groups.iter().enumerate().filter_map(|(at, group)| {
        let repeats = at > 0 && groups[at - 1].member == group.member && groups[at - 1].uuid == group.uuid;
        (!repeats).then_some(group)
    })
}

/// Compares what was not new with what is stored, and raises what is weaker there.
async fn raise(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &mut [Group],
) -> Result<Vec<rollup::Raised>, StoreError> {
    let mut known: Vec<&mut Group> = groups
        .iter_mut()
        .filter(|group| group.fate != Fate::Inserted)
        .collect();
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(known.iter().map(|group| &**group));
    let statement = transaction
        .prepare_cached(include_str!("events/compare.sql"))
        .await?;
    let rows = transaction.query(&statement, &columns.comparable(&org.0)).await?;
    let mut stronger = Vec::new();
    for row in rows {
        let (ordinal, conflict): (i64, bool) = (row.get(0), row.get(1));
        let at = usize::try_from(ordinal - 1).expect("ordinality counts from 1");
        if conflict {
            known[at].fate = Fate::Conflict;
        } else {
            stronger.push(at);
        }
    }
    if stronger.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(stronger.iter().map(|&at| &*known[at]));
    let statement = transaction
        .prepare_cached(include_str!("events/upgrade.sql"))
        .await?;
    let rows = transaction.query(&statement, &columns.comparable(&org.0)).await?;
    let raised: HashSet<(i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for at in stronger {
        if raised.contains(&(known[at].member.0, known[at].uuid.clone())) {
            known[at].fate = Fate::Upgraded;
        }
    }
    rows.iter()
        .map(|row| rollup::Raised::read(MemberId(row.get(0)), row, 2))
        .collect()
}

/// The events as one array per column, for `unnest`. All have the same length: a shorter one would be filled with
/// nulls in silence.
#[derive(Default)]
struct Columns<'a> {
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
}

impl<'a> Columns<'a> {
    fn of(groups: impl Iterator<Item = &'a Group>) -> Columns<'a> {
        let mut columns = Columns::default();
        for group in groups {
            let event = &group.event;
            columns.member_id.push(group.member.0);
            columns.occurred_at.push(event.occurred_at);
            columns.duration_ms.push(event.duration_ms);
            columns
                .cost_micro_usd
                .push(event.cost.map(|MicroUsd(micros)| micros));
            columns.outcome.push(Outcome::as_str(event.verdict.outcome()));
            columns.reason.push(event.verdict.reason().map(Reason::as_str));
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
        }
        columns
    }

    /// The parameters of `compare.sql` and `upgrade.sql`.
    fn comparable<'p>(&'p self, org: &'p i64) -> [&'p (dyn tokio_postgres::types::ToSql + Sync); 16] {
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
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ToolId, Verdict};

    fn event(uuid: Option<&str>, tool: &str, verdict: Verdict) -> Event {
        Event {
            uuid: uuid.map(str::to_owned),
            ..Event::new(ToolId::parse(tool).unwrap(), verdict, DateTime::UNIX_EPOCH)
        }
    }

    fn batch(member: i64, events: Vec<Event>) -> Batch {
        Batch {
            member: MemberId(member),
            upload_id: Uuid::nil(),
            source: Source::Api,
            client: None,
            ci: None,
            hash: String::new(),
            rejected: 0,
            events,
        }
    }

    #[test]
    fn reports_of_one_call_are_folded_and_each_is_accounted_once() {
        let batches = [
            batch(
                1,
                vec![
                    event(Some("b"), "mcp:x", Verdict::UNANSWERED),
                    event(None, "mcp:x", Verdict::SUCCESS),
                ],
            ),
            batch(
                1,
                vec![
                    event(Some("b"), "mcp:x", Verdict::SUCCESS),
                    event(Some("b"), "mcp:y", Verdict::SUCCESS),
                ],
            ),
            batch(2, vec![event(Some("b"), "mcp:x", Verdict::SUCCESS)]),
        ];
        let (mut groups, mut stored) = fold(&batches, &HashMap::new());
        assert_eq!(
            groups.len(),
            4,
            "one per member, uuid and tool, and one without uuid"
        );
        assert!(groups.is_sorted_by_key(|group| (group.member, group.uuid.clone())));
        assert_eq!(first_of_each_key(&groups).count(), 3);
        for group in &mut groups {
            group.fate = if group.event.tool.as_str() == "mcp:y" {
                Fate::Conflict
            } else {
                Fate::Inserted
            };
        }
        count(&mut stored, &groups);
        let counts: Vec<Counts> = stored.iter().map(|stored| stored.counts).collect();
        assert_eq!(
            counts[0],
            Counts {
                inserted: 2,
                ..Counts::default()
            }
        );
        assert_eq!(
            counts[1],
            Counts {
                upgraded: 1,
                conflict: 1,
                ..Counts::default()
            }
        );
        assert_eq!(
            counts[2],
            Counts {
                inserted: 1,
                ..Counts::default()
            }
        );
    }
}
