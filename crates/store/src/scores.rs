//! Scores: reading the materialized view `tool_scores`.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use model::{
    OrgId,
    api::{Score, Tally},
};
use tokio_postgres::Row;

use crate::{
    Store, StoreError,
    page::{self, Page},
};

/// By which column the scores are sorted, greatest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScoreSort {
    /// Lower bound of the decided rate: what boards rank by.
    #[default]
    WilsonLow,
    /// Number of events.
    Events,
    /// Share of successes.
    SuccessRate,
    /// Mean cost.
    AvgCostUsd,
    /// Median duration.
    MedianDurationMs,
    /// Latest use.
    LastUsedAt,
}

impl ScoreSort {
    const ALL: [ScoreSort; 6] = [
        ScoreSort::WilsonLow,
        ScoreSort::Events,
        ScoreSort::SuccessRate,
        ScoreSort::AvgCostUsd,
        ScoreSort::MedianDurationMs,
        ScoreSort::LastUsedAt,
    ];

    /// The name of the column.
    pub fn as_str(self) -> &'static str {
        match self {
            ScoreSort::WilsonLow => "wilson_low",
            ScoreSort::Events => "events",
            ScoreSort::SuccessRate => "success_rate",
            ScoreSort::AvgCostUsd => "avg_cost_usd",
            ScoreSort::MedianDurationMs => "median_duration_ms",
            ScoreSort::LastUsedAt => "last_used_at",
        }
    }
}

impl FromStr for ScoreSort {
    type Err = String;

    fn from_str(word: &str) -> Result<ScoreSort, String> {
        ScoreSort::ALL
            .into_iter()
            .find(|sort| sort.as_str() == word)
            .ok_or_else(|| {
                let names: Vec<&str> = ScoreSort::ALL.iter().map(|sort| sort.as_str()).collect();
                format!("`sort` is one of {}", names.join(", "))
            })
    }
}

/// Which scores to list.
#[derive(Clone, Debug, Default)]
pub struct ScoreFilter {
    /// Tools of this kind.
    pub kind: Option<String>,
    /// Tools with at least so many events.
    pub min_sample: i64,
    /// The order.
    pub sort: ScoreSort,
}

impl Store {
    /// The scores of an org's tools.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when the cursor is not one of ours.
    pub async fn score_list(
        &self,
        org: OrgId,
        filter: &ScoreFilter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<Score>, StoreError> {
        let offset: i64 = page::read_cursor(cursor)?.unwrap_or(0);
        self.scores(org, filter, None, offset, limit).await
    }

    /// The score of one tool; `None` when the org has no event of it, or none that the scores hold yet.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn score_get(&self, org: OrgId, tool_id: &str) -> Result<Option<Score>, StoreError> {
        let page = self
            .scores(org, &ScoreFilter::default(), Some(tool_id), 0, 1)
            .await?;
        Ok(page.rows.into_iter().next())
    }

    async fn scores(
        &self,
        org: OrgId,
        filter: &ScoreFilter,
        tool_id: Option<&str>,
        offset: i64,
        limit: u32,
    ) -> Result<Page<Score>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("scores/list.sql")).await?;
        let rows = client
            .query(
                &statement,
                &[
                    &org.0,
                    &filter.kind,
                    &filter.min_sample,
                    &tool_id,
                    &filter.sort.as_str(),
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
