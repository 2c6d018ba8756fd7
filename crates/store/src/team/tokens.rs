//! Tokens: who a request speaks for, and making, rotating and ending what says so.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::Transaction;
use model::{
    MemberId, OrgId,
    administration::{GREATEST_OVERLAP_HOURS, INVITATION, TOKEN_DAYS, TokenInfo},
    api::CiContext,
    limits,
    team::{MemberKind, Role, Scope},
    text,
    token::{PREFIX, Token, TokenHash},
};
use serde_json::json;
use tokio_postgres::{Row, types::Json};
use uuid::Uuid;

use super::{members, word};
use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Actor, Subject},
    page::{self, Page},
};

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

/// A token that was made. Its `Debug` shows nothing of it.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The plain text, which is here and nowhere else.
    pub token: Token,
    /// Its id.
    pub token_id: Uuid,
}

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
    /// Makes a token for a member: an act of the operator. The plain text is in the answer and nowhere else.
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
                "-- team::member_handle\nselect handle from members where org_id = $1 and member_id = $2",
                &[&org.0, &member.0],
            )
            .await?
            .ok_or_else(|| StoreError::NotFound("such member".into()))?;
        let handle: String = row.try_get(0)?;
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
    /// [`StoreError::Invalid`] when the name is none; [`StoreError::NotFound`] when there is no such member;
    /// [`StoreError::Conflict`] when the member is not active.
    pub async fn token_issue(
        &self,
        act: &Act,
        handle: &str,
        new: &NewToken<'_>,
    ) -> Result<Issued, StoreError> {
        let mut client = self.client().await?;
        let (transaction, rank) = audit::begin(&mut client, act).await?;
        let member = members::find(&transaction, act.org, handle).await?;
        if !act.is_by(member.id) && !act.administers() {
            return Err(StoreError::NotAllowed(
                "this token manages only your own tokens".into(),
            ));
        }
        members::within(rank, member.role)?;
        if let Actor::Member { identity, .. } = &act.actor
            && !act.administers()
            && let Some(scope) = new.scopes.iter().find(|scope| !identity.scopes.contains(scope))
        {
            return Err(StoreError::NotAllowed(format!(
                "a token makes others only for what it may do itself, and yours may not `{scope}`"
            )));
        }
        if !member.active {
            return Err(StoreError::Conflict(format!(
                "`{handle}` is deactivated; reactivate them first"
            )));
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

    /// Makes a fresh token in place of another: same member, scopes and length of life, but that an invitation gets the
    /// life of any token. The old one goes on working for `overlap`, so that it can be replaced wherever it is in use.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the org has no such token that works, or it is somebody else's and the actor
    /// does not administer; [`StoreError::NotAllowed`] when the member is above the actor, or the token belongs to a
    /// CI run; [`StoreError::Invalid`] when the overlap is longer than a week.
    pub async fn token_rotate(
        &self,
        act: &Act,
        token_id: Uuid,
        overlap: TimeDelta,
        name: Option<&str>,
    ) -> Result<Issued, StoreError> {
        if overlap < TimeDelta::zero() || overlap > TimeDelta::hours(i64::from(GREATEST_OVERLAP_HOURS)) {
            return Err(StoreError::Invalid(format!(
                "`overlap_hours` is 0 to {GREATEST_OVERLAP_HOURS}"
            )));
        }
        let mut client = self.client().await?;
        let (transaction, rank) = audit::begin(&mut client, act).await?;
        let old = find(&transaction, act, token_id).await?;
        members::within(rank, old.role)?;
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
                "-- team::token_overlap\n\
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

    /// Ends a token, from the next request on and in every process. Ending one that has ended changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the org has no such token, or it is somebody else's and the actor does not
    /// administer; [`StoreError::NotAllowed`] when the member is above the actor.
    pub async fn token_revoke(&self, act: &Act, token_id: Uuid) -> Result<(), StoreError> {
        let mut client = self.client().await?;
        let (transaction, rank) = audit::begin(&mut client, act).await?;
        let token = find_any(&transaction, act, token_id).await?;
        if !act.is_by(token.member) {
            members::within(rank, token.role)?;
        }
        let ended = transaction
            .execute(
                "-- team::token_revoke\n\
                 update api_tokens set revoked_at = $3 where org_id = $1 and token_id = $2 and revoked_at is null",
                &[&act.org.0, &token_id, &act.now],
            )
            .await?;
        if ended > 0 {
            let details = json!({ "token_id": token_id, "name": token.name });
            let subject = Subject::member(token.member, &token.handle);
            audit::record(&transaction, act, Action::TokenRevoked, subject, &details).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

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
            "-- team::token_issue\n\
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
    StoreError::NotFound("such token".into())
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

/// Random letters and digits, 178 bits of them: a password for a machine.
pub(crate) fn random_text() -> Result<String, StoreError> {
    let token = random_token()?;
    Ok(token.reveal()[PREFIX.len()..].to_owned())
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
