//! Databases full of events, generated inside PostgreSQL and kept between runs.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use chrono::Utc;
use model::{
    MemberId, OrgId,
    team::{MemberKind, Role, Scope},
    token::Token,
};
use store::{
    PoolOptions, Store,
    embedded::{EmbeddedOptions, EmbeddedServer},
    team::NewToken,
};
use tokio_postgres::{Client, NoTls};

/// Where the databases are.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Numbers of events, each in a database of its own
    #[arg(long, value_delimiter = ',', default_value = "1000000,10000000")]
    pub(crate) events: Vec<u64>,
    /// Directory of the embedded PostgreSQL that holds the generated events; kept, so that a second run starts at once
    #[arg(long, default_value_os_t = std::env::temp_dir().join("toolhub-bench"))]
    data_dir: PathBuf,
}

impl Arguments {
    /// Starts the server.
    pub(crate) async fn start(&self) -> Result<EmbeddedServer> {
        Ok(EmbeddedServer::start(EmbeddedOptions::from_env(&self.data_dir)).await?)
    }
}

/// A database with events.
pub(crate) struct Data {
    pub(crate) store: Store,
    pub(crate) client: Client,
    pub(crate) org: OrgId,
    pub(crate) member: MemberId,
    pub(crate) token: Token,
    pub(crate) events: u64,
}

/// Members of the team.
const MEMBERS: u32 = 200;

impl Data {
    /// Opens the database with so many events, filling it first if it is not there.
    pub(crate) async fn open(server: &EmbeddedServer, events: u64) -> Result<Data> {
        let name = format!("bench_{events}");
        let url = with_database(&server.url(), &name)?;
        let main = connect(&server.url()).await?;
        let known = main
            .query_opt("select from pg_database where datname = $1", &[&name])
            .await?
            .is_some();
        if !known {
            // Under another name until it is full, so that an interrupted run leaves nothing that looks complete.
            let draft = format!("{name}_draft");
            main.batch_execute(&format!("drop database if exists {draft} with (force)"))
                .await?;
            main.batch_execute(&format!("create database {draft}")).await?;
            fill(&with_database(&server.url(), &draft)?, events).await?;
            main.batch_execute(&format!("alter database {draft} rename to {name}"))
                .await?;
        }
        let store = Store::connect(&url, PoolOptions::default()).await?;
        let org = store.org_find("bench").await?;
        let member = store.member_find(org, "member-0").await?;
        let scopes = [Scope::Upload, Scope::Read];
        let new = NewToken {
            name: "bench",
            scopes: &scopes,
            expires_at: None,
        };
        let token = store.token_create(org, member, &new, now()).await?;
        Ok(Data {
            client: connect(&url).await?,
            store,
            org,
            member,
            token,
            events,
        })
    }
}

/// The clock of the benchmarks.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark is an edge at which the clock is read"
)]
pub(crate) fn now() -> chrono::DateTime<Utc> {
    Utc::now()
}

fn with_database(url: &str, name: &str) -> Result<String> {
    let (base, parameters) = url
        .split_once('?')
        .map_or((url, None), |(base, rest)| (base, Some(rest)));
    let (base, _) = base
        .rsplit_once('/')
        .context("the address of the server names a database")?;
    Ok(match parameters {
        Some(parameters) => format!("{base}/{name}?{parameters}"),
        None => format!("{base}/{name}"),
    })
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Fills an empty database: schema, team, events without indexes, indexes, rollup, inventory, views.
async fn fill(url: &str, events: u64) -> Result<()> {
    let started = Instant::now();
    let store = Store::connect(url, PoolOptions::default()).await?;
    store.migrate().await?;
    let org = store.org_create("bench", now()).await?;
    let mut first_member = None;
    for n in 0..MEMBERS {
        let member = store
            .member_add(
                org,
                &format!("member-{n}"),
                MemberKind::Person,
                Role::Member,
                now(),
            )
            .await?;
        first_member.get_or_insert(member.0);
    }
    let client = connect(url).await?;
    client
        .batch_execute(
            "set maintenance_work_mem = '256MB'; set work_mem = '128MB'; set synchronous_commit = off",
        )
        .await?;
    let indexes = client
        .query(
            "select indexname, indexdef from pg_indexes \
             where tablename = 'usage_events' and indexname <> 'usage_events_pkey'",
            &[],
        )
        .await?;
    for row in &indexes {
        client
            .batch_execute(&format!("drop index {}", row.get::<_, &str>(0)))
            .await?;
    }
    client
        .batch_execute("alter table usage_events drop constraint usage_events_pkey")
        .await?;
    let sql = include_str!("data/events.sql")
        .replace("{org}", &org.0.to_string())
        .replace("{first_member}", &first_member.unwrap_or(1).to_string())
        .replace("{events}", &events.to_string())
        .replace("{end}", &now().format("%Y-%m-%dT00:00:00Z").to_string());
    // Two halves at once: one processor each.
    let second = connect(url).await?;
    let half = |first: u64, last: u64| {
        sql.replace("{first}", &first.to_string())
            .replace("{last}", &last.to_string())
    };
    let (lower, upper) = (half(0, events / 2 - 1), half(events / 2, events - 1));
    tokio::try_join!(client.batch_execute(&lower), second.batch_execute(&upper))?;
    second.batch_execute("set maintenance_work_mem = '256MB'").await?;
    client
        .batch_execute(
            "alter table usage_events add constraint usage_events_pkey primary key (org_id, member_id, uuid); \
             insert into tools select org_id, tool_id, split_part(tool_id, ':', 1), min(occurred_at) \
             from usage_events group by org_id, tool_id",
        )
        .await?;
    let (some, others) = indexes.split_at(indexes.len() / 2);
    let build = async |client: &Client, rows: &[tokio_postgres::Row]| -> Result<()> {
        for row in rows {
            client.batch_execute(row.get(1)).await?;
        }
        Ok(())
    };
    tokio::try_join!(build(&client, some), build(&second, others))?;
    client.batch_execute(include_str!("data/rollup.sql")).await?;
    client.batch_execute(include_str!("data/inventory.sql")).await?;
    client
        .batch_execute(
            "insert into tools select distinct org_id, tool_id, 'skill', timestamptz '2020-01-01' from session_tools \
             on conflict do nothing",
        )
        .await?;
    client.batch_execute("vacuum analyze").await?;
    println!(
        "generated {events} events in {:.0} s",
        started.elapsed().as_secs_f64()
    );
    store.refresh().await?;
    Ok(())
}

/// How long something took.
pub(crate) async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<(T, Duration)> {
    let started = Instant::now();
    let done = work.await?;
    Ok((done, started.elapsed()))
}
