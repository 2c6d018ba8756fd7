//! Databases full of events, generated inside PostgreSQL and kept between runs.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use chrono::{TimeDelta, Utc};
use embedded::{EmbeddedOptions, EmbeddedServer};
use model::{
    MemberId, OrgId,
    team::{MemberKind, Role, Scope},
    token::Token,
};
use store::{PoolOptions, Store, team::NewToken};
use tokio_postgres::{Client, NoTls};

/// Where the databases are.
#[derive(clap::Args)]
// The commands that include it have a group of this name.
#[group(skip)]
pub(crate) struct Arguments {
    /// Numbers of events, each in a database of its own
    #[arg(long, value_delimiter = ',', default_value = "1000000,10000000")]
    pub(crate) events: Vec<u64>,
    /// Orgs, each with as many events
    #[arg(long, default_value_t = 1)]
    pub(crate) orgs: u64,
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
    pub(crate) async fn open(server: &EmbeddedServer, events: u64, orgs: u64) -> Result<Data> {
        let name = match orgs {
            1 => format!("bench_{events}"),
            _ => format!("bench_{events}_{orgs}"),
        };
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
            fill(&with_database(&server.url(), &draft)?, events, orgs).await?;
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

/// What makes filling fast. Sorts that stay in the processor's cache and are merged beat one great sort, and two sessions
/// beat parallel workers. Foreign keys are not asked row by row: the rows are made to fit.
const FILLING: &str = "set synchronous_commit = off; set wal_compression = off; set work_mem = '256MB'; \
                       set maintenance_work_mem = '24MB'; set max_parallel_maintenance_workers = 0; \
                       set session_replication_role = replica";

/// Fills an empty database: schema, team, events without indexes, indexes, rollup, inventory, views. Two sessions share
/// the work, one for each processor.
async fn fill(url: &str, events: u64, orgs: u64) -> Result<()> {
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
    let (one, other) = (connect(url).await?, connect(url).await?);
    let both = async |first: String, second: String| -> Result<()> {
        tokio::try_join!(one.batch_execute(&first), other.batch_execute(&second))?;
        Ok(())
    };
    let mut phases = Phases(vec![("", started)]);
    both(FILLING.to_owned(), FILLING.to_owned()).await?;
    let indexes = drop_indexes(&one).await?;

    let end = now().date_naive();
    let sql = |text: &str, first: u64, last: u64| {
        let moment = |number: u64| {
            let days = i64::try_from(400 * number / events.max(1)).unwrap_or(400);
            (end - TimeDelta::days(400 - days)).format("%Y-%m-%d").to_string()
        };
        text.replace("{org}", &org.0.to_string())
            .replace("{first_member}", &first_member.unwrap_or(1).to_string())
            .replace("{events}", &events.to_string())
            .replace("{begin}", &moment(0))
            .replace("{first}", &first.to_string())
            .replace("{last}", &last.to_string())
            .replace("{from}", &moment(first))
            .replace("{to}", &moment(last))
    };
    let halves = |text: &str| (sql(text, 0, events / 2), sql(text, events / 2, events));
    let (lower, upper) = halves(include_str!("data/events.sql"));
    both(lower, upper).await?;
    if orgs > 1 {
        let further = include_str!("data/orgs.sql").replace("{orgs}", &orgs.to_string());
        one.batch_execute(&sql(&further, 0, events)).await?;
    }
    phases.end("events");
    let next = AtomicUsize::new(0);
    let build = async |client: &Client| -> Result<()> {
        while let Some(index) = indexes.get(next.fetch_add(1, Ordering::Relaxed)) {
            client.batch_execute(index).await?;
        }
        Ok(())
    };
    tokio::try_join!(build(&one), build(&other))?;
    // Last, because building the key locks the table.
    one.batch_execute(
        "alter table usage_events add constraint usage_events_pkey primary key using index usage_events_pkey",
    )
    .await?;
    phases.end("indexes");
    let (lower, upper) = halves(include_str!("data/days.sql"));
    both(lower, upper).await?;
    phases.end("rollup");
    both(
        include_str!("data/totals.sql").to_owned(),
        sql(include_str!("data/inventory.sql"), 0, events),
    )
    .await?;
    one.batch_execute(include_str!("data/tools.sql")).await?;
    phases.end("inventory");
    one.batch_execute("vacuum analyze").await?;
    phases.end("vacuum");
    println!(
        "generated {events} events for each of {orgs} orgs in {:.0} s: {phases}",
        started.elapsed().as_secs_f64()
    );
    for org in store.org_list().await? {
        store.count_anew(store.org_find(&org.org).await?).await?;
    }
    let (_, took) = timed(async { Ok(store.refresh().await?) }).await?;
    println!(
        "  first refresh, which counts everything: {:.1} s",
        took.as_secs_f64()
    );
    Ok(())
}

/// When each part of a work ended; the first entry is its beginning.
struct Phases(Vec<(&'static str, Instant)>);

impl Phases {
    fn end(&mut self, name: &'static str) {
        self.0.push((name, Instant::now()));
    }
}

impl std::fmt::Display for Phases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (nth, pair) in self.0.windows(2).enumerate() {
            let took = pair[1].1 - pair[0].1;
            let comma = if nth > 0 { ", " } else { "" };
            write!(f, "{comma}{} {:.0} s", pair[1].0, took.as_secs_f64())?;
        }
        Ok(())
    }
}

/// Drops the indexes of the events. Answers what makes them again.
async fn drop_indexes(client: &Client) -> Result<Vec<String>> {
    let indexes = client
        .query(
            "select indexname, indexdef from pg_indexes where tablename = 'usage_events' order by 1",
            &[],
        )
        .await?;
    client
        .batch_execute("alter table usage_events drop constraint usage_events_pkey")
        .await?;
    for index in &indexes {
        client
            .batch_execute(&format!(
                "drop index if exists \"{}\"",
                index.get::<_, &str>("indexname")
            ))
            .await?;
    }
    Ok(indexes.iter().map(|index| index.get("indexdef")).collect())
}

/// How long something took.
pub(crate) async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<(T, Duration)> {
    let started = Instant::now();
    let done = work.await?;
    Ok((done, started.elapsed()))
}
