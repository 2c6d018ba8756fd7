//! An upload from end to end: find the logs, read them, plan the batches, send them, and report the result.

mod gates;
mod in_flight;
mod run;
mod scores;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use model::{Event, Gate, usage::Response};
use sources::Agent;

use self::run::Run;
pub use crate::send::Encoding;
use crate::{
    Environment, Error, Exit, Server, environment,
    report::Report,
    sharing::ProjectRules,
    status::{self, Trigger},
};

/// What to upload, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// Files and folders; empty means the agents' own folders.
    pub paths: Vec<PathBuf>,
    /// Only these agents; empty means all.
    pub agents: Vec<Agent>,
    /// Which projects are shared.
    pub projects: ProjectRules,
    /// Only events at or after this time.
    pub since: Option<DateTime<Utc>>,
    /// Only what is new: of the logs that changed since they were uploaded to this server, the events that it has not
    /// acknowledged.
    pub changed: bool,
    /// Read all logs again, and send their events again, whatever is remembered about earlier uploads.
    pub full: bool,
    /// The paths are all logs of this machine that have changed since they were uploaded.
    pub all_changed: bool,
    /// What started it, for `toolhub status`.
    pub trigger: Trigger,
    /// Conditions on the events of these logs, which the server judges after the upload.
    pub gates: Vec<Gate>,
    /// Ask the server for the calls of these logs by tool.
    pub summary: bool,
    /// Send the beginning of the prompts.
    pub task_text: bool,
    /// A price file.
    pub prices: Option<PathBuf>,
    /// Send the inventory of loaded and installed tools.
    pub inventory: bool,
    /// Send and record nothing.
    pub dry_run: bool,
    /// Wait until the scores include the events.
    pub wait: bool,
    /// How long to retry; `None`: 5 minutes, 10 seconds for an address that never answered.
    pub retry_for: Option<Duration>,
    /// Requests in flight.
    pub in_flight: usize,
    /// Most events in one request, if fewer than the server's limit.
    pub batch_events: Option<usize>,
    /// The compression of request bodies.
    pub encoding: Encoding,
}

impl Default for Request {
    fn default() -> Request {
        Request {
            paths: Vec::new(),
            agents: Vec::new(),
            projects: ProjectRules::default(),
            since: None,
            changed: false,
            full: false,
            all_changed: false,
            trigger: Trigger::default(),
            gates: Vec::new(),
            summary: false,
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
    /// True when all logs of this machine are selected.
    fn is_everything(&self) -> bool {
        self.paths.is_empty() && self.is_whole_logs()
    }

    /// True when the logs are read as a whole, so that they need not be read again until they change.
    fn is_whole_logs(&self) -> bool {
        self.agents.is_empty() && self.since.is_none() && !self.projects.is_selection()
    }

    /// True when what earlier uploads have sent is left out.
    fn is_incremental(&self) -> bool {
        (self.changed || self.all_changed) && !self.full
    }

    /// True when the server is asked about the events after the upload.
    fn is_judged(&self) -> bool {
        !self.gates.is_empty() || self.summary
    }

    /// True for an event of a selected agent and time.
    fn selects(&self, event: &Event) -> bool {
        self.includes(event.agent.as_deref(), event.occurred_at)
    }

    /// True for a response of a selected agent and time.
    fn selects_response(&self, response: &Response) -> bool {
        self.includes(response.agent.as_deref(), response.occurred_at)
    }

    /// The folder of a log does not always determine its agent.
    fn includes(&self, agent: Option<&str>, occurred_at: DateTime<Utc>) -> bool {
        let of_agent = |selected: &Agent| agent == Some(selected.as_str());
        (self.agents.is_empty() || self.agents.iter().any(of_agent))
            && self.since.is_none_or(|since| occurred_at >= since)
    }
}

/// A step of an upload, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Logs are being read.
    Reading {
        /// Their number.
        files: u64,
        /// Their size.
        bytes: u64,
    },
    /// Bytes of logs that were read since the last step.
    Read(u64),
    /// Events are being sent.
    Sending {
        /// Their number.
        events: u64,
    },
    /// The server has answered for this many events.
    Sent(u64),
    /// Waiting for another upload of this machine.
    WaitingForUpload,
    /// Waiting for the scores.
    Waiting,
}

/// Receives the steps of an upload.
pub type Observer = Arc<dyn Fn(Progress) + Send + Sync>;

/// Receives each event as it is sent: its bytes, without the line break.
pub type Printer<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// The result of an upload. The report has the numbers up to the point where an error ended it.
#[derive(Debug)]
pub struct Finished {
    /// The numbers.
    pub report: Report,
    /// The error that ended it early.
    pub error: Option<Error>,
}

impl Finished {
    /// The exit code of the upload.
    pub fn exit(&self) -> Exit {
        match &self.error {
            Some(error) => error.exit(),
            None if self.report.run.as_ref().is_some_and(|run| !run.passed) => Exit::Failed,
            None if self.report.rejected > 0 => Exit::Rejected,
            None => Exit::Done,
        }
    }
}

/// Uploads. Only a dry run may have no `server`.
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
    let started = environment::now();
    let url = server.as_ref().map(|server| server.url().to_owned());
    let error = run.upload(server, print, &mut report).await.err();
    if let Some(url) = url.filter(|_| !request.dry_run) {
        let everything = request.is_everything() || request.all_changed;
        status::record(
            environment,
            &url,
            request.trigger,
            started,
            everything,
            error.as_ref(),
        );
    }
    Finished { report, error }
}
