//! Exports all events that match a query into one Parquet file, page by page.

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
    retry::{Retry, RetryPolicy},
    server::{Request, RequestError},
};

/// Writes the events as Parquet, newest first, at most `limit` of them, and returns their number. `progress` gets the
/// number of events of each page. One row group is in memory at a time.
///
/// # Errors
/// The errors of any request; [`Error::Export`] when `out` cannot be written. The file is then incomplete.
pub async fn events<W: Write + Send + 'static>(
    server: &Server,
    query: &EventsQuery,
    limit: Option<u64>,
    out: W,
    progress: impl Fn(u64),
) -> Result<u64, Error> {
    let mut query = query.clone();
    query.limit = page_rows(limit, 0);
    // The first page is read before the first byte is written: a request that is not allowed leaves no file.
    let mut page = parse_page(server, &Endpoint::Events(query.clone()).get(server).await?)?;
    let mut file = File::new(out).map_err(Error::Export)?;
    let (mut group, mut events) = (Group::default(), 0);
    loop {
        let rows = page.events.len() as u64;
        events += rows;
        progress(rows);
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

/// Rows of the next page; `None` when the limit is reached.
fn page_rows(limit: Option<u64>, events: u64) -> Option<u32> {
    let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(events));
    let rows = u32::try_from(left).map_or(limits::PAGE_ROWS, |left| left.min(limits::PAGE_ROWS));
    Some(rows).filter(|rows| *rows > 0)
}

/// Gets a page, with retries while the server is busy: it limits the rate of requests.
async fn next_page(server: &Server, query: &EventsQuery) -> Result<Events, Error> {
    let path = Endpoint::Events(query.clone()).path_and_query();
    let mut retry = Retry::new(RetryPolicy::default());
    loop {
        let request = Request {
            method: Method::GET,
            path: &path,
            query: &[],
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let response = server.execute(&request).await;
        let error = match response.and_then(|response| server.classify(response)) {
            Ok(body) => return parse_page(server, &body),
            Err(error) => error,
        };
        let RequestError::Busy { detail, .. } = &error else {
            return Err(error.into_error(server.url()));
        };
        let busy = Error::Busy {
            url: server.url().to_owned(),
            detail: detail.clone(),
        };
        retry.wait(error, server.url(), true).await.map_err(|_| busy)?;
    }
}

fn parse_page(server: &Server, body: &[u8]) -> Result<Events, Error> {
    let page: Events = server.read(body)?;
    let mut costs = page.events.iter().filter_map(|event| event.cost_usd);
    match costs.find(|usd| MicroUsd::from_usd(*usd).is_none()) {
        None => Ok(page),
        Some(usd) => Err(Error::NotToolhub {
            url: server.url().to_owned(),
            what: format!("an event with a cost of {usd} USD"),
        }),
    }
}

async fn write<W: Write + Send + 'static>(mut file: File<W>, group: Group) -> Result<File<W>, Error> {
    blocking(move || file.write(&group).map(|()| file)).await
}

/// Writes on a blocking thread: a full pipe must not block the handling of Ctrl-C.
async fn blocking<T: Send + 'static>(
    write: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(write).await {
        Ok(written) => written.map_err(Error::Export),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
