//! Reading stored events.

use chrono::{DateTime, Utc};
use model::{
    MicroUsd, OrgId, Outcome, Reason,
    api::{
        EventRow,
        query::{EventsQuery, ListQuery},
    },
};
use tokio_postgres::{Row, types::Type};

use crate::{
    Store, StoreError,
    page::{self, Page},
};

/// The statement that finds such events without walking through all others.
fn statement(query: &EventsQuery) -> &'static str {
    let indexed = [
        query.tool_id.is_some(),
        query.member.is_some(),
        query.outcome.is_some(),
    ];
    let combined = indexed.into_iter().filter(|given| *given).count() > 1;
    if query.session.is_none() && (combined || query.project.is_some()) {
        include_str!("events/by_day.sql")
    } else {
        include_str!("events/list.sql")
    }
}

impl Store {
    /// The events of an org, newest first. Whatever the query, only a part of the events is read.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when the cursor is not one of ours.
    pub async fn event_list(&self, org: OrgId, query: &EventsQuery) -> Result<Page<EventRow>, StoreError> {
        let limit = query.page_rows();
        let after: Option<(DateTime<Utc>, i64, String)> = page::read_cursor(query.cursor())?;
        let (at, member, uuid) = match after {
            Some((at, member, uuid)) => (Some(at), Some(member), Some(uuid)),
            None => (None, None, None),
        };
        let client = self.client().await?;
        let of_member = match &query.member {
            None => None,
            Some(handle) => {
                let statement = client
                    .prepare_cached(
                        "-- events::member\nselect member_id from members where org_id = $1 and handle = $2",
                    )
                    .await?;
                match client.query_opt(&statement, &[&org.0, handle]).await? {
                    Some(row) => Some(row.try_get::<_, i64>(0)?),
                    None => {
                        return Ok(Page {
                            rows: Vec::new(),
                            next_cursor: None,
                        });
                    }
                }
            }
        };
        // Planned with these very values: each filter has its own index.
        let rows = client
            .query_typed(
                statement(query),
                &[
                    (&org.0, Type::INT8),
                    (&query.tool_id, Type::TEXT),
                    (&of_member, Type::INT8),
                    (&query.session, Type::TEXT),
                    (&query.project, Type::TEXT),
                    (&query.outcome.map(Outcome::as_str), Type::TEXT),
                    (&query.since, Type::TIMESTAMPTZ),
                    (&query.until, Type::TIMESTAMPTZ),
                    (&at, Type::TIMESTAMPTZ),
                    (&member, Type::INT8),
                    (&uuid, Type::TEXT),
                    (&(i64::from(limit) + 1), Type::INT8),
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
