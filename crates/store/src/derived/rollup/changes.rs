//! The changes of an ingest to the rollup, and how they are written.
//!
//! Inserted events are added; upgraded ones are moved from their old row to their new one. The rows are written by one
//! statement per table in the order of the key, after the events, and the days before the totals; a transaction that
//! has locked rows of the rollup no longer waits for an event, so ingests cannot deadlock.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use deadpool_postgres::Transaction;
use model::{Event, MemberId, MicroUsd, OrgId, Outcome, Reason};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use crate::{StoreError, derived::queue::Changed, row};

/// What an event adds to its day.
#[derive(Clone, Copy, Debug)]
struct Facts {
    outcome: Outcome,
    unknown_tool: bool,
    cost: Option<i64>,
    run_cost: Option<i64>,
    duration_ms: Option<i64>,
}

/// A stored event that an upload has upgraded, before and after. The tool never changes.
#[derive(Debug)]
pub(crate) struct UpgradedEvent {
    member: MemberId,
    tool_id: String,
    already_counted: bool,
    before: (Facts, Option<String>, DateTime<Utc>),
    after: (Facts, Option<String>, DateTime<Utc>),
}

impl UpgradedEvent {
    /// Reads a row of `ingest/upgrade.sql`.
    pub(crate) fn read(row: &Row) -> Result<UpgradedEvent, StoreError> {
        let unknown_tool = |reason: Option<Reason>| reason == Some(Reason::UnknownTool);
        let before = Facts {
            outcome: row::word(row, "old_outcome")?,
            unknown_tool: unknown_tool(row::optional_word(row, "old_reason")?),
            cost: row.try_get("old_cost_micro_usd")?,
            run_cost: row.try_get("old_run_cost_micro_usd")?,
            duration_ms: row.try_get("old_duration_ms")?,
        };
        let after = Facts {
            outcome: row::word(row, "outcome")?,
            unknown_tool: unknown_tool(row::optional_word(row, "reason")?),
            cost: row.try_get("cost_micro_usd")?,
            run_cost: row.try_get("run_cost_micro_usd")?,
            duration_ms: row.try_get("duration_ms")?,
        };
        Ok(UpgradedEvent {
            member: MemberId(row.try_get("member_id")?),
            tool_id: row.try_get("tool_id")?,
            already_counted: row.try_get("already_counted")?,
            before: (
                before,
                row.try_get("old_project")?,
                row.try_get("old_occurred_at")?,
            ),
            after: (after, row.try_get("project")?, row.try_get("occurred_at")?),
        })
    }
}

/// The key of a row within an org, in the order in which rows are locked: member, day (none for a total), tool, project,
/// and whether another member had uploaded its calls before.
type Key<'a> = (i64, Option<NaiveDate>, &'a str, &'a str, bool);

/// The statements that write one table of the rollup.
struct Table {
    add: &'static str,
    narrow: &'static str,
    drop_empty: &'static str,
}

const DAYS: Table = Table {
    add: include_str!("changes/add_days.sql"),
    narrow: include_str!("changes/narrow_days.sql"),
    drop_empty: include_str!("changes/drop_empty_days.sql"),
};

const TOTALS: Table = Table {
    add: include_str!("changes/add_totals.sql"),
    narrow: include_str!("changes/narrow_totals.sql"),
    drop_empty: include_str!("changes/drop_empty_totals.sql"),
};

/// By how much a row changes.
#[derive(Clone, Copy)]
struct Change {
    events: i32,
    outcomes: [i32; 4],
    unknown_tool: i32,
    costed: i32,
    timed: i32,
    cost_micro_usd: i64,
    run_cost_micro_usd: i64,
    first_used_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
    /// An event has moved to another row: its time may have been the first or the last of this one.
    left: bool,
}

/// The changes of one ingest to the rollup, and what the boards will lack.
#[derive(Default)]
pub(crate) struct Changes<'a> {
    rows: BTreeMap<Key<'a>, Change>,
    queued: Changed<'a>,
}

