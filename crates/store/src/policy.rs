//! The settings of an org and of a member for incoming events: how old they may be, and whether they may carry the text
//! of a task.
//!
//! Read in the transaction of the ingest, with a lock on the row of the member: a deletion of the member's data waits
//! for running uploads, and uploads that come after it know of it. So nothing that was deleted can slip back in.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use deadpool_postgres::Transaction;
use model::{Event, MemberId, NoticeCode, OrgId};

use crate::StoreError;

/// The rules for the events of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The member has deleted the events that occurred before this time.
    pub events_before: Option<DateTime<Utc>>,
    /// The org keeps no events that occurred before this time.
    pub kept_since: Option<DateTime<Utc>>,
    /// The org stores the text of tasks.
    pub task_text_allowed: bool,
}

impl Policy {
    /// Why an event cannot be stored.
    pub fn refuses(&self, event: &Event) -> Option<NoticeCode> {
        if self.events_before.is_some_and(|cut| event.occurred_at < cut) {
            Some(NoticeCode::DeletedByMember)
        } else if self.kept_since.is_some_and(|cut| event.occurred_at < cut) {
            Some(NoticeCode::OlderThanRetention)
        } else {
            None
        }
    }

    /// True when the event carries the text of a task that the org does not store.
    pub fn drops_task_text(&self, event: &Event) -> bool {
        !self.task_text_allowed && event.task_text.is_some()
    }

    /// The event as it may be stored.
    pub(crate) fn apply<'e>(&self, event: &'e Event) -> Cow<'e, Event> {
        if self.drops_task_text(event) {
            Cow::Owned(Event {
                task_text: None,
                ..event.clone()
            })
        } else {
            Cow::Borrowed(event)
        }
    }

    /// True when events of this time are not stored.
    pub(crate) fn is_past(&self, observed_at: DateTime<Utc>) -> bool {
        self.events_before.is_some_and(|cut| observed_at < cut)
            || self.kept_since.is_some_and(|cut| observed_at < cut)
    }
}

/// The first moment of the first UTC day that an org keeps: whole days, like the rollup.
pub(crate) fn kept_since(retention_days: i32, now: DateTime<Utc>) -> DateTime<Utc> {
    let day = (now - TimeDelta::days(i64::from(retention_days))).date_naive();
    Utc.from_utc_datetime(&day.and_time(chrono::NaiveTime::MIN))
}

/// The policies for members, until the end of the transaction.
///
/// # Errors
/// [`StoreError::MembersBusy`] when the data of some is being deleted.
pub(crate) async fn read(
    transaction: &Transaction<'_>,
    org: OrgId,
    members: impl Iterator<Item = MemberId>,
    now: DateTime<Utc>,
) -> Result<HashMap<MemberId, Policy>, StoreError> {
    let members: BTreeSet<i64> = members.map(|MemberId(id)| id).collect();
    let members: Vec<i64> = members.into_iter().collect();
    let statement = transaction
        .prepare_cached(include_str!("policy/read.sql"))
        .await?;
    let mut policies = HashMap::with_capacity(members.len());
    for row in transaction.query(&statement, &[&org.0, &members]).await? {
        let retention_days: Option<i32> = row.try_get("retention_days")?;
        let policy = Policy {
            events_before: row.try_get("events_before")?,
            kept_since: retention_days.map(|days| kept_since(days, now)),
            task_text_allowed: row.try_get("task_text_allowed")?,
        };
        policies.insert(MemberId(row.try_get("member_id")?), policy);
    }
    let busy: Vec<MemberId> = members
        .into_iter()
        .map(MemberId)
        .filter(|member| !policies.contains_key(member))
        .collect();
    if busy.is_empty() {
        Ok(policies)
    } else {
        Err(StoreError::MembersBusy(busy))
    }
}
