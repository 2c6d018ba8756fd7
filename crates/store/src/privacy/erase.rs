//! Deleting the data that a member has uploaded, and what is derived from it, in one transaction.
//!
//! The row of the member is locked first, so uploads under way are waited for and later ones know the cut
//! ([`crate::policy`]). The catalogue keeps the names of tools, which are not linked to a member, and the audit log
//! records the deletion.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;
use model::{MemberId, administration::Deleted};
use serde_json::json;

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Subject},
    derived::{queue, rollup},
    ingest::copies::lock_sessionless,
    privacy::copies,
    team, usage,
};

impl Store {
    /// Deletes the events, receipts and inventory of a member, and refuses from now on what occurred before. The
    /// member and their tokens stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the org has no such member; [`StoreError::NotAllowed`] when it is another member
    /// and the actor does not administer, or is below them; [`StoreError::TooMany`] while others run. Nothing is deleted
    /// then.
    pub async fn member_erase(&self, act: &Act, handle: &str) -> Result<Deleted, StoreError> {
        let place = self.long().start(act.org, act.name())?;
        let mut client = self.long_client(&place).await?;
        let (transaction, rank) = audit::begin(&mut client, act).await?;
        // Checked before the member is looked up: the answer must not tell which members there are.
        if act.name() != handle && !act.administers() {
            return Err(StoreError::NotAllowed(
                "this token manages only your own data".into(),
            ));
        }
        let member = team::find_member(&transaction, act.org, handle).await?;
        if !act.is_by(member.id) {
            team::within(rank, member.role)?;
        }
        // Years of events may take longer than a request's statement otherwise may.
        transaction
            .batch_execute("/* privacy::erase::member_erase (timeouts) */ set local statement_timeout = '10min'; set local lock_timeout = '1min'")
            .await?;
        let key: Key<'_> = [&act.org.0, &member.id.0];
        transaction
            .query_opt(
                "-- privacy::erase::member_erase (lock)\nselect from members where org_id = $1 and member_id = $2 for update",
                &key,
            )
            .await?;
        let others = lock_others(&transaction, &key).await?;
        // The boards contain the events until they are refreshed.
        queue::remove_events(&*transaction, act.org, member.id, None).await?;
        queue::remove_loaded(&*transaction, act.org, member.id).await?;
        let (events, last) = delete_events(&transaction, &key).await?;
        copies::count_for(&*transaction, act.org, &others).await?;
        let (responses, last_response) = usage::delete_member(&transaction, act.org, member.id).await?;
        let last = last.max(last_response);
        // A clock that was ahead wrote times in the future: uploading the same logs again must not restore these
        // events.
        let cut = last.map_or(act.now, |last| act.now.max(last + TimeDelta::microseconds(1)));
        let [uploads, sessions, machines, ..] = delete_others(&transaction, &key).await?;
        rollup::forget(&*transaction, act.org, member.id).await?;
        transaction
            .execute(
                "-- privacy::erase::member_erase (cut)\n\
                 update members set events_before = greatest(events_before, $3) where org_id = $1 and member_id = $2",
                &[&act.org.0, &member.id.0, &cut],
            )
            .await?;
        let deleted = Deleted {
            member: handle.to_owned(),
            events,
            uploads,
            inventory: sessions + machines,
            responses,
            events_before: cut,
        };
        let subject = Subject::member(member.id, handle);
        audit::record(&transaction, act, Action::DataDeleted, subject, &json!(deleted)).await?;
        transaction.commit().await?;
        Ok(deleted)
    }
}

/// The org and the member, as parameters.
type Key<'k> = [&'k (dyn tokio_postgres::types::ToSql + Sync); 2];

/// Locks those members who have uploaded calls that the org counts for another, and keeps others from uploading a
/// call of the member as one that is counted already.
async fn lock_others(transaction: &Transaction<'_>, key: &Key<'_>) -> Result<Vec<MemberId>, StoreError> {
    transaction
        .execute(include_str!("erase/leave_sessions.sql"), key)
        .await?;
    transaction
        .execute(
            "-- privacy::erase::lock_others (sessions)\n\
             delete from sessions where org_id = $1 and cardinality(members) = 0",
            &[key[0]],
        )
        .await?;
    lock_sessionless(transaction, key[0]).await?;
    let rows = transaction
        .query(include_str!("erase/lock_others.sql"), key)
        .await?;
    rows.iter()
        .map(|row| Ok(MemberId(row.try_get("member_id")?)))
        .collect()
}

/// Deletes the events of a member. Returns how many there were, and when the last of them occurred.
async fn delete_events(
    transaction: &Transaction<'_>,
    key: &Key<'_>,
) -> Result<(i64, Option<DateTime<Utc>>), StoreError> {
    let row = transaction
        .query_one(
            "-- privacy::erase::delete_events\n\
             with gone as (delete from usage_events where org_id = $1 and member_id = $2 returning occurred_at)\n\
             select count(*) as events, max(occurred_at) as last from gone",
            key,
        )
        .await?;
    Ok((row.try_get("events")?, row.try_get("last")?))
}

/// Deletes the uploads, the loaded and the installed tools of a member, when they were last loaded, and the calls that wait for
/// a name. Returns how many
/// rows each were.
async fn delete_others(transaction: &Transaction<'_>, key: &Key<'_>) -> Result<[i64; 6], StoreError> {
    let mut deleted = [0_i64; 6];
    for (count, statement) in deleted.iter_mut().zip([
        "-- privacy::erase::delete_others (uploads)\n\
         delete from uploads where org_id = $1 and member_id = $2",
        "-- privacy::erase::delete_others (sessions)\n\
         delete from session_tools where org_id = $1 and member_id = $2",
        "-- privacy::erase::delete_others (machines)\n\
         delete from machine_tools where org_id = $1 and member_id = $2",
        "-- privacy::erase::delete_others (loaded)\n\
         delete from loaded_members where org_id = $1 and member_id = $2",
        "-- privacy::erase::delete_others (unreachable)\n\
         delete from unreachable_tools where org_id = $1 and member_id = $2",
        "-- privacy::erase::delete_others (unnamed)\n\
         delete from unnamed_calls where org_id = $1 and member_id = $2",
    ]) {
        *count = i64::try_from(transaction.execute(statement, key).await?).unwrap_or(i64::MAX);
    }
    Ok(deleted)
}
