//! `bench parse PATH`: how fast logs become events.
//!
//! Each measurement runs in a process of its own, so that its peak memory is its own, and each reads every file once
//! before the clock starts, so that all of them find the files in the page cache.

use std::{
    cmp::Reverse,
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use model::wire::EventV1;
use sources::{Buffer, Collected, FileFacts, LogReader, Options, Prices, join};

/// Arguments of `bench parse`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Log files, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// How often each measurement is repeated; the best counts
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Print the events as NDJSON instead of measuring
    #[arg(long)]
    print_events: bool,
    /// Print the totals as JSON instead of measuring
    #[arg(long)]
    print_totals: bool,
    /// Print the inventory of the sessions as JSON instead of measuring
    #[arg(long)]
    print_inventory: bool,
    /// Print the problems as NDJSON instead of measuring
    #[arg(long)]
    print_problems: bool,
    /// Measure one way only, in this process
    #[arg(long, hide = true)]
    measure: Option<Way>,
    /// Threads of that measurement
    #[arg(long, hide = true, default_value_t = 1)]
    threads: usize,
}

/// A way of reading logs.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
enum Way {
    /// Counting line ends: no reader of lines is faster.
    Lines,
    /// Every line into a tree of values, as a parser in a hurry would.
    Naive,
    /// Ours.
    Ours,
}

impl Way {
    const ALL: [(Way, &'static str); 3] = [
        (Way::Lines, "counting lines (baseline)"),
        (Way::Naive, "serde_json::Value (naive)"),
        (Way::Ours, "toolhub"),
    ];
}

/// Runs `bench parse`.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let files = files_below(&arguments.paths)?;
    if let Some(way) = arguments.measure {
        return measure(way, &files, arguments.threads, arguments.rounds);
    }
    if arguments.print_events
        || arguments.print_totals
        || arguments.print_inventory
        || arguments.print_problems
    {
        return print(arguments, &ours(&files, 1)?);
    }
    report(arguments, &files)
}

/// The logs below the paths, the largest first.
fn files_below(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        for entry in walkdir::WalkDir::new(path).sort_by_file_name() {
            let entry = entry.with_context(|| format!("cannot walk {}", path.display()))?;
            let is_log = entry
                .path()
                .extension()
                .is_some_and(|kind| kind == "jsonl" || kind == "json");
            if entry.file_type().is_file() && is_log {
                files.push(entry.into_path());
            }
        }
    }
    if files.is_empty() {
        bail!("no .jsonl or .json file below the given paths");
    }
    // As the client does, which knows the sizes from its walk: no thread is left alone with a large one at the end.
    files.sort_by_cached_key(|path| Reverse(std::fs::metadata(path).map_or(0, |file| file.len())));
    Ok(files)
}

fn print(arguments: &Arguments, collected: &Collected) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if arguments.print_events {
        for event in collected.events() {
            serde_json::to_writer(&mut out, &EventV1(&event))?;
            out.write_all(b"\n")?;
        }
    }
    if arguments.print_totals {
        serde_json::to_writer_pretty(&mut out, &collected.totals)?;
        out.write_all(b"\n")?;
    }
    if arguments.print_inventory {
        serde_json::to_writer_pretty(&mut out, &collected.inventory)?;
        out.write_all(b"\n")?;
    }
    if arguments.print_problems {
        for problem in &collected.problems {
            serde_json::to_writer(&mut out, problem)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(out.flush()?)
}

/// Reads a file in pieces, as the client does: `each` gets the number of bytes that were read.
fn pieces(path: &Path, buffer: &mut Buffer, mut each: impl FnMut(&mut Buffer, usize)) -> Result<()> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    buffer.clear();
    loop {
        let length = file
            .read(buffer.space())
            .with_context(|| format!("cannot read {}", path.display()))?;
        if length == 0 {
            return Ok(());
        }
        each(buffer, length);
    }
}

fn facts(path: &Path, buffer: &mut Buffer) -> Result<FileFacts> {
    let mut reader = LogReader::new(&path.display().to_string(), None, &Options::default());
    pieces(path, buffer, |buffer, length| buffer.feed(length, &mut reader))?;
    buffer.finish(&mut reader);
    Ok(reader.finish())
}

/// Does `work` for every file, in `threads` threads.
fn for_each_file<T: Send>(
    files: &[PathBuf],
    threads: usize,
    work: impl Fn(&Path, &mut Buffer) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let worker = || -> Result<Vec<T>> {
        let (mut buffer, mut done) = (Buffer::default(), Vec::new());
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(work(path, &mut buffer)?);
        }
        Ok(done)
    };
    let done = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let own = worker();
        let others = workers
            .into_iter()
            .map(|worker| worker.join().expect("the reader does not panic"));
        std::iter::once(own).chain(others).collect::<Result<Vec<_>>>()
    })?;
    Ok(done.into_iter().flatten().collect())
}

fn ours(files: &[PathBuf], threads: usize) -> Result<Collected> {
    let read = for_each_file(files, threads, facts)?;
    Ok(join(read, &Prices::builtin(), &mut |_| None))
}

