use clap::{Args, Subcommand};
use client::{
    Error, Exit,
    read::{Endpoint, segment},
    server::Method,
};
use model::{
    administration::{INVITATION_DAYS, MemberChange, MemberRequest},
    api::query::MembersQuery,
    team::{MemberKind, Role},
};

use super::{managing, reading};
use crate::{args::Page, context::Context, talk};

/// Show and change the members of the org; for its admins
#[derive(Debug, Args)]
pub(crate) struct Members {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the members
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Add a member; with --invite, print the token to hand over
    Add {
        /// 1 to 64 letters, digits and `._@+-`
        handle: String,
        /// viewer, member, admin or owner
        #[arg(long, default_value = "member")]
        role: Role,
        /// person or ci
        #[arg(long, default_value = "person")]
        kind: MemberKind,
        /// Make a token of seven days, alone on standard output; `toolhub login --with-token` exchanges it
        #[arg(long)]
        invite: bool,
    },
    /// Give a member another name; events and tokens stay theirs
    Rename {
        /// The name now
        handle: String,
        /// The new name
        new: String,
    },
    /// Give a member another role
    Role {
        /// The member
        handle: String,
        /// viewer, member, admin or owner
        role: Role,
    },
    /// Lock a member out and revoke their tokens; their events stay
    Deactivate {
        /// The member
        handle: String,
    },
    /// Let a member in again; they need a new token
    Reactivate {
        /// The member
        handle: String,
    },
    /// Delete everything that a member has uploaded, for good
    EraseData {
        /// The member
        handle: String,
        /// The handle once more: it cannot be taken back
        #[arg(long, value_name = "HANDLE")]
        confirm: String,
    },
}

impl Members {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let path = |handle: &str| format!("/v1/members/{}", segment(handle));
        let (handle, change) = match self.command {
            Command::List { page } => {
                let endpoint = Endpoint::Members(page.of(MembersQuery::default(), context));
                return reading::show(endpoint, page.format.as_deref(), context).await;
            }
            Command::Add {
                handle,
                role,
                kind,
                invite,
            } => {
                let request = MemberRequest {
                    handle: Some(handle.clone()),
                    kind: Some(kind),
                    role: Some(role),
                    invite: Some(invite),
                };
                return managing::send(context, Method::POST, "/v1/members", &request, |answer| {
                    match answer["invitation"]["token"].as_str() {
                        Some(token) => {
                            talk::note(&format!(
                                "added `{handle}` as {role}. Hand this token over within {INVITATION_DAYS} days; \
                                 `toolhub login --with-token` exchanges it"
                            ));
                            token.to_owned()
                        }
                        None => format!("added `{handle}` as {role}"),
                    }
                })
                .await;
            }
            Command::EraseData { handle, confirm } => {
                managing::confirmed(&confirm, &handle)?;
                let path = format!("{}/data?confirm={}", path(&handle), segment(&confirm));
                return managing::send(context, Method::DELETE, &path, &serde_json::json!({}), |answer| {
                    format!("deleted {} events of `{handle}`", answer["events"])
                })
                .await;
            }
            Command::Rename { handle, new } => (
                handle,
                MemberChange {
                    handle: Some(new),
                    ..MemberChange::default()
                },
            ),
            Command::Role { handle, role } => (
                handle,
                MemberChange {
                    role: Some(role),
                    ..MemberChange::default()
                },
            ),
            Command::Deactivate { handle } => (
                handle,
                MemberChange {
                    active: Some(false),
                    ..MemberChange::default()
                },
            ),
            Command::Reactivate { handle } => (
                handle,
                MemberChange {
                    active: Some(true),
                    ..MemberChange::default()
                },
            ),
        };
        managing::send(context, Method::PATCH, &path(&handle), &change, |answer| {
            let state = if answer["deactivated_at"].is_null() {
                "active"
            } else {
                "deactivated"
            };
            format!(
                "`{}` is {} and {state}",
                managing::text(answer, "handle"),
                managing::text(answer, "role")
            )
        })
        .await
    }
}
