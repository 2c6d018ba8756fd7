//! The steps of one upload.

use std::{collections::BTreeSet, io, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use model::{api::MAX_RUN_SESSIONS, inventory::Inventory, limits::Limits, wire::EventV1};
use sources::{Collected, Options, Prices};

use super::{Observer, Printer, Progress, Request, gates, in_flight::InFlight, scores::wait_for_scores};
use crate::{
    Environment, Error, Server, ci, collect, environment,
    find::{self, Found},
    installed, inventory,
    journal::{Journal, UploadState},
    plan::{Fingerprint, Planner},
    prices,
    project::Projects,
    report::Report,
    retry::{DEFAULT_RETRY_TIMEOUT, RetryPolicy},
    send::Sender,
    usage,
};

/// A log counts as changed if it was written this long before the last complete upload: clocks and file systems differ.
const CHANGED_MARGIN: TimeDelta = TimeDelta::minutes(10);

/// What every step needs.
pub(super) struct Run<'a> {
    pub(super) request: &'a Request,
    pub(super) environment: &'a Environment,
    pub(super) observer: &'a Observer,
}

/// The server of an upload and the state about it. A dry run has none.
struct Target {
    server: Server,
    /// `None` without a directory for it.
    state: Option<UploadState>,
}

impl Run<'_> {
    pub(super) async fn upload(
        &self,
        server: Option<Server>,
        print: Option<Printer<'_>>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let started = environment::now();
        let mut found = find::find(&self.request.paths, &self.request.agents, self.environment)?;
        let target = self.target(server, report).await?;
        let server = target.as_ref().map(|target| &target.server);
        let prices = prices::find(server, self.request.prices.as_deref(), self.environment).await?;
        self.select(&mut found, target.as_ref(), &prices.prices);
        if found.files.is_empty() && self.request.changed {
            return Ok(());
        }
        let ci = ci::context(self.environment);
        // A CI runner is a new machine each time: its installed tools are of no interest.
        let home = found.homes.first().filter(|_| ci.is_none()).cloned();
        report.notes.extend(prices.notes);
        let (collected, mut projects) = self.read(found, prices.prices, report).await?;
        let sender = match &target {
            Some(target) => {
                let ci = ci.as_ref().map(ci::header_value);
                Some(Arc::new(self.connect(target, ci.as_deref(), report).await?))
            }
            None => None,
        };
        let mut sessions = BTreeSet::new();
        self.send_events(&collected, sender.as_ref(), print, report, &mut sessions)
            .await?;
        if let Some(sender) = &sender {
            let selected = collected
                .responses()
                .filter(|response| self.request.selects_response(response));
            report.usage = usage::send(selected, sender).await?;
        }
        if self.request.inventory {
            let inventory = Inventory {
                sessions: collected.inventory,
                machine: home.and_then(|home| installed::scan(&home, &mut projects, self.environment)),
            };
            if let Some(sender) = &sender {
                report.inventory = inventory::send(inventory, sender).await?;
            }
        }
        let (Some(sender), Some(target)) = (sender, target) else {
            return Ok(());
        };
        let remembered = self.remember(&sender, target.state.as_ref(), started, report);
        note_state(remembered, report);
        if self.request.is_judged() {
            report.run = Some(gates::judge(&target.server, &self.request.gates, sessions).await?);
        }
        if self.request.wait {
            (self.observer)(Progress::Waiting);
            let timeout = self.request.retry_for.unwrap_or(DEFAULT_RETRY_TIMEOUT);
            wait_for_scores(&target.server, timeout).await?;
        }
        Ok(())
    }

    async fn target(&self, server: Option<Server>, report: &mut Report) -> Result<Option<Target>, Error> {
        let Some(server) = server.filter(|_| !self.request.dry_run) else {
            return Ok(None);
        };
        let token = server.authorized().await?;
        let state = note_state(UploadState::of(self.environment, server.url(), token), report);
        Ok(Some(Target { server, state }))
    }

    /// Records what a complete upload has sent, for the next one.
    fn remember(
        &self,
        sender: &Sender,
        state: Option<&UploadState>,
        started: DateTime<Utc>,
        report: &Report,
    ) -> Result<(), Error> {
        sender.complete()?;
        let Some(state) = state.filter(|_| self.request.is_everything()) else {
            return Ok(());
        };
        state.set_unpriced(report.unpriced.iter().map(|unpriced| unpriced.model.as_str()))?;
        state.set_last_complete(started, &self.request.projects)
    }

    async fn connect(&self, target: &Target, ci: Option<&str>, report: &mut Report) -> Result<Sender, Error> {
        let policy = RetryPolicy {
            timeout: self.request.retry_for,
        };
        let opened = target.state.as_ref().map(|state| {
            if self.request.full {
                state.forget()?;
            }
            Journal::open(state)
        });
        let journal = opened.and_then(|opened| note_state(opened, report)).flatten();
        Sender::connect(target.server.clone(), policy, self.request.encoding, ci, journal).await
    }

    /// Leaves out logs that cannot contain what was selected.
    fn select(&self, found: &mut Found, target: Option<&Target>, prices: &Prices) {
        // Logs with a model that had no price and has one now are read again.
        let has_new_price = |state: &&UploadState| state.unpriced().iter().any(|model| prices.knows(model));
        let last = target
            .filter(|_| self.request.changed)
            .and_then(|target| target.state.as_ref())
            .filter(|state| !has_new_price(state))
            .and_then(|state| state.last_complete(&self.request.projects));
        let not_before = self.request.since.max(last.map(|last| last - CHANGED_MARGIN));
        if let Some(not_before) = not_before {
            found.files.retain(|file| {
                file.modified
                    .is_none_or(|modified| DateTime::<Utc>::from(modified) >= not_before)
            });
        }
    }

    /// Reads the logs on a blocking thread. Returns their facts and the projects of their sessions.
    async fn read(
        &self,
        found: Found,
        prices: Prices,
        report: &mut Report,
    ) -> Result<(Collected, Projects), Error> {
        let options = Options {
            task_text: self.request.task_text,
        };
        let mut projects = Projects::new(self.environment.home(), self.request.projects.clone());
        let observer = Arc::clone(self.observer);
        let environment = self.environment.clone();
        let Found {
            files,
            problems: skipped,
            ..
        } = found;
        observer(Progress::Reading {
            files: files.len() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
        });
        let reading = tokio::task::spawn_blocking(move || {
            let progress = |bytes| observer(Progress::Read(bytes));
            let (collected, problems) =
                collect::collect(&files, &options, &prices, &mut projects, &environment, &progress);
            (collected, problems, projects)
        });
        let (mut collected, unreadable, mut projects) = match reading.await {
            Ok(read) => read,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let invalid_rules = projects.take_problems();
        for problem in skipped.into_iter().chain(unreadable).chain(invalid_rules) {
            report.problem(problem);
        }
        report.add_logs(
            std::mem::take(&mut collected.totals),
            std::mem::take(&mut collected.problems),
        );
        report.excluded = collected.excluded;
        Ok((collected, projects))
    }

    /// Counts, prints, plans and sends the events in one pass.
    async fn send_events(
        &self,
        collected: &Collected,
        sender: Option<&Arc<Sender>>,
        print: Option<Printer<'_>>,
        report: &mut Report,
        sessions: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        (self.observer)(Progress::Sending {
            events: collected.events().len() as u64,
        });
        let mut in_flight = InFlight::new(sender, self.request.in_flight, self.observer);
        let started = self
            .start_batches(collected, sender, print, &mut in_flight, report, sessions)
            .await;
        // The requests in flight count, also after an error.
        let finished = in_flight.finish(report).await;
        started.and(finished)
    }

    async fn start_batches(
        &self,
        collected: &Collected,
        sender: Option<&Arc<Sender>>,
        mut print: Option<Printer<'_>>,
        in_flight: &mut InFlight<'_>,
        report: &mut Report,
        sessions: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        let limits = sender.map_or_else(Limits::default, |sender| sender.limits().clone());
        let mut planner = Planner::new(&limits, self.request.batch_events);
        let mut line = Vec::new();
        for event in collected.events() {
            if !self.request.selects(&event) {
                continue;
            }
            report.count(&event);
            // One more than the server judges is enough to say that there are too many.
            if self.request.is_judged()
                && let Some(session) = &event.session
                && sessions.len() <= MAX_RUN_SESSIONS
                && !sessions.contains(session.as_str())
            {
                sessions.insert(session.clone());
            }
            line.clear();
            serde_json::to_writer(&mut line, &EventV1(&event))
                .map_err(|error| Error::Output(error.into()))?;
            if let Some(printer) = &mut print
                && let Err(error) = printer(&line)
            {
                // The reader of the output may stop early; the events must be sent all the same.
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
            if let Some(batch) = planner.push(&line) {
                in_flight.start(batch, report).await?;
            }
        }
        match planner.finish() {
            Some(batch) => in_flight.start(batch, report).await,
            None => Ok(()),
        }
    }
}

/// Turns an error of the state files into a note: an upload needs none of them.
fn note_state<T>(result: Result<T, Error>, report: &mut Report) -> Option<T> {
    result
        .map_err(|error| {
            let note = format!(
                "cannot remember what was sent: {error}. The upload is not affected; the next one reads all logs again"
            );
            if !report.notes.contains(&note) {
                report.notes.push(note);
            }
        })
        .ok()
}