impl<'a> Changes<'a> {
    /// Counts a new event.
    pub(crate) fn insert(&mut self, member: MemberId, event: &'a Event, already_counted: bool) {
        let facts = Facts {
            outcome: event.result.outcome(),
            unknown_tool: event.result.reason() == Some(Reason::UnknownTool),
            cost: event.cost.map(|MicroUsd(micros)| micros),
            run_cost: event.run_cost.map(|MicroUsd(micros)| micros),
            duration_ms: event.duration_ms,
        };
        if let Some(duration_ms) = event.duration_ms.filter(|_| !already_counted) {
            let day = event.occurred_at.date_naive();
            self.queued.timed(event.tool.as_str(), day, duration_ms);
        }
        let change = self.at(
            member,
            event.tool.as_str(),
            event.project.as_deref(),
            already_counted,
            event.occurred_at,
        );
        change.events += 1;
        change.add(facts, 1);
    }

    /// Moves an event from its old row to its new one.
    pub(crate) fn upgrade(&mut self, event: &'a UpgradedEvent) {
        let UpgradedEvent {
            member,
            tool_id,
            already_counted,
            before,
            after,
        } = event;
        let timed = |(facts, _, at): &(Facts, Option<String>, DateTime<Utc>)| {
            facts
                .duration_ms
                .map(|duration_ms| (at.date_naive(), duration_ms))
        };
        let (old, new) = (timed(before), timed(after));
        if old != new && !*already_counted {
            if let Some((day, duration_ms)) = old {
                self.queued.untimed(tool_id, day, duration_ms);
            }
            if let Some((day, duration_ms)) = new {
                self.queued.timed(tool_id, day, duration_ms);
            }
        }
        let change = self.at(*member, tool_id, before.1.as_deref(), *already_counted, before.2);
        change.events -= 1;
        change.add(before.0, -1);
        change.left |= before.1 != after.1 || before.2 != after.2;
        let change = self.at(*member, tool_id, after.1.as_deref(), *already_counted, after.2);
        change.events += 1;
        change.add(after.0, 1);
    }

    fn at(
        &mut self,
        member: MemberId,
        tool_id: &'a str,
        project: Option<&'a str>,
        already_counted: bool,
        occurred_at: DateTime<Utc>,
    ) -> &mut Change {
        let (day, project) = (occurred_at.date_naive(), project.unwrap_or_default());
        self.queued.used(member.0, tool_id, project, already_counted, day);
        let key = (member.0, Some(day), tool_id, project, already_counted);
        let change = self.rows.entry(key).or_insert(Change {
            events: 0,
            outcomes: [0; 4],
            unknown_tool: 0,
            costed: 0,
            timed: 0,
            cost_micro_usd: 0,
            run_cost_micro_usd: 0,
            first_used_at: occurred_at,
            last_used_at: occurred_at,
            left: false,
        });
        change.first_used_at = change.first_used_at.min(occurred_at);
        change.last_used_at = change.last_used_at.max(occurred_at);
        change
    }

    /// Writes the changes, under an id that no other transaction uses. The events are written already, in the same
    /// transaction.
    pub(crate) async fn apply(
        &self,
        transaction: &Transaction<'_>,
        org: OrgId,
        change_id: Uuid,
    ) -> Result<(), StoreError> {
        write(transaction, org, &DAYS, &self.rows).await?;
        write(transaction, org, &TOTALS, &without_days(&self.rows)).await?;
        self.queued.write(transaction, org, change_id).await
    }
}

/// The same changes without their days.
fn without_days<'a>(days: &BTreeMap<Key<'a>, Change>) -> BTreeMap<Key<'a>, Change> {
    let mut totals: BTreeMap<Key<'a>, Change> = BTreeMap::new();
    for (&(member, _, tool_id, project, already_counted), change) in days {
        totals
            .entry((member, None, tool_id, project, already_counted))
            .and_modify(|total| total.join(change))
            .or_insert(*change);
    }
    totals
}

