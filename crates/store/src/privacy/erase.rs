//! Deleting what a member has uploaded: all of it, in one transaction, and what is derived from it.
//!
//! The row of the member is locked first, so uploads under way are waited for and later ones know the cut
//! ([`crate::policy`]). The catalogue keeps the names of tools, which it does not link to anybody, and the audit log
//! keeps that the deletion took place.

use chrono::{DateTime, TimeDelta, Utc};
use model::administration::Deleted;
use serde_json::json;
use uuid::Uuid;

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Subject},
    rollup, team,
};

impl Store {
    /// Deletes the events, receipts and inventory of a member, and refuses from now on what occurred before. The
    /// member and their tokens stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the org has no such member; [`StoreError::NotAllowed`] when it is somebody else
    /// and the actor does not administer, or is below them. Nothing is deleted then.
    pub async fn member_erase(&self, act: &Act, handle: &str) -> Result<Deleted, StoreError> {
        let mut client = self.client().await?;
        let (transaction, rank) = audit::begin(&mut client, act).await?;
        let member = team::find_member(&transaction, act.org, handle).await?;
        if !act.is_by(member.id) {
            if !act.administers() {
                return Err(StoreError::NotAllowed(
                    "this token manages only your own data".into(),
                ));
            }
            team::within(rank, member.role)?;
        }
        // Years of events may take longer than a request's statement otherwise may.
        transaction
            .batch_execute("/* privacy::patience */ set local statement_timeout = '10min'; set local lock_timeout = '1min'")
            .await?;
        let key: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&act.org.0, &member.id.0];
        transaction
            .query_opt(
                "-- privacy::erase_lock\nselect from members where org_id = $1 and member_id = $2 for update",
                &key,
            )
            .await?;
        let row = transaction
            .query_one(
                "-- privacy::erase_events\n\
                 with gone as (delete from usage_events where org_id = $1 and member_id = $2 returning occurred_at)\n\
                 select count(*), max(occurred_at) from gone",
                &key,
            )
            .await?;
        let events: i64 = row.try_get(0)?;
        // A clock that was ahead wrote times that are yet to come: the same logs must not come back by them.
        let last: Option<DateTime<Utc>> = row.try_get(1)?;
        let cut = last.map_or(act.now, |last| act.now.max(last + TimeDelta::microseconds(1)));
        let mut removed = [0_i64; 3];
        for (count, statement) in removed.iter_mut().zip([
            "-- privacy::erase_uploads\ndelete from uploads where org_id = $1 and member_id = $2",
            "-- privacy::erase_sessions\ndelete from session_tools where org_id = $1 and member_id = $2",
            "-- privacy::erase_machines\ndelete from machine_tools where org_id = $1 and member_id = $2",
        ]) {
            *count = i64::try_from(transaction.execute(statement, &key).await?).unwrap_or(i64::MAX);
        }
        let [uploads, sessions, machines] = removed;
        rollup::forget(&*transaction, act.org, member.id).await?;
        transaction
            .execute(
                "-- privacy::erase_cut\n\
                 update members set events_before = greatest(events_before, $3) where org_id = $1 and member_id = $2",
                &[&act.org.0, &member.id.0, &cut],
            )
            .await?;
        // The scores hold the events until they are refreshed.
        transaction
            .execute(
                include_str!("../refresh/mark.sql"),
                &[&act.org.0, &Uuid::now_v7()],
            )
            .await?;
        let deleted = Deleted {
            member: handle.to_owned(),
            events,
            uploads,
            inventory: sessions + machines,
            events_before: cut,
        };
        let subject = Subject::member(member.id, handle);
        audit::record(&transaction, act, Action::DataDeleted, subject, &json!(deleted)).await?;
        transaction.commit().await?;
        Ok(deleted)
    }
}
