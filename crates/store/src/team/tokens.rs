//! Tokens: who a request speaks for, and making, rotating and ending what says so.

mod authenticate;
mod end;
mod issue;

pub use authenticate::Identity;
pub(crate) use end::{Of, end_all};
pub use issue::{Issued, NewToken};
pub(crate) use issue::{Origin, issue, random_text};

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;
use model::{
    MemberId, OrgId,
    administration::{INVITATION, TOKEN_DAYS, TokenInfo},
    api::CiContext,
    team::{Role, Scope},
};
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use super::word;
use crate::{
    Store, StoreError,
    audit::Act,
    page::{self, Page},
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
    /// [`StoreError::Cursor`] when the cursor is not one of ours.
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

/// A token as an act finds it.
struct Found {
    member: MemberId,
    handle: String,
    role: Role,
    name: String,
    scopes: Vec<Scope>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    works: bool,
    exchanged: bool,
}

impl Found {
    /// How long a token in its place lives: as long as it, and what an invitation is exchanged for as long as any.
    fn life(&self, end: DateTime<Utc>) -> TimeDelta {
        if self.name == INVITATION {
            TimeDelta::days(i64::from(TOKEN_DAYS))
        } else {
            end - self.created_at
        }
    }
}

/// Finds a token that works and that the actor may know of.
async fn find(transaction: &Transaction<'_>, act: &Act, token_id: Uuid) -> Result<Found, StoreError> {
    let token = find_any(transaction, act, token_id).await?;
    if token.works { Ok(token) } else { Err(unknown()) }
}

/// Finds a token that the actor may know of. Whether one exists that they may not know of makes no difference.
async fn find_any(transaction: &Transaction<'_>, act: &Act, token_id: Uuid) -> Result<Found, StoreError> {
    let row = transaction
        .query_opt(
            include_str!("tokens/find.sql"),
            &[&act.org.0, &token_id, &act.now],
        )
        .await?
        .ok_or_else(unknown)?;
    let member = MemberId(row.try_get(0)?);
    if !act.is_by(member) && !act.administers() {
        return Err(unknown());
    }
    Ok(Found {
        member,
        handle: row.try_get(1)?,
        role: word(&row, 2, "members.role")?,
        name: row.try_get(3)?,
        scopes: scopes(&row, 4)?,
        created_at: row.try_get(5)?,
        expires_at: row.try_get(6)?,
        works: row.try_get(7)?,
        exchanged: row.try_get(8)?,
    })
}

fn unknown() -> StoreError {
    StoreError::NotFound("no such token".into())
}

fn scopes(row: &Row, at: usize) -> Result<Vec<Scope>, StoreError> {
    row.try_get::<_, Vec<&str>>(at)?
        .into_iter()
        .map(|word| {
            word.parse()
                .map_err(|_| StoreError::Unreadable("api_tokens.scopes"))
        })
        .collect()
}

/// Reads a row of `tokens/list.sql`.
fn read_token_info(row: &Row) -> Result<TokenInfo, StoreError> {
    Ok(TokenInfo {
        token_id: row.try_get::<_, Uuid>(0)?.to_string(),
        member: row.try_get(1)?,
        name: row.try_get(2)?,
        scopes: scopes(row, 3)?,
        created_at: row.try_get(4)?,
        expires_at: row.try_get(5)?,
        revoked_at: row.try_get(6)?,
        last_used_at: row.try_get(7)?,
        ci: row.try_get::<_, Option<Json<CiContext>>>(8)?.map(|Json(ci)| ci),
    })
}
