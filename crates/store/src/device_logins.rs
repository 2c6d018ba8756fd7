//! Logins of the command line that a person confirms in a browser, in the manner of RFC 8628.
//!
//! The machine holds a long secret, the device code, and shows a short one, the user code. A member who is signed in
//! confirms the user code; the next request with the device code then makes the token. Its plain text exists only in
//! that answer. It allows no more than the session that confirmed.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use model::{
    administration::{DEFAULT_TOKEN_DAYS, DEVICE_LOGIN_MINUTES, DEVICE_LOGIN_SECONDS},
    team::Scope,
    token::{PageSecret, UserCode},
};
use serde_json::json;
use tokio_postgres::Row;

pub use crate::error::NoToken;
use crate::{
    Store, StoreError,
    audit::{self, Act, Action, Actor, Subject},
    identity::find_speaker,
    row,
    team::{self, Issued, NewToken, Origin, random_token},
};

/// Logins that one address can leave waiting.
const MAX_OF_ADDRESS: i64 = 20;
/// Logins that can wait.
const MAX_OF_ALL: i64 = 10_000;

/// A login that begins.
#[derive(Clone, Debug)]
pub struct DeviceLogin<'a> {
    /// What the machine calls itself.
    pub machine: &'a str,
    /// What its token should be allowed to do.
    pub scopes: &'a [Scope],
    /// Where it asks from.
    pub address: Option<IpAddr>,
}

/// The codes of a login. They are not stored.
#[derive(Clone, Debug)]
pub struct DeviceCodes {
    /// What the machine asks with.
    pub device: PageSecret,
    /// What the person confirms.
    pub user: UserCode,
    /// When both stop working.
    pub expires_at: DateTime<Utc>,
}

/// A login that waits for its confirmation.
#[derive(Clone, Debug)]
pub struct WaitingLogin {
    /// What the machine calls itself.
    pub machine: String,
    /// What its token should be allowed to do.
    pub scopes: Vec<Scope>,
    /// Where it asked from.
    pub address: Option<IpAddr>,
    /// When it asked.
    pub created_at: DateTime<Utc>,
}

impl Store {
    /// Begins a login; `None` when too many wait already.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn device_login_start(
        &self,
        login: &DeviceLogin<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<DeviceCodes>, StoreError> {
        let codes = DeviceCodes {
            device: PageSecret::from_token(&random_token()?),
            user: random_code()?,
            expires_at: now + TimeDelta::minutes(i64::from(DEVICE_LOGIN_MINUTES)),
        };
        let scopes: Vec<&str> = login.scopes.iter().map(|scope| scope.as_str()).collect();
        let client = self.client().await?;
        client
            .execute(
                "-- device_logins::device_login_start (expired)\ndelete from device_logins where expires_at <= $1",
                &[&now],
            )
            .await?;
        let started = client
            .execute(
                include_str!("device_logins/start.sql"),
                &[
                    &codes.device.hash().0.as_slice(),
                    &codes.user.hash().0.as_slice(),
                    &login.machine,
                    &scopes,
                    &login.address,
                    &now,
                    &codes.expires_at,
                    &DEVICE_LOGIN_SECONDS,
                    &MAX_OF_ADDRESS,
                    &MAX_OF_ALL,
                ],
            )
            .await?;
        Ok((started == 1).then_some(codes))
    }

