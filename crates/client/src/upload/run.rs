//! The steps of one upload.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io,
    sync::Arc,
    time::SystemTime,
};

use model::{api::MAX_RUN_SESSIONS, inventory::Inventory, limits::Limits, wire::EventV1};
use sources::{Collected, Options, Prices};

use super::{Observer, Printer, Progress, Request, gates, in_flight::InFlight, scores::wait_for_scores};
use crate::{
    Environment, Error, Server, ci, collect,
    find::{self, Found},
    installed, inventory,
    journal::{Journal, Lock, UploadState},
    outdated,
    plan::{Fingerprint, Planner},
    prices,
    project::Projects,
    report::Report,
    retry::{DEFAULT_RETRY_TIMEOUT, RetryPolicy},
    send::Sender,
    sent::{self, Sent},
    usage,
};

/// What every step needs.
pub(super) struct Run<'a> {
    pub(super) request: &'a Request,
    pub(super) environment: &'a Environment,
    pub(super) observer: &'a Observer,
}

/// The server of an upload and the state about it. A dry run has none.
struct Target {
    server: Server,
    /// `None` without a directory for it, or while another upload keeps it.
    state: Option<UploadState>,
    _lock: Option<Lock>,
}

/// The state of each log that was found, by path, before it was read.
type Logs = BTreeMap<String, String>;

impl Run<'_> {
    pub(super) async fn upload(
        &self,
        server: Option<Server>,
        print: Option<Printer<'_>>,
        report: &mut Report,
    ) -> Result<(), Error> {
        let mut found = find::find(&self.request.paths, &self.request.agents, self.environment)?;
        let target = self.target(server, report).await?;
        let state = target.as_ref().and_then(|target| target.state.as_ref());
        let logs: Logs = found
            .files
            .iter()
            .filter_map(|file| sent::state(&file.path))
            .collect();
        let known = state
            .filter(|_| self.request.changed)
            .map(|state| sent::logs(&state.sent(), &self.basis()));
        let is_known = |(path, now): (&String, &String)| {
            known.as_ref().is_some_and(|known| known.get(path) == Some(now))
        };
        // A log without a state has no readable path or is gone; it is read, which says so.
        let has_changes = logs.len() < found.files.len() || !logs.iter().all(is_known);
        if !has_changes && !state.is_some_and(UploadState::is_price_due) {
            return Ok(());
        }
        let server = target.as_ref().map(|target| &target.server);
        let prices = prices::find(server, self.request.prices.as_deref(), self.environment).await?;
        // Logs with a model that had no price and has one now are read again.
        let has_price = |state: &UploadState| state.unpriced().iter().any(|model| prices.prices.knows(model));
        if !state.is_some_and(has_price) {
            if !has_changes {
                return state.map_or(Ok(()), UploadState::set_price_asked);
            }
            self.select(&mut found, &logs, known.as_ref());
        }
        let ci = ci::context(self.environment);
        // A CI runner is a new machine each time: its installed tools are of no interest.
        let home = found.homes.first().filter(|_| ci.is_none()).cloned();
        report.notes.extend(prices.notes);
        let (collected, mut projects) = self.read(found, prices.prices, report).await?;
        let sender = match &target {
            Some(target) => {
                let ci = ci.as_ref().map(ci::header_value);
                let sender = self.connect(target, ci.as_deref(), report).await?;
                report.notes.extend(outdated::note(sender.limits()));
                Some(Arc::new(sender))
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
        let remembered = self.remember(&sender, target.state.as_ref(), logs, report);
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
        let mut state = note_state(UploadState::of(self.environment, server.url(), token), report);
        let mut lock = None;
        if let Some(locked) = &state {
            let observer = Arc::clone(self.observer);
            let locked = locked.lock(move || observer(Progress::WaitingForUpload)).await;
            lock = note_state(locked, report).flatten();
            if lock.is_none() {
                state = None;
            }
        }
        Ok(Some(Target {
            server,
            state,
            _lock: lock,
        }))
    }

    /// What decides, beside the logs, which events they give.
    fn basis(&self) -> String {
        format!(
            "{} {} {:?} {}",
            env!("CARGO_PKG_VERSION"),
            self.request.task_text,
            self.request.prices,
            self.request.projects.fingerprint()
        )
    }

    /// Records what a complete upload has sent, for the next one.
    fn remember(
        &self,
        sender: &Sender,
        state: Option<&UploadState>,
        logs: Logs,
        report: &Report,
    ) -> Result<(), Error> {
        if let Some(state) = state.filter(|_| self.request.is_whole_logs()) {
            let (place, basis) = (state.sent(), self.basis());
            let mut sent = if self.request.is_everything() && !self.request.changed {
                Sent::default()
            } else {
                Sent::load(&place, &basis)
            };
            if self.request.is_everything() {
                sent.logs = logs;
                state.set_unpriced(report.unpriced.iter().map(|unpriced| unpriced.model.as_str()))?;
            } else {
                sent.logs.extend(logs);
            }
            sent.acknowledged.extend(sender.acknowledged());
            sent.keep(&place, &basis)?;
        }
        sender.complete()
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
        let journal = opened.and_then(|opened| note_state(opened, report));
        let sent = match &target.state {
            Some(state) if self.request.is_incremental() => {
                Sent::load(&state.sent(), &self.basis()).acknowledged
            }
            _ => HashSet::new(),
        };
        Sender::connect(
            target.server.clone(),
            policy,
            self.request.encoding,
            ci,
            sent,
            journal,
        )
        .await
    }

    /// Leaves out logs that cannot contain what was selected.
    fn select(&self, found: &mut Found, logs: &Logs, known: Option<&Logs>) {
        if let Some(known) = known {
            found.files.retain(|file| {
                let path = file.path.to_str();
                let now = path.and_then(|path| logs.get(path));
                // Where no time is known, the log has what the others refer to.
                file.modified.is_none() || now.is_none() || now != path.and_then(|path| known.get(path))
            });
        }
        if let Some(since) = self.request.since.map(SystemTime::from) {
            found
                .files
                .retain(|file| file.modified.is_none_or(|modified| modified >= since));
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
                && let Some(sender) = sender
            {
                let print = Fingerprint::of(&line);
                let resumed = sender.is_resumed(print);
                if resumed || sender.is_sent(print) {
                    report.resumed += u64::from(resumed);
                    report.already_sent += u64::from(!resumed);
                    (self.observer)(Progress::Sent(1));
                    continue;
                }
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
