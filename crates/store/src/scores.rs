//! Scores: reading the materialized view `tool_scores`.

use chrono::{DateTime, Utc};
use model::{
    Kind, OrgId,
    api::{
        AllOr, Score, Tally,
        query::{ListQuery, ScoresQuery},
    },
};
use tokio_postgres::Row;

use crate::{
    Store, StoreError,
    page::{self, Page},
};

impl Store {
    /// The scores of an org's tools.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when the cursor is not one of ours.
    pub async fn score_list(&self, org: OrgId, query: &ScoresQuery) -> Result<Page<Score>, StoreError> {
        self.scores(org, query, None).await
    }

    /// The score of one tool; `None` when the org has no event of it, or none that the scores hold yet.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn score_get(&self, org: OrgId, tool_id: &str) -> Result<Option<Score>, StoreError> {
        let page = self.scores(org, &ScoresQuery::default(), Some(tool_id)).await?;
        Ok(page.rows.into_iter().next())
    }

    async fn scores(
        &self,
        org: OrgId,
        query: &ScoresQuery,
        tool_id: Option<&str>,
    ) -> Result<Page<Score>, StoreError> {
        let limit = query.page_rows();
        let offset: i64 = page::read_cursor(query.cursor())?.unwrap_or(0);
        let kind = query.kind.and_then(AllOr::only).map(Kind::as_str);
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("scores/list.sql")).await?;
        let rows = client
            .query(
                &statement,
                &[
                    &org.0,
                    &kind,
                    &query.min_sample.unwrap_or(0),
                    &tool_id,
                    &query.sort.unwrap_or_default().as_str(),
                    &offset,
                    &(i64::from(limit) + 1),
                ],
            )
            .await?;
        let next = page::cursor(&(offset + i64::from(limit)));
        Page::from_rows(&rows, limit, |row| {
            let score = Score {
                tool_id: row.try_get(0)?,
                kind: row.try_get(1)?,
                tally: read_tally(row, 2)?,
            };
            Ok((score, next.clone()))
        })
    }
}

/// Reads the thirteen figures that begin at column `at`.
pub(crate) fn read_tally(row: &Row, at: usize) -> Result<Tally, tokio_postgres::Error> {
    Ok(Tally {
        events: row.try_get(at)?,
        successes: row.try_get(at + 1)?,
        failures: row.try_get(at + 2)?,
        abandoned: row.try_get(at + 3)?,
        unknown: row.try_get(at + 4)?,
        success_rate: row.try_get(at + 5)?,
        decided_rate: row.try_get(at + 6)?,
        wilson_low: row.try_get(at + 7)?,
        avg_cost_usd: row.try_get(at + 8)?,
        median_duration_ms: row.try_get(at + 9)?,
        members: row.try_get(at + 10)?,
        first_used_at: row.try_get::<_, Option<DateTime<Utc>>>(at + 11)?,
        last_used_at: row.try_get::<_, Option<DateTime<Utc>>>(at + 12)?,
    })
}
