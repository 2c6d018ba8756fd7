//! The daily rollup `usage_days`: what each member called on each UTC day, per tool and project.
//!
//! It is kept in the transaction of the ingest: inserted events are added, raised ones moved from what they were to
//! what they are. So every snapshot of the database sees events and rollup agree, and [`Store::rebuild`] finds no
//! difference, ever. The rows are written by one statement in the order of the key, after the events; a transaction
//! that holds rows of the rollup waits for no event any more, so ingests cannot wait for each other in a circle.
//!
//! **Who deletes events** (`privacy::erase`, `privacy::retention`) locks the row of the member `for update` first:
//! every ingest holds that row `for key share` from its first statement on, so none of the member's is under way. All
//! events of a member, or of whole days of a member, go together with their rows here. Without the lock an ingest that
//! has inserted its events and not yet its days could be counted twice or not at all.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Transaction;
use model::{Event, MemberId, MicroUsd, OrgId, Outcome, Reason};
use tokio_postgres::{GenericClient, Row};

use crate::{Store, StoreError, session::SessionLimits};

/// A rebuild reads every event, member by member.
const LIMITS: SessionLimits = SessionLimits {
    statement: Duration::from_secs(600),
    lock: Duration::from_secs(60),
    idle_in_transaction: Duration::from_secs(60),
};

/// What an event adds to its day.
#[derive(Clone, Copy, Debug)]
struct Facts {
    outcome: Outcome,
    unknown_tool: bool,
    cost: Option<i64>,
}

/// A stored event that an upload has raised, before and after. Tool and time never change.
#[derive(Debug)]
pub(crate) struct Raised {
    member: MemberId,
    tool_id: String,
    occurred_at: DateTime<Utc>,
    before: (Facts, Option<String>),
    after: (Facts, Option<String>),
}

impl Raised {
    /// Reads a row of `events/upgrade.sql` from column `at` on.
    pub(crate) fn read(member: MemberId, row: &Row, at: usize) -> Result<Raised, StoreError> {
        let facts = |at: usize| -> Result<Facts, StoreError> {
            let outcome: &str = row.try_get(at)?;
            Ok(Facts {
                outcome: outcome
                    .parse()
                    .map_err(|_| StoreError::Unreadable("usage_events.outcome"))?,
                unknown_tool: row.try_get::<_, Option<&str>>(at + 1)? == Some(Reason::UnknownTool.as_str()),
                cost: row.try_get(at + 2)?,
            })
        };
        Ok(Raised {
            member,
            tool_id: row.try_get(at)?,
            occurred_at: row.try_get(at + 1)?,
            before: (facts(at + 2)?, row.try_get(at + 5)?),
            after: (facts(at + 6)?, row.try_get(at + 9)?),
        })
    }
}

/// The key of a row within an org, in the order in which rows are locked.
type Key<'a> = (i64, NaiveDate, &'a str, &'a str);

/// By how much a row changes.
struct Change {
    events: i32,
    outcomes: [i32; 4],
    unknown_tool: i32,
    costed: i32,
    cost_micro_usd: i64,
    first_used_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
    /// An event has gone to another row: its time may have been the first or the last of this one.
    left: bool,
}

/// What one ingest changes in the rollup.
#[derive(Default)]
pub(crate) struct Changes<'a>(BTreeMap<Key<'a>, Change>);

impl<'a> Changes<'a> {
    /// Counts a new event.
    pub(crate) fn insert(&mut self, member: MemberId, event: &'a Event) {
        let facts = Facts {
            outcome: event.verdict.outcome(),
            unknown_tool: event.verdict.reason() == Some(Reason::UnknownTool),
            cost: event.cost.map(|MicroUsd(micros)| micros),
        };
        let change = self.at(
            member,
            event.tool.as_str(),
            event.project.as_deref(),
            event.occurred_at,
        );
        change.events += 1;
        change.add(facts, 1);
    }

    /// Moves an event from what it was to what it is.
    pub(crate) fn raise(&mut self, raised: &'a Raised) {
        let Raised {
            member,
            tool_id,
            occurred_at,
            before,
            after,
        } = raised;
        let change = self.at(*member, tool_id, before.1.as_deref(), *occurred_at);
        change.events -= 1;
        change.add(before.0, -1);
        change.left |= before.1 != after.1;
        let change = self.at(*member, tool_id, after.1.as_deref(), *occurred_at);
        change.events += 1;
        change.add(after.0, 1);
    }

    fn at(
        &mut self,
        member: MemberId,
        tool_id: &'a str,
        project: Option<&'a str>,
        occurred_at: DateTime<Utc>,
    ) -> &mut Change {
        let key = (
            member.0,
            occurred_at.date_naive(),
            tool_id,
            project.unwrap_or_default(),
        );
        let change = self.0.entry(key).or_insert(Change {
            events: 0,
            outcomes: [0; 4],
            unknown_tool: 0,
            costed: 0,
            cost_micro_usd: 0,
            first_used_at: occurred_at,
            last_used_at: occurred_at,
            left: false,
        });
        change.first_used_at = change.first_used_at.min(occurred_at);
        change.last_used_at = change.last_used_at.max(occurred_at);
        change
    }

