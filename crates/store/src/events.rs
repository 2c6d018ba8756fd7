//! Reading stored events.

use chrono::{DateTime, Utc};
use model::{MicroUsd, OrgId, Outcome, Reason, api::EventRow};
use tokio_postgres::Row;

use crate::{
    Store, StoreError,
    page::{self, Page},
};

/// Which events to list. `None` means all.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Events of this tool.
    pub tool_id: Option<String>,
    /// Events of the member with this handle.
    pub member: Option<String>,
    /// Events of this session.
    pub session: Option<String>,
    /// Events in this project.
    pub project: Option<String>,
    /// Events at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Events before this time.
    pub until: Option<DateTime<Utc>>,
}

impl Store {
    /// The events of an org, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when the cursor is not one of ours.
    pub async fn event_list(
        &self,
        org: OrgId,
        filter: &EventFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<EventRow>, StoreError> {
        let after: Option<(DateTime<Utc>, i64, String)> = page::read_cursor(cursor)?;
        let (at, member, uuid) = match after {
            Some((at, member, uuid)) => (Some(at), Some(member), Some(uuid)),
            None => (None, None, None),
        };
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("events/list.sql")).await?;
        let rows = client
            .query(
                &statement,
                &[
                    &org.0,
                    &filter.tool_id,
                    &filter.member,
                    &filter.session,
                    &filter.project,
                    &filter.since,
                    &filter.until,
                    &at,
                    &member,
                    &uuid,
                    &(i64::from(limit) + 1),
                ],
            )
            .await?;
        Page::from_rows(&rows, limit, |row| {
            let event = read(row)?;
            let cursor = page::cursor(&(event.occurred_at, row.try_get::<_, i64>(18)?, &event.uuid));
            Ok((event, cursor))
        })
    }

    /// How many events an org has; of one tool where a tool is given.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn event_count(&self, org: OrgId, tool_id: Option<&str>) -> Result<i64, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("events/count.sql")).await?;
        Ok(client
            .query_one(&statement, &[&org.0, &tool_id])
            .await?
            .try_get(0)?)
    }
}

fn read(row: &Row) -> Result<EventRow, tokio_postgres::Error> {
    let outcome: &str = row.try_get(7)?;
    let reason: Option<&str> = row.try_get(8)?;
    Ok(EventRow {
        uuid: row.try_get(0)?,
        member: row.try_get(1)?,
        tool_id: row.try_get(2)?,
        operation: row.try_get(3)?,
        session_id: row.try_get(4)?,
        project: row.try_get(5)?,
        task_text: row.try_get(6)?,
        outcome: outcome.parse().unwrap_or(Outcome::Unknown),
        reason: reason.and_then(|reason| reason.parse::<Reason>().ok()),
        duration_ms: row.try_get(9)?,
        cost_usd: row
            .try_get::<_, Option<i64>>(10)?
            .map(|micros| MicroUsd(micros).as_usd()),
        model: row.try_get(11)?,
        agent: row.try_get(12)?,
        agent_version: row.try_get(13)?,
        git_branch: row.try_get(14)?,
        occurred_at: row.try_get(15)?,
        received_at: row.try_get(16)?,
        source: row.try_get(17)?,
    })
}
