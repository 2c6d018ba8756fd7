//! What the boards lack: the days of subjects that a transaction has changed, written by that transaction.
//!
//! A refresh reads and deletes these rows in one snapshot: what it deletes it has counted, whatever the order in which
//! transactions commit. A watermark of ids or times could not promise that.

use std::{collections::BTreeMap, fmt::Write};

use chrono::NaiveDate;
use deadpool_postgres::Transaction;
use model::{MemberId, OrgId};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::StoreError;

/// The board of loaded tools, which is no board of the API.
const LOADED: &str = "loaded";

/// The board of calls that another member had uploaded before, which has one subject.
const ALREADY_COUNTED: &str = "already_counted";

/// Days of subjects that changed, with the durations that came and went.
#[derive(Default)]
pub(crate) struct Changed<'a>(BTreeMap<(&'static str, Subject<'a>, NaiveDate), Durations>);

/// Durations of a tool on a day, in ms.
#[derive(Default)]
struct Durations {
    added: Vec<i64>,
    removed: Vec<i64>,
}

/// Of what a board has rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject<'a> {
    Named(&'a str),
    Member(i64),
}

impl<'a> Changed<'a> {
    /// A member's calls of a tool in a project changed on a day. `already_counted`: they are calls that another member
    /// had uploaded before.
    pub(crate) fn used(
        &mut self,
        member: i64,
        tool_id: &'a str,
        project: &'a str,
        already_counted: bool,
        day: NaiveDate,
    ) {
        self.0
            .entry(("members", Subject::Member(member), day))
            .or_default();
        if already_counted {
            self.0
                .entry((ALREADY_COUNTED, Subject::Named(""), day))
                .or_default();
            return;
        }
        self.0.entry(("tools", Subject::Named(tool_id), day)).or_default();
        if !project.is_empty() {
            self.0
                .entry(("projects", Subject::Named(project), day))
                .or_default();
        }
    }

    /// A call of a tool got its duration, in ms.
    pub(crate) fn timed(&mut self, tool_id: &'a str, day: NaiveDate, duration_ms: i64) {
        self.0
            .entry(("tools", Subject::Named(tool_id), day))
            .or_default()
            .added
            .push(duration_ms);
    }

    /// A call of a tool no longer has this duration, in ms.
    pub(crate) fn untimed(&mut self, tool_id: &'a str, day: NaiveDate, duration_ms: i64) {
        self.0
            .entry(("tools", Subject::Named(tool_id), day))
            .or_default()
            .removed
            .push(duration_ms);
    }

    /// A session of this day had a tool loaded.
    pub(crate) fn loaded(&mut self, tool_id: &'a str, day: NaiveDate) {
        self.0.entry((LOADED, Subject::Named(tool_id), day)).or_default();
    }

    /// Writes the changes under an id that no other transaction uses.
    pub(crate) async fn write(
        &self,
        transaction: &Transaction<'_>,
        org: OrgId,
        change_id: Uuid,
    ) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let (mut boards, mut subjects, mut days) = (vec![], vec![], vec![]);
        let (mut added, mut removed) = (vec![], vec![]);
        for ((board, subject, day), durations) in &self.0 {
            boards.push(*board);
            subjects.push(match subject {
                Subject::Named(name) => (*name).to_owned(),
                Subject::Member(id) => id.to_string(),
            });
            days.push(*day);
            added.push(array(&durations.added));
            removed.push(array(&durations.removed));
        }
        let statement = transaction.prepare_cached(include_str!("queue/add.sql")).await?;
        transaction
            .execute(
                &statement,
                &[&org.0, &change_id, &boards, &subjects, &days, &added, &removed],
            )
            .await?;
        Ok(())
    }
}

/// The text of a PostgreSQL array.
fn array(durations: &[i64]) -> String {
    let mut text = String::with_capacity(2 + durations.len() * 6);
    text.push('{');
    for (nth, duration) in durations.iter().enumerate() {
        let comma = if nth > 0 { "," } else { "" };
        write!(text, "{comma}{duration}").expect("a string can grow");
    }
    text.push('}');
    text
}

/// Records what the boards lose when a member's events are deleted, those of days up to `until` or all: called before
/// they are, in a transaction that has locked the row of the member.
pub(crate) async fn remove_events(
    client: &impl GenericClient,
    org: OrgId,
    member: MemberId,
    until: Option<NaiveDate>,
) -> Result<(), StoreError> {
    client
        .execute(
            include_str!("queue/remove_events.sql"),
            &[&org.0, &Uuid::now_v7(), &member.0, &until],
        )
        .await?;
    Ok(())
}

/// Records what dead weight loses when a member's sessions are deleted: called before they are.
pub(crate) async fn remove_loaded(
    client: &impl GenericClient,
    org: OrgId,
    member: MemberId,
) -> Result<(), StoreError> {
    client
        .execute(
            include_str!("queue/remove_loaded.sql"),
            &[&org.0, &Uuid::now_v7(), &member.0],
        )
        .await?;
    Ok(())
}

/// Records that everything of an org is to be counted anew.
pub(crate) async fn everything(client: &impl GenericClient, org: OrgId) -> Result<(), StoreError> {
    client
        .execute(include_str!("queue/everything.sql"), &[&org.0, &Uuid::now_v7()])
        .await?;
    Ok(())
}
