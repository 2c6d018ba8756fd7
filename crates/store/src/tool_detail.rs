//! One tool in detail: the events behind its score in a window of days.

use chrono::{DateTime, NaiveTime, Utc};
use model::{
    OrgId,
    api::{
        Day, Durations, EventRow, OutcomeCount, Part, Score, ToolDetail, Window,
        query::{EventsQuery, ScoreQuery},
    },
};
use tokio_postgres::{GenericClient, IsolationLevel, Row, types::Type};

use crate::{
    Store, StoreError,
    derived::refresh::{as_of, last_day},
    events, filters,
    page::Page,
    row, scores,
    session::plan_for_any_org,
};

/// How many of the most frequent operations, versions, members and projects are listed.
const MAX_PARTS: usize = 100;

/// A tool with all data of its page, from one snapshot.
#[derive(Clone, Debug)]
pub struct ToolSnapshot {
    /// When the scores were last refreshed.
    pub as_of: Option<DateTime<Utc>>,
    /// Its score.
    pub score: Score,
    /// Its events in the window, by several criteria.
    pub detail: ToolDetail,
    /// A page of its events, newest first.
    pub recent: Page<EventRow>,
}

impl Store {
    /// Reads a tool in one snapshot of the database: its score, its events in a window that ends on the day of the
    /// latest refresh, and a page of them. `None` when it has no score. Reads only events of that tool and window, but
    /// all of them: over everything, the most used tool of a large org takes seconds.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when the cursor was not given by an earlier page.
    pub async fn tool_snapshot(
        &self,
        org: OrgId,
        tool_id: &str,
        query: &ScoreQuery,
    ) -> Result<Option<ToolSnapshot>, StoreError> {
        let mut client = self.client().await?;
        let snapshot = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        let Some(score) = scores::find(&*snapshot, org, tool_id).await? else {
            return Ok(None);
        };
        let as_of = as_of(&*snapshot, org).await?;
        plan_for_any_org(&snapshot).await?;
        let detail = read_detail(&*snapshot, org, tool_id, query.window.unwrap_or_default()).await?;
        let of_tool = EventsQuery {
            tool_id: Some(tool_id.to_owned()),
            limit: query.limit,
            cursor: query.cursor.clone(),
            ..EventsQuery::default()
        };
        let recent = events::list(&*snapshot, org, &of_tool, None).await?;
        snapshot.commit().await?;
        Ok(Some(ToolSnapshot {
            as_of,
            score,
            detail,
            recent,
        }))
    }
}

async fn read_detail(
    client: &impl GenericClient,
    org: OrgId,
    tool_id: &str,
    window: Window,
) -> Result<ToolDetail, StoreError> {
    let first_day = window.first_day(last_day(client, org).await?);
    let since: Option<DateTime<Utc>> = first_day.map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let [of_events, of_durations, of_days] = statements(since.is_some());
    let of_tool = [
        (&org.0 as _, Type::INT8),
        (&tool_id as _, Type::TEXT),
        (&since as _, Type::TIMESTAMPTZ),
    ];
    let events = client.query_typed(&of_events, &of_tool).await?;
    let durations = client.query_typed(&of_durations, &of_tool).await?;
    let of_tool = [
        (&org.0 as _, Type::INT8),
        (&tool_id as _, Type::TEXT),
        (&first_day as _, Type::DATE),
    ];
    let days = client.query_typed(&of_days, &of_tool).await?;
    let mut detail = ToolDetail {
        outcomes: Vec::new(),
        by_operation: Vec::new(),
        by_version: Vec::new(),
        by_member: Vec::new(),
        by_project: Vec::new(),
        daily: Vec::new(),
        durations: read_durations(durations.first())?,
    };
    for row in &events {
        match row.try_get::<_, &str>("part")? {
            "outcome" => detail.outcomes.push(read_outcome(row)?),
            "operation" => push(&mut detail.by_operation, read_part(row)?),
            _ => push(&mut detail.by_version, read_part(row)?),
        }
    }
    for row in &days {
        add_days(&mut detail, row)?;
    }
    Ok(detail)
}

/// The statements about the events, the durations and the days of a tool, to be planned for any org. `since`: from a day
/// on, and not over everything.
pub fn statements(since: bool) -> [String; 3] {
    [
        include_str!("tool_detail/events.sql"),
        include_str!("tool_detail/durations.sql"),
        include_str!("tool_detail/days.sql"),
    ]
    .map(|sql| filters::with_given(sql, &[true, true, since]))
}

/// Adds a row of `days.sql`.
fn add_days(detail: &mut ToolDetail, row: &Row) -> Result<(), StoreError> {
    match row.try_get::<_, &str>("part")? {
        "day" => detail.daily.push(Day {
            day: row.try_get("day")?,
            events: row.try_get("events")?,
            successes: row.try_get("successes")?,
            failures: row.try_get("failures")?,
        }),
        "project" => push(&mut detail.by_project, read_part(row)?),
        _ => push(&mut detail.by_member, read_part(row)?),
    }
    Ok(())
}

/// The percentiles are null, all together, for a tool without a duration.
fn read_durations(row: Option<&Row>) -> Result<Durations, StoreError> {
    let percentiles: Option<Vec<f64>> = row.map(row::only).transpose()?.flatten();
    let mut percentiles = percentiles.unwrap_or_default().into_iter();
    Ok(Durations {
        p50: percentiles.next(),
        p90: percentiles.next(),
        p99: percentiles.next(),
    })
}

fn push(parts: &mut Vec<Part>, part: Part) {
    if parts.len() < MAX_PARTS {
        parts.push(part);
    }
}

fn read_outcome(row: &Row) -> Result<OutcomeCount, StoreError> {
    Ok(OutcomeCount {
        outcome: row::word(row, "outcome")?,
        reason: row::optional_word(row, "reason")?,
        events: row.try_get("events")?,
    })
}

fn read_part(row: &Row) -> Result<Part, StoreError> {
    Ok(Part {
        name: row.try_get("name")?,
        events: row.try_get("events")?,
        successes: row.try_get("successes")?,
        failures: row.try_get("failures")?,
    })
}
