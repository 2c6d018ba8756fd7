use std::{
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use client::{
    Error, Exit, environment, render,
    report::Report,
    status::{self, Trigger},
    upload::{self, Encoding, Finished, Progress, Request},
};
use indicatif::{ProgressBar, ProgressStyle};
use model::Gate;
use sources::{Agent, UnpricedModel};

use crate::{
    args::{duration, time},
    context::Context,
    talk,
};

/// Upload the tool calls in session logs to the server
///
/// Uploading a log again changes nothing: the server identifies each call by its id. An event contains names, times,
/// outcomes and costs. Prompts, inputs and results are not sent; --task-text sends the beginning of a prompt.
#[derive(Debug, Args)]
pub(crate) struct Upload {
    /// Logs, folders of logs, or home directories [default: the folders of the agents]
    paths: Vec<PathBuf>,
    /// Only upload logs of AGENT (repeatable)
    #[arg(long = "agent", value_name = "AGENT", value_parser = agent_parser())]
    agents: Vec<Agent>,
    /// Only upload projects whose name or path matches GLOB (repeatable); narrows the rules of the settings
    #[arg(long = "project", value_name = "GLOB")]
    projects: Vec<String>,
    /// Only upload events at or after TIME: a time, a day, or an age such as 7d
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<DateTime<Utc>>,
    /// Only what is new: read the logs that changed since they were uploaded, and send what the server does not have
    #[arg(long)]
    changed: bool,
    /// Read all logs and send all events, whatever is remembered about earlier uploads
    #[arg(long, conflicts_with = "changed")]
    full: bool,
    /// Exit with 1 unless the calls in these logs pass GATE, such as `mcp:linear success_rate>=0.9` or `cost<=2.50` (repeatable) [default: none]
    #[arg(long = "gate", value_name = "GATE", conflicts_with = "dry_run")]
    gates: Vec<Gate>,
    /// Print a summary in Markdown, for the page of a CI job or a comment on a pull request
    #[arg(long, conflicts_with_all = ["json", "print_events", "dry_run"])]
    summary: bool,
    /// Print what would be sent, without sending or recording anything
    #[arg(long)]
    dry_run: bool,
    /// Print the events to stdout as lines of JSON, and nothing else
    #[arg(long, conflicts_with = "json")]
    print_events: bool,
    /// Wait until the scores include the events
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Also send the first 500 characters of each prompt, without secrets. The org must allow it
    #[arg(long)]
    task_text: bool,
    /// TOML file with `[[price]]` tables that take precedence over all other prices [default: none]
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Do not send the inventory of loaded and installed tools
    #[arg(long)]
    no_inventory: bool,
    /// The hook of an agent started this, for `toolhub status`
    #[arg(long, hide = true)]
    hook: bool,
    /// Exit with 0 also after an error, for hooks
    #[arg(long)]
    best_effort: bool,
    /// Wait for the server for at most DURATION per request, retries included; 0 tries once [default: 5m; 10s for an address that has never answered]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    retry_for: Option<Duration>,
    /// Send at most N requests at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    in_flight: u8,
    /// Send at most N events per request [default: the limit of the server]
    #[arg(long, value_name = "N")]
    batch_events: Option<usize>,
    /// Compression of requests
    #[arg(long, value_enum, default_value_t = Compression::Zstd)]
    encoding: Compression,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Compression {
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
        let trigger = if self.hook {
            Trigger::Hook
        } else {
            Trigger::Command
        };
        let server = if self.dry_run {
            None
        } else {
            match context.uploading_server(self.retry_for).await {
                Ok(server) => Some(server),
                Err(error) => {
                    if let Ok(url) = context.url() {
                        status::record(
                            &context.environment,
                            &url,
                            trigger,
                            environment::now(),
                            false,
                            Some(&error),
                        );
                    }
                    return Err(error);
                }
            }
        };
        let settings = &context.settings;
        let request = Request {
            paths: self.paths,
            agents: self.agents,
            projects: context.project_rules(&self.projects)?,
            since: self.since,
            changed: self.changed,
            full: self.full,
            all_changed: false,
            trigger,
            gates: self.gates,
            summary: self.summary,
            task_text: self.task_text || settings.task_text.unwrap_or(false),
            prices: self.prices.or_else(|| settings.prices.clone()),
            inventory: !self.no_inventory && settings.inventory.unwrap_or(true),
            dry_run: self.dry_run,
            wait: self.wait,
            retry_for: self.retry_for,
            in_flight: self.in_flight.into(),
            batch_events: self.batch_events,
            encoding: match self.encoding {
                Compression::Zstd => Encoding::Zstd,
                Compression::Gzip => Encoding::Gzip,
                Compression::Identity => Encoding::Identity,
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
        print_result(finished, context.json, self.print_events, &request)
    }
}

/// Prints the result of the upload.
fn print_result(finished: Finished, json: bool, printed: bool, request: &Request) -> Result<Exit, Error> {
    let exit = finished.exit();
    let changed = request.changed;
    let Finished { report, error } = finished;
    if error.as_ref().is_some_and(Error::is_broken_pipe) {
        return Ok(Exit::Done);
    }
    for note in &report.notes {
        talk::warn(note);
    }
    if let Some(note) = excluded(&report) {
        talk::note(&note);
    }
    // An upload that read nothing has no report, only its error.
    let has_report = error.is_none() || report.files > 0;
    if json {
        let text = serde_json::to_string(&report).map_err(|error| Error::Output(error.into()))?;
        talk::answer_json(&text)?;
    } else if let Some(run) = report.run.as_ref().filter(|_| request.summary) {
        talk::answer_line(render::run_summary(run).trim_end())?;
    } else if has_report && printed {
        summary(&report, changed).iter().for_each(|line| talk::note(line));
    } else if has_report {
        talk::answer_line(&summary(&report, changed).join("\n"))?;
    }
    for gate in report
        .run
        .iter()
        .flat_map(|run| &run.gates)
        .filter(|gate| !gate.passed)
    {
        talk::error(&model::text::clean(&format!(
            "the gate `{}` does not pass: {}",
            gate.gate, gate.detail
        )));
    }
    match error {
        Some(error) => Err(error),
        None => Ok(exit),
    }
}

/// A note about what the project rules excluded, if they did.
pub(super) fn excluded(report: &Report) -> Option<String> {
    let excluded = &report.excluded;
    (excluded.sessions > 0).then(|| {
        format!(
            "excluded by project rules: {}, {}, {}",
            counted(excluded.events, "event"),
            counted(excluded.sessions, "session"),
            counted(excluded.projects, "project")
        )
    })
}

fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// The report in a few lines.
fn summary(report: &Report, changed: bool) -> Vec<String> {
    let Report {
        files, lines, events, ..
    } = report;
    if changed && *files == 0 {
        return vec!["no log has changed since the last complete upload".to_owned()];
    }
    let mut text = vec![format!(
        "read {}, {}: {}",
        counted(*files, "log"),
        counted(*lines, "line"),
        counted(*events, "event")
    )];
    if report.dry_run {
        text.push("dry run: nothing was sent".to_owned());
    } else {
        text.push(format!(
            "sent {}: {} inserted, {} upgraded, {} duplicate, {} conflict, {} rejected",
            report.received,
            report.inserted,
            report.upgraded,
            report.duplicate,
            report.conflict,
            report.rejected
        ));
        if report.already_counted > 0 {
            text.push(format!(
                "already_counted: {} for another member: the org counts these calls once, your own board counts them too",
                report.already_counted
            ));
        }
        if report.resumed > 0 {
            text.push(format!(
                "{} more were sent by an earlier run that did not complete",
                report.resumed
            ));
        }
        if report.already_sent > 0 {
            text.push(format!(
                "{} more were sent by earlier uploads",
                report.already_sent
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
    text.extend(problems(report));
    text
}

/// The problems by code, each with the place of the first one.
fn problems(report: &Report) -> Vec<String> {
    if report.problems_by_code.is_empty() {
        return Vec::new();
    }
    let first = |code: &str| report.problems.iter().find(|problem| problem.code == code);
    let mut text = vec!["problems in the logs (--json lists all of them):".to_owned()];
    for (code, count) in &report.problems_by_code {
        let place = first(code).map_or_else(String::new, |problem| {
            let line = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
            let first = if *count > 1 { "the first in " } else { "" };
            let place = if problem.file.is_empty() {
                String::new()
            } else {
                format!("{first}{}{line}: ", problem.file)
            };
            format!(", {place}{}", problem.detail)
        });
        text.push(model::text::clean(&format!("  {count} {code}{place}")).into_owned());
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
            format!(
                "{} ({})",
                model::text::clean(&model.model),
                counted(model.calls, "call")
            )
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

/// A progress bar on stderr, if that is a terminal.
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
        Progress::WaitingForUpload => {
            bar.set_style(style("{spinner} waiting for another upload of this machine"));
        }
        Progress::Waiting => {
            bar.set_style(style("{spinner} waiting until the scores include the events"));
        }
    })
}
