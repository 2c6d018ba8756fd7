//! Page sessions: what a browser holds in the place of a token, and the links that begin one.
//!
//! A session speaks for the token that it was begun with: it may do what that token may do, and ends when the token is
//! revoked or expires, or its member is deactivated. Only hashes of secrets are stored.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;
use model::{
    administration::{PAGE_LINK_MINUTES, PAGE_SESSION_DAYS},
    team::Scope,
    token::PageSecret,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Actor, Subject},
    identity::{Identity, find_speaker},
    team::random_token,
};

/// A secret that was just made. It is not stored.
#[derive(Clone, Debug)]
pub struct IssuedSecret {
    /// The plain text.
    pub secret: PageSecret,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
}

/// A session, as a request finds it.
#[derive(Clone, Debug)]
pub struct PageSession {
    /// Its id.
    pub id: Uuid,
    /// On whose behalf the browser asks.
    pub identity: Identity,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

impl Store {
    /// Begins a session of the actor's token.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] when the token may not read, because every page reads.
    pub async fn page_session_begin(&self, act: &Act) -> Result<IssuedSecret, StoreError> {
        let identity = speaker(act)?;
        let secret = PageSecret::from_token(&random_token()?);
        let latest = act.now + TimeDelta::days(i64::from(PAGE_SESSION_DAYS));
        let expires_at = identity.expires_at.map_or(latest, |end| end.min(latest));
        let id = Uuid::now_v7();
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        delete_expired(&transaction, act).await?;
        transaction
            .execute(
                "-- page_sessions::page_session_begin\n\
                 insert into page_sessions\n\
                     (org_id, page_session_id, secret_hash, member_id, token_id, created_at, expires_at)\n\
                 values ($1, $2, $3, $4, $5, $6, $7)",
                &[
                    &act.org.0,
                    &id,
                    &secret.hash().0.as_slice(),
                    &identity.member.0,
                    &identity.token_id,
                    &act.now,
                    &expires_at,
                ],
            )
            .await?;
        let details = json!({ "page_session_id": id, "expires_at": expires_at });
        let subject = Subject::member(identity.member, &identity.handle);
        audit::record(&transaction, act, Action::SignedIn, subject, &details).await?;
        transaction.commit().await?;
        Ok(IssuedSecret { secret, expires_at })
    }

    /// The session of a secret; `None` when it has ended.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn page_session_identity(
        &self,
        secret: &PageSecret,
        now: DateTime<Utc>,
    ) -> Result<Option<PageSession>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(include_str!("page_sessions/identity.sql"))
            .await?;
        let hash = secret.hash();
        let Some(row) = client.query_opt(&statement, &[&hash.0.as_slice(), &now]).await? else {
            return Ok(None);
        };
        let Some(identity) = find_speaker(&client, &row).await? else {
            return Ok(None);
        };
        Ok(Some(PageSession {
            id: row.try_get("page_session_id")?,
            identity,
            expires_at: row.try_get("session_expires_at")?,
        }))
    }

    /// Ends one session of the actor, or all of them; answers how many there were.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn page_session_end(&self, act: &Act, only: Option<Uuid>) -> Result<u64, StoreError> {
        let identity = speaker(act)?;
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        let ended = transaction
            .execute(
                "-- page_sessions::page_session_end\n\
                 delete from page_sessions\n\
                 where org_id = $1 and member_id = $2 and ($3::uuid is null or page_session_id = $3)",
                &[&act.org.0, &identity.member.0, &only],
            )
            .await?;
        let details = json!({ "page_session_id": only, "sessions": ended });
        let subject = Subject::member(identity.member, &identity.handle);
        audit::record(&transaction, act, Action::SignedOut, subject, &details).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    /// Makes a link that begins one session of the actor's token.
    ///
    /// # Errors
    /// As [`Store::page_session_begin`].
    pub async fn page_link_issue(&self, act: &Act) -> Result<IssuedSecret, StoreError> {
        let identity = speaker(act)?;
        let secret = PageSecret::from_token(&random_token()?);
        let expires_at = act.now + TimeDelta::minutes(i64::from(PAGE_LINK_MINUTES));
        let id = Uuid::now_v7();
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        delete_expired(&transaction, act).await?;
        transaction
            .execute(
                "-- page_sessions::page_link_issue\n\
                 insert into page_links (org_id, page_link_id, secret_hash, token_id, expires_at)\n\
                 values ($1, $2, $3, $4, $5)",
                &[
                    &act.org.0,
                    &id,
                    &secret.hash().0.as_slice(),
                    &identity.token_id,
                    &expires_at,
                ],
            )
            .await?;
        let details = json!({ "page_link_id": id, "expires_at": expires_at });
        let subject = Subject::member(identity.member, &identity.handle);
        audit::record(&transaction, act, Action::LinkCreated, subject, &details).await?;
        transaction.commit().await?;
        Ok(IssuedSecret { secret, expires_at })
    }

    /// Takes a link, which works once: the identity of its token, or `None` when it was taken or has expired.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn page_link_take(
        &self,
        secret: &PageSecret,
        now: DateTime<Utc>,
    ) -> Result<Option<Identity>, StoreError> {
        let client = self.client().await?;
        let statement = client
            .prepare_cached(include_str!("page_sessions/take_link.sql"))
            .await?;
        let hash = secret.hash();
        match client.query_opt(&statement, &[&hash.0.as_slice(), &now]).await? {
            Some(row) => find_speaker(&client, &row).await,
            None => Ok(None),
        }
    }
}

/// The actor, who must be a member with a token that may read.
fn speaker(act: &Act) -> Result<&Identity, StoreError> {
    match &act.actor {
        Actor::Member { identity, .. } if identity.scopes.contains(&Scope::Read) => Ok(identity),
        _ => Err(StoreError::NotAllowed(
            "the pages need a token with scope `read`".into(),
        )),
    }
}

/// Deletes the org's sessions and links that have expired: they are useless, and nothing else removes them.
async fn delete_expired(transaction: &Transaction<'_>, act: &Act) -> Result<(), StoreError> {
    for statement in [
        "-- page_sessions::delete_expired (sessions)\n\
         delete from page_sessions where org_id = $1 and expires_at <= $2",
        "-- page_sessions::delete_expired (links)\n\
         delete from page_links where org_id = $1 and expires_at <= $2",
    ] {
        transaction.execute(statement, &[&act.org.0, &act.now]).await?;
    }
    Ok(())
}
