//! Uploads: one row per batch as received, which is its receipt.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use model::{
    OrgId,
    api::{
        CiContext, Upload,
        query::{ListQuery, UploadsQuery},
    },
};
use uuid::Uuid;

use crate::{
    Store, StoreError,
    ingest::{Batch, Counts},
    page::{self, Page},
};

pub(crate) async fn insert(
    transaction: &Transaction<'_>,
    org: OrgId,
    batch: &Batch,
    counts: Counts,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let int = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
    let received = int(batch.events.len() as u64 + batch.rejected);
    let ci = batch.ci.as_ref().map(tokio_postgres::types::Json);
    let statement = transaction
        .prepare_cached(include_str!("uploads/insert.sql"))
        .await?;
    transaction
        .execute(
            &statement,
            &[
                &org.0,
                &batch.upload_id,
                &batch.member.0,
                &now,
                &batch.source.as_str(),
                &batch.client,
                &ci,
                &batch.hash,
                &received,
                &int(counts.inserted),
                &int(counts.upgraded),
                &int(counts.duplicate),
                &int(counts.conflict),
                &int(batch.rejected + counts.refused),
            ],
        )
        .await?;
    if counts.changed() {
        let statement = transaction
            .prepare_cached(include_str!("refresh/mark.sql"))
            .await?;
        transaction
            .execute(&statement, &[&org.0, &batch.upload_id])
            .await?;
    }
    Ok(())
}

impl Store {
    /// The receipts of an org, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when the cursor is not one of ours.
    pub async fn upload_list(&self, org: OrgId, query: &UploadsQuery) -> Result<Page<Upload>, StoreError> {
        let limit = query.page_rows();
        let after: Option<(DateTime<Utc>, Uuid)> = page::read_cursor(query.cursor())?;
        let (at, id) = after.unzip();
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("uploads/list.sql")).await?;
        let rows = client
            .query(
                &statement,
                &[&org.0, &query.member, &at, &id, &(i64::from(limit) + 1)],
            )
            .await?;
        Page::from_rows(&rows, limit, |row| {
            let upload_id: Uuid = row.try_get(0)?;
            let received_at: DateTime<Utc> = row.try_get(2)?;
            let int = |at: usize| row.try_get::<_, i32>(at).map(i64::from);
            let upload = Upload {
                upload_id: upload_id.to_string(),
                member: row.try_get(1)?,
                received_at,
                source: row.try_get(3)?,
                client: row.try_get(4)?,
                ci: row
                    .try_get::<_, Option<tokio_postgres::types::Json<CiContext>>>(5)?
                    .map(|tokio_postgres::types::Json(ci)| ci),
                batch: row.try_get(6)?,
                received: int(7)?,
                inserted: int(8)?,
                upgraded: int(9)?,
                duplicate: int(10)?,
                conflict: int(11)?,
                rejected: int(12)?,
            };
            Ok((upload, page::cursor(&(received_at, upload_id))))
        })
    }
}
