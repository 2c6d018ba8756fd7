//! Making tokens, also in place of others.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;
use model::{
    MemberId, OrgId,
    administration::{INVITATION, INVITATION_DAYS, MAX_OVERLAP_HOURS},
    api::CiContext,
    limits,
    team::{Role, Scope},
    text,
    token::{PREFIX, Token, TokenHash},
};
use serde_json::json;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::{
    super::access,
    end::{Of, end_all},
    lookup::find,
};
use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Actor, Subject},
};

fn deactivated(handle: &str) -> StoreError {
    StoreError::Conflict(format!("`{handle}` is deactivated; reactivate them first"))
}

/// A token to make.
#[derive(Clone, Debug)]
pub struct NewToken<'a> {
    /// What people call it.
    pub name: &'a str,
    /// What it may do; not empty.
    pub scopes: &'a [Scope],
    /// When it expires; `None` for never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A new token. Its `Debug` shows nothing of it.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The plain text, which is not stored.
    pub token: Token,
    /// Its id.
    pub token_id: Uuid,
}

impl Store {
    /// Makes a token for a member: an act of the operator. Only the returned value contains the plain text.
    ///
    /// # Errors
    /// As [`Store::token_issue`].
    pub async fn token_create(
        &self,
        org: OrgId,
        member: MemberId,
        new: &NewToken<'_>,
        now: DateTime<Utc>,
    ) -> Result<Token, StoreError> {
        let client = self.client().await?;
        let row = client
            .query_opt(
                "-- team::tokens::issue::token_create\nselect handle from members where org_id = $1 and member_id = $2",
                &[&org.0, &member.0],
            )
            .await?
            .ok_or_else(|| StoreError::NotFound("no such member".into()))?;
        let handle: String = row.try_get("handle")?;
        drop(client);
        let issued = self
            .token_issue(&Act::by_operator(org, now), &handle, new)
            .await?;
        Ok(issued.token)
    }

    /// Makes a token for a member: for oneself within what one's own token may do, or as an administrator for
    /// members up to one's own role.
    ///
    /// # Errors
    /// [`StoreError::NotAllowed`] when the role of the member, or of the actor, does not allow it;
    /// [`StoreError::Invalid`] when the name is invalid; [`StoreError::NotFound`] when there is no such member;
    /// [`StoreError::Conflict`] when the member is not active.
    pub async fn token_issue(
        &self,
        act: &Act,
        handle: &str,
        new: &NewToken<'_>,
    ) -> Result<Issued, StoreError> {
        let mut client = self.client().await?;
        let (transaction, rank) = audit::begin(&mut client, act).await?;
        // Checked before the member is looked up: the answer must not tell which members there are.
        if act.name() != handle && !act.administers() {
            return Err(StoreError::NotAllowed(
                "this token manages only your own tokens".into(),
            ));
        }
        let member = access::find(&transaction, act.org, handle).await?;
        access::within(rank, member.role)?;
        if let Actor::Member { identity, .. } = &act.actor
            && !act.administers()
            && let Some(scope) = new.scopes.iter().find(|scope| !identity.scopes.contains(scope))
        {
            return Err(StoreError::NotAllowed(format!(
                "a token makes others only for what it may do itself, and yours may not `{scope}`"
            )));
        }
        if !member.active {
            return Err(deactivated(handle));
        }
        check_scopes(member.role, new.scopes)?;
        let origin = Origin::default();
        let issued = issue(&transaction, act, member.id, new, &origin).await?;
        let details = json!({
            "token_id": issued.token_id, "name": new.name, "scopes": new.scopes, "expires_at": new.expires_at,
        });
        let subject = Subject::member(member.id, handle);
        audit::record(&transaction, act, Action::TokenCreated, subject, &details).await?;
        transaction.commit().await?;
        Ok(issued)
    }

    /// Makes an invitation: a token with all scopes of the member's role, to be exchanged by a login. Earlier invitations
    /// of the member end.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such member; [`StoreError::NotAllowed`] when the member is above the
    /// actor; [`StoreError::Conflict`] when the member is not active.
    pub async fn invitation_issue(&self, act: &Act, handle: &str) -> Result<Issued, StoreError> {
        let mut client = self.client().await?;
        let (transaction, rank) = audit::begin(&mut client, act).await?;
        let member = access::find(&transaction, act.org, handle).await?;
        access::within(rank, member.role)?;
        if !member.active {
            return Err(deactivated(handle));
        }
        end_all(&transaction, act, Of::Invitations(member.id)).await?;
        let expires_at = act.now + TimeDelta::days(i64::from(INVITATION_DAYS));
        let new = NewToken {
            name: INVITATION,
            scopes: member.role.scopes(),
            expires_at: Some(expires_at),
        };
        let issued = issue(&transaction, act, member.id, &new, &Origin::default()).await?;
        let details = json!({
            "token_id": issued.token_id, "name": new.name, "scopes": new.scopes, "expires_at": new.expires_at,
        });
        let subject = Subject::member(member.id, handle);
        audit::record(&transaction, act, Action::TokenCreated, subject, &details).await?;
        transaction.commit().await?;
        Ok(issued)
    }

