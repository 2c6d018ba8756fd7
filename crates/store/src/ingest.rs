//! Storing events: each call once, whatever is sent, however often and in whatever order.
//!
//! One transaction takes any number of batches of one org: the tools join the catalogue, new events are inserted,
//! known ones are compared and, where the upload knows more, raised; what that changed is counted in the rollup.
//! Whether a batch is compared before it is inserted or only what the insert met afterwards is a matter of speed alone:
//! a sample of it decides ([`mostly_known`]).
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
use model::{Event, MemberId, NoticeCode, OrgId, api::CiContext, event::Source};
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
    pub code: NoticeCode,
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
        let mut fresh: Vec<usize> = (0..groups.len()).collect();
        let mut weaker = Vec::new();
        if mostly_known(&transaction, org, &groups).await? {
            let compared = compare(&transaction, org, &mut groups, &fresh).await?;
            (fresh, weaker) = (compared.absent, compared.weaker);
        }
        let met = insert(&transaction, org, &mut groups, &fresh, now).await?;
        weaker.extend(compare(&transaction, org, &mut groups, &met).await?.weaker);
        let raised = raise(&transaction, org, &mut groups, &weaker).await?;
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

/// Events that are looked up to learn what a batch is like.
const SAMPLE: usize = 8;

/// Whether most of the events are stored already, by a sample: then comparing all of them is cheaper than trying to
/// insert them, which builds every row to find that it is not wanted.
async fn mostly_known(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &[Group<'_>],
) -> Result<bool, StoreError> {
    if groups.is_empty() {
        return Ok(false);
    }
    let sample: Vec<&Group<'_>> = groups.iter().step_by(groups.len().div_ceil(SAMPLE)).collect();
    let members: Vec<i64> = sample.iter().map(|group| group.member.0).collect();
    let uuids: Vec<&str> = sample.iter().map(|group| &*group.uuid).collect();
    let statement = transaction
        .prepare_cached(include_str!("events/known.sql"))
        .await?;
    let known: i64 = transaction
        .query_one(&statement, &[&org.0, &members, &uuids])
        .await?
        .try_get(0)?;
    Ok(usize::try_from(known).is_ok_and(|known| known * 2 > sample.len()))
}

/// Inserts the groups at these positions and answers those that were met by a stored event.
async fn insert(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &mut [Group<'_>],
    fresh: &[usize],
    now: DateTime<Utc>,
) -> Result<Vec<usize>, StoreError> {
    // Of a key that stands with several tools, the group that arrived first.
    let candidates: Vec<usize> = (0..fresh.len())
        .filter(|&at| at == 0 || !groups[fresh[at]].same_call(&groups[fresh[at - 1]]))
        .map(|at| fresh[at])
        .collect();
    if candidates.is_empty() {
        return Ok(Vec::new());
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
    Ok(fresh
        .iter()
        .copied()
        .filter(|&at| groups[at].fate != Fate::Inserted)
        .collect())
}

/// What a comparison with the stored events found, as positions.
#[derive(Default)]
struct Compared {
    /// Not stored.
    absent: Vec<usize>,
    /// The stored event knows less.
    weaker: Vec<usize>,
}

/// Compares the groups at these positions with what is stored. A call of another tool is a conflict.
async fn compare(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &mut [Group<'_>],
    positions: &[usize],
) -> Result<Compared, StoreError> {
    if positions.is_empty() {
        return Ok(Compared::default());
    }
    let columns = Columns::of(positions.iter().map(|&at| &groups[at]));
    let statement = transaction
        .prepare_cached(include_str!("events/compare.sql"))
        .await?;
    let row = transaction
        .query_one(&statement, &columns.comparable(&org.0))
        .await?;
    drop(columns);
    let read = |at: usize| -> Result<Vec<usize>, StoreError> {
        let ordinals: Vec<i64> = row.try_get(at)?;
        Ok(ordinals
            .into_iter()
            .map(|ordinal| positions[usize::try_from(ordinal - 1).expect("ordinality counts from 1")])
            .collect())
    };
    for at in read(1)? {
        groups[at].fate = Fate::Conflict;
    }
    let mut absent = read(0)?;
    absent.sort_unstable();
    Ok(Compared {
        absent,
        weaker: read(2)?,
    })
}

/// Raises the stored events that know less than the groups at these positions.
async fn raise(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &mut [Group<'_>],
    weaker: &[usize],
) -> Result<Vec<rollup::Raised>, StoreError> {
    if weaker.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(weaker.iter().map(|&at| &groups[at]));
    let statement = transaction
        .prepare_cached(include_str!("events/upgrade.sql"))
        .await?;
    let rows = transaction.query(&statement, &columns.comparable(&org.0)).await?;
    drop(columns);
    let raised: HashSet<(i64, &str)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    for &at in weaker {
        let group = &mut groups[at];
        if raised.contains(&(group.member.0, &*group.uuid)) {
            group.fate = Fate::Upgraded;
        }
    }
    rows.iter()
        .map(|row| rollup::Raised::read(MemberId(row.get(0)), row, 2))
        .collect()
}
