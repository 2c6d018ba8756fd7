//! Tokens: listing, making, rotating and revoking them.

mod end;
mod issue;
mod lookup;

pub(crate) use end::{Of, end_all};
pub use issue::{Issued, NewToken};
pub(crate) use issue::{Origin, issue, random_text, random_token};

use chrono::{DateTime, Utc};
use model::{OrgId, administration::TokenInfo};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{
    Store, StoreError,
    page::{self, Page},
    row,
};

/// Which tokens to list. `None` means all.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenFilter<'a> {
    /// Tokens of the member with this handle.
    pub member: Option<&'a str>,
    /// The token with this id.
    pub token_id: Option<Uuid>,
    /// Only tokens that work.
    pub active: bool,
}

impl Store {
    /// The tokens of an org, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when no page of this list gave the cursor.
    pub async fn token_list(
        &self,
        org: OrgId,
        filter: TokenFilter<'_>,
        cursor: Option<&str>,
        limit: u32,
        now: DateTime<Utc>,
    ) -> Result<Page<TokenInfo>, StoreError> {
        let after: Option<(DateTime<Utc>, Uuid)> = page::read_cursor(cursor)?;
        let (at, id) = after.unzip();
        let only_active_at = filter.active.then_some(now);
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("tokens/list.sql")).await?;
        let rows = client
            .query(
                &statement,
                &[
                    &org.0,
                    &filter.member,
                    &filter.token_id,
                    &only_active_at,
                    &at,
                    &id,
                    &(i64::from(limit) + 1),
                ],
            )
            .await?;
        let tokens = rows.iter().map(read_token_info).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(tokens, limit, |token| {
            page::cursor(&(token.created_at, &token.token_id))
        }))
    }
}

/// Reads a row of `tokens/list.sql`.
fn read_token_info(row: &Row) -> Result<TokenInfo, StoreError> {
    Ok(TokenInfo {
        token_id: row.try_get::<_, Uuid>("token_id")?.to_string(),
        member: row.try_get("handle")?,
        name: row.try_get("name")?,
        scopes: row::words(row, "scopes")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        revoked_at: row.try_get("revoked_at")?,
        last_used_at: row.try_get("last_used_at")?,
        ci: row::ci_context(row)?,
    })
}
