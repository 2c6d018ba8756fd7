//! What the operator does to a team at the database: the counterparts of `members`, `tokens`, `audit`, and the database
//! roles that BI tools read with.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use client::render::{self, Format, Listing};
use model::{
    administration::{self, MemberChange, Members, Tokens},
    api::query::{AuditQuery, ListQuery, MembersQuery},
    limits::PAGE_ROWS,
    team::Role,
};
use serde::Serialize;
use serde_json::json;
use store::{Store, StoreError, audit::Act, page::Page, team::TokenFilter};

use super::{Done, done};
use crate::talk;

/// The org that a command is about.
#[derive(Args, Debug)]
pub(super) struct InOrg {
    /// The org's slug.
    #[arg(long)]
    org: String,
}

impl InOrg {
    async fn act(&self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Act> {
        Ok(Act::by_operator(store.org_find(&self.org).await?, now))
    }
}

/// An answer of the API, as its own command shows it.
pub(super) fn listed<T: Serialize>(
    answer: &T,
    listing: fn(&T, DateTime<Utc>) -> Listing,
    now: DateTime<Utc>,
) -> anyhow::Result<Done> {
    let table = listing(answer, now).render(Format::Table);
    done(table.trim_end_matches('\n'), json!(answer))
}

/// The rows of all pages of a list.
async fn every_page<T>(
    page: impl AsyncFn(Option<String>) -> Result<Page<T>, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let next = page(cursor).await?;
        rows.extend(next.rows);
        cursor = next.next_cursor;
        if cursor.is_none() {
            return Ok(rows);
        }
    }
}

/// Commands about members that exist.
#[derive(Subcommand, Debug)]
pub(super) enum MemberChanges {
    /// Show the members of an org.
    List {
        #[command(flatten)]
        org: InOrg,
    },
    /// Give a member another name.
    Rename {
        /// The name now.
        handle: String,
        /// The new name.
        new: String,
        #[command(flatten)]
        org: InOrg,
    },
    /// Give a member another role.
    Role {
        /// The member.
        handle: String,
        /// viewer, member, admin or owner.
        role: Role,
        #[command(flatten)]
        org: InOrg,
    },
    /// Lock a member out and revoke their tokens.
    Deactivate {
        /// The member.
        handle: String,
        #[command(flatten)]
        org: InOrg,
    },
    /// Let a member in again.
    Reactivate {
        /// The member.
        handle: String,
        #[command(flatten)]
        org: InOrg,
    },
    /// Delete everything that a member has uploaded, in one transaction.
    EraseData {
        /// The member.
        handle: String,
        #[command(flatten)]
        org: InOrg,
        /// The handle once more: it cannot be taken back.
        #[arg(long, value_name = "HANDLE")]
        confirm: String,
    },
}

