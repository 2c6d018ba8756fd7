//! Reading uploads: one row per batch as received, which is its receipt. `ingest` writes them.

use chrono::{DateTime, Utc};
use model::{
    OrgId,
    api::{
        Upload,
        query::{ListQuery, UploadsQuery},
    },
};
use uuid::Uuid;

use crate::{
    Store, StoreError,
    page::{self, Page},
    row,
};

impl Store {
    /// The receipts of an org, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when no page of this list gave the cursor.
    pub async fn upload_list(&self, org: OrgId, query: &UploadsQuery) -> Result<Page<Upload>, StoreError> {
        let limit = query.page_rows();
        let after: Option<(DateTime<Utc>, Uuid)> = page::read_cursor(query.cursor())?;
        let (at, id) = after.unzip();
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("uploads/list.sql")).await?;
        let rows = client
            .query(
                &statement,
                &[
                    &org.0,
                    &query.member,
                    &at,
                    &id,
                    &(i64::from(limit) + 1),
                    &query.ci,
                    &query.repository,
                    &query.pull_request,
                    &query.run_id,
                ],
            )
            .await?;
        Page::from_rows(&rows, limit, |row| {
            let upload_id: Uuid = row.try_get("upload_id")?;
            let received_at: DateTime<Utc> = row.try_get("received_at")?;
            let upload = Upload {
                upload_id: upload_id.to_string(),
                member: row.try_get("handle")?,
                received_at,
                source: row.try_get("source")?,
                client: row.try_get("client")?,
                ci: row::ci_context(row)?,
                batch: row.try_get("batch")?,
                received: row::widened(row, "received")?,
                inserted: row::widened(row, "inserted")?,
                upgraded: row::widened(row, "upgraded")?,
                duplicate: row::widened(row, "duplicate")?,
                conflict: row::widened(row, "conflict")?,
                rejected: row::widened(row, "rejected")?,
                already_counted: row::widened(row, "already_counted")?,
                unnamed: row::widened(row, "unnamed")?,
                unkeyed: row::widened(row, "unkeyed")?,
            };
            Ok((upload, page::cursor(&(received_at, upload_id))))
        })
    }
}
