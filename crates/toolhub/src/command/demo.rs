//! `toolhub demo`: a temporary server, and the uploads of a sample team through the real client.

use std::{
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use client::{
    Environment, environment,
    read::Endpoint,
    render::Format,
    report::Report,
    upload::{self, Request},
};
use model::{
    OrgId,
    administration::{PAGE_LINK_MINUTES, PageLink, PageLinkRequest},
    api::{
        Board,
        query::{DeadWeightQuery, LeaderboardQuery, ListQuery, UploadsQuery},
    },
    team::{MemberKind, Role},
    token::Token,
};
use store::{Store, team::NewToken};
use tokio::sync::oneshot;

use super::serve::listen;
use crate::{
    args::listen_address,
    database::Database,
    demo::{
        logs::{self, MemberLogs},
        team::Member,
    },
    talk,
};

/// Run a demo with a temporary server and sample data
///
/// Writes the session logs of a sample team, uploads them as each member, uploads those of one member again, and prints
/// the leaderboard, the dead weight and the receipts.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Address to listen on: an address or a host name, and a port; port 0 selects a free port
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS", value_parser = listen_address)]
    listen: SocketAddr,
    /// Exit after printing the boards [default: serve until Ctrl-C]
    #[arg(long)]
    once: bool,
}

impl Demo {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let started = Instant::now();
        let listener = listen(self.listen)?;
        // Removed at the end, after the temporary PostgreSQL has stopped.
        let directory = tempfile::Builder::new()
            .prefix("toolhub-demo-")
            // As root, PostgreSQL runs under another account, which needs access to its directory below.
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .context("cannot create a directory for the demo")?;
        talk::note("Starting a temporary PostgreSQL and server …");
        let database = Database::embedded(&directory.path().join("database")).await?;
        let done = tokio::select! {
            done = run_demo(&database.store, listener, directory.path(), started, self.once) => done,
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
        database.close().await?;
        done
    }
}

async fn run_demo(
    store: &Store,
    listener: TcpListener,
    directory: &Path,
    started: Instant,
    once: bool,
) -> anyhow::Result<()> {
    let now = environment::now();
    let url = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server::serve(
        store.clone(),
        listener,
        server::Config::default(),
        async {
            let _ = stopped.await;
        },
    ));
    let (member, token) = upload_team(store, directory, &url, now).await?;
    boards(&url, &token).await?;
    talk::note(&format!(
        "\nTook {:.1} s from the logs to the boards.",
        started.elapsed().as_secs_f64()
    ));
    if !once {
        talk::note(&format!(
            "\nThe pages, signed in as {}; the link works once, within {PAGE_LINK_MINUTES} minutes:\n",
            member.handle
        ));
        talk::answer_line(&page_link(&url, &token).await?)?;
        talk::note(&format!(
            "\nThe server is at {url}. To query it as {}:\n\n  TOOLHUB_URL={url} TOOLHUB_TOKEN={} {} scores --kind mcp\n",
            member.handle,
            token.reveal(),
            program()
        ));
        talk::note("Press Ctrl-C to stop it and delete its data.");
        std::future::pending::<()>().await;
    }
    let _ = stop.send(());
    Ok(server.await??)
}

/// The address of the pages, signed in as the member of the token.
async fn page_link(url: &str, token: &Token) -> anyhow::Result<String> {
    let server = client::Server::new(url, Some(token.clone()))?;
    let request = PageLinkRequest::default();
    let body = server
        .send(
            client::server::Method::POST,
            "/v1/page-links",
            &[],
            Some(&request),
        )
        .await?;
    let link: PageLink = server.read(&body)?;
    Ok(format!("{url}{}", link.path))
}

/// How this program was called: `cargo run` does not put it into `PATH`.
fn program() -> String {
    let program = std::env::args().next();
    program.unwrap_or_else(|| "toolhub".to_owned())
}

