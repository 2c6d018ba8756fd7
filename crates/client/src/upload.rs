//! One upload from end to end: find, read, plan, send, and say what became of everything.

mod flight;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use model::{Event, api::RefreshState, inventory::Inventory, limits::Limits, wire::EventV1};
use sources::{Agent, Collected, Options, Prices};
use tokio::time::Instant;

use self::flight::Flight;
pub use crate::send::Encoding;
use crate::{
    Environment, Error, Exit, Server, ci, collect, environment,
    find::{self, Found},
    installed, inventory,
    journal::{Journal, Place},
    plan::{Fingerprint, Planner},
    prices,
    project::Projects,
    report::Report,
    retry::{self, Patience},
    send::Sender,
};

/// How far back before the last complete upload a log counts as changed: clocks and file systems are not exact.
const MARGIN: chrono::TimeDelta = chrono::TimeDelta::minutes(10);
/// How long one question for the refresh state is held back by the server, at most.
const HELD: Duration = Duration::from_secs(20);
/// Pause between two looks at the refresh state: the first, and the longest.
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What to upload, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// Files and folders; empty means the agents' own folders.
    pub paths: Vec<PathBuf>,
    /// Only these agents; empty means all.
    pub agents: Vec<Agent>,
    /// Only events from this time on.
    pub since: Option<DateTime<Utc>>,
    /// Only logs that changed since the last complete upload to this server.
    pub changed: bool,
    /// Send the beginning of what people asked for.
    pub task_text: bool,
    /// A file with prices of one's own.
    pub prices: Option<PathBuf>,
    /// Send which tools are loaded and installed.
    pub inventory: bool,
    /// Send nothing, and remember nothing.
    pub dry_run: bool,
    /// Wait until the scores hold the events.
    pub wait: bool,
    /// How long to retry; `None`: 5 minutes, 10 seconds for an address that never answered.
    pub retry_for: Option<Duration>,
    /// Requests in flight.
    pub in_flight: usize,
    /// Most events in one request, if fewer than the server's limit.
    pub batch_events: Option<usize>,
    /// How bodies are packed.
    pub encoding: Encoding,
}

impl Default for Request {
    fn default() -> Request {
        Request {
            paths: Vec::new(),
            agents: Vec::new(),
            since: None,
            changed: false,
            task_text: false,
            prices: None,
            inventory: true,
            dry_run: false,
            wait: false,
            retry_for: None,
            in_flight: 4,
            batch_events: None,
            encoding: Encoding::default(),
        }
    }
}

impl Request {
    /// True when all logs of this machine are meant.
    fn is_everything(&self) -> bool {
        self.paths.is_empty() && self.agents.is_empty() && self.since.is_none()
    }

    /// True for an event of a chosen agent and time. The place of a log does not always tell its agent.
    fn wants(&self, event: &Event) -> bool {
        let of_agent = |agent: &Agent| event.agent.as_deref() == Some(agent.as_str());
        (self.agents.is_empty() || self.agents.iter().any(of_agent))
            && self.since.is_none_or(|since| event.occurred_at >= since)
    }
}

/// A step of an upload, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Logs are being read.
    Reading {
        /// How many.
        files: u64,
        /// Their size.
        bytes: u64,
    },
    /// Bytes of logs have been read since the last step.
    Read(u64),
    /// Events are being sent.
    Sending {
        /// How many.
        events: u64,
    },
    /// The fate of these events is known.
    Sent(u64),
    /// The scores are being waited for.
    Waiting,
}

/// Takes steps as they happen.
pub type Observer = Arc<dyn Fn(Progress) + Send + Sync>;

/// Takes each event as it is sent: its bytes, without the line break.
pub type Printer<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// What became of an upload. The report holds what was done even where an error ended it.
#[derive(Debug)]
pub struct Finished {
    /// The numbers.
    pub report: Report,
    /// Why it ended early.
    pub error: Option<Error>,
}