    /// Writes the changes. The events are written already, in the same transaction.
    pub(crate) async fn apply(&self, transaction: &Transaction<'_>, org: OrgId) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let columns = Columns::of(self.0.iter());
        let statement = transaction
            .prepare_cached(include_str!("rollup/apply.sql"))
            .await?;
        transaction
            .execute(
                &statement,
                &[
                    &org.0,
                    &columns.member_id,
                    &columns.day,
                    &columns.tool_id,
                    &columns.project,
                    &columns.events,
                    &columns.outcomes[0],
                    &columns.outcomes[1],
                    &columns.outcomes[2],
                    &columns.outcomes[3],
                    &columns.unknown_tool,
                    &columns.costed,
                    &columns.cost_micro_usd,
                    &columns.first_used_at,
                    &columns.last_used_at,
                ],
            )
            .await?;
        let left = Columns::of(self.0.iter().filter(|(_, change)| change.left));
        if left.member_id.is_empty() {
            return Ok(());
        }
        // Their rows are locked by now, so what a new snapshot sees of their events is all there is of them.
        for sql in [
            include_str!("rollup/narrow.sql"),
            include_str!("rollup/drop_empty.sql"),
        ] {
            let statement = transaction.prepare_cached(sql).await?;
            transaction
                .execute(
                    &statement,
                    &[&org.0, &left.member_id, &left.day, &left.tool_id, &left.project],
                )
                .await?;
        }
        Ok(())
    }
}

impl Change {
    fn add(&mut self, facts: Facts, sign: i32) {
        let at = match facts.outcome {
            Outcome::Success => 0,
            Outcome::Failure => 1,
            Outcome::Abandoned => 2,
            Outcome::Unknown => 3,
        };
        self.outcomes[at] += sign;
        if facts.unknown_tool {
            self.unknown_tool += sign;
        }
        if let Some(cost) = facts.cost {
            self.costed += sign;
            self.cost_micro_usd += cost * i64::from(sign);
        }
    }
}

/// Changes as one array per column, for `unnest`.
#[derive(Default)]
struct Columns<'a> {
    member_id: Vec<i64>,
    day: Vec<NaiveDate>,
    tool_id: Vec<&'a str>,
    project: Vec<&'a str>,
    events: Vec<i32>,
    outcomes: [Vec<i32>; 4],
    unknown_tool: Vec<i32>,
    costed: Vec<i32>,
    cost_micro_usd: Vec<i64>,
    first_used_at: Vec<DateTime<Utc>>,
    last_used_at: Vec<DateTime<Utc>>,
}

impl<'a> Columns<'a> {
    fn of<'c>(changes: impl Iterator<Item = (&'c Key<'a>, &'c Change)>) -> Columns<'a>
    where
        'a: 'c,
    {
        let mut columns = Columns::default();
        for ((member_id, day, tool_id, project), change) in changes {
            columns.member_id.push(*member_id);
            columns.day.push(*day);
            columns.tool_id.push(tool_id);
            columns.project.push(project);
            columns.events.push(change.events);
            for (column, count) in columns.outcomes.iter_mut().zip(change.outcomes) {
                column.push(count);
            }
            columns.unknown_tool.push(change.unknown_tool);
            columns.costed.push(change.costed);
            columns.cost_micro_usd.push(change.cost_micro_usd);
            columns.first_used_at.push(change.first_used_at);
            columns.last_used_at.push(change.last_used_at);
        }
        columns
    }
}

/// Keeps ingests away from the rollup until the transaction ends. The first statement of a transaction that deletes
/// events; such a transaction is to be short, because uploads wait for it.
pub(crate) async fn lock(client: &impl GenericClient) -> Result<(), StoreError> {
    client
        .batch_execute("/* rollup::lock */ lock table usage_days in exclusive mode")
        .await?;
    Ok(())
}

/// Writes a member's rows anew from the member's events, in a transaction that holds [`lock`].
pub(crate) async fn rebuild_member(
    client: &impl GenericClient,
    org: OrgId,
    member: MemberId,
) -> Result<(), StoreError> {
    for sql in [
        include_str!("rollup/forget_member.sql"),
        include_str!("rollup/rebuild_member.sql"),
    ] {
        client.execute(sql, &[&org.0, &member.0]).await?;
    }
    Ok(())
}

/// What [`Store::rebuild`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Rows of the rollup that were compared with the events.
    pub days: i64,
    /// Rows that differed and were written anew. Always 0; anything else is a bug of toolhub.
    pub differences: i64,
}

/// How many rows a member has, in the rollup or by the events, and how many of them differ.
async fn compare(
    client: &impl GenericClient,
    org: OrgId,
    member: MemberId,
) -> Result<(i64, i64), StoreError> {
    let row = client
        .query_one(include_str!("rollup/compare.sql"), &[&org.0, &member.0])
        .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

impl Store {
    /// Compares the rollup with the events and writes anew what differs, member by member; then refreshes the scores.
    /// Uploads go on meanwhile: events and rollup are compared in one snapshot, and only a member with a difference
    /// makes them wait.
    ///
    /// # Errors
    /// When the database fails. What was mended before stays mended.
    pub async fn rebuild(&self) -> Result<Rebuilt, StoreError> {
        let mut session = self.session("rebuild", &LIMITS).await?;
        let members = session.query(include_str!("rollup/members.sql"), &[]).await?;
        let mut rebuilt = Rebuilt::default();
        for row in members {
            let (org, member) = (OrgId(row.try_get(0)?), MemberId(row.try_get(1)?));
            let (days, differences) = compare(&*session, org, member).await?;
            rebuilt.days += days;
            if differences == 0 {
                continue;
            }
            let transaction = session.transaction().await?;
            lock(&transaction).await?;
            let (_, differences) = compare(&transaction, org, member).await?;
            tracing::error!(
                org = org.0,
                member = member.0,
                differences,
                "the rollup differed from the events"
            );
            rebuilt.differences += differences;
            rebuild_member(&transaction, org, member).await?;
            transaction.commit().await?;
        }
        self.refresh().await?;
        Ok(rebuilt)
    }
}
