//! `bench ingest`: events per second over HTTP, compared with loading the same rows into PostgreSQL directly.
//!
//! One run, one temporary PostgreSQL, the same rows for all measurements: (a) `COPY BINARY` into an identical table, the
//! baseline; (b) HTTP with large batches; (c) HTTP with small batches; (d) all events sent again; (e) one `INSERT` and
//! one commit per event. Bodies and rows are prepared before the clock starts.

mod rows;
mod server;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use clap::Args;
use futures_util::SinkExt;
use model::Receipt;
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, error::SqlState};

use rows::Rows;
use server::{Machine, Spent};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Events
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    /// Events of the measurement with one INSERT and one commit each
    #[arg(long, default_value_t = 20_000)]
    single: usize,
    /// Single batches of 50 events, for the latency
    #[arg(long, default_value_t = 300)]
    lone: usize,
    /// How bodies are packed: zstd or identity
    #[arg(long, default_value = "zstd", value_parser = ["zstd", "identity"])]
    encoding: String,
    /// The program [default: toolhub beside this one]
    #[arg(long, value_name = "FILE")]
    toolhub: Option<std::path::PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(arguments))
}

/// The result of one measurement.
struct Figure {
    rows: usize,
    took: Duration,
    spent: Spent,
}

impl Figure {
    fn per_second(&self) -> f64 {
        count(self.rows) / self.took.as_secs_f64()
    }

