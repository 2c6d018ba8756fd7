//! Deleting events that are older than the retention of their org.
//!
//! The job goes member by member and takes whole UTC days from the oldest on, about ten thousand events at a time: each
//! step is a transaction that removes the events and the rows of the rollup that count them, and marks the boards as
//! stale. It may be interrupted anywhere and goes on where it was. Events that are too old already are refused when
//! they arrive ([`crate::policy`]), so what it deletes does not come back.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use model::{MemberId, OrgId};

use crate::{
    Store, StoreError,
    derived::{queue, rollup},
    policy,
    privacy::copies,
    row,
    session::SessionLimits,
    usage,
};

const LIMITS: SessionLimits = SessionLimits {
    statement: Duration::from_secs(60),
    lock: Duration::from_secs(30),
    idle_in_transaction: Duration::from_secs(60),
};

/// How many rows a run of the retention job deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionDeleted {
    /// Events past the retention of their org.
    pub events: u64,
    /// Receipts, inventory and sessions past it.
    pub others: u64,
    /// Tokens of CI runs, and uses of their identities, that ended more than a week ago.
    pub ended: u64,
}

impl Store {
    /// Deletes what is older than the retention. One process at a time does it; the others return at once that nothing
    /// was done.
    ///
    /// # Errors
    /// When the database fails. What was deleted before stays deleted, with everything derived from it.
    pub async fn retention_run(&self, now: DateTime<Utc>) -> Result<RetentionDeleted, StoreError> {
        let mut session = self.session("retention", &LIMITS).await?;
        let locked = session
            .query_one(
                "-- privacy::retention::retention_run (lock)\n\
                 select pg_try_advisory_lock(hashtextextended('toolhub.retention', 0))",
                &[],
            )
            .await?;
        let mut deleted = RetentionDeleted::default();
        if !row::only::<bool>(&locked)? {
            return Ok(deleted);
        }
        let orgs = session
            .query(
                "-- privacy::retention::retention_run (orgs)\n\
                 select org_id, retention_days from orgs where retention_days is not null order by org_id",
                &[],
            )
            .await?;
        for row in orgs {
            let org = OrgId(row.try_get("org_id")?);
            let since = policy::kept_since(row.try_get("retention_days")?, now);
            deleted.events += delete_events(&mut session, org, since).await?;
            deleted.others += delete_others(&session, org, since).await?;
            deleted.others += usage::delete_before(&mut session, org, since).await?;
        }
        deleted.ended = delete_ended(&session, now).await?;
        Ok(deleted)
    }
}

/// Deletes the events of an org from before a time, which is the beginning of a day.
async fn delete_events(
    session: &mut tokio_postgres::Client,
    org: OrgId,
    since: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let members = session
        .query(
            "-- privacy::retention::delete_events\n\
             select distinct member_id from usage_days where org_id = $1 and day < $2 order by member_id",
            &[&org.0, &since.date_naive()],
        )
        .await?;
    let mut deleted = 0;
    for row in members {
        let member = MemberId(row.try_get("member_id")?);
        while let Some(events) = forget_days(session, org, member, since.date_naive()).await? {
            deleted += events;
        }
    }
    if deleted > 0 {
        count_for_others(session, org).await?;
    }
    Ok(deleted)
}