    /// Makes a fresh token in place of another: same member, scopes and lifetime, except that an invitation gets the
    /// default lifetime. The old one remains valid for `overlap`, so that it can be replaced wherever it is in use.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the org has no such token that works, or another member has it and the actor
    /// does not administer; [`StoreError::NotAllowed`] when the member is above the actor, or the token belongs to a
    /// CI run; [`StoreError::Invalid`] when the overlap is longer than a week.
    pub async fn token_rotate(
        &self,
        act: &Act,
        token_id: Uuid,
        overlap: TimeDelta,
        name: Option<&str>,
    ) -> Result<Issued, StoreError> {
        if overlap < TimeDelta::zero() || overlap > TimeDelta::hours(i64::from(MAX_OVERLAP_HOURS)) {
            return Err(StoreError::Invalid(format!(
                "`overlap_hours` is 0 to {MAX_OVERLAP_HOURS}"
            )));
        }
        let mut client = self.client().await?;
        let (transaction, rank) = audit::begin(&mut client, act).await?;
        let old = find(&transaction, act, token_id).await?;
        access::within(rank, old.role)?;
        if old.exchanged {
            return Err(StoreError::NotAllowed(
                "the token of a CI run ends with it; the next run gets its own".into(),
            ));
        }
        let scopes: Vec<Scope> = old
            .scopes
            .iter()
            .copied()
            .filter(|scope| old.role.scopes().contains(scope))
            .collect();
        let new = NewToken {
            name: name.unwrap_or(&old.name),
            scopes: &scopes,
            expires_at: old.expires_at.map(|end| act.now + old.life(end)),
        };
        check_scopes(old.role, new.scopes)?;
        let issued = issue(&transaction, act, old.member, &new, &Origin::default()).await?;
        transaction
            .execute(
                "-- team::tokens::issue::token_rotate\n\
                 update api_tokens set expires_at = least(expires_at, $3) where org_id = $1 and token_id = $2",
                &[&act.org.0, &token_id, &(act.now + overlap)],
            )
            .await?;
        let details = json!({
            "token_id": issued.token_id, "replaces": token_id, "overlap_seconds": overlap.num_seconds(),
            "expires_at": new.expires_at,
        });
        let subject = Subject::member(old.member, &old.handle);
        audit::record(&transaction, act, Action::TokenRotated, subject, &details).await?;
        transaction.commit().await?;
        Ok(issued)
    }
}

/// Where a token comes from, when it was not made by hand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin<'a> {
    pub(crate) publisher: Option<Uuid>,
    pub(crate) ci: Option<&'a CiContext>,
}

/// Makes a token within the transaction of an act.
pub(crate) async fn issue(
    transaction: &Transaction<'_>,
    act: &Act,
    member: MemberId,
    new: &NewToken<'_>,
    origin: &Origin<'_>,
) -> Result<Issued, StoreError> {
    if new.name.is_empty()
        || new.name.chars().count() > limits::NAME_CHARS
        || new.name.chars().any(text::is_unsafe)
    {
        return Err(StoreError::Invalid(format!(
            "the name of a token has 1 to {} characters, and no control characters among them",
            limits::NAME_CHARS
        )));
    }
    let token = random_token()?;
    let token_id = Uuid::now_v7();
    let TokenHash(hash) = token.hash();
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    transaction
        .execute(
            "-- team::tokens::issue::issue\n\
             insert into api_tokens (\n\
             \x20   org_id, token_id, token_hash, member_id, name, scopes, created_at, expires_at, publisher_id, ci\n\
             ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            &[
                &act.org.0,
                &token_id,
                &hash.as_slice(),
                &member.0,
                &new.name,
                &scopes,
                &act.now,
                &new.expires_at,
                &origin.publisher,
                &origin.ci.map(Json),
            ],
        )
        .await?;
    Ok(Issued { token, token_id })
}

fn check_scopes(role: Role, scopes: &[Scope]) -> Result<(), StoreError> {
    if scopes.is_empty() {
        return Err(StoreError::Invalid(
            "a token has at least one scope: upload, read, admin".into(),
        ));
    }
    match scopes.iter().find(|scope| !role.scopes().contains(scope)) {
        None => Ok(()),
        Some(scope) => Err(StoreError::NotAllowed(format!(
            "the role `{role}` does not allow a token with scope `{scope}`"
        ))),
    }
}

/// Random letters and digits, 178 bits of them: a password for a machine.
pub(crate) fn random_text() -> Result<String, StoreError> {
    let token = random_token()?;
    Ok(token.reveal()[PREFIX.len()..].to_owned())
}

/// A token from the randomness of the operating system.
pub(crate) fn random_token() -> Result<Token, StoreError> {
    let mut bytes = [0_u8; 64];
    loop {
        getrandom::fill(&mut bytes).map_err(|error| StoreError::Randomness(error.to_string()))?;
        // Of 64 bytes 62 are usable on average and 30 are needed; the loop is for the one in 10^40.
        if let Some(token) = Token::from_random(&bytes) {
            return Ok(token);
        }
    }
}
