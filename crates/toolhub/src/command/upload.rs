use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use client::{
    Error, Exit,
    report::Report,
    upload::{self, Encoding, Finished, Progress, Request},
};
use indicatif::{ProgressBar, ProgressStyle};
use sources::{Agent, UnpricedModel};

use crate::{
    args::{duration, since},
    context::Context,
    talk,
};

/// Send the tool calls in session logs to the server
///
/// Sending anything twice changes nothing: the server knows each call by the agent's own id of it. What is read is
/// names, times and outcomes; neither prompts nor inputs nor results are sent unless --task-text asks for it.
#[derive(Debug, Args)]
pub(crate) struct Upload {
    /// Logs, folders of logs, or a home directory. Default: the agents' own folders
    paths: Vec<PathBuf>,
    /// Only logs of this agent; may be given more than once
    #[arg(long = "agent", value_name = "AGENT", value_parser = agent_parser())]
    agents: Vec<Agent>,
    /// Only events from then on: a time, a day, or 7d for seven days ago
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<DateTime<Utc>>,
    /// Only logs that changed since the last complete upload from this machine
    #[arg(long)]
    changed: bool,
    /// Send nothing and remember nothing; say what would be sent
    #[arg(long)]
    dry_run: bool,
    /// Print exactly the events, one line of JSON each, and nothing else on stdout
    #[arg(long, conflicts_with = "json")]
    print_events: bool,
    /// Wait until the scores hold the events
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Send the first 500 characters of what was asked for, with secrets removed. The org must allow it, too
    #[arg(long)]
    task_text: bool,
    /// A TOML file of `[[price]]` tables that replaces the prices of the models it names
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Do not send which tools are loaded and installed
    #[arg(long)]
    no_inventory: bool,
    /// For hooks: whatever happens, exit with 0
    #[arg(long)]
    best_effort: bool,
    /// How long to retry. Default: 5m, but 10s for an address that has never answered
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    retry_for: Option<Duration>,
    /// Requests in flight
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    in_flight: u8,
    /// Most events in one request, if fewer than the server takes
    #[arg(long, value_name = "N")]
    batch_events: Option<usize>,
    /// How requests are packed
    #[arg(long, value_enum, default_value_t = Packing::Zstd)]
    encoding: Packing,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Packing {
    Zstd,
    Gzip,
    Identity,
}

fn agent_parser() -> impl clap::builder::TypedValueParser<Value = Agent> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(Agent::ALL.map(Agent::as_str)).try_map(|name| name.parse())
}

impl Upload {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let best_effort = self.best_effort;
        match self.upload(context).await {
            Ok(_) | Err(_) if best_effort => Ok(Exit::Done),
            other => other,
        }
    }

    async fn upload(self, context: &Context) -> Result<Exit, Error> {
        let server = if self.dry_run {
            None
        } else {
            Some(context.uploading_server().await?)
        };
        let settings = &context.settings;
        let request = Request {
            paths: self.paths,
            agents: self.agents,
            since: self.since,
            changed: self.changed,
            task_text: self.task_text || settings.task_text.unwrap_or(false),
            prices: self.prices.or_else(|| settings.prices.clone()),
            inventory: !self.no_inventory && settings.inventory.unwrap_or(true),
            dry_run: self.dry_run,
            wait: self.wait,
            retry_for: self.retry_for,
            in_flight: self.in_flight.into(),
            batch_events: self.batch_events,
            encoding: match self.encoding {
                Packing::Zstd => Encoding::Zstd,
                Packing::Gzip => Encoding::Gzip,
                Packing::Identity => Encoding::Identity,
            },
        };
        let bar = bar();
        let mut out = io::BufWriter::new(io::stdout());
        let mut print = |event: &[u8]| out.write_all(event).and_then(|()| out.write_all(b"\n"));
        let printer: Option<upload::Printer<'_>> = if self.print_events { Some(&mut print) } else { None };
        let observer = observer(bar.clone());
        let mut finished = upload::upload(&request, &context.environment, server, &observer, printer).await;
        bar.finish_and_clear();
        if let Err(error) = out.flush()
            && finished.error.is_none()
            && (request.dry_run || error.kind() != io::ErrorKind::BrokenPipe)
        {
            finished.error = Some(Error::Output(error));
        }
        drop(out);
        tell(finished, context.json, self.print_events)
    }
}

