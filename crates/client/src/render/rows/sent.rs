//! Listings of events and uploads.

use chrono::{DateTime, Utc};
use model::{
    Outcome,
    api::{CiContext, EventRow, Events, Upload, Uploads},
};

use super::{Cell, Listing, Tone, detail, figure, name, next_page};

/// `GET /v1/events`.
pub(crate) fn events(response: &Events, now: DateTime<Utc>) -> Listing {
    let columns = vec![
        name("occurred_at", "when"),
        name("member", "member").level(1),
        name("tool_id", "tool"),
        name("operation", "operation").level(5),
        name("outcome", "outcome"),
        name("reason", "reason").level(4),
        figure("duration_ms", "took").level(2),
        figure("cost_usd", "cost").level(6),
        detail("run_cost_usd"),
        name("project", "project").level(3),
        detail("session_id"),
        detail("model"),
        detail("agent"),
        detail("agent_version"),
        detail("git_branch"),
        detail("task_text"),
        detail("received_at"),
        detail("source"),
        detail("uuid"),
    ];
    let rows = response
        .events
        .iter()
        .map(|event| event_row(event, now))
        .collect();
    Listing {
        columns,
        rows,
        notes: notes(
            response.events.is_empty(),
            "no events match",
            response.next_cursor.as_ref(),
        ),
    }
}

/// A note about an empty listing, or how to get the next page.
fn notes(is_empty: bool, empty: &str, cursor: Option<&String>) -> Vec<String> {
    let hint = is_empty.then(|| format!("{empty}. `toolhub upload` sends the calls in your session logs"));
    hint.into_iter().chain(next_page(cursor)).collect()
}

fn event_row(event: &EventRow, now: DateTime<Utc>) -> Vec<Cell> {
    #[expect(clippy::cast_precision_loss, reason = "a year of ms is far below 2^53")]
    let took = event.duration_ms.map(|ms| ms as f64);
    vec![
        Cell::time(Some(event.occurred_at), now),
        Cell::text(&event.member),
        Cell::text(&event.tool_id),
        Cell::maybe(event.operation.as_deref()),
        Cell::text(event.outcome.as_str()).with_tone(outcome_tone(event.outcome)),
        Cell::maybe(event.reason.map(model::Reason::as_str)),
        Cell::millis(took),
        Cell::usd(event.cost_usd),
        Cell::usd(event.run_cost_usd),
        Cell::maybe(event.project.as_deref()),
        Cell::maybe(event.session_id.as_deref()),
        Cell::maybe(event.model.as_deref()),
        Cell::maybe(event.agent.as_deref()),
        Cell::maybe(event.agent_version.as_deref()),
        Cell::maybe(event.git_branch.as_deref()),
        Cell::maybe(event.task_text.as_deref()),
        Cell::time(Some(event.received_at), now),
        Cell::text(&event.source),
        Cell::text(&event.uuid),
    ]
}

fn outcome_tone(outcome: Outcome) -> Tone {
    match outcome {
        Outcome::Success => Tone::Good,
        Outcome::Failure => Tone::Bad,
        Outcome::Abandoned => Tone::Doubtful,
        Outcome::Unknown => Tone::Plain,
    }
}

/// `GET /v1/uploads`.
pub(crate) fn uploads(response: &Uploads, now: DateTime<Utc>) -> Listing {
    let columns = vec![
        name("received_at", "when"),
        name("member", "member"),
        name("source", "source").level(6),
        figure("received", "received"),
        figure("inserted", "inserted"),
        figure("upgraded", "upgraded").level(4),
        figure("duplicate", "duplicate").level(3),
        figure("conflict", "conflict").level(5),
        figure("rejected", "rejected").level(1),
        detail("already_counted"),
        name("ci", "from").level(2).prose(),
        detail("client"),
        detail("batch"),
        detail("upload_id"),
    ];
    let rows = response
        .uploads
        .iter()
        .map(|upload| upload_row(upload, now))
        .collect();
    Listing {
        columns,
        rows,
        notes: notes(
            response.uploads.is_empty(),
            "no uploads yet",
            response.next_cursor.as_ref(),
        ),
    }
}

fn upload_row(upload: &Upload, now: DateTime<Utc>) -> Vec<Cell> {
    vec![
        Cell::time(Some(upload.received_at), now),
        Cell::text(&upload.member),
        Cell::text(&upload.source),
        Cell::count(upload.received),
        Cell::count(upload.inserted),
        Cell::count(upload.upgraded),
        Cell::count(upload.duplicate),
        Cell::count(upload.conflict),
        Cell::count(upload.rejected).with_tone(if upload.rejected > 0 {
            Tone::Bad
        } else {
            Tone::Plain
        }),
        Cell::count(upload.already_counted),
        Cell::text(&upload.ci.as_ref().map(ci).unwrap_or_default()),
        Cell::maybe(upload.client.as_deref()),
        Cell::text(&upload.batch),
        Cell::text(&upload.upload_id),
    ]
}

/// `github acme/api main #12 run 99`.
pub(in crate::render) fn ci(context: &CiContext) -> String {
    let pull_request = context.pull_request.as_ref().map(|number| format!("#{number}"));
    let run = context.run_id.as_ref().map(|run| format!("run {run}"));
    let parts = [
        &context.provider,
        &context.repository,
        &context.git_ref,
        &pull_request,
        &run,
    ];
    parts
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}
