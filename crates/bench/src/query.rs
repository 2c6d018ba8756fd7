//! `bench query`: how long the read routes and the pages take while sixteen clients ask at once, over HTTP.

use std::{
    net::{Ipv4Addr, TcpListener},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use client::Server;
use store::audit::Act;
use tokio::{sync::Barrier, task::JoinSet};

use crate::data::{Data, timed};

/// Arguments of `bench query`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    data: crate::data::Arguments,
    /// Clients that ask at the same time
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Requests of each client to each route
    #[arg(long, default_value_t = 40)]
    requests: usize,
}

/// What is asked. The goal of the first group is 50 ms for the 99th percentile.
const ROUTES: [(&str, &[(&str, &str)]); 20] = [
    ("/v1/scores", &[]),
    ("/v1/scores", &[("kind", "mcp"), ("sort", "events")]),
    ("/v1/leaderboards/tools", &[("window", "7d")]),
    ("/v1/leaderboards/tools", &[("window", "30d")]),
    ("/v1/leaderboards/tools", &[("window", "90d")]),
    ("/v1/leaderboards/tools", &[("window", "all")]),
    ("/v1/leaderboards/members", &[("window", "7d")]),
    ("/v1/leaderboards/members", &[("window", "30d")]),
    ("/v1/leaderboards/members", &[("window", "90d")]),
    ("/v1/leaderboards/members", &[("window", "all")]),
    ("/v1/leaderboards/projects", &[("window", "30d")]),
    ("/v1/leaderboards/projects", &[("window", "all")]),
    ("/v1/dead-weight", &[]),
    ("/v1/events", &[]),
    // Counted when asked for.
    ("/v1/events", &[("tool_id", "mcp:tool-4")]),
    ("/v1/events", &[("project", "project-3"), ("outcome", "failure")]),
    (
        "/v1/leaderboards/tools",
        &[("window", "30d"), ("member", "member-7")],
    ),
    (
        "/v1/leaderboards/tools",
        &[("window", "30d"), ("project", "project-3")],
    ),
    ("/v1/dead-weight", &[("member", "member-7")]),
    ("/v1/scores/mcp:tool-48", &[]),
];

/// Pages, asked for with a session. The goal is 60 ms for the 99th percentile.
const PAGES: [(&str, &[(&str, &str)]); 11] = [
    ("/", &[]),
    ("/tools", &[]),
    ("/tools", &[("window", "all"), ("sort", "events")]),
    ("/members", &[]),
    ("/projects", &[]),
    ("/dead-weight", &[]),
    ("/events", &[]),
    ("/uploads", &[]),
    ("/adoption", &[]),
    ("/members/member-7", &[]),
    ("/tools/mcp:tool-48", &[]),
];

/// Whom requests come from: a program with a token, or a browser with the cookie of a session.
#[derive(Clone)]
enum Caller {
    Program(Arc<Server>),
    Browser {
        http: reqwest::Client,
        url: String,
        cookie: String,
    },
}

impl Caller {
    /// A browser that the token of the data has signed in.
    async fn browser(data: &Data, url: &str) -> Result<Caller> {
        let now = crate::data::now();
        let identity = data
            .store
            .authenticate(data.token.hash(), now)
            .await?
            .context("the token is valid")?;
        let issued = data
            .store
            .page_session_begin(&Act::by_member(identity, None, now))
            .await?;
        Ok(Caller::Browser {
            http: reqwest::Client::builder().no_proxy().build()?,
            url: url.to_owned(),
            cookie: format!("toolhub_session={}", issued.secret.reveal()),
        })
    }

    /// Reads an answer to its end.
    async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<()> {
        match self {
            Caller::Program(server) => {
                server.get(path, query).await?;
            }
            Caller::Browser { http, url, cookie } => {
                let request = http
                    .get(format!("{url}{path}"))
                    .query(query)
                    .header("cookie", cookie);
                let answer = request.send().await?.error_for_status()?;
                ensure!(answer.url().path() == path, "the session does not hold");
                answer.bytes().await?;
            }
        }
        Ok(())
    }
}

/// Runs `bench query`.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let database = arguments.data.start().await?;
    for &events in &arguments.data.events {
        let data = Data::open(&database, events, arguments.data.orgs).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(server::serve(
            data.store.clone(),
            listener,
            without_limits(),
            async { drop(stopped.await) },
        ));
        let program = Caller::Program(Arc::new(Server::new(&url, Some(data.token.clone()))?));
        let browser = Caller::browser(&data, &url).await?;
        println!(
            "\n{} events, {} clients at once: p50 and p99 in ms",
            data.events, arguments.clients
        );
        let routes = ROUTES.iter().map(|route| (&program, route));
        let pages = PAGES.iter().map(|page| (&browser, page));
        for (caller, &(path, query)) in routes.chain(pages) {
            let (p50, p99) = measure(caller, path, query, arguments).await?;
            let words: Vec<String> = query
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            println!(
                "  {:<60} {:>8.1} {:>8.1}",
                format!("{path} {}", words.join(" ")),
                p50.as_secs_f64() * 1_000.0,
                p99.as_secs_f64() * 1_000.0
            );
        }
        drop(stop);
        serving.await??;
    }
    database.stop().await?;
    Ok(())
}

/// The default server without the rate limit per token, because sixteen clients share one token here.
fn without_limits() -> server::Config {
    let rate = server::config::Rate::new(NonZeroU32::MAX, NonZeroU32::MAX);
    server::Config {
        token_rate: rate,
        address_rate: rate,
        ..server::Config::default()
    }
}

async fn measure(
    caller: &Caller,
    path: &'static str,
    query: &'static [(&str, &str)],
    arguments: &Arguments,
) -> Result<(Duration, Duration)> {
    let mut clients = JoinSet::new();
    let all_ready = Arc::new(Barrier::new(arguments.clients));
    for _ in 0..arguments.clients {
        let (caller, requests, all_ready) = (caller.clone(), arguments.requests, all_ready.clone());
        clients.spawn(async move {
            let query: Vec<(&str, String)> = query
                .iter()
                .map(|(key, value)| (*key, (*value).to_owned()))
                .collect();
            let mut times = Vec::with_capacity(requests);
            // Connections are opened and statements prepared before anything is timed.
            for _ in 0..4 {
                caller.get(path, &query).await?;
            }
            all_ready.wait().await;
            for _ in 0..requests {
                times.push(timed(async { caller.get(path, &query).await }).await?.1);
            }
            anyhow::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = clients.join_next().await {
        times.extend(done??);
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    Ok((at(50), at(99)))
}