async fn write(
    transaction: &Transaction<'_>,
    org: OrgId,
    table: &Table,
    rows: &BTreeMap<Key<'_>, Change>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(rows.iter());
    let statement = transaction.prepare_cached(table.add).await?;
    transaction.execute(&statement, &columns.all(&org.0)).await?;
    let left = Columns::of(rows.iter().filter(|(_, change)| change.left));
    if left.member_id.is_empty() {
        return Ok(());
    }
    // Their rows are locked by now, so a new snapshot sees all of their events.
    for sql in [table.narrow, table.drop_empty] {
        let statement = transaction.prepare_cached(sql).await?;
        transaction.execute(&statement, &left.keys(&org.0)).await?;
    }
    Ok(())
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
        self.run_cost_micro_usd += facts.run_cost.unwrap_or(0) * i64::from(sign);
        if facts.duration_ms.is_some() {
            self.timed += sign;
        }
    }

    fn join(&mut self, other: &Change) {
        self.events += other.events;
        for (count, more) in self.outcomes.iter_mut().zip(other.outcomes) {
            *count += more;
        }
        self.unknown_tool += other.unknown_tool;
        self.costed += other.costed;
        self.timed += other.timed;
        self.cost_micro_usd += other.cost_micro_usd;
        self.run_cost_micro_usd += other.run_cost_micro_usd;
        self.first_used_at = self.first_used_at.min(other.first_used_at);
        self.last_used_at = self.last_used_at.max(other.last_used_at);
        self.left |= other.left;
    }
}

/// Changes as one array per column, for `unnest`.
#[derive(Default)]
struct Columns<'a> {
    member_id: Vec<i64>,
    /// Empty for totals.
    day: Vec<NaiveDate>,
    tool_id: Vec<&'a str>,
    project: Vec<&'a str>,
    already_counted: Vec<bool>,
    events: Vec<i32>,
    outcomes: [Vec<i32>; 4],
    unknown_tool: Vec<i32>,
    costed: Vec<i32>,
    timed: Vec<i32>,
    cost_micro_usd: Vec<i64>,
    run_cost_micro_usd: Vec<i64>,
    first_used_at: Vec<DateTime<Utc>>,
    last_used_at: Vec<DateTime<Utc>>,
}

impl<'a> Columns<'a> {
    fn of<'c>(changes: impl Iterator<Item = (&'c Key<'a>, &'c Change)>) -> Columns<'a>
    where
        'a: 'c,
    {
        let mut columns = Columns::default();
        for ((member_id, day, tool_id, project, already_counted), change) in changes {
            columns.member_id.push(*member_id);
            columns.day.extend(*day);
            columns.tool_id.push(tool_id);
            columns.project.push(project);
            columns.already_counted.push(*already_counted);
            columns.events.push(change.events);
            for (column, count) in columns.outcomes.iter_mut().zip(change.outcomes) {
                column.push(count);
            }
            columns.unknown_tool.push(change.unknown_tool);
            columns.costed.push(change.costed);
            columns.timed.push(change.timed);
            columns.cost_micro_usd.push(change.cost_micro_usd);
            columns.run_cost_micro_usd.push(change.run_cost_micro_usd);
            columns.first_used_at.push(change.first_used_at);
            columns.last_used_at.push(change.last_used_at);
        }
        columns
    }

    /// The parameters of `narrow.sql` and `drop_empty.sql`.
    fn keys<'p>(&'p self, org: &'p i64) -> Vec<&'p (dyn ToSql + Sync)> {
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![
            org,
            &self.member_id,
            &self.tool_id,
            &self.project,
            &self.already_counted,
        ];
        if !self.day.is_empty() {
            parameters.push(&self.day);
        }
        parameters
    }

    /// The parameters of `add.sql`.
    fn all<'p>(&'p self, org: &'p i64) -> Vec<&'p (dyn ToSql + Sync)> {
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![
            org,
            &self.member_id,
            &self.tool_id,
            &self.project,
            &self.already_counted,
            &self.events,
            &self.outcomes[0],
            &self.outcomes[1],
            &self.outcomes[2],
            &self.outcomes[3],
            &self.unknown_tool,
            &self.costed,
            &self.timed,
            &self.cost_micro_usd,
            &self.first_used_at,
            &self.last_used_at,
            &self.run_cost_micro_usd,
        ];
        if !self.day.is_empty() {
            parameters.push(&self.day);
        }
        parameters
    }
}