    /// In us.
    fn per_row(&self, spent: Duration) -> f64 {
        spent.as_secs_f64() * 1e6 / count(self.rows)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>9.0} rows/s   {:>6.1} us PostgreSQL, {:>6.1} us its refreshes, {:>6.1} us toolhub of processor per row   \
             ({} rows, {:.1} s)",
            self.per_second(),
            self.per_row(self.spent.postgres),
            self.per_row(self.spent.refresh),
            self.per_row(self.spent.toolhub),
            self.rows,
            self.took.as_secs_f64()
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn count(n: usize) -> f64 {
    n as f64
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let machine = Machine::start(arguments.toolhub.as_deref()).await?;
    let (sql, connection) = tokio_postgres::connect(machine.database_url(), NoTls).await?;
    tokio::spawn(connection);
    let rows = Rows::generate(arguments.events, &machine.people);
    let packed = arguments.encoding == "zstd";
    println!("{}", machine.description(&sql).await?);
    println!(
        "{} events of {} members; bodies: NDJSON, {}",
        rows.len(),
        machine.people.len(),
        arguments.encoding
    );

    let fresh = second_and_third(&machine, &sql, packed).await?;
    let copied = copy(&machine, &sql, &rows, 1).await?;
    println!("(a) COPY BINARY, 1 connection      {copied}");
    sizes(&sql, "copy_baseline").await?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let copied_by_all = copy(&machine, &sql, &rows, cores).await?;
    println!("(f) COPY BINARY, {cores} connections     {copied_by_all}");
    sql.batch_execute("drop table copy_baseline; checkpoint").await?;

    let large = Bodies::of(&rows, 5_000, packed)?;
    let first = post(&machine, &large, 4).await?;
    ensure!(
        first.1.inserted == rows.len() as u64,
        "not everything was new: {:?}",
        first.1
    );
    println!("(b) batches of 5,000, 4 at a time  {}", first.0);
    sizes(&sql, "usage_events").await?;
    let again = post(&machine, &large, 4).await?;
    ensure!(
        again.1.duplicate == rows.len() as u64,
        "not everything was known: {:?}",
        again.1
    );
    println!("(d) the same again                 {}", again.0);
    drop(large);

    empty(&sql).await?;
    let small = Bodies::of(&rows, 50, packed)?;
    let shared = post(&machine, &small, 64).await?;
    ensure!(
        shared.1.inserted == rows.len() as u64,
        "not everything was new: {:?}",
        shared.1
    );
    println!("(c) batches of 50, 64 at a time    {}", shared.0);
    let lone = lone(
        &machine,
        &Rows::generate_after(&rows, arguments.lone * 50, &machine.people),
        packed,
    )
    .await?;
    println!(
        "    a lone batch of 50             p50 {:.1} ms, p99 {:.1} ms ({} batches)",
        lone.0 * 1e3,
        lone.1 * 1e3,
        arguments.lone
    );
    empty(&sql).await?;
    let single = single(&machine, &sql, &rows, arguments.single).await?;
    println!("(e) one INSERT, one commit each    {single}");

    println!();
    let goal = |name: &str, figure: f64, goal: f64| {
        let verdict = if figure >= goal { "reached" } else { "MISSED" };
        println!("{name}: {figure:.2} (goal {goal:.2}) {verdict}");
    };
    goal("(b) / (a)", first.0.per_second() / copied.per_second(), 0.70);
    goal(
        "(b) / (f)",
        first.0.per_second() / copied_by_all.per_second(),
        0.40,
    );
    goal("(c) / (a)", shared.0.per_second() / copied.per_second(), 0.40);
    goal("(d) / (b)", again.0.per_second() / first.0.per_second(), 1.5);
    goal("(b) / (e)", first.0.per_second() / single.per_second(), 50.0);
    let at_most = |name: &str, figure: f64, goal: f64| {
        let verdict = if figure <= goal { "reached" } else { "MISSED" };
        println!("{name}: {figure:.2} (at most {goal:.2}) {verdict}");
    };
    at_most(
        "processor of PostgreSQL per row without refreshes, (b) / (a)",
        first.0.per_row(first.0.spent.postgres) / copied.per_row(copied.spent.postgres),
        1.6,
    );
    at_most("second upload on a fresh server / third", fresh, 1.3);
    machine.stop().await
}

/// Removes everything that uploads wrote. The refresh of the boards locks the same tables in another order, so one of
/// the two may be ended as a deadlock.
async fn empty(sql: &Client) -> anyhow::Result<()> {
    const EMPTY: &str = "truncate usage_events, usage_days, usage_totals, uploads, pending_changes, board_days, \
                         board_scores, tool_medians; refresh materialized view tool_scores; checkpoint";
    for _ in 0..10 {
        match sql.batch_execute(EMPTY).await {
            Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => {}
            done => return Ok(done?),
        }
    }
    bail!("the refresh of the boards does not let the tables be emptied")
}

/// How much longer the second upload of the same events takes than the third, on a server that has seen no others: the
/// database has no statistics then.
async fn second_and_third(machine: &Machine, sql: &Client, packed: bool) -> anyhow::Result<f64> {
    let bodies = Bodies::of(&Rows::generate(3_493, &machine.people), 5_000, packed)?;
    let mut times = Vec::new();
    for _ in 0..3 {
        let (figure, _) = post(machine, &bodies, 1).await?;
        times.push(figure.took.as_secs_f64());
    }
    empty(sql).await?;
    println!(
        "(g) 3,493 events on a fresh server three times: {:.0}, {:.0}, {:.0} ms",
        times[0] * 1e3,
        times[1] * 1e3,
        times[2] * 1e3
    );
    Ok(times[1] / times[2])
}

/// (a), (f): all rows by so many connections at once.
async fn copy(machine: &Machine, sql: &Client, rows: &Rows, connections: usize) -> anyhow::Result<Figure> {
    sql.batch_execute(
        "drop table if exists copy_baseline; create table copy_baseline (like usage_events including all); checkpoint",
    )
    .await?;
    let streams = rows.as_copies(connections);
    let before = (Instant::now(), machine.spent()?);
    let mut copies = JoinSet::new();
    for pieces in streams {
        let (client, connection) = tokio_postgres::connect(machine.database_url(), NoTls).await?;
        tokio::spawn(connection);
        copies.spawn(copy_stream(client, pieces));
    }
    let mut copied = 0;
    while let Some(copy) = copies.join_next().await {
        copied += copy??;
    }
    let figure = machine.figure(before, rows.len())?;
    ensure!(copied == rows.len() as u64, "{copied} rows were copied");
    Ok(figure)
}

async fn copy_stream(client: Client, pieces: Vec<Bytes>) -> anyhow::Result<u64> {
    let sink = client
        .copy_in(&format!(
            "copy copy_baseline ({}) from stdin (format binary)",
            rows::COLUMNS
        ))
        .await?;
    let mut sink = std::pin::pin!(sink);
    for piece in pieces {
        sink.send(piece).await?;
    }
    Ok(sink.finish().await?)
}

/// (e)
async fn single(machine: &Machine, sql: &Client, rows: &Rows, most: usize) -> anyhow::Result<Figure> {
    sql.batch_execute("create table single_rows (like usage_events including all); checkpoint")
        .await?;
    let sample = most.min(rows.len());
    let statements = rows.as_inserts("single_rows", sample);
    let before = (Instant::now(), machine.spent()?);
    for statement in &statements {
        sql.batch_execute(statement).await?;
    }
    machine.figure(before, sample)
}

/// Uploads, ready to be sent.
struct Bodies {
    bodies: Vec<(String, usize, Bytes)>,
    encoding: Option<&'static str>,
}

impl Bodies {
    fn of(rows: &Rows, batch: usize, packed: bool) -> anyhow::Result<Bodies> {
        let mut bodies = Vec::new();
        for (token, events, body) in rows.as_bodies(batch) {
            let body = if packed {
                zstd::bulk::compress(&body, 3)?
            } else {
                body
            };
            bodies.push((token, events, body.into()));
        }
        Ok(Bodies {
            bodies,
            encoding: packed.then_some("zstd"),
        })
    }

