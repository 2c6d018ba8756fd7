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
    args::{PARQUET, Page, since, word},
    context::Context,
    talk,
};

/// Show what was called, newest first
///
/// A page of it; with --format parquet every event that the filters find, as a typed file on stdout. An exit code other
/// than 0 means that the file is not whole.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Only this tool
    #[arg(long, value_name = "TOOL_ID")]
    tool: Option<String>,
    /// Only this member
    #[arg(long, value_name = "HANDLE")]
    member: Option<String>,
    /// Only this project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Only this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Only events that ended like this
    #[arg(long, value_parser = word::<Outcome>(Outcome::ALL.iter().map(|outcome| outcome.as_str())))]
    outcome: Option<Outcome>,
    /// Only events from then on: a time, a day, or 7d for seven days ago
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<DateTime<Utc>>,
    /// Only events before then
    #[arg(long, value_name = "TIME", value_parser = since)]
    until: Option<DateTime<Utc>>,
    /// How the answer is laid out: table, json, csv or markdown; or parquet, which is for a file
    #[arg(long, value_parser = PossibleValuesParser::new(Format::ALL.map(Format::as_str).into_iter().chain([PARQUET])))]
    format: Option<String>,
    /// Rows to show, at most 500; with parquet the most events to write, any number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Go on where the page before ended
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
            format: self.format,
            limit: limit
                .ok()
                .filter(|limit| limit.is_none_or(|rows| rows <= limits::PAGE_ROWS))
                .ok_or_else(too_many)?,
            cursor: self.cursor,
        };
        let endpoint = Endpoint::Events(page.of(query, context));
        reading::show(endpoint, page.format.as_deref(), context).await
    }
}

fn too_many() -> Error {
    Error::Usage(format!(
        "a page has at most {} rows: --cursor gets the next one, --format parquet all of them",
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
            "Parquet is not for a terminal: send it to a file, `toolhub events --format parquet > events.parquet`"
                .into(),
        ));
    }
    let server = context.server()?;
    let mut told = Told::new();
    let bar = told.bar.clone();
    let events = client::export::events(&server, query, limit, io::stdout(), |rows| bar.inc(rows)).await?;
    told.whole = true;
    drop(told);
    talk::note(&format!("wrote {events} events"));
    Ok(Exit::Done)
}

/// Tells how far the export is, and however it is stopped, that the file is not whole.
struct Told {
    bar: ProgressBar,
    whole: bool,
}

impl Told {
    /// A counter on stderr; nothing where that is no terminal.
    fn new() -> Told {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} events in {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Told { bar, whole: false }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        if !self.whole && self.bar.position() > 0 {
            talk::warn("the file is not whole and cannot be read");
        }
    }
}