    /// The login that waits under a code; `None` when there is none.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn device_login_find(
        &self,
        code: &UserCode,
        now: DateTime<Utc>,
    ) -> Result<Option<WaitingLogin>, StoreError> {
        let client = self.client().await?;
        let found = client
            .query_opt(
                "-- device_logins::device_login_find\n\
                 select machine, scopes, address, created_at from device_logins\n\
                 where user_hash = $1 and expires_at > $2 and not denied and confirmed_token is null",
                &[&code.hash().0.as_slice(), &now],
            )
            .await?;
        found.as_ref().map(read_waiting).transpose()
    }

    /// Confirms or denies the login that waits under a code, once.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when no login waits under the code; [`StoreError::NotAllowed`] when the actor's session
    /// allows nothing of what the login is for.
    pub async fn device_login_decide(
        &self,
        act: &Act,
        code: &UserCode,
        confirm: bool,
    ) -> Result<WaitingLogin, StoreError> {
        let Actor::Member { identity, .. } = &act.actor else {
            return Err(StoreError::NotAllowed("a member confirms a login".into()));
        };
        let mut client = self.client().await?;
        let (transaction, _) = audit::begin(&mut client, act).await?;
        let token = confirm.then_some(identity.token_id);
        let allowed: Vec<&str> = identity.scopes.iter().map(|scope| scope.as_str()).collect();
        let decided = transaction
            .query_opt(
                "-- device_logins::device_login_decide\n\
                 update device_logins\n\
                 set denied = $3::uuid is null, confirmed_token = $3,\n\
                 \x20   confirmed_org = case when $3::uuid is null then null else $4::bigint end,\n\
                 \x20   scopes = array(select s from unnest(scopes) s where $3::uuid is null or s = any ($5::text[]))\n\
                 where user_hash = $1 and expires_at > $2 and not denied and confirmed_token is null\n\
                 returning machine, scopes, address, created_at",
                &[&code.hash().0.as_slice(), &act.now, &token, &act.org.0, &allowed],
            )
            .await?
            .ok_or_else(|| {
                StoreError::NotFound(
                    "no login waits under this code: it was used, has expired, or was mistyped".into(),
                )
            })?;
        let login = read_waiting(&decided)?;
        let action = if confirm {
            if login.scopes.is_empty() {
                return Err(StoreError::NotAllowed(
                    "your session allows nothing of what this login is for".into(),
                ));
            }
            Action::LoginConfirmed
        } else {
            Action::LoginDenied
        };
        let details =
            json!({ "machine": login.machine, "scopes": login.scopes, "asked_from": login.address });
        let subject = Subject::member(identity.member, &identity.handle);
        audit::record(&transaction, act, action, subject, &details).await?;
        transaction.commit().await?;
        Ok(login)
    }

    /// Makes the token of a login that was confirmed, once.
    ///
    /// # Errors
    /// [`StoreError::NoToken`] says why there is none.
    pub async fn device_login_token(
        &self,
        code: &PageSecret,
        address: Option<IpAddr>,
        now: DateTime<Utc>,
    ) -> Result<(model::OrgId, Issued), StoreError> {
        let mut client = self.client().await?;
        let hash = code.hash();
        let device = hash.0.as_slice();
        let row = client
            .query_opt(include_str!("device_logins/poll.sql"), &[&device, &now])
            .await?
            .ok_or(NoToken::Expired)?;
        if row.try_get("denied")? {
            return Err(NoToken::Denied.into());
        }
        if !row.try_get::<_, bool>("is_confirmed")? {
            return Err(if row.try_get("is_early")? {
                NoToken::SlowDown.into()
            } else {
                NoToken::Pending.into()
            });
        }
        let confirmed = client
            .query_opt(include_str!("device_logins/confirmed.sql"), &[&device, &now])
            .await?
            .ok_or(NoToken::Expired)?;
        let identity = find_speaker(&client, &confirmed).await?.ok_or(NoToken::Expired)?;
        let act = Act::by_member(identity.clone(), address, now);
        let (transaction, _) = audit::begin(&mut client, &act).await?;
        let taken = transaction
            .query_opt(
                "-- device_logins::device_login_token\n\
                 delete from device_logins where device_hash = $1 and confirmed_org = $2 and expires_at > $3\n\
                 returning machine, scopes",
                &[&device, &act.org.0, &now],
            )
            .await?
            .ok_or(NoToken::Expired)?;
        let machine: String = taken.try_get("machine")?;
        let mut scopes: Vec<Scope> = row::words(&taken, "scopes")?;
        scopes.retain(|scope| identity.scopes.contains(scope));
        if scopes.is_empty() {
            return Err(NoToken::Denied.into());
        }
        let new = NewToken {
            name: &format!("login on {machine}"),
            scopes: &scopes,
            expires_at: Some(now + TimeDelta::days(i64::from(DEFAULT_TOKEN_DAYS))),
        };
        let issued = team::issue(&transaction, &act, identity.member, &new, &Origin::default()).await?;
        let details = json!({
            "token_id": issued.token_id, "name": new.name, "scopes": new.scopes, "expires_at": new.expires_at,
        });
        let subject = Subject::member(identity.member, &identity.handle);
        audit::record(&transaction, &act, Action::TokenCreated, subject, &details).await?;
        transaction.commit().await?;
        Ok((act.org, issued))
    }
}

fn read_waiting(row: &Row) -> Result<WaitingLogin, StoreError> {
    Ok(WaitingLogin {
        machine: row.try_get("machine")?,
        scopes: row::words(row, "scopes")?,
        address: row.try_get("address")?,
        created_at: row.try_get("created_at")?,
    })
}

/// A code from the randomness of the operating system.
fn random_code() -> Result<UserCode, StoreError> {
    let mut bytes = [0_u8; 64];
    loop {
        getrandom::fill(&mut bytes).map_err(|error| StoreError::Randomness(error.to_string()))?;
        if let Some(code) = UserCode::from_random(&bytes) {
            return Ok(code);
        }
    }
}
