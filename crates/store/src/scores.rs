//! Scores: the tools over everything, as the boards hold them.

use model::{
    Kind, MicroUsd, OrgId,
    api::{
        AllOr, Score, Tally,
        query::{ListQuery, ScoresQuery},
    },
};
use tokio_postgres::{GenericClient, Row};

use crate::{
    Store, StoreError,
    page::{self, Page},
};

impl Store {
    /// The scores of an org's tools.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when no page of this list gave the cursor.
    pub async fn score_list(&self, org: OrgId, query: &ScoresQuery) -> Result<Page<Score>, StoreError> {
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
                    &query.sort.unwrap_or_default().as_str(),
                    &offset,
                    &(i64::from(limit) + 1),
                ],
            )
            .await?;
        let next = page::cursor(&(offset + i64::from(limit)));
        Page::from_rows(&rows, limit, |row| Ok((read(row)?, next.clone())))
    }
}

/// Reads the score of one tool in the caller's transaction; `None` when the org has no event of it, or none that the
/// scores hold yet.
pub(crate) async fn find(
    client: &impl GenericClient,
    org: OrgId,
    tool_id: &str,
) -> Result<Option<Score>, StoreError> {
    let statement = include_str!("scores/find.sql");
    let row = client.query_opt(statement, &[&org.0, &tool_id]).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Score, StoreError> {
    Ok(Score {
        tool_id: row.try_get("tool_id")?,
        kind: row.try_get("kind")?,
        tally: read_tally(row)?,
    })
}

/// Reads the columns that scores and boards share.
pub(crate) fn read_tally(row: &Row) -> Result<Tally, StoreError> {
    let (events, costed): (i64, i64) = (row.try_get("events")?, row.try_get("costed")?);
    let cost: i64 = row.try_get("cost_micro_usd")?;
    let run_cost: i64 = row.try_get("run_cost_micro_usd")?;
    Ok(Tally {
        events,
        successes: row.try_get("successes")?,
        failures: row.try_get("failures")?,
        abandoned: row.try_get("abandoned")?,
        unknown: row.try_get("unknown")?,
        success_rate: row.try_get("success_rate")?,
        decided_rate: row.try_get("decided_rate")?,
        wilson_low: row.try_get("wilson_low")?,
        avg_cost_usd: row.try_get("avg_cost_usd")?,
        total_cost_usd: (costed > 0).then(|| MicroUsd(cost).as_usd()),
        total_run_cost_usd: (run_cost > 0).then(|| MicroUsd(run_cost).as_usd()),
        uncosted: events - costed,
        median_duration_ms: row.try_get("median_duration_ms")?,
        members: row.try_get("members")?,
        first_used_at: row.try_get("first_used_at")?,
        last_used_at: row.try_get("last_used_at")?,
    })
}

/// A part of a whole; `None` where there is no whole.
#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than the 53 bits that a float has"
)]
pub(crate) fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
