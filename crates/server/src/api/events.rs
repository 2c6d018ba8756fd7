//! `POST /v1/events` and `GET /v1/events`.

use std::time::Instant;

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use model::{
    EventNotice, IngestResult, NoticeCode, Receipt,
    api::{
        CI_HEADER, CiContext, Events, SOURCE_HEADER,
        query::{EventsQuery, ListQuery},
    },
    event::Source,
    limits, text,
    wire::{self, Framing},
};
use sha2::{Digest, Sha256};
use store::{
    ingest::{Batch, BatchNotice, BatchResult},
    names::Name,
};
use uuid::Uuid;

use super::names;
use crate::{
    auth::Caller,
    body,
    error::ApiError,
    extract::{Json, Query},
    state::App,
    timing::Timing,
};

/// Stores a batch of events and answers, after COMMIT, with the receipt.
pub(crate) async fn ingest(
    State(app): State<App>,
    Caller(caller): Caller,
    Extension(timing): Extension<Timing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Receipt>, ApiError> {
    let framing = framing(&headers)?;
    let provenance = Provenance::of(&headers)?;
    let now = app.now();
    let durable = app.durable;
    // Held until the answer: the events of a batch that waits for its commit are as large as its body.
    let mut memory = app.memory.share(caller.org);
    let started = Instant::now();
    let (mut receipt, events, at) = body::read(&app, &mut memory, &headers, body, move |bytes| {
        check(&bytes, framing, durable, now)
    })
    .await?;
    timing.add("body", started);
    let batch = Batch {
        member: caller.member,
        upload_id: Uuid::now_v7(),
        source: provenance.source,
        client: provenance.client,
        // What the CI provider signed takes precedence over what the client says.
        ci: caller.ci.or(provenance.ci),
        hash: receipt.batch.clone(),
        rejected: receipt.rejected,
        events,
        unnamed: Vec::new(),
        unkeyed: 0,
    };
    let started = Instant::now();
    let stored = app.committer.commit(caller.org, batch, now).await?;
    timing.add("commit", started);
    let counts = stored.counts;
    add_notices(&stored, &at, &mut receipt);
    receipt.inserted = counts.inserted;
    receipt.upgraded = counts.upgraded;
    receipt.duplicate = counts.duplicate;
    receipt.conflict = counts.conflict;
    receipt.already_counted = counts.already_counted;
    if counts.changed() {
        app.stale.notify_one();
    }
    count(&receipt);
    Ok(Json(receipt))
}

fn count(receipt: &Receipt) {
    let events = u32::try_from(receipt.received).unwrap_or(u32::MAX);
    metrics::histogram!("toolhub_batch_events").record(events);
    for (result, events) in [
        (IngestResult::Inserted, receipt.inserted),
        (IngestResult::Upgraded, receipt.upgraded),
        (IngestResult::Duplicate, receipt.duplicate),
        (IngestResult::Conflict, receipt.conflict),
        (IngestResult::Rejected, receipt.rejected),
    ] {
        metrics::counter!("toolhub_events_total", "result" => result.as_str()).increment(events);
    }
}

fn framing(headers: &HeaderMap) -> Result<Framing, ApiError> {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .map_or("application/json", |value| {
            value
                .to_str()
                .unwrap_or("?")
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
        });
    match media_type.to_ascii_lowercase().as_str() {
        "application/json" => Ok(Framing::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Framing::Ndjson),
        _ => Err(ApiError::UnsupportedMediaType(
            "`Content-Type` is application/json or application/x-ndjson".into(),
        )),
    }
}

/// Where a batch comes from, as its headers say.
struct Provenance {
    source: Source,
    client: Option<String>,
    ci: Option<CiContext>,
}

impl Provenance {
    fn of(headers: &HeaderMap) -> Result<Provenance, ApiError> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let short = |value: &str| text::clean(text::truncate_bytes(value, limits::NAME_CHARS)).into_owned();
        let source = match header(SOURCE_HEADER) {
            None => Source::Api,
            Some(word) => word
                .parse()
                .map_err(|error| ApiError::BadQuery(format!("the header `{SOURCE_HEADER}`: {error}")))?,
        };
        let ci = match header(CI_HEADER) {
            None => None,
            Some(json) => {
                let mut ci: CiContext = serde_json::from_str(json).map_err(|error| {
                    ApiError::BadQuery(format!("the header `{CI_HEADER}` cannot be read: {error}"))
                })?;
                for value in [
                    &mut ci.provider,
                    &mut ci.repository,
                    &mut ci.git_ref,
                    &mut ci.run_id,
                    &mut ci.job,
                    &mut ci.pull_request,
                ] {
                    *value = value.take().map(|text| short(&text));
                }
                Some(ci)
            }
        };
        Ok(Provenance {
            source,
            client: header("user-agent").map(short),
            ci,
        })
    }
}

