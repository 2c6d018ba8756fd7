use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use chrono::{DateTime, Utc};
use clap::{Args, builder::PossibleValuesParser};
use client::{Error, Exit, read::Endpoint, render::Format};
use indicatif::{ProgressBar, ProgressStyle};
use model::{
    Outcome,
    api::query::{EventsQuery, ListQuery},
    limits,
};

use super::reading;
use crate::{
    args::{Output, PARQUET, Page, Wide, time, word},
    context::Context,
    talk,
};

/// List events, newest first
///
/// Lists one page. With --format parquet, writes all matching events to stdout as a Parquet file; after an exit code
/// other than 0 the file is incomplete.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Only list events of this tool
    #[arg(long, value_name = "TOOL_ID")]
    tool: Option<String>,
    /// Only list events of this member
    #[arg(long, value_name = "HANDLE")]
    member: Option<String>,
    /// Only list events of this project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Only list events of this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only list events with this outcome
    #[arg(long, value_parser = word::<Outcome>(Outcome::ALL.iter().map(|outcome| outcome.as_str())))]
    outcome: Option<Outcome>,
    /// Only list events at or after TIME: a time, a day, or an age such as 7d
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<DateTime<Utc>>,
    /// Only list events before TIME
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<DateTime<Utc>>,
    /// Output format; parquet exports all matching events [default: table]
    #[arg(long, value_parser = PossibleValuesParser::new(Format::ALL.map(Format::as_str).into_iter().chain([PARQUET])))]
    format: Option<String>,
    #[command(flatten)]
    wide: Wide,
    /// Show at most N rows (1 to 500) [default: 50]; with parquet, export at most N events [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Show the page after CURSOR, which the previous page printed [default: the first page]
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

impl Events {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let query = EventsQuery {
            tool_id: self.tool,
            member: self.member,
            project: self.project,
            session: self.session,
            outcome: self.outcome,
            since: self.since,
            until: self.until,
            ..EventsQuery::default()
        };
        if self.format.as_deref() == Some(PARQUET) {
            return export(&query.with_page(None, self.cursor), self.limit, context).await;
        }
        let limit = self.limit.map(u32::try_from).transpose();
        let page = Page {
            output: Output {
                format: self.format,
                wide: self.wide,
            },
            limit: limit
                .ok()
                .filter(|limit| limit.is_none_or(|rows| rows <= limits::PAGE_ROWS))
                .ok_or_else(limit_too_large)?,
            cursor: self.cursor,
        };
        let endpoint = Endpoint::Events(page.of(query, context));
        reading::show(endpoint, &page.output, context).await
    }
}

fn limit_too_large() -> Error {
    Error::Usage(format!(
        "a page has at most {} rows; use --cursor for the next page, or --format parquet for all rows",
        limits::PAGE_ROWS
    ))
}

/// Writes the events to stdout as Parquet.
async fn export(query: &EventsQuery, limit: Option<u64>, context: &Context) -> Result<Exit, Error> {
    if context.json {
        return Err(Error::Usage("--json and --format parquet: choose one".into()));
    }
    if io::stdout().is_terminal() {
        return Err(Error::Usage(
            "cannot write Parquet to a terminal; redirect it to a file: `toolhub events --format parquet > events.parquet`"
                .into(),
        ));
    }
    let server = context.server()?;
    let mut progress = ExportProgress::new();
    let bar = progress.bar.clone();
    let events = client::export::events(&server, query, limit, io::stdout(), |rows| bar.inc(rows)).await?;
    progress.complete = true;
    drop(progress);
    talk::note(&format!("wrote {events} events"));
    Ok(Exit::Done)
}

/// Shows the progress of an export. Dropped before the end, it warns that the file is incomplete.
struct ExportProgress {
    bar: ProgressBar,
    complete: bool,
}

impl ExportProgress {
    /// A counter on stderr, if that is a terminal.
    fn new() -> ExportProgress {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} events in {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        ExportProgress { bar, complete: false }
    }
}

impl Drop for ExportProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if !self.complete && self.bar.position() > 0 {
            talk::warn("the file is not whole and cannot be read");
        }
    }
}
