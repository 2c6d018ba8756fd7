//! Storing events: each call once, whatever is sent, however often and in whatever order.
//!
//! One transaction takes any number of batches of one org: the tools join the catalogue, new events are inserted,
//! known ones are compared and, where the upload knows more, raised; what that changed is counted in the daily rollup.
//! Every statement is set-based and sorted by the key, so that writers who send the same events in different orders
//! never wait for each other in a circle. The transaction is READ COMMITTED: an insert that lost a race must see, in
//! its next statement, what the winner stored.

mod columns;
mod group;

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use model::{Event, MemberId, OrgId, api::CiContext, event::Source, wire::RejectionCode};
use uuid::Uuid;

use self::{
    columns::Columns,
    group::{Fate, Group, count, fold},
};
use crate::{Store, StoreError, policy, rollup};

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
    /// Refused by what the org or the member has decided.
    pub refused: u64,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// What became of its events.
    pub counts: Counts,
    /// Which events were refused: the first 100.
    pub refused: Vec<Noted>,
    /// Events of which something was left out.
    pub lessened: u64,
    /// Which ones: the first 100.
    pub lesser: Vec<Noted>,
}

/// An event that was not stored as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Its position in the batch, from 0.
    pub position: usize,
    /// Its uuid, where it has one.
    pub uuid: Option<String>,
    /// Why.
    pub code: RejectionCode,
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

async fn catalogue(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &[Group<'_>],
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
    groups: &mut [Group<'_>],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for group in groups.iter_mut() {
        group.fate = Fate::Duplicate;
    }
    let candidates: Vec<usize> = (0..groups.len())
        .filter(|&at| at == 0 || !groups[at].same_call(&groups[at - 1]))
        .collect();
    if candidates.is_empty() {
        return Ok(());
    }
    let sql = include_str!("events/insert.sql");
    #[cfg(feature = "planted-bugs")]
    let (sql, candidates) = (
        &crate::planted::bent(sql),
        crate::planted::unsorted(candidates, |at| &groups[at].event),
    );
    let columns = Columns::of(candidates.iter().map(|&at| &groups[at]));
    let statement = transaction.prepare_cached(sql).await?;
    let rows = transaction
        .query(&statement, &columns.insertable(&org.0, &now))
        .await?;
    let everything_is_new = rows.len() == columns.len();
    drop(columns);
    let new: HashSet<(i64, &str)> = if everything_is_new {
        HashSet::new()
    } else {
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    for at in candidates {
        let group = &mut groups[at];
        if everything_is_new || new.contains(&(group.member.0, &*group.uuid)) {
            group.fate = Fate::Inserted;
        }
    }
    Ok(())
}

/// Compares what was not new with what is stored, and raises what is weaker there.
async fn raise(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &mut [Group<'_>],
) -> Result<Vec<rollup::Raised>, StoreError> {
    let mut known: Vec<&mut Group<'_>> = groups
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
        if raised.contains(&(known[at].member.0, known[at].uuid.to_string())) {
            known[at].fate = Fate::Upgraded;
        }
    }
    rows.iter()
        .map(|row| rollup::Raised::read(MemberId(row.get(0)), row, 2))
        .collect()
}
