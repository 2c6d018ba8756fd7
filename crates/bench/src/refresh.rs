//! `bench refresh`: how long the scores take to be fresh, beside the bare query that they cannot be faster than.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use chrono::{NaiveDate, TimeDelta};
use futures_util::TryStreamExt;
use model::{CallResult, Event, ToolId, event::Source};
use store::{
    derived::refresh::{Refresh, Refresher},
    ingest::Batch,
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
    let mut measured = Vec::new();
    for &events in &arguments.data.events {
        let data = Data::open(&server, events, arguments.data.orgs).await?;
        println!("\n{events} events in each of {} orgs", arguments.data.orgs);
        measured.push((events, measure(&data, arguments.rounds).await?));
    }
    if let [(few, small), .., (many, great)] = measured[..] {
        println!("\nfrom {few} to {many} events");
        for (what, index) in [
            ("the refresh of the view", 0),
            ("the boards after an upload", 1),
            ("the boards at midnight", 2),
        ] {
            let ratio = great[index].as_secs_f64() / small[index].as_secs_f64();
            println!("  {what:<52} {ratio:>9.1} times");
        }
    }
    server.stop().await?;
    Ok(())
}

/// The best of the view, the boards after an upload, and the boards at midnight.
async fn measure(data: &Data, rounds: u32) -> Result<[Duration; 3]> {
    let mut refresher = data.store.refresher().await?;
    let mut today = now().date_naive();
    boards(&mut refresher, today).await?;
    let (mut bare, mut best) = (Duration::MAX, [Duration::MAX; 3]);
    data.client.batch_execute("set work_mem = '64MB'").await?;
    for _ in 0..rounds {
        let (_, took) = timed(async { Ok(data.client.query(BARE, &[]).await?) }).await?;
        bare = bare.min(took);
        data.store
            .ingest(data.org, &[upload(data, 0..5_000)?], now())
            .await?;
        best[1] = best[1].min(boards(&mut refresher, today).await?);
        best[0] = best[0].min(timed(async { Ok(refresher.scores(0).await?) }).await?.1);
        today = today.succ_opt().unwrap_or(today);
        best[2] = best[2].min(boards(&mut refresher, today).await?);
    }
    let [view, after_upload, midnight] = best;
    let of_bare = Some((bare, "of the bare query"));
    line("the bare query over the index", bare, None);
    line("refresh of the view `tool_scores`", view, of_bare);
    line("boards after an upload of 5,000 events", after_upload, of_bare);
    line("boards at midnight", midnight, of_bare);
    // The first counts every window anew, because the day goes back; the rest after it would be as long.
    for _ in 0..2 {
        boards(&mut refresher, now().date_naive()).await?;
    }
    let (mut waits, longest) = freshness(data).await?;
    waits.sort_unstable();
    for part in [50, 99] {
        if let Some(wait) = waits.get((waits.len() * part / 100).min(waits.len() - 1)) {
            line(&format!("from a commit to fresh boards: p{part}"), *wait, None);
        }
    }
    line("the longest refresh of these", longest, None);
    if data.events <= 1_000_000 {
        let (tools, took) = timed(read_everything(data)).await?;
        line(
            &format!("reading every row to aggregate {tools} tools"),
            took,
            Some((view, "of the refresh of the view")),
        );
    }
    let alone = ingest_rate(data, false).await?;
    let beside = ingest_rate(data, true).await?;
    println!(
        "  {:<56} {alone:>9.0} events/s alone, {beside:.0} while refreshing: {:.2} of it",
        "ingest of batches of 1,000",
        beside / alone
    );
    Ok(best)
}

fn line(what: &str, took: Duration, beside: Option<(Duration, &str)>) {
    let ratio = beside.map_or(String::new(), |(other, of)| {
        format!("   {:.2} {of}", took.as_secs_f64() / other.as_secs_f64())
    });
    println!("  {what:<56} {:>9.0} ms{ratio}", took.as_secs_f64() * 1_000.0);
}

async fn boards(refresher: &mut Refresher, today: NaiveDate) -> Result<Duration> {
    let (done, took) = timed(async { Ok(refresher.boards(today, 0).await?) }).await?;
    match done {
        Refresh::Done { .. } => Ok(took),
        _ => bail!("another process is refreshing this database"),
    }
}

/// Between 6 ms and 1.5 s, as many in each power of two: the median is near that of data/events.sql, so an upload moves
/// medians as little as one of the same people does.
fn duration(n: i64) -> i64 {
    let spread = n * 104_729 % 5_009;
    let power = 6 << (spread / 627);
    power + power * (spread % 627) / 627
}

