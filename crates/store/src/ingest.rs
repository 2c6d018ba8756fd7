//! Storing events: each call once, however often and in whatever order it is sent.
//!
//! One transaction takes any number of batches of one org. New tools join the catalogue, calls that another member has
//! uploaded are marked, new events are inserted, known ones are compared and upgraded where the upload has more facts,
//! and the difference is added to the rollup.
//! Whether a batch is compared before it is inserted, or only those events that the insert found stored already, is a
//! matter of speed alone: a sample of it decides ([`mostly_known`]).
//! Every statement is set-based and sorted by the key, so that writers who send the same events in different orders
//! never deadlock. The transaction is READ COMMITTED: an insert that lost a race must see, in its next statement, what
//! the winner stored.

pub(crate) mod arrivals;
mod batch;
mod columns;
pub(crate) mod copies;
mod group;
mod unnamed;

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use model::OrgId;
use tokio_postgres::types::Json;

pub use self::batch::{Batch, BatchNotice, BatchResult, Counts};
use self::{
    arrivals::Arrivals,
    columns::Columns,
    group::{Group, State, count, fold},
};
use crate::{
    Store, StoreError,
    derived::rollup::{Changes, UpgradedEvent},
    policy, row,
    session::plan_for_any_org,
};

const MAX_ATTEMPTS: u32 = 4;

