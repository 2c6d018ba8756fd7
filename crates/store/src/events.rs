//! Reading stored events.

use chrono::{DateTime, Utc};
use model::{
    MemberId, MicroUsd, OrgId, Outcome,
    api::{
        EventRow,
        query::{EventsQuery, ListQuery},
    },
};
use tokio_postgres::{GenericClient, Row, types::Type};

use crate::{
    Store, StoreError, filters,
    page::{self, Page},
    row,
    session::plan_for_any_org,
};

/// The statement that finds such events without reading all others, with the parameters of `events/list.sql`: one for
/// each combination of filters, to be planned for any org. `after`: the page is not the first.
pub fn statement(query: &EventsQuery, after: bool) -> String {
    let outcome = query.outcome.map(Outcome::as_str);
    let given = [
        true,
        query.tool_id.is_some(),
        query.member.is_some(),
        query.session.is_some(),
        query.project.is_some(),
        outcome.is_some(),
        query.since.is_some(),
        query.until.is_some(),
        after,
    ];
    let sql = filters::with_given(optional_statement(query), &given);
    match outcome {
        Some(outcome) => sql.replace("$6::event_outcome", &format!("'{outcome}'::event_outcome")),
        None => sql,
    }
}

fn optional_statement(query: &EventsQuery) -> &'static str {
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
    /// [`StoreError::Cursor`] when the cursor was not given by an earlier page.
    pub async fn event_list(&self, org: OrgId, query: &EventsQuery) -> Result<Page<EventRow>, StoreError> {
        let mut client = self.client().await?;
        let member = match &query.member {
            None => None,
            Some(handle) => {
                let statement = client
                    .prepare_cached(
                        "-- events::event_list\nselect member_id from members where org_id = $1 and handle = $2",
                    )
                    .await?;
                match client.query_opt(&statement, &[&org.0, handle]).await? {
                    Some(row) => Some(MemberId(row::only(&row)?)),
                    None => {
                        page::read_cursor::<Key>(query.cursor())?;
                        return Ok(Page {
                            rows: Vec::new(),
                            next_cursor: None,
                        });
                    }
                }
            }
        };
        let transaction = client.transaction().await?;
        plan_for_any_org(&transaction).await?;
        let page = list(&*transaction, org, query, member).await?;
        transaction.commit().await?;
        Ok(page)
    }

    /// How many events an org has; of one tool where a tool is given. Counted in the rollup.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn event_count(&self, org: OrgId, tool_id: Option<&str>) -> Result<i64, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("events/count.sql")).await?;
        row::only(&client.query_one(&statement, &[&org.0, &tool_id]).await?)
    }
}

/// The key of an event, as a cursor holds it: when it occurred, the id of its member, and its uuid.
type Key = (DateTime<Utc>, i64, String);

/// Reads a page of events in the caller's transaction, which plans for any org. `member` is the member whose handle the query names.
pub(crate) async fn list(
    client: &impl GenericClient,
    org: OrgId,
    query: &EventsQuery,
    member: Option<MemberId>,
) -> Result<Page<EventRow>, StoreError> {
    let limit = query.page_rows();
    let (at, after_member, uuid) = match page::read_cursor::<Key>(query.cursor())? {
        Some((at, member, uuid)) => (Some(at), Some(member), Some(uuid)),
        None => (None, None, None),
    };
    let rows = client
        .query_typed(
            &statement(query, at.is_some()),
            &[
                (&org.0, Type::INT8),
                (&query.tool_id, Type::TEXT),
                (&member.map(|MemberId(id)| id), Type::INT8),
                (&query.session, Type::TEXT),
                (&query.project, Type::TEXT),
                (&query.outcome.map(Outcome::as_str), Type::TEXT),
                (&query.since, Type::TIMESTAMPTZ),
                (&query.until, Type::TIMESTAMPTZ),
                (&at, Type::TIMESTAMPTZ),
                (&after_member, Type::INT8),
                (&uuid, Type::TEXT),
                (&(i64::from(limit) + 1), Type::INT8),
            ],
        )
        .await?;
    Page::from_rows(&rows, limit, |row| {
        let event = read(row)?;
        let member: i64 = row.try_get("member_id")?;
        let cursor = page::cursor(&(event.occurred_at, member, &event.uuid));
        Ok((event, cursor))
    })
}

fn read(row: &Row) -> Result<EventRow, StoreError> {
    Ok(EventRow {
        uuid: row.try_get("uuid")?,
        member: row.try_get("handle")?,
        tool_id: row.try_get("tool_id")?,
        operation: row.try_get("operation")?,
        session_id: row.try_get("session_id")?,
        project: row.try_get("project")?,
        task_text: row.try_get("task_text")?,
        outcome: row::word(row, "outcome")?,
        reason: row::optional_word(row, "reason")?,
        duration_ms: row.try_get("duration_ms")?,
        cost_usd: row
            .try_get::<_, Option<i64>>("cost_micro_usd")?
            .map(|micros| MicroUsd(micros).as_usd()),
        run_cost_usd: row
            .try_get::<_, Option<i64>>("run_cost_micro_usd")?
            .map(|micros| MicroUsd(micros).as_usd()),
        model: row.try_get("model")?,
        agent: row.try_get("agent")?,
        agent_version: row.try_get("agent_version")?,
        git_branch: row.try_get("git_branch")?,
        occurred_at: row.try_get("occurred_at")?,
        received_at: row.try_get("received_at")?,
        source: row.try_get("source")?,
        already_counted: row.try_get("already_counted")?,
    })
}
