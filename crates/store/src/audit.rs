//! The audit log: who did what to whom, and from where. Also checks who may do it.
//!
//! An administrative act runs in one transaction that begins with [`begin`] and contains a [`record`]. `begin` locks
//! the row of the org, so that the acts of one org happen one after the other (the last owner cannot be demoted twice
//! at once), and reads the actor's current permissions from the database. Uploads do not wait for it.
//!
//! The log is append-only: this file inserts and selects, and no other statement names the table. One role owns the
//! schema and runs the server, so the database itself could not refuse: the log does not protect against a person who has that
//! role's password; a copy elsewhere does.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use deadpool_postgres::{Object, Transaction};
use model::{
    MemberId, OrgId,
    administration::AuditEntry,
    api::query::{AuditQuery, ListQuery},
    team::{Role, Scope},
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Store, StoreError,
    identity::Identity,
    page::{self, Page},
    row,
};

/// An administrative act: the org, the actor and the time.
#[derive(Clone, Debug)]
pub struct Act {
    /// The org.
    pub org: OrgId,
    /// The actor.
    pub actor: Actor,
    /// The time.
    pub now: DateTime<Utc>,
}

/// The actor.
#[derive(Clone, Debug)]
pub enum Actor {
    /// A command at the database itself, which may do everything.
    Operator,
    /// A member, through the API.
    Member {
        /// The identity of the token.
        identity: Box<Identity>,
        /// Where the request came from.
        address: Option<IpAddr>,
    },
    /// A CI run that exchanges its identity.
    Publisher {
        /// The provider and the repository.
        name: String,
        /// Where the request came from.
        address: Option<IpAddr>,
    },
}

impl Act {
    /// An act of the operator.
    pub fn by_operator(org: OrgId, now: DateTime<Utc>) -> Act {
        Act {
            org,
            actor: Actor::Operator,
            now,
        }
    }

    /// An act of a member, in the member's org.
    pub fn by_member(identity: Identity, address: Option<IpAddr>, now: DateTime<Utc>) -> Act {
        Act {
            org: identity.org,
            actor: Actor::Member {
                identity: Box::new(identity),
                address,
            },
            now,
        }
    }

    /// True when the actor is this member.
    pub(crate) fn is_by(&self, member: MemberId) -> bool {
        matches!(&self.actor, Actor::Member { identity, .. } if identity.member == member)
    }

    /// True when the actor's token is for administration.
    pub(crate) fn administers(&self) -> bool {
        match &self.actor {
            Actor::Operator => true,
            Actor::Member { identity, .. } => identity.scopes.contains(&Scope::Admin),
            Actor::Publisher { .. } => false,
        }
    }

    /// The name in the log.
    pub(crate) fn name(&self) -> &str {
        match &self.actor {
            Actor::Operator => "operator",
            Actor::Member { identity, .. } => &identity.handle,
            Actor::Publisher { name, .. } => name,
        }
    }
}

/// The actions, as the audit log names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An org was created.
    OrgCreated,
    /// Settings of the org changed.
    OrgChanged,
    /// A member was added.
    MemberAdded,
    /// A member's name, role or state changed.
    MemberChanged,
    /// A token was made.
    TokenCreated,
    /// A token was exchanged for a fresh one.
    TokenRotated,
    /// A token was revoked.
    TokenRevoked,
    /// A CI run exchanged its identity for a token.
    TokenExchanged,
    /// A trusted publisher was added.
    PublisherAdded,
    /// A trusted publisher was removed.
    PublisherRemoved,
    /// A member changed settings of their own.
    SettingsChanged,
    /// A member's data were exported.
    DataExported,
    /// A member's data were deleted.
    DataDeleted,
    /// The org's own prices changed.
    PricesChanged,
    /// A database role for reading was made.
    ReaderCreated,
    /// A database role for reading was removed.
    ReaderRemoved,
    /// A member signed in to the pages.
    SignedIn,
    /// A member signed out of the pages, in one browser or in all.
    SignedOut,
    /// A link that signs in to the pages was made.
    LinkCreated,
    /// A member confirmed the login of a machine.
    LoginConfirmed,
    /// A member denied the login of a machine.
    LoginDenied,
    /// Something was decided about a tool.
    ToolDecided,
    /// The decision about a tool was taken back.
    DecisionEnded,
}

impl Action {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::OrgCreated => "org.created",
            Action::OrgChanged => "org.changed",
            Action::MemberAdded => "member.added",
            Action::MemberChanged => "member.changed",
            Action::TokenCreated => "token.created",
            Action::TokenRotated => "token.rotated",
            Action::TokenRevoked => "token.revoked",
            Action::TokenExchanged => "token.exchanged",
            Action::PublisherAdded => "publisher.added",
            Action::PublisherRemoved => "publisher.removed",
            Action::SettingsChanged => "settings.changed",
            Action::DataExported => "data.exported",
            Action::DataDeleted => "data.deleted",
            Action::PricesChanged => "prices.changed",
            Action::ReaderCreated => "reader.created",
            Action::ReaderRemoved => "reader.removed",
            Action::SignedIn => "page.signed_in",
            Action::SignedOut => "page.signed_out",
            Action::LinkCreated => "page.link_created",
            Action::LoginConfirmed => "login.confirmed",
            Action::LoginDenied => "login.denied",
            Action::ToolDecided => "tool.decided",
            Action::DecisionEnded => "tool.decision_ended",
        }
    }
}