impl MemberChanges {
    pub(super) async fn run(self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Done> {
        let (org, handle, change) = match self {
            MemberChanges::List { org } => {
                let act = org.act(store, now).await?;
                let members = every_page(async |cursor| {
                    let query = MembersQuery::default().with_page(Some(PAGE_ROWS), cursor);
                    store.member_list(act.org, &query, now).await
                })
                .await?;
                let answer = Members {
                    members,
                    next_cursor: None,
                };
                return listed(&answer, render::team::members, now);
            }
            MemberChanges::EraseData { handle, org, confirm } => {
                crate::command::managing::confirmed(&confirm, &handle)?;
                let act = org.act(store, now).await?;
                let deleted = store.member_erase(&act, &handle).await?;
                return done(
                    format!("deleted {} events of `{handle}`", deleted.events),
                    json!(deleted),
                );
            }
            MemberChanges::Rename { handle, new, org } => (
                org,
                handle,
                MemberChange {
                    handle: Some(new),
                    ..MemberChange::default()
                },
            ),
            MemberChanges::Role { handle, role, org } => (
                org,
                handle,
                MemberChange {
                    role: Some(role),
                    ..MemberChange::default()
                },
            ),
            MemberChanges::Deactivate { handle, org } => (
                org,
                handle,
                MemberChange {
                    active: Some(false),
                    ..MemberChange::default()
                },
            ),
            MemberChanges::Reactivate { handle, org } => (
                org,
                handle,
                MemberChange {
                    active: Some(true),
                    ..MemberChange::default()
                },
            ),
        };
        let act = org.act(store, now).await?;
        let member = store.member_change(&act, &handle, &change).await?;
        let state = if member.deactivated_at.is_some() {
            "deactivated"
        } else {
            "active"
        };
        done(
            format!("`{}` is {} and {state}", member.handle, member.role),
            json!(member),
        )
    }
}

/// Commands about tokens that exist.
#[derive(Subcommand, Debug)]
pub(super) enum TokenChanges {
    /// Show the tokens of an org that work.
    List {
        #[command(flatten)]
        org: InOrg,
        /// Those of this member.
        #[arg(long)]
        member: Option<String>,
    },
    /// End a token, from the next request on.
    Revoke {
        /// The id of the token.
        token_id: uuid::Uuid,
        #[command(flatten)]
        org: InOrg,
    },
}

impl TokenChanges {
    pub(super) async fn run(self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Done> {
        match self {
            TokenChanges::List { org, member } => {
                let act = org.act(store, now).await?;
                if let Some(handle) = &member {
                    store.member_find(act.org, handle).await?;
                }
                let filter = TokenFilter {
                    member: member.as_deref(),
                    token_id: None,
                    active: true,
                };
                let tokens = every_page(async |cursor| {
                    store
                        .token_list(act.org, filter, cursor.as_deref(), PAGE_ROWS, now)
                        .await
                })
                .await?;
                let answer = Tokens {
                    tokens,
                    next_cursor: None,
                };
                listed(&answer, render::team::tokens, now)
            }
            TokenChanges::Revoke { token_id, org } => {
                let act = org.act(store, now).await?;
                store.token_revoke(&act, token_id).await?;
                done(
                    format!("revoked {token_id}"),
                    json!({ "token_id": token_id.to_string() }),
                )
            }
        }
    }
}

/// Database roles that read one org, and nothing of a person.
#[derive(Subcommand, Debug)]
pub(super) enum Readers {
    /// Make a role; prints its password, alone, on standard output. It is not shown again.
    Create {
        /// 1 to 63 lower-case letters, digits and underscores.
        role: String,
        #[command(flatten)]
        org: InOrg,
    },
    /// Show the roles of an org.
    List {
        #[command(flatten)]
        org: InOrg,
    },
    /// Drop a role.
    Remove {
        /// The role.
        role: String,
        #[command(flatten)]
        org: InOrg,
    },
}

impl Readers {
    pub(super) async fn run(self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Done> {
        match self {
            Readers::Create { role, org } => {
                let act = org.act(store, now).await?;
                let password = store.reader_create(&act, &role).await?;
                talk::note(&format!(
                    "the role `{role}` reads the org `{}`; its password:",
                    org.org
                ));
                done(password.clone(), json!({ "role": role, "password": password }))
            }
            Readers::List { org } => {
                let act = org.act(store, now).await?;
                let roles: Vec<String> = store
                    .reader_list(act.org)
                    .await?
                    .into_iter()
                    .map(|reader| reader.role)
                    .collect();
                done(roles.join("\n"), json!({ "readers": roles }))
            }
            Readers::Remove { role, org } => {
                let act = org.act(store, now).await?;
                store.reader_remove(&act, &role).await?;
                done(format!("dropped the role `{role}`"), json!({ "role": role }))
            }
        }
    }
}

/// Shows who did what in an org, newest first.
#[derive(Args, Debug)]
pub(super) struct Audit {
    #[command(flatten)]
    org: InOrg,
    /// How many acts, at most 10,000.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

impl Audit {
    pub(super) async fn run(self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Done> {
        let act = self.org.act(store, now).await?;
        let page = store
            .audit_list(act.org, &AuditQuery::default().with_page(Some(self.limit), None))
            .await?;
        let answer = administration::Audit {
            audit: page.rows,
            next_cursor: page.next_cursor,
        };
        listed(&answer, render::team::audit, now)
    }
}
