//! Commands of operators for the team of an org: the counterparts of `members`, `tokens` and `audit`, and the database
//! roles of BI tools.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use client::render::{self, Format, Listing, Screen};
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
use crate::{args::Wide, talk};

/// The org of a command.
#[derive(Args, Debug)]
pub(super) struct InOrg {
    /// Slug of the org
    #[arg(long)]
    org: String,
}

impl InOrg {
    async fn act(&self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Act> {
        Ok(Act::by_operator(store.org_find(&self.org).await?, now))
    }
}

/// Renders a response of the API like the command that reads it from the server.
pub(super) fn listed<T: Serialize>(
    answer: &T,
    listing: fn(&T, DateTime<Utc>) -> Listing,
    now: DateTime<Utc>,
    wide: Wide,
) -> anyhow::Result<Done> {
    let screen = Screen {
        // The text of an answer is cleaned, which removes colors.
        color: false,
        ..talk::screen(wide.wide)
    };
    let listing = listing(answer, now);
    let table = listing.render(Format::Table, screen);
    if let Some(note) = listing.left_out(screen) {
        talk::note(&note);
    }
    done(table.trim_end_matches('\n'), json!(answer))
}

/// Reads the rows of all pages of a list.
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

/// Commands for existing members.
#[derive(Subcommand, Debug)]
pub(super) enum MemberChanges {
    /// List the members of an org
    List {
        #[command(flatten)]
        org: InOrg,
        #[command(flatten)]
        wide: Wide,
    },
    /// Rename a member
    Rename {
        /// Current handle
        handle: String,
        /// New handle
        new: String,
        #[command(flatten)]
        org: InOrg,
    },
    /// Change the role of a member
    Role {
        /// Handle of the member
        handle: String,
        /// New role: viewer, member, admin or owner
        role: Role,
        #[command(flatten)]
        org: InOrg,
    },
    /// Deactivate a member and revoke their tokens
    Deactivate {
        /// Handle of the member
        handle: String,
        #[command(flatten)]
        org: InOrg,
    },
    /// Reactivate a member
    Reactivate {
        /// Handle of the member
        handle: String,
        #[command(flatten)]
        org: InOrg,
    },
    /// Delete all events of a member permanently
    EraseData {
        /// Handle of the member
        handle: String,
        #[command(flatten)]
        org: InOrg,
        /// Handle of the member again, to confirm the deletion, which cannot be undone
        #[arg(long, value_name = "HANDLE")]
        confirm: String,
    },
}

impl MemberChanges {
    pub(super) async fn run(self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Done> {
        let (org, handle, change) = match self {
            MemberChanges::List { org, wide } => return list_members(&org, store, now, wide).await,
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
            MemberChanges::Deactivate { handle, org } => (org, handle, activity(false)),
            MemberChanges::Reactivate { handle, org } => (org, handle, activity(true)),
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

fn activity(active: bool) -> MemberChange {
    MemberChange {
        active: Some(active),
        ..MemberChange::default()
    }
}

async fn list_members(org: &InOrg, store: &Store, now: DateTime<Utc>, wide: Wide) -> anyhow::Result<Done> {
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
    listed(&answer, render::team::members, now, wide)
}

/// Commands for existing tokens.
#[derive(Subcommand, Debug)]
pub(super) enum TokenChanges {
    /// List the valid tokens of an org
    List {
        #[command(flatten)]
        org: InOrg,
        /// Only list tokens of this member
        #[arg(long)]
        member: Option<String>,
        #[command(flatten)]
        wide: Wide,
    },
    /// Revoke a token, effective from the next request
    Revoke {
        /// Id of the token, as printed by `token list`
        token_id: uuid::Uuid,
        #[command(flatten)]
        org: InOrg,
    },
}

impl TokenChanges {
    pub(super) async fn run(self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Done> {
        match self {
            TokenChanges::List { org, member, wide } => {
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
                listed(&answer, render::team::tokens, now, wide)
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

/// Commands for database roles that read one org without personal data.
#[derive(Subcommand, Debug)]
pub(super) enum Readers {
    /// Create a role and print its password to stdout; it is not shown again
    Create {
        /// Name of the role: 1 to 63 lower-case letters, digits and underscores
        role: String,
        #[command(flatten)]
        org: InOrg,
    },
    /// List the roles of an org
    List {
        #[command(flatten)]
        org: InOrg,
    },
    /// Drop a role
    Remove {
        /// Name of the role
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

/// Lists the administrative actions in an org, newest first.
#[derive(Args, Debug)]
pub(super) struct Audit {
    #[command(flatten)]
    org: InOrg,
    /// Show at most N actions (1 to 10000)
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    #[command(flatten)]
    wide: Wide,
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
        listed(&answer, render::team::audit, now, self.wide)
    }
}
