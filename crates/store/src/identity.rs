//! Authentication: the member and the scopes of a token.

use chrono::{DateTime, Utc};
use deadpool_postgres::Object;
use model::{
    MemberId, OrgId,
    api::CiContext,
    team::{MemberKind, Role, Scope},
    token::TokenHash,
};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::{Store, StoreError, row};

/// The member on whose behalf a request is made, and what its token allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The org.
    pub org: OrgId,
    /// Its slug.
    pub org_slug: String,
    /// The member.
    pub member: MemberId,
    /// Their handle.
    pub handle: String,
    /// Their role.
    pub role: Role,
    /// Person or CI.
    pub kind: MemberKind,
    /// The token.
    pub token_id: Uuid,
    /// Its name.
    pub token_name: String,
    /// Its scopes, as far as the member's role allows them now.
    pub scopes: Vec<Scope>,
    /// When it expires.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The CI run that exchanged its identity for the token.
    pub ci: Option<CiContext>,
}

impl Store {
    /// The identity of a token; `None` when it is unknown, revoked or expired, or its member is deactivated.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn authenticate(
        &self,
        hash: TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<Identity>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("identity/token.sql")).await?;
        match client.query_opt(&statement, &[&hash.0.as_slice(), &now]).await? {
            Some(token) => find_speaker(&client, &token).await,
            None => Ok(None),
        }
    }

    /// Records that a token was used. The caller does this at most once a minute.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn token_used(&self, org: OrgId, token_id: Uuid, now: DateTime<Utc>) -> Result<(), StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "-- identity::token_used\n\
                 insert into token_uses (org_id, token_id, last_used_at) values ($1, $2, $3)\n\
                 on conflict (org_id, token_id) do update set last_used_at = excluded.last_used_at\n\
                 where token_uses.last_used_at < excluded.last_used_at - interval '1 minute'",
            )
            .await?;
        client.execute(&statement, &[&org.0, &token_id, &now]).await?;
        Ok(())
    }
}

/// The identity of a token that is valid, from a row with its columns; `None` when its member is deactivated.
pub(crate) async fn find_speaker(client: &Object, token: &Row) -> Result<Option<Identity>, StoreError> {
    let org: i64 = token.try_get("org_id")?;
    let member: i64 = token.try_get("member_id")?;
    let token_id: Uuid = token.try_get("token_id")?;
    let statement = client
        .prepare_cached(include_str!("identity/speaker.sql"))
        .await?;
    let Some(speaker) = client.query_opt(&statement, &[&org, &member, &token_id]).await? else {
        return Ok(None);
    };
    let role: Role = row::word(&speaker, "role")?;
    let mut scopes: Vec<Scope> = row::words(token, "scopes")?;
    scopes.retain(|scope| role.scopes().contains(scope));
    Ok(Some(Identity {
        org: OrgId(org),
        org_slug: speaker.try_get("slug")?,
        member: MemberId(member),
        handle: speaker.try_get("handle")?,
        kind: row::word(&speaker, "kind")?,
        role,
        token_id,
        token_name: token.try_get("name")?,
        scopes,
        expires_at: token.try_get("expires_at")?,
        last_used_at: speaker.try_get("last_used_at")?,
        ci: row::ci_context(token)?,
    }))
}