/// Events of one member within three days: the tools that all members use and some of the others, in two projects.
fn upload(data: &Data, numbers: Range<i64>) -> Result<Batch> {
    let mut events = Vec::new();
    for n in numbers {
        // 48 tools, the first of which has a seventh of the calls.
        let random = n * 7919 % 5_003;
        let rank = random * random * 48 / (5_003 * 5_003);
        let kind = ["mcp", "skill", "agent", "plugin"][usize::try_from(rank % 4)?];
        let kind = if rank < 3 { "builtin" } else { kind };
        let Ok(tool) = ToolId::parse(&format!(
            "{kind}:tool-{}",
            if rank < 12 { rank } else { rank * 8 }
        )) else {
            continue;
        };
        events.push(Event {
            uuid: Some(Uuid::new_v4().to_string()),
            duration_ms: (n % 33 > 0).then(|| duration(n)),
            session: Some("bench".to_owned()),
            project: Some(format!("project-{}", n % 2)),
            ..Event::new(
                tool,
                CallResult::SUCCESS,
                now() - TimeDelta::seconds(n % 5_000 * 50),
            )
        });
    }
    Ok(batch_of(data, events))
}

/// How long commits take to be in the boards, and the longest refresh, while ten uploads of 1,000 events a second arrive
/// for twenty seconds and the boards are refreshed as the server does it.
async fn freshness(data: &Data) -> Result<(Vec<Duration>, Duration)> {
    const REST: u32 = 1;
    const BETWEEN: Duration = Duration::from_millis(100);

    let stop = Arc::new(AtomicBool::new(false));
    let (store, stopped) = (data.store.clone(), stop.clone());
    let refreshing = tokio::spawn(async move {
        let mut refresher = store.refresher().await?;
        let mut began = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            let start = Instant::now();
            match refresher.boards(now().date_naive(), REST).await? {
                Refresh::Done { .. } => began.push((start, Instant::now())),
                Refresh::Resting(left) => tokio::time::sleep(left).await,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        anyhow::Ok(began)
    });
    let mut commits = Vec::new();
    let mut pace = tokio::time::interval(BETWEEN);
    for n in 0..200 {
        pace.tick().await;
        let batch = upload(data, n * 1_000..(n + 1) * 1_000)?;
        data.store.ingest(data.org, &[batch], now()).await?;
        commits.push(Instant::now());
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    stop.store(true, Ordering::Relaxed);
    let refreshes = refreshing.await??;
    let waits = commits.iter().filter_map(|commit| {
        let (_, end) = refreshes.iter().find(|(start, _)| start >= commit)?;
        Some(*end - *commit)
    });
    let longest = refreshes.iter().map(|(start, end)| *end - *start).max();
    Ok((waits.collect(), longest.unwrap_or_default()))
}

fn batch(data: &Data, events: usize) -> Batch {
    let tools: Vec<ToolId> = (3..12)
        .filter_map(|n| ToolId::parse(&format!("mcp:tool-{n}")).ok())
        .collect();
    let events = (0..events).map(|n| Event {
        uuid: Some(Uuid::new_v4().to_string()),
        duration_ms: i64::try_from(n).ok().map(duration),
        session: Some("bench".to_owned()),
        project: Some("project-1".to_owned()),
        ..Event::new(tools[n % tools.len()].clone(), CallResult::SUCCESS, now())
    });
    batch_of(data, events.collect())
}

fn batch_of(data: &Data, events: Vec<Event>) -> Batch {
    Batch {
        member: data.member,
        upload_id: Uuid::now_v7(),
        source: Source::Api,
        client: None,
        ci: None,
        hash: String::new(),
        rejected: 0,
        events,
        unnamed: Vec::new(),
        unkeyed: 0,
    }
}

/// Events per second of one uploader within five seconds, alone or while the boards are refreshed without rest. The
/// first batches are not counted: a checkpoint's full pages would be.
async fn ingest_rate(data: &Data, beside_refresh: bool) -> Result<f64> {
    let stop = Arc::new(AtomicBool::new(false));
    let refresher = beside_refresh.then(|| {
        let (store, stop) = (data.store.clone(), stop.clone());
        tokio::spawn(async move {
            let mut refresher = store.refresher().await?;
            while !stop.load(Ordering::Relaxed) {
                boards(&mut refresher, now().date_naive()).await?;
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