/// The target of an action.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subject<'a> {
    pub(crate) member: Option<MemberId>,
    pub(crate) name: Option<&'a str>,
}

impl<'a> Subject<'a> {
    pub(crate) fn member(member: MemberId, handle: &'a str) -> Subject<'a> {
        Subject {
            member: Some(member),
            name: Some(handle),
        }
    }

    pub(crate) fn named(name: &'a str) -> Subject<'a> {
        Subject {
            member: None,
            name: Some(name),
        }
    }
}

/// Begins the transaction of an act: the org is locked, and the actor's role is read again.
///
/// # Errors
/// [`StoreError::NotAllowed`] when the actor was deactivated meanwhile.
pub(crate) async fn begin<'c>(
    client: &'c mut Object,
    act: &Act,
) -> Result<(Transaction<'c>, Role), StoreError> {
    let transaction = client.transaction().await?;
    // Acts of an org wait for each other, a deletion included, and only for those of their own org.
    transaction
        .batch_execute("/* audit::begin (timeout) */ set local lock_timeout = '5s'")
        .await?;
    transaction
        .query_opt(
            "-- audit::begin (lock)\nselect from orgs where org_id = $1 for no key update",
            &[&act.org.0],
        )
        .await?;
    let role = match &act.actor {
        Actor::Operator => Role::Owner,
        Actor::Publisher { .. } => Role::Viewer,
        Actor::Member { identity, .. } => {
            let row = transaction
                .query_opt(
                    "-- audit::begin (role)\n\
                     select role from members where org_id = $1 and member_id = $2 and deactivated_at is null",
                    &[&act.org.0, &identity.member.0],
                )
                .await?
                .ok_or_else(|| StoreError::NotAllowed("you are not an active member any more".into()))?;
            row::word(&row, "role")?
        }
    };
    Ok((transaction, role))
}

/// Records an act, in its transaction.
pub(crate) async fn record(
    transaction: &Transaction<'_>,
    act: &Act,
    action: Action,
    subject: Subject<'_>,
    details: &Value,
) -> Result<(), StoreError> {
    let (actor_id, token_id, address) = match &act.actor {
        Actor::Operator => (None, None, None),
        Actor::Member { identity, address } => (Some(identity.member.0), Some(identity.token_id), *address),
        Actor::Publisher { address, .. } => (None, None, *address),
    };
    let statement = transaction
        .prepare_cached(include_str!("audit/record.sql"))
        .await?;
    transaction
        .execute(
            &statement,
            &[
                &act.org.0,
                &Uuid::now_v7(),
                &act.now,
                &action.as_str(),
                &actor_id,
                &act.name(),
                &token_id,
                &address,
                &subject.member.map(|MemberId(id)| id),
                &subject.name,
                details,
            ],
        )
        .await?;
    Ok(())
}

impl Store {
    /// The audit log of an org, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] when no page of this list gave the cursor.
    pub async fn audit_list(&self, org: OrgId, query: &AuditQuery) -> Result<Page<AuditEntry>, StoreError> {
        let limit = query.page_rows();
        let after: Option<(DateTime<Utc>, Uuid)> = page::read_cursor(query.cursor())?;
        let (at, id) = after.unzip();
        let client = self.client().await?;
        let statement = client.prepare_cached(include_str!("audit/list.sql")).await?;
        let rows = client
            .query(
                &statement,
                &[
                    &org.0,
                    &query.actor,
                    &query.action,
                    &at,
                    &id,
                    &(i64::from(limit) + 1),
                ],
            )
            .await?;
        Page::from_rows(&rows, limit, |row| {
            let audit_id: Uuid = row.try_get("audit_id")?;
            let occurred_at: DateTime<Utc> = row.try_get("occurred_at")?;
            let entry = AuditEntry {
                audit_id: audit_id.to_string(),
                occurred_at,
                action: row.try_get("action")?,
                actor: row.try_get("actor")?,
                token_id: row
                    .try_get::<_, Option<Uuid>>("token_id")?
                    .map(|id| id.to_string()),
                address: row
                    .try_get::<_, Option<IpAddr>>("address")?
                    .map(|address| address.to_string()),
                subject: row.try_get("subject")?,
                details: row.try_get("details")?,
            };
            Ok((entry, page::cursor(&(occurred_at, audit_id))))
        })
    }
}
