mod invite;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use client::{
    Error, Exit,
    read::{Endpoint, segment},
    server::Method,
};
use model::{
    administration::{MemberChange, MemberRequest},
    api::query::MembersQuery,
    team::{MemberKind, Role},
};

use super::{managing, reading};
use crate::{args::Page, context::Context, talk};

/// Manage the members of the org (admins only)
#[derive(Debug, Args)]
pub(crate) struct Members {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the members
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Add a member
    Add {
        /// Handle of the member: 1 to 64 letters, digits and `._@+-`
        handle: String,
        /// Role: viewer, member, admin or owner
        #[arg(long, default_value = "member")]
        role: Role,
        /// Kind of member: person or ci
        #[arg(long, default_value = "person")]
        kind: MemberKind,
        /// Print an invitation: the line with which the member logs in, within 7 days (without a terminal, its token alone)
        #[arg(long)]
        invite: bool,
    },
    /// Invite members again, or add and invite those of a file
    ///
    /// Prints a line for each of them to paste into a shell. It is valid for 7 days and works once; earlier invitations of
    /// the member end. For one HANDLE and without a terminal, the token alone is printed.
    Invite {
        /// Handles of members [default: those of --file]
        #[arg(value_name = "HANDLE", required_unless_present = "file")]
        handles: Vec<String>,
        /// File with a handle on each line, and a role after it if it is not `member`; those who are not members are added [default: none]
        #[arg(long, value_name = "FILE", conflicts_with = "handles")]
        file: Option<PathBuf>,
    },
    /// Rename a member; events and tokens are kept
    Rename {
        /// Current handle
        handle: String,
        /// New handle
        new: String,
    },
    /// Change the role of a member
    Role {
        /// Handle of the member
        handle: String,
        /// New role: viewer, member, admin or owner
        role: Role,
    },
    /// Deactivate a member and revoke their tokens; events are kept
    Deactivate {
        /// Handle of the member
        handle: String,
    },
    /// Reactivate a member, who then needs a new token
    Reactivate {
        /// Handle of the member
        handle: String,
    },
    /// Delete all events of a member permanently
    EraseData {
        /// Handle of the member
        handle: String,
        /// Handle of the member again, to confirm the deletion, which cannot be undone
        #[arg(long, value_name = "HANDLE")]
        confirm: String,
    },
}

impl Members {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let (handle, change) = match self.command {
            Command::List { page } => {
                let endpoint = Endpoint::Members(page.of(MembersQuery::default(), context));
                return reading::show(endpoint, &page.output, context).await;
            }
            Command::Add {
                handle,
                role,
                kind,
                invite,
            } => return add(context, handle, role, kind, invite).await,
            Command::Invite { handles, file } => {
                return invite::run(context, &handles, file.as_deref()).await;
            }
            Command::EraseData { handle, confirm } => return erase(context, &handle, &confirm).await,
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
            Command::Deactivate { handle } => (handle, activity(false)),
            Command::Reactivate { handle } => (handle, activity(true)),
        };
        managing::send(context, Method::PATCH, &path(&handle), &change, |member| {
            let state = if member["deactivated_at"].is_null() {
                "active"
            } else {
                "deactivated"
            };
            format!(
                "`{}` is {} and {state}",
                managing::text(member, "handle"),
                managing::text(member, "role")
            )
        })
        .await
    }
}

fn path(handle: &str) -> String {
    format!("/v1/members/{}", segment(handle))
}

fn activity(active: bool) -> MemberChange {
    MemberChange {
        active: Some(active),
        ..MemberChange::default()
    }
}

async fn add(
    context: &Context,
    handle: String,
    role: Role,
    kind: MemberKind,
    invite: bool,
) -> Result<Exit, Error> {
    let request = MemberRequest {
        handle: Some(handle.clone()),
        kind: Some(kind),
        role: Some(role),
        invite: Some(invite),
    };
    let url = context.url()?;
    managing::send(context, Method::POST, "/v1/members", &request, |response| {
        match &response["invitation"] {
            invitation if invitation.is_object() => {
                talk::note(&format!("added `{handle}` as {role}"));
                invite::present(&handle, invitation, &url)
            }
            _ => {
                talk::note(&match kind {
                    MemberKind::Person => format!("Next, a token: `toolhub members invite {handle}`"),
                    MemberKind::Ci => format!(
                        "Next, a token: `toolhub tokens create ci --member {handle} --scope upload`, or none at all: \
                         `toolhub trusted-publishers add --help`"
                    ),
                });
                format!("added `{handle}` as {role}")
            }
        }
    })
    .await
}

async fn erase(context: &Context, handle: &str, confirm: &str) -> Result<Exit, Error> {
    managing::confirmed(confirm, handle)?;
    let path = format!("{}/data?confirm={}", path(handle), segment(confirm));
    managing::send(
        context,
        Method::DELETE,
        &path,
        &serde_json::json!({}),
        |response| format!("deleted {} events of `{handle}`", response["events"]),
    )
    .await
}
