//! One tool in depth: what stands behind its score in a window of days.

use chrono::{DateTime, NaiveTime, Utc};
use model::{
    OrgId, Outcome,
    api::{Day, Durations, OutcomeCount, Part, ToolDetail, Window},
};
use tokio_postgres::{Row, types::Type};

use crate::{Store, StoreError};

/// Parts of one kind that are told, the most frequent ones.
const PARTS: usize = 100;

impl Store {
    /// Looks into the events of a tool in a window that ends on the day of the latest refresh. Reads only events of
    /// that tool and window, but all of them: over everything, the most used tool of a large org takes seconds.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn tool_detail(
        &self,
        org: OrgId,
        tool_id: &str,
        window: Window,
    ) -> Result<ToolDetail, StoreError> {
        let client = self.client().await?;
        let first_day = window.first_day(
            client
                .query_one(
                    "-- tool_detail::today\nselect today from score_refresh where view_name = 'board_scores'",
                    &[],
                )
                .await?
                .try_get(0)?,
        );
        let since: Option<DateTime<Utc>> = first_day.map(|day| day.and_time(NaiveTime::MIN).and_utc());
        // Planned with these very values: a rare tool and the most used one are read differently.
        let of_tool = [
            (&org.0 as _, Type::INT8),
            (&tool_id as _, Type::TEXT),
            (&since as _, Type::TIMESTAMPTZ),
        ];
        let events = client
            .query_typed(include_str!("tool_detail/events.sql"), &of_tool)
            .await?;
        let durations = client
            .query_typed(include_str!("tool_detail/durations.sql"), &of_tool)
            .await?;
        let of_tool = [
            (&org.0 as _, Type::INT8),
            (&tool_id as _, Type::TEXT),
            (&first_day as _, Type::DATE),
        ];
        let days = client
            .query_typed(include_str!("tool_detail/days.sql"), &of_tool)
            .await?;

        let percentiles: Option<Vec<f64>> = match durations.first() {
            Some(row) => row.try_get(0)?,
            None => None,
        };
        let percentile = |at: usize| percentiles.as_ref().and_then(|all| all.get(at).copied());
        let mut detail = ToolDetail {
            outcomes: Vec::new(),
            by_operation: Vec::new(),
            by_version: Vec::new(),
            by_member: Vec::new(),
            by_project: Vec::new(),
            daily: Vec::new(),
            durations: Durations {
                p50: percentile(0),
                p90: percentile(1),
                p99: percentile(2),
            },
        };
        for row in &events {
            match row.try_get::<_, &str>(0)? {
                "outcome" => detail.outcomes.push(read_outcome(row)?),
                "operation" => push(&mut detail.by_operation, read_part(row, 3)?),
                _ => push(&mut detail.by_version, read_part(row, 3)?),
            }
        }
        for row in &days {
            match row.try_get::<_, &str>(0)? {
                "day" => detail.daily.push(Day {
                    day: row.try_get(1)?,
                    events: row.try_get(3)?,
                    successes: row.try_get(4)?,
                    failures: row.try_get(5)?,
                }),
                "project" => push(&mut detail.by_project, read_part(row, 2)?),
                _ => push(&mut detail.by_member, read_part(row, 2)?),
            }
        }
        Ok(detail)
    }
}

fn push(parts: &mut Vec<Part>, part: Part) {
    if parts.len() < PARTS {
        parts.push(part);
    }
}

fn read_outcome(row: &Row) -> Result<OutcomeCount, StoreError> {
    let outcome: &str = row.try_get(1)?;
    let reason: Option<&str> = row.try_get(2)?;
    Ok(OutcomeCount {
        outcome: outcome
            .parse::<Outcome>()
            .map_err(|_| StoreError::Unreadable("usage_events.outcome"))?,
        reason: reason
            .map(str::parse)
            .transpose()
            .map_err(|_| StoreError::Unreadable("usage_events.reason"))?,
        events: row.try_get(4)?,
    })
}

/// Reads a name at column `at` and the three counts after it.
fn read_part(row: &Row, at: usize) -> Result<Part, StoreError> {
    Ok(Part {
        name: row.try_get(at)?,
        events: row.try_get(at + 1)?,
        successes: row.try_get(at + 2)?,
        failures: row.try_get(at + 3)?,
    })
}