/// Writes the logs of the sample team and uploads them as each member, those of the first member twice. Returns the first
/// member and their token.
async fn upload_team(
    store: &Store,
    directory: &Path,
    url: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<(&'static Member, Token)> {
    let org = store.org_create("demo", now).await?;
    let team = logs::write(directory, now).context("cannot write the sample logs")?;
    let files: usize = team.iter().map(|member| member.files).sum();
    talk::note(&format!(
        "Wrote {files} session logs of {} members; uploading them over HTTP as each member …",
        team.len()
    ));
    let mut first = None;
    for logs in &team {
        let token = add_member(store, org, logs, now).await?;
        let report = upload(url, &token, logs, false).await?;
        talk::note(&summary(logs, &report));
        first.get_or_insert((logs, token));
    }
    let Some((logs, token)) = first else {
        bail!("the sample team has no members")
    };
    talk::note(&format!(
        "Uploading the logs of {} again: no event may be counted twice …",
        logs.member.handle
    ));
    let again = upload(url, &token, logs, true).await?;
    talk::note(&summary(logs, &again));
    if again.inserted > 0 {
        bail!("{} events were counted twice", again.inserted);
    }
    Ok((logs.member, token))
}

/// Adds a member to the org of the demo and creates their token.
async fn add_member(
    store: &Store,
    org: OrgId,
    logs: &MemberLogs,
    now: DateTime<Utc>,
) -> anyhow::Result<Token> {
    let role = match logs.member.kind {
        MemberKind::Person => Role::Owner,
        MemberKind::Ci => Role::Member,
    };
    let member = store
        .member_add(org, logs.member.handle, logs.member.kind, role, now)
        .await?;
    let new = NewToken {
        name: "demo",
        scopes: role.scopes(),
        expires_at: None,
    };
    Ok(store.token_create(org, member, &new, now).await?)
}

/// Uploads the logs in the home of a member, like `toolhub upload` on their machine.
async fn upload(url: &str, token: &Token, logs: &MemberLogs, wait: bool) -> anyhow::Result<Report> {
    let variables = match logs.member.kind {
        MemberKind::Person => [].as_slice(),
        MemberKind::Ci => CI_RUN,
    };
    let environment = Environment::new(&logs.home, &logs.home, variables.iter().copied());
    let server = client::Server::new(url, Some(token.clone()))?;
    let request = Request {
        wait,
        ..Request::default()
    };
    let observer: upload::Observer = Arc::new(|_| {});
    let finished = upload::upload(&request, &environment, Some(server), &observer, None).await;
    match finished.error {
        Some(error) => {
            Err(error).with_context(|| format!("cannot upload the logs of {}", logs.member.handle))
        }
        None => Ok(finished.report),
    }
}

/// The variables of a CI run.
const CI_RUN: &[(&str, &str)] = &[
    ("GITHUB_ACTIONS", "true"),
    ("GITHUB_REPOSITORY", "acme/checkout"),
    ("GITHUB_REF_NAME", "128/merge"),
    ("GITHUB_REF", "refs/pull/128/merge"),
    ("GITHUB_RUN_ID", "7041"),
    ("GITHUB_JOB", "review"),
];

fn summary(logs: &MemberLogs, report: &Report) -> String {
    format!(
        "  {:<12} {:>3} logs, {:>6} events: {:>6} inserted, {:>6} duplicate, {} rejected",
        logs.member.handle, report.files, report.events, report.inserted, report.duplicate, report.rejected
    )
}

/// Prints the boards, through the client of the read commands.
async fn boards(url: &str, token: &Token) -> anyhow::Result<()> {
    let server = client::Server::new(url, Some(token.clone()))?;
    let rows = Some(15);
    let quiet = DeadWeightQuery {
        days: Some(14),
        ..DeadWeightQuery::default()
    };
    for (title, endpoint) in [
        (
            "Which tools work: leaderboard of tools, last 30 days",
            Endpoint::Leaderboard(Board::Tools, LeaderboardQuery::default().with_page(rows, None)),
        ),
        (
            "Dead weight: tools without a call in the last 14 days",
            Endpoint::DeadWeight(quiet.with_page(rows, None)),
        ),
        (
            "Latest uploads: receipts",
            Endpoint::Uploads(UploadsQuery::default().with_page(rows, None)),
        ),
    ] {
        let body = endpoint.get(&server).await?;
        let listing = endpoint.listing(&server, &body, environment::now())?;
        talk::answer(&format!(
            "\n{title}\n{}",
            listing.render(Format::Table, talk::screen(false))
        ))?;
    }
    Ok(())
}
