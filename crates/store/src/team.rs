//! Orgs, members and tokens.

use chrono::{DateTime, Utc};
use model::{
    MemberId, OrgId,
    team::{MemberKind, Role, Scope, check_handle, check_slug},
    token::{Token, TokenHash},
};
use uuid::Uuid;

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
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A token to make.
#[derive(Clone, Debug)]
pub struct NewToken<'a> {
    /// What people call it.
    pub name: &'a str,
    /// What it may do; not empty.
    pub scopes: &'a [Scope],
    /// When it ends; `None` for never.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Creates an org.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the slug is not one; [`StoreError::Exists`] when it is taken.
    pub async fn org_create(&self, slug: &str, now: DateTime<Utc>) -> Result<OrgId, StoreError> {
        check_slug(slug).map_err(|error| StoreError::Invalid(error.to_string()))?;
        let client = self.client().await?;
        let row = client
            .query_opt(
                "-- team::org_create\n\
                 insert into orgs (slug, created_at) values ($1, $2) on conflict (slug) do nothing returning org_id",
                &[&slug, &now],
            )
            .await?
            .ok_or_else(|| StoreError::Exists(format!("the org `{slug}`")))?;
        Ok(OrgId(row.try_get(0)?))
    }

    /// Finds an org by its slug.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn org_find(&self, slug: &str) -> Result<OrgId, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "-- team::org_find\nselect org_id from orgs where slug = $1",
                &[&slug],
            )
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("the org `{slug}`")))?;
        Ok(OrgId(row.try_get(0)?))
    }

    /// How many orgs there are.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn org_count(&self) -> Result<i64, StoreError> {
        let client = self.client().await?;
        Ok(client
            .query_one("-- team::org_count\nselect count(*) from orgs", &[])
            .await?
            .try_get(0)?)
    }

    /// Adds a member to an org.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the handle is not one; [`StoreError::Exists`] when the org has it already.
    pub async fn member_add(
        &self,
        org: OrgId,
        handle: &str,
        kind: MemberKind,
        role: Role,
        now: DateTime<Utc>,
    ) -> Result<MemberId, StoreError> {
        check_handle(handle).map_err(|error| StoreError::Invalid(error.to_string()))?;
        let client = self.client().await?;
        let row = client
            .query_opt(
                "-- team::member_add\n\
                 insert into members (org_id, handle, kind, role, created_at) values ($1, $2, $3, $4, $5)\n\
                 on conflict (org_id, handle) do nothing returning member_id",
                &[&org.0, &handle, &kind.as_str(), &role.as_str(), &now],
            )
            .await?
            .ok_or_else(|| StoreError::Exists(format!("the member `{handle}`")))?;
        Ok(MemberId(row.try_get(0)?))
    }

    /// Finds a member by handle.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the org has none.
    pub async fn member_find(&self, org: OrgId, handle: &str) -> Result<MemberId, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "-- team::member_find\nselect member_id from members where org_id = $1 and handle = $2",
                &[&org.0, &handle],
            )
            .await?
            .ok_or_else(|| StoreError::NotFound(format!("the member `{handle}`")))?;
        Ok(MemberId(row.try_get(0)?))
    }

    /// Makes a token for a member. The plain text is in the answer and nowhere else.
    ///
    /// # Errors
    /// When the system gives no randomness, or the database cannot be asked.
    pub async fn token_create(
        &self,
        org: OrgId,
        member: MemberId,
        new: &NewToken<'_>,
        now: DateTime<Utc>,
    ) -> Result<Token, StoreError> {
        let token = random_token()?;
        let TokenHash(hash) = token.hash();
        let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
        let client = self.client().await?;
        client
            .execute(
                "-- team::token_create\n\
                 insert into api_tokens\n\
                 (org_id, token_id, token_hash, member_id, name, scopes, created_at, expires_at)\n\
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
                &[
                    &org.0,
                    &Uuid::now_v7(),
                    &hash.as_slice(),
                    &member.0,
                    &new.name,
                    &scopes,
                    &now,
                    &new.expires_at,
                ],
            )
            .await?;
        Ok(token)
    }

    /// Ends a token, from the next request on and in every process.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn token_revoke(
        &self,
        org: OrgId,
        token_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let client = self.client().await?;
        client
            .execute(
                "-- team::token_revoke\n\
                 update api_tokens set revoked_at = $3 where org_id = $1 and token_id = $2 and revoked_at is null",
                &[&org.0, &token_id, &now],
            )
            .await?;
        Ok(())
    }

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
        let statement = client
            .prepare_cached(include_str!("tokens/authenticate.sql"))
            .await?;
        let Some(token) = client.query_opt(&statement, &[&hash.0.as_slice(), &now]).await? else {
            return Ok(None);
        };
        let (org, token_id, member): (i64, Uuid, i64) =
            (token.try_get(0)?, token.try_get(1)?, token.try_get(2)?);
        let statement = client.prepare_cached(include_str!("tokens/speaker.sql")).await?;
        let Some(speaker) = client.query_opt(&statement, &[&org, &member, &token_id]).await? else {
            return Ok(None);
        };
        let unreadable = |column: &'static str| move |_| StoreError::Unreadable(column);
        let scopes: Vec<&str> = token.try_get(4)?;
        Ok(Some(Identity {
            org: OrgId(org),
            org_slug: speaker.try_get(0)?,
            member: MemberId(member),
            handle: speaker.try_get(1)?,
            kind: speaker
                .try_get::<_, &str>(2)?
                .parse()
                .map_err(unreadable("members.kind"))?,
            role: speaker
                .try_get::<_, &str>(3)?
                .parse()
                .map_err(unreadable("members.role"))?,
            token_id,
            token_name: token.try_get(3)?,
            scopes: scopes
                .into_iter()
                .map(str::parse)
                .collect::<Result<_, _>>()
                .map_err(unreadable("api_tokens.scopes"))?,
            expires_at: token.try_get(5)?,
            last_used_at: speaker.try_get(4)?,
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
                 where token_uses.last_used_at < excluded.last_used_at",
            )
            .await?;
        client.execute(&statement, &[&org.0, &token_id, &now]).await?;
        Ok(())
    }
}

fn random_token() -> Result<Token, StoreError> {
    let mut bytes = [0_u8; 64];
    loop {
        getrandom::fill(&mut bytes).map_err(|error| StoreError::Randomness(error.to_string()))?;
        // Of 64 bytes 62 are usable on average and 30 are needed; the loop is for the one in 10^40.
        if let Some(token) = Token::from_random(&bytes) {
            return Ok(token);
        }
    }
}