impl Store {
    /// Stores the batches of one org in one transaction and answers their results after COMMIT. Deadlocks,
    /// serialization failures and locks that were not had in time are retried here, without a connection in between.
    ///
    /// # Errors
    /// Nothing of any batch is stored then. [`StoreError::MembersBusy`] when the data of some members is being deleted:
    /// the batches of the others can be stored without theirs.
    pub async fn ingest(
        &self,
        org: OrgId,
        batches: &[Batch],
        now: DateTime<Utc>,
    ) -> Result<Vec<BatchResult>, StoreError> {
        let mut attempt = 1;
        loop {
            match self.ingest_once(org, batches, now).await {
                Err(error)
                    if attempt < MAX_ATTEMPTS
                        && (error.is_serialization_failure() || error.is_lock_timeout()) =>
                {
                    tracing::warn!(attempt, %error, "retrying an ingest that met another transaction");
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
    ) -> Result<Vec<BatchResult>, StoreError> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        plan_for_any_org(&transaction).await?;
        unnamed::lock(&transaction, org, batches).await?;
        let members = batches.iter().map(|batch| batch.member);
        let policies = policy::read(&transaction, org, members, now).await?;
        let named = unnamed::name_known(&transaction, org, batches, &policies, now).await?;
        let batches = named.as_deref().unwrap_or(batches);
        let arrivals = Arrivals::admit(&transaction, org, batches, &policies, now).await?;
        let (mut groups, mut results) = fold(batches, &policies, &arrivals);
        unnamed::take(&transaction, org, &mut groups).await?;
        if mostly_known(&transaction, org, &groups).await? {
            compare(&transaction, org, &mut groups).await?;
        }
        copies::mark(&transaction, org, &mut groups, &arrivals, now).await?;
        insert(&transaction, org, &mut groups, now).await?;
        compare(&transaction, org, &mut groups).await?;
        let upgraded = upgrade(&transaction, org, &mut groups).await?;
        let mut changes = Changes::default();
        for group in groups.iter().filter(|group| group.state == Some(State::New)) {
            changes.insert(group.member, &group.event, group.already_counted);
        }
        for event in &upgraded {
            changes.upgrade(event);
        }
        changes.apply(&transaction, org, batches[0].upload_id).await?;
        count(&mut results, &groups);
        for (batch, result) in batches.iter().zip(&results) {
            record_upload(&transaction, org, batch, result.counts, now).await?;
        }
        arrivals
            .record(&transaction, org, batches[0].upload_id, now)
            .await?;
        transaction.commit().await?;
        Ok(results)
    }
}

/// Events that are looked up to estimate how many of a batch are stored already.
const SAMPLE: usize = 8;

/// Whether most of the events are stored already, by a sample: then comparing all of them is cheaper than trying to
/// insert them, which builds every row only to discard it.
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
        .prepare_cached(include_str!("ingest/known.sql"))
        .await?;
    let row = transaction
        .query_one(&statement, &[&org.0, &members, &uuids])
        .await?;
    let known: i64 = row::only(&row)?;
    Ok(usize::try_from(known).is_ok_and(|known| known * 2 > sample.len()))
}

/// Inserts the groups without a state. Those that were inserted are [`State::New`]; the others are stored already, and
/// stay without a state until they are compared.
async fn insert(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &mut [Group<'_>],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let mut candidates: Vec<&mut Group<'_>> = Vec::new();
    for group in groups.iter_mut().filter(|group| group.state.is_none()) {
        // Of a key that was sent with several tools, the group that arrived first.
        if candidates.last().is_none_or(|last| !group.same_call(last)) {
            candidates.push(group);
        }
    }
    if candidates.is_empty() {
        return Ok(());
    }
    let sql = include_str!("ingest/insert.sql");
    #[cfg(feature = "planted-bugs")]
    let sql = &crate::planted::bent(sql);
    #[cfg(feature = "planted-bugs")]
    crate::planted::unsort(&mut candidates, |group| &group.event);
    let columns = Columns::of(candidates.iter().map(|group| &**group));
    let statement = transaction.prepare_cached(sql).await?;
    let rows = transaction
        .query(&statement, &columns.insertable(&org.0, &now))
        .await?;
    let all_new = rows.len() == columns.len();
    drop(columns);
    let inserted = if all_new { HashSet::new() } else { keys(&rows)? };
    for group in candidates {
        if all_new || inserted.contains(&(group.member.0, &*group.uuid)) {
            group.state = Some(State::New);
        }
    }
    Ok(())
}

/// Compares the groups without a state with what is stored. Those that are not stored stay without one.
async fn compare(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &mut [Group<'_>],
) -> Result<(), StoreError> {
    let mut compared: Vec<&mut Group<'_>> = groups.iter_mut().filter(|group| group.state.is_none()).collect();
    if compared.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(compared.iter().map(|group| &**group));
    let statement = transaction
        .prepare_cached(include_str!("ingest/compare.sql"))
        .await?;
    let row = transaction
        .query_one(&statement, &columns.comparable(&org.0))
        .await?;
    drop(columns);
    for group in &mut compared {
        group.state = Some(State::Known);
    }
    for (column, state) in [
        ("absent", None),
        ("conflict", Some(State::Conflict)),
        ("outdated", Some(State::Outdated)),
    ] {
        for ordinal in row::ordinals(&row, column)? {
            compared[ordinal].state = state;
        }
    }
    Ok(())
}

/// Upgrades the stored events that are outdated. Those that another upload has upgraded meanwhile become
/// [`State::Known`].
async fn upgrade(
    transaction: &Transaction<'_>,
    org: OrgId,
    groups: &mut [Group<'_>],
) -> Result<Vec<UpgradedEvent>, StoreError> {
    let outdated = |group: &&Group<'_>| group.state == Some(State::Outdated);
    let columns = Columns::of(groups.iter().filter(outdated));
    if columns.len() == 0 {
        return Ok(Vec::new());
    }
    let statement = transaction
        .prepare_cached(include_str!("ingest/upgrade.sql"))
        .await?;
    let rows = transaction.query(&statement, &columns.comparable(&org.0)).await?;
    drop(columns);
    let upgraded = keys(&rows)?;
    for group in groups {
        if group.state == Some(State::Outdated) && !upgraded.contains(&(group.member.0, &*group.uuid)) {
            group.state = Some(State::Known);
        }
    }
    rows.iter().map(UpgradedEvent::read).collect()
}

/// The keys of the rows that a statement changed.
fn keys(rows: &[tokio_postgres::Row]) -> Result<HashSet<(i64, &str)>, StoreError> {
    rows.iter()
        .map(|row| Ok((row.try_get("member_id")?, row.try_get("uuid")?)))
        .collect()
}

/// Writes the upload with its receipt.
async fn record_upload(
    transaction: &Transaction<'_>,
    org: OrgId,
    batch: &Batch,
    counts: Counts,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let int = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
    let received = int(batch.events.len() as u64 + batch.rejected);
    let ci = batch.ci.as_ref().map(Json);
    let statement = transaction
        .prepare_cached(include_str!("ingest/record_upload.sql"))
        .await?;
    transaction
        .execute(
            &statement,
            &[
                &org.0,
                &batch.upload_id,
                &batch.member.0,
                &now,
                &batch.source.as_str(),
                &batch.client,
                &ci,
                &batch.hash,
                &received,
                &int(counts.inserted),
                &int(counts.upgraded),
                &int(counts.duplicate),
                &int(counts.conflict),
                &int(batch.rejected + counts.refused),
                &int(counts.already_counted),
                &int(batch.unnamed.len() as u64),
                &int(batch.unkeyed),
            ],
        )
        .await?;
    Ok(())
}