/// What one way found, so that nothing is optimised away and every way is seen to do its work.
#[derive(Default)]
struct Found {
    lines: usize,
    events: usize,
}

impl Found {
    fn sum(parts: Vec<Found>) -> Found {
        parts.into_iter().fold(Found::default(), |sum, part| Found {
            lines: sum.lines + part.lines,
            events: sum.events + part.events,
        })
    }
}

fn go(way: Way, files: &[PathBuf], threads: usize) -> Result<Found> {
    match way {
        Way::Lines => {
            let count = |path: &Path, buffer: &mut Buffer| {
                let mut found = Found::default();
                pieces(path, buffer, |buffer, length| {
                    found.lines += memchr::memchr_iter(b'\n', &buffer.space()[..length]).count();
                })?;
                Ok(found)
            };
            Ok(Found::sum(for_each_file(files, threads, count)?))
        }
        Way::Naive => {
            let parse = |path: &Path, _: &mut Buffer| {
                let mut found = Found::default();
                let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
                    found.lines += 1;
                    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(line) {
                        found.events += usize::from(value.is_object());
                    }
                }
                Ok(found)
            };
            Ok(Found::sum(for_each_file(files, threads, parse)?))
        }
        Way::Ours => {
            let collected = ours(files, threads)?;
            // Every event is built, as an upload would.
            let events = collected
                .events()
                .map(|event| usize::from(event.uuid.is_some()))
                .sum();
            Ok(Found {
                lines: usize::try_from(collected.totals.lines)?,
                events,
            })
        }
    }
}

/// Measures one way and prints `<seconds> <lines> <events> <peak KiB>`.
fn measure(way: Way, files: &[PathBuf], threads: usize, rounds: u32) -> Result<()> {
    let mut buffer = Buffer::default();
    for path in files {
        pieces(path, &mut buffer, |_, _| {})?;
    }
    let mut best: Option<(f64, Found)> = None;
    for _ in 0..rounds.max(1) {
        let start = Instant::now();
        let found = go(way, files, threads)?;
        let seconds = start.elapsed().as_secs_f64();
        if best.as_ref().is_none_or(|(least, _)| seconds < *least) {
            best = Some((seconds, found));
        }
    }
    let (seconds, found) = best.context("at least one round")?;
    println!("{seconds} {} {} {}", found.lines, found.events, peak_kib()?);
    Ok(())
}

/// Peak resident memory of this process.
fn peak_kib() -> Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("peak memory is read from /proc (Linux)")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .context("no VmHWM in /proc")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

fn report(arguments: &Arguments, files: &[PathBuf]) -> Result<()> {
    let mut bytes = 0;
    for path in files {
        bytes += std::fs::metadata(path)?.len();
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{} files, {megabytes:.1} MB, best of {} rounds",
        files.len(),
        arguments.rounds
    );
    println!(
        "{:<44} {:>9} {:>10} {:>12} {:>9} {:>10}",
        "", "seconds", "MB/s", "events/s", "events", "peak MiB"
    );
    let mut rates = Vec::new();
    for (way, name) in Way::ALL {
        let mut by_threads = [0.0; 2];
        for (rate, threads) in by_threads.iter_mut().zip(1_usize..) {
            let (seconds, events, peak_mib) = in_own_process(arguments, way, threads)?;
            let events_per_second = if way == Way::Ours {
                format!("{:.0}", events / seconds)
            } else {
                "–".to_owned()
            };
            *rate = megabytes / seconds;
            let name = format!("{name}, {threads} thread{}", if threads == 1 { "" } else { "s" });
            println!(
                "{name:<44} {seconds:>9.3} {rate:>10.0} {events_per_second:>12} {events:>9} {peak_mib:>10.1}"
            );
        }
        rates.push(by_threads);
    }
    let [lines, naive, ours] = rates[..] else {
        bail!("every way is measured once");
    };
    println!(
        "1 thread: {:.1} times naive, {:.0} % of counting lines",
        ours[0] / naive[0],
        100.0 * ours[0] / lines[0],
    );
    // What the machine has to give: a second core that shares caches and memory is not a second machine.
    println!(
        "2 threads, relative to 1: {:.2}; counting lines {:.2}, naive {:.2}",
        ours[1] / ours[0],
        lines[1] / lines[0],
        naive[1] / naive[0],
    );
    Ok(())
}

fn in_own_process(arguments: &Arguments, way: Way, threads: usize) -> Result<(f64, f64, f64)> {
    let way = clap::ValueEnum::to_possible_value(&way).context("every way has a name")?;
    let output = Command::new(std::env::current_exe()?)
        .args([
            "parse",
            "--measure",
            way.get_name(),
            "--threads",
            &threads.to_string(),
            "--rounds",
            &arguments.rounds.to_string(),
        ])
        .args(&arguments.paths)
        .output()?;
    if !output.status.success() {
        bail!(
            "measuring failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let text = String::from_utf8(output.stdout)?;
    let figures: Vec<f64> = text
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [seconds, _lines, events, peak_kib] = figures[..] else {
        bail!("unexpected figures: {text}")
    };
    Ok((seconds, events, peak_kib / 1024.0))
}
