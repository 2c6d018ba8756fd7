//! `toolhub admin`: the operator's commands. They speak to the database directly, also to a running embedded one.

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use model::team::{MemberKind, Role, parse_scopes};
use serde_json::json;
use store::{Store, refresh::Refresh, team::NewToken};

use crate::{database::DatabaseArgs, output::Output};

/// Administer the database itself.
#[derive(Args, Debug)]
pub(crate) struct AdminArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Subcommand, Debug)]
enum AdminCommand {
    /// Orgs.
    #[command(subcommand)]
    Org(OrgCommand),
    /// Members of an org.
    #[command(subcommand)]
    Member(MemberCommand),
    /// Tokens of a member.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Refresh the scores now.
    Refresh,
    /// Recompute everything that is derived from the events and report what differed: always nothing.
    Rebuild,
    /// Bring the schema up to date.
    Migrate,
}

#[derive(Subcommand, Debug)]
enum OrgCommand {
    /// Create an org.
    Create {
        /// 1 to 63 lower-case letters, digits and hyphens.
        slug: String,
    },
}

#[derive(Subcommand, Debug)]
enum MemberCommand {
    /// Add a member to an org.
    Add {
        /// 1 to 64 letters, digits and `._@+-`.
        handle: String,
        /// The org's slug.
        #[arg(long)]
        org: String,
        /// viewer, member, admin or owner.
        #[arg(long, default_value = "member")]
        role: Role,
        /// person or ci.
        #[arg(long, default_value = "person")]
        kind: MemberKind,
    },
}

#[derive(Subcommand, Debug)]
enum TokenCommand {
    /// Make a token; prints it, alone, on standard output. It is not shown again.
    Create {
        /// The org's slug.
        #[arg(long)]
        org: String,
        /// The member's handle.
        #[arg(long)]
        member: String,
        /// What it may do: upload, read, admin, separated by commas.
        #[arg(long, default_value = "upload,read")]
        scope: String,
        /// What to call it.
        #[arg(long, default_value = "operator")]
        name: String,
        /// After how many days it ends; 0 for never.
        #[arg(long, default_value_t = 90, value_name = "DAYS")]
        expires_in: u32,
    },
}

pub(crate) async fn run(args: AdminArgs, output: &Output) -> anyhow::Result<()> {
    let database = args.database.reach().await?;
    let done = execute(args.command, &database.store, output, client::environment::now()).await;
    database.close().await?;
    done
}

async fn execute(
    command: AdminCommand,
    store: &Store,
    output: &Output,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if let AdminCommand::Migrate = command {
        let migrated = store.migrate().await?;
        let done = if migrated.applied.is_empty() {
            "the schema is up to date".to_owned()
        } else {
            format!("applied {}", migrated.applied.join(", "))
        };
        return output.say(&done, &json!({ "applied": migrated.applied, "version": migrated.to }));
    }
    store.check_schema().await?;
    match command {
        AdminCommand::Migrate => Ok(()),
        AdminCommand::Org(OrgCommand::Create { slug }) => {
            store.org_create(&slug, now).await?;
            output.say(&format!("created the org `{slug}`"), &json!({ "org": slug }))
        }
        AdminCommand::Member(MemberCommand::Add { handle, org: slug, role, kind }) => {
            let org = store.org_find(&slug).await?;
            store.member_add(org, &handle, kind, role, now).await?;
            output.say(
                &format!("added `{handle}` to the org `{slug}` as {role}"),
                &json!({ "org": slug, "member": handle, "role": role, "kind": kind }),
            )
        }
        AdminCommand::Token(TokenCommand::Create { org: slug, member: handle, scope, name, expires_in }) => {
            let scopes = parse_scopes(&scope).context("--scope")?;
            let org = store.org_find(&slug).await?;
            let member = store.member_find(org, &handle).await?;
            let expires_at = (expires_in > 0).then(|| now + TimeDelta::days(i64::from(expires_in)));
            let new = NewToken { name: &name, scopes: &scopes, expires_at };
            let token = store.token_create(org, member, &new, now).await?;
            if let Some(end) = expires_at {
                output.note(&format!("the token ends on {}", end.date_naive()));
            }
            output.say(
                token.reveal(),
                &json!({ "token": token.reveal(), "name": name, "scopes": scopes, "expires_at": expires_at }),
            )
        }
        AdminCommand::Rebuild => {
            let rebuilt = store.rebuild().await?;
            let found = match rebuilt.differences {
                0 => "nothing differed".to_owned(),
                some => format!("{some} differed and were written anew; please report this"),
            };
            output.say(
                &format!("compared {} rows of the rollup with the events: {found}", rebuilt.days),
                &json!({ "days": rebuilt.days, "differences": rebuilt.differences }),
            )
        }
        AdminCommand::Refresh => match store.refresh().await? {
            Refresh::Done { duration_ms, rows_changed, started_at } => output.say(
                &format!("refreshed the scores in {duration_ms} ms; {rows_changed} rows changed"),
                &json!({ "as_of": started_at, "duration_ms": duration_ms, "rows_changed": rows_changed }),
            ),
            Refresh::Busy => {
                output.say("another refresh is under way", &json!({ "busy": true }))
            }
        },
    }
}
