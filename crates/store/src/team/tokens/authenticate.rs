//! Who a request speaks for.

use chrono::{DateTime, Utc};
use model::{
    MemberId, OrgId,
    api::CiContext,
    team::{MemberKind, Role, Scope},
    token::TokenHash,
};
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::{super::word, scopes};
use crate::{Store, StoreError};

/// Who a request speaks for, as its token says.
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
    /// What it may do: what it was made for, as far as the member's role allows it now.
    pub scopes: Vec<Scope>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The CI run that exchanged its identity for the token.
    pub ci: Option<CiContext>,
}

impl Store {
    /// Who a token speaks for; `None` when it is unknown, revoked or expired, or its member is deactivated.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn authenticate(
        &self,
        hash: TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<Identity>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("authenticate.sql")).await?;
        let Some(token) = client.query_opt(&statement, &[&hash.0.as_slice(), &now]).await? else {
            return Ok(None);
        };
        let (org, token_id, member): (i64, Uuid, i64) =
            (token.try_get(0)?, token.try_get(1)?, token.try_get(2)?);
        let statement = client.prepare_cached(include_str!("speaker.sql")).await?;
        let Some(speaker) = client.query_opt(&statement, &[&org, &member, &token_id]).await? else {
            return Ok(None);
        };
        let role: Role = word(&speaker, 3, "members.role")?;
        let mut scopes = scopes(&token, 4)?;
        scopes.retain(|scope| role.scopes().contains(scope));
        Ok(Some(Identity {
            org: OrgId(org),
            org_slug: speaker.try_get(0)?,
            member: MemberId(member),
            handle: speaker.try_get(1)?,
            kind: word(&speaker, 2, "members.kind")?,
            role,
            token_id,
            token_name: token.try_get(3)?,
            scopes,
            expires_at: token.try_get(5)?,
            last_used_at: speaker.try_get(4)?,
            ci: token.try_get::<_, Option<Json<CiContext>>>(6)?.map(|Json(ci)| ci),
        }))
    }

    /// Notes that a token was used. The caller asks at most once a minute.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn token_used(&self, org: OrgId, token_id: Uuid, now: DateTime<Utc>) -> Result<(), StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(
                "-- team::token_used\n\
                 insert into token_uses (org_id, token_id, last_used_at) values ($1, $2, $3)\n\
                 on conflict (org_id, token_id) do update set last_used_at = excluded.last_used_at\n\
                 where token_uses.last_used_at < excluded.last_used_at - interval '1 minute'",
            )
            .await?;
        client.execute(&statement, &[&org.0, &token_id, &now]).await?;
        Ok(())
    }
}
