//! `bench refresh`: how long the scores take to be fresh, beside the bare query that they cannot be faster than.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use futures_util::TryStreamExt;
use model::{CallResult, Event, ToolId, event::Source};
use store::{
    Store,
    ingest::Batch,
    refresh::{Refresh, View},
};
use uuid::Uuid;

use crate::data::{Data, now, timed};

/// Arguments of `bench refresh`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    data: crate::data::Arguments,
    /// How often each measurement is repeated; the best counts
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// Nothing computes medians without reading all durations in order.
const BARE: &str = "select org_id, tool_id, percentile_cont(0.5) within group (order by duration_ms) \
                    from usage_events where duration_ms is not null group by org_id, tool_id";

/// Runs `bench refresh`.
pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let server = arguments.data.start().await?;
    let mut scores = Vec::new();
    for &events in &arguments.data.events {
        let data = Data::open(&server, events).await?;
        println!("\n{events} events");
        let mut bare = Duration::MAX;
        let mut ours = Duration::MAX;
        data.client.batch_execute("set work_mem = '64MB'").await?;
        for _ in 0..arguments.rounds {
            let (_, took) = timed(async { Ok(data.client.query(BARE, &[]).await?) }).await?;
            bare = bare.min(took);
            ours = ours.min(refresh(&data.store, View::Scores).await?);
        }
        let boards = refresh(&data.store, View::Boards).await?;
        line("the bare query over the index", bare, None);
        line("refresh of the scores", ours, Some((bare, "of the bare query")));
        line("refresh of the boards", boards, Some((bare, "of the bare query")));
        line(
            "from the last commit to scores that hold it",
            latency(&data).await?,
            None,
        );
        if events <= 1_000_000 {
            let (tools, took) = timed(read_everything(&data)).await?;
            line(
                &format!("reading every row to aggregate {tools} tools"),
                took,
                Some((ours, "of the refresh")),
            );
        }
        let alone = ingest_rate(&data, false).await?;
        let beside = ingest_rate(&data, true).await?;
        println!(
            "  {:<52} {alone:>9.0} events/s alone, {beside:.0} while refreshing: {:.2} of it",
            "ingest of batches of 1,000",
            beside / alone
        );
        scores.push((events, ours));
    }
    if let [(few, small), .., (many, great)] = scores[..] {
        println!(
            "\nfrom {few} to {many} events the refresh of the scores grows {:.1} times",
            great.as_secs_f64() / small.as_secs_f64()
        );
    }
    server.stop().await?;
    Ok(())
}

fn line(what: &str, took: Duration, beside: Option<(Duration, &str)>) {
    let ratio = beside.map_or(String::new(), |(other, of)| {
        format!("   {:.2} {of}", took.as_secs_f64() / other.as_secs_f64())
    });
    println!("  {what:<52} {:>9.0} ms{ratio}", took.as_secs_f64() * 1_000.0);
}

async fn refresh(store: &Store, view: View) -> Result<Duration> {
    let (done, took) = timed(async { Ok(store.refresh_view(view, now().date_naive()).await?) }).await?;
    match done {
        Refresh::Done { .. } => Ok(took),
        Refresh::Busy => bail!("another process is refreshing this database"),
    }
}

/// Commits an upload and refreshes, as the worker does without its debounce.
async fn latency(data: &Data) -> Result<Duration> {
    data.store.ingest(data.org, &[batch(data, 500)], now()).await?;
    refresh(&data.store, View::Scores).await
}

fn batch(data: &Data, events: usize) -> Batch {
    let tools: Vec<ToolId> = (3..12)
        .filter_map(|n| ToolId::parse(&format!("mcp:tool-{n}")).ok())
        .collect();
    let events = (0..events).map(|n| Event {
        uuid: Some(Uuid::new_v4().to_string()),
        duration_ms: i64::try_from(n % 700).ok(),
        session: Some("bench".to_owned()),
        project: Some("project-1".to_owned()),
        ..Event::new(tools[n % tools.len()].clone(), CallResult::SUCCESS, now())
    });
    Batch {
        member: data.member,
        upload_id: Uuid::now_v7(),
        source: Source::Api,
        client: None,
        ci: None,
        hash: String::new(),
        rejected: 0,
        events: events.collect(),
    }
}

/// Events per second of one uploader within five seconds, alone or while the scores are refreshed without rest. The
/// first batches are not counted: a checkpoint's full pages would be.
async fn ingest_rate(data: &Data, beside_refresh: bool) -> Result<f64> {
    let stop = Arc::new(AtomicBool::new(false));
    let refresher = beside_refresh.then(|| {
        let (store, stop) = (data.store.clone(), stop.clone());
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                refresh(&store, View::Scores).await?;
            }
            anyhow::Ok(())
        })
    });
    for _ in 0..10 {
        data.store.ingest(data.org, &[batch(data, 1_000)], now()).await?;
    }
    let started = Instant::now();
    let mut stored = 0.0;
    while started.elapsed() < Duration::from_secs(5) {
        data.store.ingest(data.org, &[batch(data, 1_000)], now()).await?;
        stored += 1_000.0;
    }
    let rate = stored / started.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    if let Some(refresher) = refresher {
        refresher.await??;
    }
    Ok(rate)
}

/// What one tool's events add up to, in the program.
#[derive(Default)]
struct InProgram {
    outcomes: [u64; 4],
    durations: Vec<i64>,
    cost: i64,
    costed: i64,
    members: HashSet<i64>,
}

/// The predecessor's way: every row into the program, and aggregated there.
async fn read_everything(data: &Data) -> Result<usize> {
    let sql = "select tool_id, member_id, outcome::text, duration_ms, cost_micro_usd, occurred_at \
               from usage_events where org_id = $1";
    let rows = data.client.query_raw(sql, &[&data.org.0]).await?;
    let mut rows = pin!(rows);
    let mut tools: HashMap<String, InProgram> = HashMap::new();
    while let Some(row) = rows.try_next().await? {
        let tool = tools.entry(row.try_get("tool_id")?).or_default();
        let at = ["success", "failure", "abandoned", "unknown"]
            .iter()
            .position(|outcome| {
                row.try_get::<_, &str>("outcome")
                    .is_ok_and(|word| word == *outcome)
            });
        tool.outcomes[at.unwrap_or(3)] += 1;
        tool.members.insert(row.try_get("member_id")?);
        tool.durations
            .extend(row.try_get::<_, Option<i64>>("duration_ms")?);
        if let Some(cost) = row.try_get::<_, Option<i64>>("cost_micro_usd")? {
            tool.cost += cost;
            tool.costed += 1;
        }
    }
    for tool in tools.values_mut() {
        tool.durations.sort_unstable();
    }
    Ok(std::hint::black_box(&tools).len())
}
