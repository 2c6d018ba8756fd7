//! `toolhub admin`: the operator's commands. They speak to the database directly, also to a running embedded one.

mod team;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use client::{environment, render};
use model::{
    administration::Orgs,
    team::{MemberKind, Role},
};
use serde_json::json;
use store::{Store, refresh::Refresh, team::NewToken};

use crate::{
    args::{self, Scopes},
    database::DatabaseArgs,
    talk,
};

/// Administer the database itself.
#[derive(Args, Debug)]
pub(crate) struct Admin {
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
    /// Database roles for BI tools.
    #[command(subcommand)]
    Reader(team::Readers),
    /// Who did what in an org, newest first.
    Audit(team::Audit),
    /// Refresh the scores now.
    Refresh,
    /// Recompute everything that is derived from the events and report what differed: always nothing.
    Rebuild,
    /// Bring the schema up to date.
    Migrate,
}

#[derive(Subcommand, Debug)]
enum OrgCommand {
    /// Show the orgs.
    List,
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
    #[command(flatten)]
    Change(team::MemberChanges),
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
        #[arg(long, value_name = "SCOPES", default_value = "upload,read", value_parser = args::scopes)]
        scope: Scopes,
        /// What to call it.
        #[arg(long, default_value = "operator")]
        name: String,
        /// After how many days it ends; 0 for never.
        #[arg(long, default_value_t = 90, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=3_650))]
        expires_in: u32,
    },
    #[command(flatten)]
    Change(team::TokenChanges),
}

impl Admin {
    pub(crate) async fn run(self, json: bool) -> anyhow::Result<()> {
        let database = self.database.reach().await?;
        let done = execute(self.command, &database.store, environment::now()).await;
        database.close().await?;
        let Done { said, json: body } = done?;
        if json {
            talk::answer_json(&body.to_string())?;
        } else {
            talk::answer_line(&model::text::clean_prose(&said))?;
        }
        Ok(())
    }
}

/// What a command has done: for people, and for programs.
struct Done {
    said: String,
    json: serde_json::Value,
}

fn done(said: impl Into<String>, json: serde_json::Value) -> anyhow::Result<Done> {
    Ok(Done {
        said: said.into(),
        json,
    })
}

async fn execute(command: AdminCommand, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Done> {
    if !matches!(command, AdminCommand::Migrate) {
        store.check_schema().await?;
    }
    match command {
        AdminCommand::Migrate => {
            let migrated = store.migrate().await?;
            let said = if migrated.applied.is_empty() {
                "the schema is up to date".to_owned()
            } else {
                format!("applied {}", migrated.applied.join(", "))
            };
            done(
                said,
                json!({ "applied": migrated.applied, "version": migrated.to }),
            )
        }
        AdminCommand::Org(OrgCommand::List) => {
            let orgs = store.org_list().await?;
            team::listed(&Orgs { orgs }, render::team::orgs, now)
        }
        AdminCommand::Org(OrgCommand::Create { slug }) => {
            store.org_create(&slug, now).await?;
            done(format!("created the org `{slug}`"), json!({ "org": slug }))
        }
        AdminCommand::Member(MemberCommand::Add {
            handle,
            org: slug,
            role,
            kind,
        }) => {
            let org = store.org_find(&slug).await?;
            store.member_add(org, &handle, kind, role, now).await?;
            done(
                format!("added `{handle}` to the org `{slug}` as {role}"),
                json!({ "org": slug, "member": handle, "role": role, "kind": kind }),
            )
        }
        AdminCommand::Token(TokenCommand::Create {
            org: slug,
            member: handle,
            scope: Scopes(scopes),
            name,
            expires_in,
        }) => {
            let org = store.org_find(&slug).await?;
            let member = store.member_find(org, &handle).await?;
            let expires_at = (expires_in > 0).then(|| now + TimeDelta::days(i64::from(expires_in)));
            let new = NewToken {
                name: &name,
                scopes: &scopes,
                expires_at,
            };
            let token = store.token_create(org, member, &new, now).await?;
            if let Some(end) = expires_at {
                talk::note(&format!("the token ends on {}", end.date_naive()));
            }
            done(
                token.reveal(),
                json!({ "token": token.reveal(), "name": name, "scopes": scopes, "expires_at": expires_at }),
            )
        }
        AdminCommand::Member(MemberCommand::Change(command)) => command.run(store, now).await,
        AdminCommand::Token(TokenCommand::Change(command)) => command.run(store, now).await,
        AdminCommand::Reader(command) => command.run(store, now).await,
        AdminCommand::Audit(command) => command.run(store, now).await,
        AdminCommand::Rebuild => {
            let rebuilt = store.rebuild().await?;
            let found = match rebuilt.differences {
                0 => "nothing differed".to_owned(),
                some => format!("{some} differed and were written anew; please report this"),
            };
            done(
                format!(
                    "compared {} rows of the rollup with the events: {found}",
                    rebuilt.days
                ),
                json!({ "days": rebuilt.days, "differences": rebuilt.differences }),
            )
        }
        AdminCommand::Refresh => match store.refresh().await? {
            Refresh::Done {
                duration_ms,
                rows_changed,
                started_at,
            } => done(
                format!("refreshed the scores in {duration_ms} ms; {rows_changed} rows changed"),
                json!({ "as_of": started_at, "duration_ms": duration_ms, "rows_changed": rows_changed }),
            ),
            Refresh::Busy => done("another refresh is under way", json!({ "busy": true })),
        },
    }
}
