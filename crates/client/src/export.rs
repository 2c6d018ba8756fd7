//! Every event that a query finds, page after page, into one Parquet file.

mod file;

use std::io::{self, Write};

use bytes::Bytes;
use model::{
    MicroUsd,
    api::{Events, query::EventsQuery},
    limits,
};
use reqwest::{Method, header::HeaderMap};

use self::file::{File, Group};
use crate::{
    Error, Server,
    read::Endpoint,
    retry::{Patience, Retry},
    server::{Ask, Trouble},
};

/// Writes the events as Parquet, newest first, at most `limit` of them, and answers how many there were. `read` is told
/// how many each page brought. A row group is in memory at a time.
///
/// # Errors
/// Those of any request; [`Error::Export`] when `out` cannot be written. What was written by then is no whole file.
pub async fn events<W: Write + Send + 'static>(
    server: &Server,
    query: &EventsQuery,
    limit: Option<u64>,
    out: W,
    read: impl Fn(u64),
) -> Result<u64, Error> {
    let mut query = query.clone();
    query.limit = page_rows(limit, 0);
    // The first page comes before the first byte: who is not allowed to ask has no file.
    let mut page = understand(server, &Endpoint::Events(query.clone()).get(server).await?)?;
    let mut file = File::new(out).map_err(Error::Export)?;
    let (mut group, mut events) = (Group::default(), 0);
    loop {
        let rows = page.events.len() as u64;
        events += rows;
        read(rows);
        page.events.into_iter().for_each(|event| group.push(event));
        if group.is_full() {
            file = write(file, std::mem::take(&mut group)).await?;
        }
        query.limit = page_rows(limit, events);
        if page.next_cursor.is_none() || query.limit.is_none() {
            break;
        }
        query.cursor = page.next_cursor;
        page = next_page(server, &query).await?;
    }
    if !group.is_empty() {
        file = write(file, group).await?;
    }
    blocking(move || file.close()).await?;
    Ok(events)
}

/// Rows of the next page; `None` when there are enough.
fn page_rows(limit: Option<u64>, events: u64) -> Option<u32> {
    let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(events));
    let rows = u32::try_from(left).map_or(limits::PAGE_ROWS, |left| left.min(limits::PAGE_ROWS));
    Some(rows).filter(|rows| *rows > 0)
}

/// Asks for a page, and again while the server is busy: it slows down who asks for many pages.
async fn next_page(server: &Server, query: &EventsQuery) -> Result<Events, Error> {
    let path = Endpoint::Events(query.clone()).path_and_query();
    let mut retry = Retry::new(Patience::default());
    loop {
        let ask = Ask {
            method: Method::GET,
            path: &path,
            query: &[],
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let trouble = match server.ask(&ask).await.and_then(|answer| server.judge(answer)) {
            Ok(body) => return understand(server, &body),
            Err(trouble) => trouble,
        };
        let Trouble::Busy { detail, .. } = &trouble else {
            return Err(trouble.into_error(server.url()));
        };
        let busy = Error::Busy {
            url: server.url().to_owned(),
            detail: detail.clone(),
        };
        retry.wait(trouble, server.url(), true).await.map_err(|_| busy)?;
    }
}

fn understand(server: &Server, body: &[u8]) -> Result<Events, Error> {
    let page: Events = server.read(body)?;
    let mut costs = page.events.iter().filter_map(|event| event.cost_usd);
    match costs.find(|usd| MicroUsd::from_usd(*usd).is_none()) {
        None => Ok(page),
        Some(usd) => Err(Error::NotToolhub {
            url: server.url().to_owned(),
            what: format!("an event that cost {usd} USD"),
        }),
    }
}

async fn write<W: Write + Send + 'static>(mut file: File<W>, group: Group) -> Result<File<W>, Error> {
    blocking(move || file.write(&group).map(|()| file)).await
}

/// Writes beside the runtime: a pipe that nobody empties must not keep Ctrl-C from being heard.
async fn blocking<T: Send + 'static>(
    write: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(write).await {
        Ok(written) => written.map_err(Error::Export),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
