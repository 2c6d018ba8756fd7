//! Dead weight: tools that are known, loaded or installed, and that nobody uses.

use chrono::{DateTime, Utc};
use model::{OrgId, api::DeadWeightRow};

use crate::{
    Store, StoreError,
    page::{self, Page},
};

impl Store {
    /// The tools of the catalogue without an event since `since`, heaviest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when the cursor is not one of ours.
    pub async fn dead_weight(
        &self,
        org: OrgId,
        since: DateTime<Utc>,
        kind: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<DeadWeightRow>, StoreError> {
        let offset: i64 = page::read_cursor(cursor)?.unwrap_or(0);
        let client = self.client().await?;
        let statement = client
            .prepare_cached(include_str!("dead_weight/list.sql"))
            .await?;
        let rows = client
            .query(
                &statement,
                &[&org.0, &since, &kind, &offset, &(i64::from(limit) + 1)],
            )
            .await?;
        let next = page::cursor(&(offset + i64::from(limit)));
        Page::from_rows(&rows, limit, |row| {
            let tool_id: String = row.try_get(0)?;
            let last_used_at: Option<DateTime<Utc>> = row.try_get(1)?;
            let sessions_loaded: i64 = row.try_get(2)?;
            let loaded = sessions_loaded > 0;
            let used = match last_used_at {
                Some(at) => format!("last used on {}", at.date_naive()),
                None => "never used".to_owned(),
            };
            let (verdict, reason) = if loaded {
                (
                    "unused",
                    format!("loaded in {sessions_loaded} sessions of the window, {used}"),
                )
            } else {
                (
                    "never_loaded",
                    format!("loaded in no session of the window, {used}"),
                )
            };
            let kind = tool_id.split_once(':').map_or("", |(kind, _)| kind).to_owned();
            let row = DeadWeightRow {
                kind,
                tool_id,
                last_used_at,
                events: 0,
                sessions_loaded,
                members_loaded: row.try_get(3)?,
                members_installed: row.try_get(4)?,
                context_bytes: row.try_get(5)?,
                verdict: verdict.to_owned(),
                reason,
            };
            Ok((row, next.clone()))
        })
    }
}
