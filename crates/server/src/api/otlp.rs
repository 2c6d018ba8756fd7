//! `POST /otlp/v1/logs`, `/otlp/v1/traces` and `/otlp/v1/metrics`: OTLP over HTTP, as agents and the OpenTelemetry
//! Collector send it. `sources::otlp` reads the bytes; calls are committed like those of any other upload, and what
//! responses used as `PUT /v1/usage` does.

mod wire;

use axum::{body::Body, extract::State, http::HeaderMap, response::Response};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::BodyExt;
use model::{IngestResult, OrgId, event::Source, limits, text};
use sha2::{Digest, Sha256};
use sources::otlp::{Signal, Telemetry, decode};
use store::{
    ingest::{Batch, BatchResult, Counts},
    team::Identity,
};
use uuid::Uuid;

pub(crate) use self::wire::Wire;
use super::usage;
use crate::{
    auth::Caller,
    body::{self, Bounds},
    error::ApiError,
    state::App,
};

/// The limit that OTLP recommends, for both forms of the body.
const BOUNDS: Bounds = Bounds {
    wire: 64 * 1024 * 1024,
    decoded: 64 * 1024 * 1024,
};

/// Calls and responses in one request. A collector sends some thousands of records at most.
const MAX_CALLS: usize = 50_000;

/// What a call takes while it waits for its commit, in bytes.
const CALL_BYTES: usize = 768;

/// Receives log records.
pub(crate) async fn logs(
    State(app): State<App>,
    Caller(caller): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    receive(&app, &caller, &headers, body, Signal::Logs).await
}

/// Receives spans.
pub(crate) async fn traces(
    State(app): State<App>,
    Caller(caller): Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    receive(&app, &caller, &headers, body, Signal::Traces).await
}

/// Accepts metrics and drops them as they arrive: agents send all signals to one address.
pub(crate) async fn metrics(
    State(app): State<App>,
    headers: HeaderMap,
    mut body: Body,
) -> Result<Response, ApiError> {
    let wire = Wire::of_request(&headers)?;
    let drained = async {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| ApiError::BadRequest("the body was cut off in transit".into()))?;
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > BOUNDS.wire {
                return Err(ApiError::body_too_large("the body", BOUNDS.wire));
            }
        }
        Ok(())
    };
    let deadline = app.config.body_timeout;
    tokio::time::timeout(deadline, drained)
        .await
        .map_err(|_| ApiError::BodyTimeout(deadline.as_secs()))??;
    Ok(wire.accepted("", 0, None))
}

/// Reads a request, commits its calls and answers in its encoding.
async fn receive(
    app: &App,
    caller: &Identity,
    headers: &HeaderMap,
    body: Body,
    signal: Signal,
) -> Result<Response, ApiError> {
    let wire = Wire::of_request(headers)?;
    let now = app.now();
    // Held until the answer, as for uploads.
    let mut memory = app.memory.share(caller.org);
    let (hash, mut telemetry) = body::read_within(BOUNDS, app, &mut memory, headers, body, move |bytes| {
        let telemetry = decode(&bytes, signal, wire.encoding(), now)
            .map_err(|error| ApiError::BadRequest(error.to_string()))?;
        if stored(&telemetry) > MAX_CALLS {
            return Err(ApiError::TooLarge {
                what: "the request",
                limit: MAX_CALLS,
                unit: "calls",
            });
        }
        Ok((text::hex(&Sha256::digest(&bytes)), telemetry))
    })
    .await?;
    memory.resize(stored(&telemetry) * CALL_BYTES)?;
    let mut refused = Refused {
        records: telemetry.rejected,
        why: telemetry.rejection.map(str::to_owned),
    };
    let client = headers.get("user-agent").and_then(|value| value.to_str().ok());
    let client = client.map(|name| text::clean(text::truncate_bytes(name, limits::NAME_CHARS)).into_owned());
    for batch in batches(caller, client.as_ref(), &hash, &mut telemetry) {
        let rejected = batch.rejected;
        let stored = commit(app, caller.org, batch, now).await?;
        count(stored.counts, rejected);
        refused.add(&stored);
    }
    for responses in telemetry.responses.chunks(limits::BATCH_EVENTS) {
        let receipt = usage::store(app, caller, responses, true).await?;
        refused.records += receipt.rejected;
        refused.why = refused.why.or(receipt.rejection);
    }
    metrics::counter!("toolhub_otlp_records_total").increment(telemetry.records);
    metrics::counter!("toolhub_otlp_unkeyed_total").increment(telemetry.unkeyed);
    let rejected = match signal {
        Signal::Logs => "rejectedLogRecords",
        Signal::Traces => "rejectedSpans",
    };
    Ok(wire.accepted(rejected, refused.records, refused.why.as_deref()))
}

/// Calls and responses of a request.
fn stored(telemetry: &Telemetry) -> usize {
    telemetry.events.len() + telemetry.unnamed.len() + telemetry.responses.len()
}

/// The calls of a request as batches within the limits of one. A request without calls is no upload: most requests of
/// some agents have none.
fn batches(caller: &Identity, client: Option<&String>, hash: &str, telemetry: &mut Telemetry) -> Vec<Batch> {
    let mut events = std::mem::take(&mut telemetry.events);
    let mut unnamed = std::mem::take(&mut telemetry.unnamed);
    let (mut rejected, mut unkeyed) = (telemetry.rejected, telemetry.unkeyed);
    let mut batches = Vec::new();
    while !events.is_empty() || !unnamed.is_empty() || rejected + unkeyed > 0 {
        let rest = events.split_off(events.len().min(limits::BATCH_EVENTS));
        let rest_unnamed = unnamed.split_off(unnamed.len().min(limits::BATCH_EVENTS));
        batches.push(Batch {
            member: caller.member,
            upload_id: Uuid::now_v7(),
            source: Source::Otlp,
            client: client.cloned(),
            ci: caller.ci.clone(),
            hash: hash.to_owned(),
            rejected: std::mem::take(&mut rejected),
            events,
            unnamed,
            unkeyed: std::mem::take(&mut unkeyed),
        });
        (events, unnamed) = (rest, rest_unnamed);
    }
    batches
}

async fn commit(app: &App, org: OrgId, batch: Batch, now: DateTime<Utc>) -> Result<BatchResult, ApiError> {
    let stored = app.committer.commit(org, batch, now).await?;
    if stored.counts.changed() {
        app.stale.notify_one();
    }
    Ok(stored)
}

fn count(counts: Counts, rejected: u64) {
    for (result, events) in [
        (IngestResult::Inserted, counts.inserted),
        (IngestResult::Upgraded, counts.upgraded),
        (IngestResult::Duplicate, counts.duplicate),
        (IngestResult::Conflict, counts.conflict),
        (IngestResult::Rejected, counts.refused + rejected),
    ] {
        metrics::counter!("toolhub_events_total", "result" => result.as_str()).increment(events);
    }
}

/// Records that cannot be stored, and why the first of them cannot.
struct Refused {
    records: u64,
    why: Option<String>,
}

impl Refused {
    fn add(&mut self, stored: &BatchResult) {
        self.records += stored.counts.refused;
        if let (None, Some(notice)) = (&self.why, stored.refused.first()) {
            self.why = Some(super::events::refusal(notice.code).1);
        }
    }
}
