//! Looking up a token within an act.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;
use model::{
    MemberId,
    administration::{DEFAULT_TOKEN_DAYS, INVITATION},
    team::{Role, Scope},
};
use uuid::Uuid;

use crate::{StoreError, audit::Act, row};

/// A token as an act finds it.
pub(super) struct Found {
    pub(super) member: MemberId,
    pub(super) handle: String,
    pub(super) role: Role,
    pub(super) name: String,
    pub(super) scopes: Vec<Scope>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) works: bool,
    pub(super) exchanged: bool,
}

impl Found {
    /// The lifetime of a token in its place: the same, or the default when an invitation is exchanged.
    pub(super) fn life(&self, end: DateTime<Utc>) -> TimeDelta {
        if self.name == INVITATION {
            TimeDelta::days(i64::from(DEFAULT_TOKEN_DAYS))
        } else {
            end - self.created_at
        }
    }
}

/// Finds a valid token that the actor may see.
pub(super) async fn find(
    transaction: &Transaction<'_>,
    act: &Act,
    token_id: Uuid,
) -> Result<Found, StoreError> {
    let token = find_any(transaction, act, token_id).await?;
    if token.works { Ok(token) } else { Err(unknown()) }
}

/// Finds a token that the actor may see. A token that they may not see is treated like one that does not exist.
pub(super) async fn find_any(
    transaction: &Transaction<'_>,
    act: &Act,
    token_id: Uuid,
) -> Result<Found, StoreError> {
    let row = transaction
        .query_opt(
            include_str!("lookup/find.sql"),
            &[&act.org.0, &token_id, &act.now],
        )
        .await?
        .ok_or_else(unknown)?;
    let member = MemberId(row.try_get("member_id")?);
    if !act.is_by(member) && !act.administers() {
        return Err(unknown());
    }
    Ok(Found {
        member,
        handle: row.try_get("handle")?,
        role: row::word(&row, "role")?,
        name: row.try_get("name")?,
        scopes: row::words(&row, "scopes")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        works: row.try_get("works")?,
        exchanged: row.try_get("exchanged")?,
    })
}

fn unknown() -> StoreError {
    StoreError::NotFound("no such token; `toolhub tokens list` shows their ids".into())
}