/// Splits and checks a batch. The receipt lists what was rejected; the rest is to be stored, and is returned with its
/// positions in the body.
fn check(
    bytes: &Bytes,
    framing: Framing,
    durable: bool,
    now: DateTime<Utc>,
) -> Result<(Receipt, Vec<model::Event>, Vec<usize>), ApiError> {
    let items = wire::split(bytes, framing)?;
    let hash = text::hex(&Sha256::digest(bytes));
    let mut receipt = Receipt::new(hash, durable);
    receipt.received = items.len() as u64;
    let mut events = Vec::with_capacity(items.len());
    let mut at = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        match wire::read_event(item, index, now) {
            Ok(checked) => {
                for warning in checked.warnings {
                    receipt.warn(warning);
                }
                events.push(checked.event);
                at.push(index);
            }
            Err(notice) => receipt.reject(*notice),
        }
    }
    Ok((receipt, events, at))
}

/// The field for which the store rejects an event or leaves a value out, and what it says about it.
pub(super) fn refusal(code: NoticeCode) -> (&'static str, String) {
    match code {
        NoticeCode::DeletedByMember => (
            "occurred_at",
            "your events of that time were deleted, by you or by an admin; `toolhub me accept-deleted` accepts such \
             events again"
                .to_owned(),
        ),
        NoticeCode::OlderThanRetention => (
            "occurred_at",
            "your org does not keep events for that long".to_owned(),
        ),
        NoticeCode::TooManyTools => ("tool_id", too_many("tool")),
        NoticeCode::TooManyProjects => ("project", too_many("project")),
        NoticeCode::TooManySessions => ("session_id", too_many("session")),
        _ => (
            "task_text",
            "your org does not store the text of tasks, so it was left out".to_owned(),
        ),
    }
}

/// Adds to the receipt what the store rejected or left out. `at` is the position in the body of each event that the store
/// received.
fn add_notices(stored: &BatchResult, at: &[usize], receipt: &mut Receipt) {
    let notice = |noted: &BatchNotice| {
        let (field, detail) = refusal(noted.code);
        EventNotice {
            index: at.get(noted.position).copied().unwrap_or(noted.position),
            uuid: noted.uuid.clone(),
            code: noted.code,
            field: Some(field.to_owned()),
            detail,
        }
    };
    let unlisted = |count: u64, listed: &[BatchNotice]| count.saturating_sub(listed.len() as u64);
    for noted in &stored.refused {
        receipt.reject(notice(noted));
    }
    receipt.rejected += unlisted(stored.counts.refused, &stored.refused);
    for noted in &stored.warnings {
        receipt.warn(notice(noted));
    }
    receipt.warned += unlisted(stored.warned, &stored.warnings);
}

/// What is said of an event whose tool, project or session is one too many.
fn too_many(noun: &str) -> String {
    format!(
        "a new {noun}, and your org has got as many new ones today as it may; send it again tomorrow, or let the operator \
         raise the limit with `toolhub admin org limits`"
    )
}

/// The events of the org, newest first.
pub(crate) async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    Query(query): Query<EventsQuery>,
) -> Result<Json<Events>, ApiError> {
    let page = app.store.event_list(caller.org, &query).await?;
    let asked = [
        query.member.as_deref().map(Name::Member),
        query.tool_id.as_deref().map(Name::Tool),
        query.project.as_deref().map(Name::Project),
        query.session.as_deref().map(Name::Session),
    ];
    names::check(&app, &caller, page.rows.is_empty(), query.cursor(), &asked).await?;
    Ok(Json(Events {
        events: page.rows,
        next_cursor: page.next_cursor,
    }))
}
