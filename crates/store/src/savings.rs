//! What the decisions to retire a tool saved.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    MicroUsd, OrgId,
    api::{
        Carried, Needed, Saved, SavingsRow,
        query::{ListQuery, SavingsQuery},
    },
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Store, StoreError,
    page::{self, Page},
};

/// The days before a decision that it is compared with.
const DAYS_BEFORE: i32 = 30;

impl Store {
    /// The tools that the org has decided to retire, the latest decision first, each with what that saved until `now`.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when no page of this list gave the cursor.
    pub async fn savings(
        &self,
        org: OrgId,
        query: &SavingsQuery,
        now: DateTime<Utc>,
    ) -> Result<Page<SavingsRow>, StoreError> {
        let limit = query.page_rows();
        let after: Option<Uuid> = page::read_cursor(query.cursor())?;
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("savings/list.sql")).await?;
        let rows = client
            .query(
                &statement,
                &[
                    &org.0,
                    &after,
                    &DAYS_BEFORE,
                    &(i64::from(limit) + 1),
                    &query.tool_id,
                ],
            )
            .await?;
        let mut page = Page::from_rows(&rows, limit, |row| {
            let id: Uuid = row.try_get("decision_id")?;
            Ok((read(row, now)?, page::cursor(&id)))
        })?;
        let statement = client.prepare_cached(include_str!("savings/members.sql")).await?;
        let tools: Vec<&str> = page.rows.iter().map(|row| row.tool_id.as_str()).collect();
        let since: Vec<DateTime<Utc>> = page.rows.iter().map(|row| row.decided_at).collect();
        let members = client.query(&statement, &[&org.0, &tools, &since]).await?;
        let mut of: HashMap<String, &Row> = HashMap::new();
        for row in &members {
            of.insert(row.try_get("tool_id")?, row);
        }
        for row in &mut page.rows {
            if let Some(members) = of.remove(&row.tool_id) {
                let loaded: Option<Vec<String>> = members.try_get("still_loaded_by")?;
                let installed: Option<Vec<String>> = members.try_get("still_installed_by")?;
                let called: Option<Vec<String>> = members.try_get("called_by")?;
                row.still_loaded_by = loaded.unwrap_or_default();
                row.still_installed_by = installed.unwrap_or_default();
                row.needed.members = called.unwrap_or_default();
            }
        }
        Ok(page)
    }
}

fn read(row: &Row, now: DateTime<Utc>) -> Result<SavingsRow, StoreError> {
    let decided_at: DateTime<Utc> = row.try_get("decided_at")?;
    let first_loaded_at: Option<DateTime<Utc>> = row.try_get("first_loaded_at")?;
    let known = first_loaded_at.map_or(0, |first| begun_days(decided_at - first));
    let days_before = known.clamp(1, i64::from(DAYS_BEFORE));
    let costs: [Option<i64>; 2] = [row.try_get("cost_before")?, row.try_get("cost_after")?];
    let carried = |days, sessions, requests, tokens, cost: Option<i64>| Carried {
        days,
        sessions,
        requests,
        tokens,
        cost_usd: cost.map(|cost| MicroUsd(cost).as_usd()),
    };
    let before = carried(
        days_before,
        row.try_get("sessions_before")?,
        row.try_get("requests_before")?,
        row.try_get("tokens_before")?,
        costs[0],
    );
    let after = carried(
        begun_days(now - decided_at),
        row.try_get("sessions_after")?,
        row.try_get("requests_after")?,
        row.try_get("tokens_after")?,
        costs[1],
    );
    Ok(SavingsRow {
        tool_id: row.try_get("tool_id")?,
        decided_at,
        decided_by: row.try_get("decided_by")?,
        owner: row.try_get("owner")?,
        saved: saved(&before, &after, costs),
        before,
        after,
        still_loaded_by: Vec::new(),
        still_installed_by: Vec::new(),
        needed: Needed {
            calls: row.try_get("calls")?,
            unknown_tool: row.try_get("unknown_tool")?,
            members: Vec::new(),
            last_at: row.try_get("last_at")?,
        },
    })
}

/// Days, begun ones counted, at least one.
fn begun_days(time: TimeDelta) -> i64 {
    let day = TimeDelta::days(1).num_seconds();
    (time.num_seconds() + day - 1).div_euclid(day).max(1)
}

/// What the days after would have been at the rate before, less what they were. `costs` are those of both, in micro-USD.
fn saved(before: &Carried, after: &Carried, costs: [Option<i64>; 2]) -> Saved {
    let expected = |sum: i64| i128::from(sum) * i128::from(after.days) / i128::from(before.days.max(1));
    let less = |before: Option<i64>, after: Option<i64>| {
        let saved = expected(before?) - i128::from(after.unwrap_or(0));
        i64::try_from(saved).ok()
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of sessions stay far below 2^52"
    )]
    let sessions =
        before.sessions as f64 * after.days as f64 / before.days.max(1) as f64 - after.sessions as f64;
    Saved {
        sessions: (sessions * 10.0).round() / 10.0,
        tokens: less(before.tokens, after.tokens),
        cost_usd: less(costs[0], costs[1]).map(|cost| MicroUsd(cost).as_usd()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saving_is_the_rate_before_less_what_came_after_and_unknown_stays_unknown() {
        let carried = |days, sessions, tokens| Carried {
            days,
            sessions,
            tokens,
            ..Carried::default()
        };
        let before = carried(30, 60, Some(30_000));
        let saving = saved(
            &before,
            &carried(10, 5, Some(1_000)),
            [Some(3_000_000), Some(100_000)],
        );
        assert_eq!(
            (saving.sessions, saving.tokens, saving.cost_usd),
            (15.0, Some(9_000), Some(0.9))
        );
        let none_after = saved(&before, &carried(10, 0, None), [Some(3_000_000), None]);
        assert_eq!(
            (none_after.tokens, none_after.cost_usd),
            (Some(10_000), Some(1.0))
        );
        let unknown = saved(&carried(30, 60, None), &carried(10, 0, None), [None, None]);
        assert_eq!((unknown.tokens, unknown.cost_usd), (None, None));
        // More than before is no saving.
        assert_eq!(
            saved(&before, &carried(1, 60, Some(9_000)), [None, None]).tokens,
            Some(-8_000)
        );
    }

    #[test]
    fn a_day_that_has_begun_counts() {
        assert_eq!(
            [0, 1, 86_400, 86_401].map(|seconds| begun_days(TimeDelta::seconds(seconds))),
            [1, 1, 1, 2]
        );
    }
}
