//! `toolhub demo`: the whole way on a sample team, from session logs over HTTP into PostgreSQL and out again.

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
    api::{
        Board,
        query::{DeadWeightQuery, LeaderboardQuery, ListQuery, UploadsQuery},
    },
    team::{MemberKind, Role, Scope},
    token::Token,
};
use store::{Store, team::NewToken};
use tokio::sync::oneshot;

use super::serve::listen;
use crate::{
    database::Database,
    demo::logs::{self, MemberLogs},
    talk,
};

/// Show the whole thing on a sample team, with a server and a database that are thrown away afterwards
///
/// Writes the session logs of a team, uploads them as each member, uploads one member's twice, and prints the boards.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Exit after printing, instead of serving until Ctrl-C
    #[arg(long)]
    once: bool,
}

impl Demo {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let began = Instant::now();
        let listener = listen(self.listen)?;
        // Ended like the server's commands: with the throw-away PostgreSQL stopped and its files gone.
        let directory = tempfile::Builder::new()
            .prefix("toolhub-demo-")
            // As root PostgreSQL runs under another account, which must get through to its own directory below.
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .context("cannot make a directory for the demo")?;
        talk::note("Starting a PostgreSQL and a server to throw away …");
        let database = Database::embedded(&directory.path().join("database")).await?;
        let shown = tokio::select! {
            shown = show(&database.store, listener, directory.path(), began, self.once) => shown,
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
        database.close().await?;
        shown
    }
}

async fn show(
    store: &Store,
    listener: TcpListener,
    directory: &Path,
    began: Instant,
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
    let org = store.org_create("demo", now).await?;
    let team = logs::write(directory, now).context("cannot write the sample logs")?;
    let files: usize = team.iter().map(|member| member.files).sum();
    talk::note(&format!(
        "Wrote {files} session logs of {} members; uploading them over HTTP as each member …",
        team.len()
    ));
    let mut first = None;
    for logs in &team {
        let token = join(store, org, logs, now).await?;
        let report = upload(&url, &token, logs, false).await?;
        talk::note(&told(logs, &report));
        first.get_or_insert((logs, token));
    }
    let Some((logs, token)) = first else {
        bail!("the sample team has no members")
    };
    talk::note(&format!(
        "Uploading the logs of {} once more: nothing may be counted twice …",
        logs.member.handle
    ));
    let again = upload(&url, &token, logs, true).await?;
    talk::note(&told(logs, &again));
    if again.inserted > 0 {
        bail!("{} events were counted twice", again.inserted);
    }
    boards(&url, &token).await?;
    talk::note(&format!(
        "\nAll of it took {:.1} s, from the logs to the boards.",
        began.elapsed().as_secs_f64()
    ));
    talk::note(&format!(
        "The server is at {url}. Ask it as {}:\n\n  TOOLHUB_URL={url} TOOLHUB_TOKEN={} toolhub scores --kind mcp\n",
        logs.member.handle,
        token.reveal()
    ));
    if !once {
        talk::note("Ctrl-C stops it, and throws everything away.");
        std::future::pending::<()>().await;
    }
    let _ = stop.send(());
    Ok(server.await??)
}

/// Adds a member to the demo's org and gives them a token.
async fn join(store: &Store, org: OrgId, logs: &MemberLogs, now: DateTime<Utc>) -> anyhow::Result<Token> {
    let role = match logs.member.kind {
        MemberKind::Person => Role::Owner,
        MemberKind::Ci => Role::Member,
    };
    let member = store
        .member_add(org, logs.member.handle, logs.member.kind, role, now)
        .await?;
    let new = NewToken {
        name: "demo",
        scopes: &[Scope::Upload, Scope::Read],
        expires_at: None,
    };
    Ok(store.token_create(org, member, &new, now).await?)
}

/// Uploads what is in a member's home, as `toolhub upload` on their machine would.
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

/// What a CI provider says of its run.
const CI_RUN: &[(&str, &str)] = &[
    ("GITHUB_ACTIONS", "true"),
    ("GITHUB_REPOSITORY", "acme/checkout"),
    ("GITHUB_REF_NAME", "128/merge"),
    ("GITHUB_REF", "refs/pull/128/merge"),
    ("GITHUB_RUN_ID", "7041"),
    ("GITHUB_JOB", "review"),
];

fn told(logs: &MemberLogs, report: &Report) -> String {
    format!(
        "  {:<12} {:>3} logs, {:>6} events: {:>6} new, {:>6} known, {} rejected",
        logs.member.handle, report.files, report.events, report.inserted, report.duplicate, report.rejected
    )
}

/// Prints what a team wants to know, through the same client as the read commands.
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
            "What is dead weight: tools not used for two weeks",
            Endpoint::DeadWeight(quiet.with_page(rows, None)),
        ),
        (
            "What was just uploaded: receipts",
            Endpoint::Uploads(UploadsQuery::default().with_page(rows, None)),
        ),
    ] {
        let body = endpoint.get(&server).await?;
        let listing = endpoint.listing(&server, &body, environment::now())?;
        talk::answer(&format!("\n{title}\n{}", listing.render(Format::Table)))?;
    }
    Ok(())
}