/// Shows what became of the upload.
fn tell(finished: Finished, json: bool, printed: bool) -> Result<Exit, Error> {
    let exit = finished.exit();
    let Finished { report, error } = finished;
    if error.as_ref().is_some_and(Error::is_broken_pipe) {
        return Ok(Exit::Done);
    }
    for note in &report.notes {
        talk::warn(note);
    }
    // An upload that did nothing has nothing to tell but its error.
    let did_something = error.is_none() || report.files > 0;
    if json {
        let text = serde_json::to_string(&report).map_err(|error| Error::Output(error.into()))?;
        talk::answer_json(&text)?;
    } else if did_something && printed {
        summary(&report).iter().for_each(|line| talk::note(line));
    } else if did_something {
        talk::answer_line(&summary(&report).join("\n"))?;
    }
    match error {
        Some(error) => Err(error),
        None => Ok(exit),
    }
}

/// The report in a few lines.
fn summary(report: &Report) -> Vec<String> {
    let Report {
        files, lines, events, ..
    } = report;
    let mut text = vec![format!("read {files} logs, {lines} lines: {events} events")];
    if report.dry_run {
        text.push("dry run: nothing was sent".to_owned());
    } else {
        text.push(format!(
            "sent {}: {} new, {} upgraded, {} known, {} conflicting, {} rejected",
            report.received,
            report.inserted,
            report.upgraded,
            report.duplicate,
            report.conflict,
            report.rejected
        ));
        if report.resumed > 0 {
            text.push(format!(
                "{} more had been sent by an earlier run that did not end",
                report.resumed
            ));
        }
        if report.batches > 0 && !report.durable {
            text.push(
                "the server does not sync its writes to disk: a crash can lose these events".to_owned(),
            );
        }
    }
    for rejection in report.rejections.iter().take(5) {
        let uuid = rejection.uuid.as_deref().unwrap_or("an event without uuid");
        text.push(format!(
            "rejected {}: {}",
            model::text::clean(uuid),
            model::text::clean(&rejection.detail)
        ));
    }
    for event in report.quarantined.iter().take(5) {
        let uuid = event.uuid.as_deref().unwrap_or("an event without uuid");
        text.push(format!(
            "too large {}: {}",
            model::text::clean(uuid),
            model::text::clean(&event.detail)
        ));
    }
    if !report.unpriced.is_empty() {
        text.push(unpriced(&report.unpriced));
    }
    if !report.problems_by_code.is_empty() {
        text.push(format!(
            "problems in the logs: {} (--json lists them)",
            counts(&report.problems_by_code)
        ));
    }
    text
}

/// The models without a price, by name and calls.
fn unpriced(models: &[UnpricedModel]) -> String {
    const SHOWN: usize = 10;
    let mut names: Vec<String> = models
        .iter()
        .take(SHOWN)
        .map(|model| {
            let calls = if model.calls == 1 { "call" } else { "calls" };
            format!("{} ({} {calls})", model::text::clean(&model.model), model.calls)
        })
        .collect();
    if let Some(more) = models.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    format!(
        "no price, so no cost: {}. Set a price (`toolhub prices set FILE`) and upload again",
        names.join(", ")
    )
}

fn counts(by_code: &BTreeMap<String, u64>) -> String {
    let counts: Vec<String> = by_code
        .iter()
        .map(|(code, count)| format!("{count} {code}"))
        .collect();
    counts.join(", ")
}

/// A bar on stderr; nothing where that is no terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn observer(bar: ProgressBar) -> upload::Observer {
    Arc::new(move |step| match step {
        Progress::Reading { files, bytes } => {
            bar.set_style(style("reading {msg} {wide_bar} {bytes}/{total_bytes}"));
            bar.set_message(format!("{files} logs"));
            bar.set_length(bytes);
        }
        Progress::Read(bytes) | Progress::Sent(bytes) => bar.inc(bytes),
        Progress::Sending { events } => {
            bar.set_style(style("sending {wide_bar} {pos}/{len} events"));
            bar.set_length(events);
            bar.set_position(0);
        }
        Progress::Waiting => {
            bar.set_style(style("{spinner} waiting until the scores hold the events"));
        }
    })
}
