//! `toolhub admin`: commands for operators. They use the database directly, also that of a running embedded server.

mod backup;
mod team;

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use client::{environment, render};
use model::{
    administration::{LimitsChange, OrgChange, Orgs},
    team::{MemberKind, Role, Scope},
};
use serde_json::json;
use store::{Store, audit::Act, derived::refresh::Refresh, team::NewToken};

use crate::{
    args::{self, Scopes, Wide},
    database::{Database, DatabaseArgs},
    talk,
};

/// Administer orgs, members, tokens and the schema in the database
#[derive(Args, Debug)]
pub(crate) struct Admin {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Subcommand, Debug)]
enum AdminCommand {
    /// Manage orgs
    #[command(subcommand)]
    Org(OrgCommand),
    /// Manage the members of an org
    #[command(subcommand)]
    Member(MemberCommand),
    /// Manage the tokens of members
    #[command(subcommand)]
    Token(TokenCommand),
    /// Manage database roles for BI tools
    #[command(subcommand)]
    Reader(team::Readers),
    /// List the administrative actions in an org, newest first
    Audit(team::Audit),
    /// Refresh the scores
    Refresh,
    /// Recompute all derived data from the events, and report mismatches (none expected)
    Rebuild,
    /// Migrate the schema to the current version
    Migrate,
    /// Write a backup of everything into a new directory, also while the server runs
    Backup {
        /// Directory to create
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Restore a backup into an empty data directory, or into an empty database with --database-url
    Restore {
        /// Directory that `toolhub admin backup` wrote
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

#[derive(Subcommand, Debug)]
enum OrgCommand {
    /// List the orgs
    List {
        #[command(flatten)]
        wide: Wide,
    },
    /// Create an org
    Create {
        /// Slug of the org: 1 to 63 lower-case letters, digits and hyphens
        slug: String,
    },
    /// Rename an org; its members, tokens and events are kept
    Rename {
        /// Current slug
        slug: String,
        /// New slug: 1 to 63 lower-case letters, digits and hyphens
        new: String,
    },
    /// Show or change how many new tools, projects and sessions an org may get in a day (UTC)
    Limits {
        /// Slug of the org
        slug: String,
        /// New tools a day (an org begins with 5000) [default: unchanged]
        #[arg(long, value_name = "N")]
        new_tools: Option<i32>,
        /// New projects a day (an org begins with 2000) [default: unchanged]
        #[arg(long, value_name = "N")]
        new_projects: Option<i32>,
        /// New sessions a day (an org begins with 200000) [default: unchanged]
        #[arg(long, value_name = "N")]
        new_sessions: Option<i32>,
    },
}

#[derive(Subcommand, Debug)]
enum MemberCommand {
    /// Add a member to an org
    Add {
        /// Handle of the member: 1 to 64 letters, digits and `._@+-`
        handle: String,
        /// Slug of the org
        #[arg(long)]
        org: String,
        /// Role: viewer, member, admin or owner
        #[arg(long, default_value = "member")]
        role: Role,
        /// Kind of member: person or ci
        #[arg(long, default_value = "person")]
        kind: MemberKind,
    },
    #[command(flatten)]
    Change(team::MemberChanges),
}

#[derive(Subcommand, Debug)]
enum TokenCommand {
    /// Create a token and print it to stdout; it is not shown again
    Create {
        /// Slug of the org
        #[arg(long)]
        org: String,
        /// Handle of the member
        #[arg(long)]
        member: String,
        /// Comma-separated scopes: upload, read, admin
        #[arg(long, value_name = "SCOPES", default_value = "upload,read", value_parser = args::scopes)]
        scope: Scopes,
        /// Name of the token
        #[arg(long, default_value = "operator")]
        name: String,
        /// Expire after DAYS days, 0 for never
        #[arg(long, default_value_t = 90, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=3_650))]
        expires_in: u32,
    },
    #[command(flatten)]
    Change(team::TokenChanges),
}

impl Admin {
    pub(crate) async fn run(self, json: bool) -> anyhow::Result<()> {
        let done = if let AdminCommand::Restore { directory } = &self.command {
            backup::restore(&self.database, directory).await
        } else {
            let database = self.database.reach().await?;
            let done = execute(self.command, &database, environment::now()).await;
            database.close().await?;
            done
        };
        let Done { text, json: body } = done?;
        if json {
            talk::answer_json(&body.to_string())?;
        } else {
            talk::answer_line(&model::text::clean_prose(&text))?;
        }
        Ok(())
    }
}

/// The result of a command.
struct Done {
    /// The output for people.
    text: String,
    /// The output of --json.
    json: serde_json::Value,
}

fn done(text: impl Into<String>, json: serde_json::Value) -> anyhow::Result<Done> {
    Ok(Done {
        text: text.into(),
        json,
    })
}

async fn execute(command: AdminCommand, database: &Database, now: DateTime<Utc>) -> anyhow::Result<Done> {
    let store = &database.store;
    if !matches!(command, AdminCommand::Migrate) {
        store.check_schema().await?;
    }
    match command {
        AdminCommand::Org(command) => command.run(store, now).await,
        AdminCommand::Member(command) => command.run(store, now).await,
        AdminCommand::Token(command) => command.run(store, now).await,
        AdminCommand::Reader(command) => command.run(store, now).await,
        AdminCommand::Audit(command) => command.run(store, now).await,
        AdminCommand::Refresh => refresh(store).await,
        AdminCommand::Rebuild => rebuild(store).await,
        AdminCommand::Migrate => migrate(store).await,
        AdminCommand::Backup { directory } => backup::backup(database, &directory, now).await,
        AdminCommand::Restore { .. } => {
            unreachable!("`run` restores before a database with a schema is opened")
        }
    }
}

impl OrgCommand {
    async fn run(self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Done> {
        match self {
            OrgCommand::List { wide } => {
                let orgs = store.org_list().await?;
                team::listed(&Orgs { orgs }, render::team::orgs, now, wide)
            }
            OrgCommand::Create { slug } => {
                store.org_create(&slug, now).await?;
                talk::note(&format!(
                    "Next, its owner: `toolhub admin member add HANDLE --org {slug} --role owner`"
                ));
                done(format!("created the org `{slug}`"), json!({ "org": slug }))
            }
            OrgCommand::Rename { slug, new } => {
                let act = Act::by_operator(store.org_find(&slug).await?, now);
                let change = OrgChange {
                    org: Some(new),
                    ..OrgChange::default()
                };
                let org = store.org_change(&act, &change).await?;
                done(format!("the org `{slug}` is `{}` now", org.org), json!(org))
            }
            OrgCommand::Limits {
                slug,
                new_tools,
                new_projects,
                new_sessions,
            } => {
                let act = Act::by_operator(store.org_find(&slug).await?, now);
                let change = LimitsChange {
                    new_tools_a_day: new_tools,
                    new_projects_a_day: new_projects,
                    new_sessions_a_day: new_sessions,
                };
                let limits = store.org_limits(&act, &change).await?;
                done(
                    format!(
                        "the org `{slug}` may get {} new tools, {} new projects and {} new sessions a day",
                        limits.new_tools_a_day, limits.new_projects_a_day, limits.new_sessions_a_day
                    ),
                    json!(limits),
                )
            }
        }
    }
}

impl MemberCommand {
    async fn run(self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Done> {
        match self {
            MemberCommand::Add {
                handle,
                org: slug,
                role,
                kind,
            } => {
                let org = store.org_find(&slug).await?;
                store.member_add(org, &handle, kind, role, now).await?;
                let scopes: Vec<&str> = role.scopes().iter().map(|scope| scope.as_str()).collect();
                talk::note(&format!(
                    "Next, a token: `toolhub admin token create --org {slug} --member {handle} --scope {}`",
                    scopes.join(",")
                ));
                done(
                    format!("added `{handle}` to the org `{slug}` as {role}"),
                    json!({ "org": slug, "member": handle, "role": role, "kind": kind }),
                )
            }
            MemberCommand::Change(command) => command.run(store, now).await,
        }
    }
}

impl TokenCommand {
    async fn run(self, store: &Store, now: DateTime<Utc>) -> anyhow::Result<Done> {
        match self {
            TokenCommand::Create {
                org: slug,
                member: handle,
                scope: Scopes(scopes),
                name,
                expires_in,
            } => {
                let org = store.org_find(&slug).await?;
                let member = store.member_find(org, &handle).await?;
                let expires_at = (expires_in > 0).then(|| now + TimeDelta::days(i64::from(expires_in)));
                let new = NewToken {
                    name: &name,
                    scopes: &scopes,
                    expires_at,
                };
                let token = store.token_create(org, member, &new, now).await?;
                let role = store.member_get(org, &handle, now).await?.role;
                if role >= Role::Admin && !scopes.contains(&Scope::Admin) {
                    talk::note(&format!(
                        "`{handle}` is {role}, but this token cannot manage the team: add `admin` to --scope for that"
                    ));
                }
                if let Some(end) = expires_at {
                    talk::note(&format!("the token expires on {}", end.date_naive()));
                }
                done(
                    token.reveal(),
                    json!({ "token": token.reveal(), "name": name, "scopes": scopes, "expires_at": expires_at }),
                )
            }
            TokenCommand::Change(command) => command.run(store, now).await,
        }
    }
}

async fn migrate(store: &Store) -> anyhow::Result<Done> {
    let migrated = store.migrate().await?;
    let text = if migrated.applied.is_empty() {
        "the schema is up to date".to_owned()
    } else {
        format!("applied {}", migrated.applied.join(", "))
    };
    done(
        text,
        json!({ "applied": migrated.applied, "version": migrated.to }),
    )
}

async fn rebuild(store: &Store) -> anyhow::Result<Done> {
    let rebuilt = store.rebuild().await?;
    let found = match rebuilt.differences {
        0 => "no mismatches".to_owned(),
        count => format!("corrected {count} mismatches; please report this"),
    };
    done(
        format!(
            "compared {} rows of the rollup with the events: {found}",
            rebuilt.days
        ),
        json!({ "days": rebuilt.days, "differences": rebuilt.differences }),
    )
}

async fn refresh(store: &Store) -> anyhow::Result<Done> {
    match store.refresh().await? {
        Refresh::Done {
            duration_ms,
            rows_changed,
            started_at,
            ..
        } => done(
            format!("refreshed the boards in {duration_ms} ms; {rows_changed} rows changed"),
            json!({ "as_of": started_at, "duration_ms": duration_ms, "rows_changed": rows_changed }),
        ),
        Refresh::Busy | Refresh::Unneeded | Refresh::Resting(_) => {
            done("another refresh is in progress", json!({ "busy": true }))
        }
    }
}