/// Lets the org count, for the members who have them still, the calls of which the counted event is gone: its time was
/// another.
async fn count_for_others(session: &mut tokio_postgres::Client, org: OrgId) -> Result<(), StoreError> {
    let members = session
        .query(
            "-- privacy::retention::count_for_others\n\
             select distinct member_id from usage_days where org_id = $1 and already_counted order by member_id",
            &[&org.0],
        )
        .await?;
    for row in members {
        let member = MemberId(row.try_get("member_id")?);
        let transaction = session.transaction().await?;
        lock_member(&transaction, org, member).await?;
        copies::count_for(&transaction, org, &[member]).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Lets uploads of this member wait, so that events and rollup change together.
async fn lock_member(
    transaction: &tokio_postgres::Transaction<'_>,
    org: OrgId,
    member: MemberId,
) -> Result<(), StoreError> {
    transaction
        .query_opt(
            "-- privacy::retention::lock_member\nselect from members where org_id = $1 and member_id = $2 for update",
            &[&org.0, &member.0],
        )
        .await?;
    Ok(())
}

/// Deletes the receipts and the inventory of an org from before a time, some thousand rows at a time.
async fn delete_others(
    session: &tokio_postgres::Client,
    org: OrgId,
    since: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let mut deleted = 0;
    for statement in [
        include_str!("retention/uploads.sql"),
        include_str!("retention/sessions.sql"),
        include_str!("retention/machines.sql"),
        include_str!("retention/known_sessions.sql"),
    ] {
        loop {
            let row = session.query_one(statement, &[&org.0, &since]).await?;
            let rows: i64 = row::only(&row)?;
            if rows == 0 {
                break;
            }
            deleted += rows.unsigned_abs();
        }
    }
    session
        .execute(
            "-- privacy::retention::delete_others\n\
             delete from loaded_members where org_id = $1 and last_loaded_at < $2",
            &[&org.0, &since],
        )
        .await?;
    deleted += session
        .execute(
            "-- privacy::retention::delete_others (unreachable)\n\
             delete from unreachable_tools where org_id = $1 and observed_at < $2",
            &[&org.0, &since],
        )
        .await?;
    deleted += session
        .execute(
            "-- privacy::retention::delete_others (unnamed)\n\
             delete from unnamed_calls where org_id = $1 and occurred_at < $2",
            &[&org.0, &since],
        )
        .await?;
    Ok(deleted)
}

/// Deletes the tokens of CI runs and the uses of their identities that ended, and the counts of what was new, more than a
/// week ago, in every org.
async fn delete_ended(session: &tokio_postgres::Client, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let mut deleted = 0;
    for statement in [
        "-- privacy::retention::delete_ended (identities)\n\
         delete from oidc_uses where expires_at < $1::timestamptz - interval '7 days'",
        "-- privacy::retention::delete_ended (logins)\n\
         delete from device_logins where expires_at < $1",
        "-- privacy::retention::delete_ended (uses)\n\
         delete from token_uses u using api_tokens t\n\
         where t.org_id = u.org_id and t.token_id = u.token_id and t.publisher_id is not null\n\
         and t.expires_at < $1::timestamptz - interval '7 days'",
        "-- privacy::retention::delete_ended (arrivals)\n\
         delete from arrivals where day < ($1::timestamptz at time zone 'UTC')::date - 7",
        "-- privacy::retention::delete_ended (tokens)\n\
         delete from api_tokens\n\
         where publisher_id is not null and expires_at < $1::timestamptz - interval '7 days'",
    ] {
        deleted += session.execute(statement, &[&now]).await?;
    }
    Ok(deleted)
}

/// Removes the oldest days of a member before a day, as many as hold about ten thousand events; `None` when there are
/// none.
async fn forget_days(
    session: &mut tokio_postgres::Client,
    org: OrgId,
    member: MemberId,
    before: NaiveDate,
) -> Result<Option<u64>, StoreError> {
    let transaction = session.transaction().await?;
    lock_member(&transaction, org, member).await?;
    let row = transaction
        .query_one(
            include_str!("retention/oldest_days.sql"),
            &[&org.0, &member.0, &before],
        )
        .await?;
    let Some(end) = row::only::<Option<NaiveDate>>(&row)? else {
        return Ok(None);
    };
    queue::remove_events(&transaction, org, member, Some(end)).await?;
    let events = transaction
        .execute(
            "-- privacy::retention::forget_days (events)\n\
             delete from usage_events\n\
             where org_id = $1 and member_id = $2 and occurred_at < ($3::date + 1)::timestamp at time zone 'UTC'",
            &[&org.0, &member.0, &end],
        )
        .await?;
    transaction
        .execute(
            "-- privacy::retention::forget_days (days)\n\
             delete from usage_days where org_id = $1 and member_id = $2 and day <= $3",
            &[&org.0, &member.0, &end],
        )
        .await?;
    rollup::rebuild_totals(&transaction, org, member).await?;
    transaction.commit().await?;
    Ok(Some(events))
}