    fn request(&self, http: &reqwest::Client, url: &str, at: usize) -> reqwest::RequestBuilder {
        let (token, _, body) = &self.bodies[at];
        let mut request = http
            .post(url)
            .bearer_auth(token)
            .header("content-type", "application/x-ndjson")
            .body(body.clone());
        if let Some(encoding) = self.encoding {
            request = request.header("content-encoding", encoding);
        }
        request
    }
}

/// (b), (c), (d): sends all bodies from so many connections.
async fn post(machine: &Machine, bodies: &Bodies, connections: usize) -> anyhow::Result<(Figure, Receipt)> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(connections)
        .build()?;
    let url = format!("{}/v1/events", machine.url());
    let next = Arc::new(AtomicUsize::new(0));
    // The tasks outlive no borrow: they hold clones, and a clone of a body is a reference.
    let shared = Arc::new(Bodies {
        bodies: bodies.bodies.clone(),
        encoding: bodies.encoding,
    });
    let before = (Instant::now(), machine.spent()?);
    let mut senders = JoinSet::new();
    for _ in 0..connections {
        let (http, url, next, bodies) = (http.clone(), url.clone(), Arc::clone(&next), Arc::clone(&shared));
        senders.spawn(async move {
            let mut sum = Receipt::new(String::new(), true);
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= bodies.bodies.len() {
                    return anyhow::Ok(sum);
                }
                let receipt = accepted(bodies.request(&http, &url, at)).await?;
                sum.inserted += receipt.inserted;
                sum.duplicate += receipt.duplicate;
                sum.received += receipt.received;
            }
        });
    }
    let mut sum = Receipt::new(String::new(), true);
    while let Some(sender) = senders.join_next().await {
        let part = sender??;
        sum.inserted += part.inserted;
        sum.duplicate += part.duplicate;
        sum.received += part.received;
    }
    let rows = bodies.bodies.iter().map(|(_, events, _)| events).sum();
    Ok((machine.figure(before, rows)?, sum))
}

async fn accepted(request: reqwest::RequestBuilder) -> anyhow::Result<Receipt> {
    let answer = request.send().await?;
    let status = answer.status();
    let body = answer.bytes().await?;
    if status != 200 {
        bail!("{status}: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body).context("a receipt")
}

/// The median and the 99th percentile of batches that come one after the other, in seconds.
async fn lone(machine: &Machine, rows: &Rows, packed: bool) -> anyhow::Result<(f64, f64)> {
    let bodies = Bodies::of(rows, 50, packed)?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/v1/events", machine.url());
    let mut times = Vec::new();
    for at in 0..bodies.bodies.len() {
        let started = Instant::now();
        accepted(bodies.request(&http, &url, at)).await?;
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    Ok((at(50), at(99)))
}

/// Bytes per event, of the table and of each index.
async fn sizes(sql: &Client, table: &str) -> anyhow::Result<()> {
    let asked = "select relname::text, pg_relation_size(c.oid) as bytes
        from pg_class c where c.oid = $1::text::regclass
            or c.oid in (select indexrelid from pg_index where indrelid = $1::text::regclass)
        order by relkind desc, relname";
    let counted = format!("select count(*) from {table}");
    let rows: i64 = sql.query_one(&counted, &[]).await?.get("count");
    let parts = sql.query(asked, &[&table]).await?;
    let parts: Vec<String> = parts
        .iter()
        .map(|row| {
            format!(
                "{} {}",
                row.get::<_, String>("relname"),
                row.get::<_, i64>("bytes") / rows.max(1)
            )
        })
        .collect();
    println!("    bytes per event: {}", parts.join(", "));
    Ok(())
}