impl Finished {
    /// The exit code that it deserves.
    pub fn exit(&self) -> Exit {
        match &self.error {
            Some(error) => error.exit(),
            None if self.report.rejected > 0 => Exit::Rejected,
            None => Exit::Done,
        }
    }
}

/// Uploads. `server` may be left out of a dry run only.
pub async fn upload(
    request: &Request,
    environment: &Environment,
    server: Option<Server>,
    observer: &Observer,
    print: Option<Printer<'_>>,
) -> Finished {
    let mut report = Report {
        dry_run: request.dry_run,
        ..Report::default()
    };
    let run = Run {
        request,
        environment,
        observer,
    };
    let error = run.upload(server, print, &mut report).await.err();
    Finished { report, error }
}

struct Run<'a> {
    request: &'a Request,
    environment: &'a Environment,
    observer: &'a Observer,
}

impl Run<'_> {
    async fn upload(
        &self,
        server: Option<Server>,
        print: Option<Printer<'_>>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let started = environment::now();
        let server = if self.request.dry_run { None } else { server };
        let mut found = find::find(&self.request.paths, &self.request.agents, self.environment)?;
        let place = match &server {
            Some(server) => Some(Place::of(
                self.environment,
                server.url(),
                server.authorized().await?,
            )?),
            None => None,
        };
        let prices = prices::find(server.as_ref(), self.request.prices.as_deref(), self.environment).await?;
        self.select(&mut found, place.as_ref(), &prices.prices);
        if found.files.is_empty() && self.request.changed {
            return Ok(());
        }
        let ci = ci::context(self.environment);
        let homes = found.homes.clone();
        report.notes.extend(prices.notes);
        let (collected, roots) = self.read(found, prices.prices, report).await?;
        let sender = match (server.clone(), &place) {
            (Some(server), Some(place)) => {
                let patience = Patience {
                    given: self.request.retry_for,
                };
                let ci = ci.as_ref().map(ci::header_value);
                let journal = Journal::open(place)?;
                Some(Sender::connect(server, patience, self.request.encoding, ci.as_deref(), journal).await?)
            }
            _ => None,
        };
        let sender = sender.map(Arc::new);
        self.events(&collected, sender.as_ref(), print, report).await?;
        if self.request.inventory {
            // A CI runner is another machine each time: what is installed there says nothing.
            let home = homes.first().filter(|_| ci.is_none());
            let machine = home.and_then(|home| installed::scan(home, &roots, self.environment));
            let inventory = Inventory {
                sessions: collected.inventory,
                machine,
            };
            if let Some(sender) = &sender {
                report.inventory = inventory::send(inventory, sender).await?;
            }
        }
        if let (Some(sender), Some(place)) = (&sender, &place) {
            sender.complete()?;
            if self.request.is_everything() {
                let unpriced = report.unpriced.iter().map(|unpriced| unpriced.model.as_str());
                place.set_unpriced(unpriced)?;
                place.set_last_complete(started)?;
            }
        }
        match server {
            Some(server) if self.request.wait => {
                (self.observer)(Progress::Waiting);
                wait_for_scores(&server, self.request.retry_for.unwrap_or(retry::FOREGROUND)).await
            }
            _ => Ok(()),
        }
    }

    /// Leaves out logs that cannot hold what was asked for.
    fn select(&self, found: &mut Found, place: Option<&Place>, prices: &Prices) {
        // What had no price then and has one now is in logs that have not changed.
        let gets_its_cost = |place: &&Place| place.unpriced().iter().any(|model| prices.knows(model));
        let last = place
            .filter(|_| self.request.changed)
            .filter(|place| !gets_its_cost(place))
            .and_then(Place::last_complete);
        let not_before = self.request.since.max(last.map(|last| last - MARGIN));
        if let Some(not_before) = not_before {
            found.files.retain(|file| {
                file.modified
                    .is_none_or(|modified| DateTime::<Utc>::from(modified) >= not_before)
            });
        }
    }

    /// Reads the logs away from the threads that serve the network.
    async fn read(
        &self,
        found: Found,
        prices: Prices,
        report: &mut Report,
    ) -> Result<(Collected, std::collections::BTreeSet<PathBuf>), Error> {
        let options = Options {
            task_text: self.request.task_text,
        };
        let mut projects = Projects::new(self.environment.home());
        let observer = Arc::clone(self.observer);
        let environment = self.environment.clone();
        let Found {
            files,
            problems: passed_over,
            ..
        } = found;
        let bytes = files.iter().map(|file| file.bytes).sum();
        observer(Progress::Reading {
            files: files.len() as u64,
            bytes,
        });
        let reading = tokio::task::spawn_blocking(move || {
            let read = |bytes| observer(Progress::Read(bytes));
            let (collected, problems) =
                collect::collect(&files, &options, &prices, &mut projects, &environment, &read);
            (collected, problems, projects)
        });
        let (mut collected, unreadable, projects) = match reading.await {
            Ok(read) => read,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        for problem in passed_over.into_iter().chain(unreadable) {
            report.problem(problem);
        }
        report.logs(
            std::mem::take(&mut collected.totals),
            std::mem::take(&mut collected.problems),
        );
        Ok((collected, projects.roots().clone()))
    }

    /// Counts, prints, plans and sends the events, in one pass.
    async fn events(
        &self,
        collected: &Collected,
        sender: Option<&Arc<Sender>>,
        mut print: Option<Printer<'_>>,
        report: &mut Report,
    ) -> Result<(), Error> {
        (self.observer)(Progress::Sending {
            events: collected.events().len() as u64,
        });
        let limits = sender.map_or_else(Limits::default, |sender| sender.limits().clone());
        let mut planner = Planner::new(&limits, self.request.batch_events);
        let mut flight = Flight::new(sender, self.request.in_flight, self.observer);
        let mut line = Vec::new();
        let mut failed = None;
        for event in collected.events() {
            if !self.request.wants(&event) {
                continue;
            }
            report.count(&event);
            line.clear();
            serde_json::to_writer(&mut line, &EventV1(&event))
                .map_err(|error| Error::Output(error.into()))?;
            if let Some(printer) = &mut print
                && let Err(error) = printer(&line)
            {
                // Whoever read along has seen enough; the events still have to be sent.
                if sender.is_none() || error.kind() != io::ErrorKind::BrokenPipe {
                    return Err(Error::Output(error));
                }
                print = None;
            }
            if event.uuid.is_some()
                && sender.is_some_and(|sender| sender.is_acknowledged(Fingerprint::of(&line)))
            {
                report.resumed += 1;
                (self.observer)(Progress::Sent(1));
                continue;
            }
            if let Some(batch) = planner.push(&line)
                && let Err(error) = flight.launch(batch, report).await
            {
                failed = Some(error);
                break;
            }
        }
        if failed.is_none()
            && let Some(batch) = planner.finish()
        {
            failed = flight.launch(batch, report).await.err();
        }
        // What is still in flight counts, whatever happened to the others.
        let landed = flight.land(report).await;
        failed.map_or(landed, Err)
    }
}

/// Waits until the scores hold what was committed before. The server holds each question back until they do, or until
/// it may not be held any longer.
async fn wait_for_scores(server: &Server, at_most: Duration) -> Result<(), Error> {
    let started = Instant::now();
    let mut pause = LOOK.0;
    loop {
        let left = at_most.saturating_sub(started.elapsed()).min(HELD);
        let state: RefreshState = server
            .get_as("/v1/refresh", &[("wait", left.as_secs().to_string())])
            .await?;
        if !state.pending {
            return Ok(());
        }
        if started.elapsed() + pause > at_most {
            return Err(Error::StillPending {
                after: started.elapsed(),
                last_error: state.last_error,
            });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK.1);
    }
}
