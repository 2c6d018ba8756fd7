//! What several pages list: boards, dead weight, uploads and events, asked of the API's handlers.

use axum::extract::State;
use chrono::{DateTime, Utc};
use model::{
    Outcome,
    api::{
        Board, DeadWeight, DeadWeightRow, EventRow, Events, Leaderboard, LeaderboardRow, Savings, SavingsRow,
        Upload, Uploads, Verdict,
        query::{DeadWeightQuery, EventsQuery, LeaderboardQuery, SavingsQuery, UploadsQuery},
    },
    cell::{Cell, Tone},
    team::MemberKind,
};

use super::{
    links,
    table::{Entry, Table, figure, name},
    visit::Visit,
};
use crate::{
    api,
    error::ApiError,
    extract::{PathParam, Query},
};

/// A board, without waiting for fresher numbers unless that was asked for.
pub(super) async fn board(
    visit: &Visit,
    board: Board,
    mut query: LeaderboardQuery,
) -> Result<Leaderboard, ApiError> {
    query.fresh.get_or_insert(false);
    let path = PathParam(board.as_str().to_owned());
    let app = State(visit.app.clone());
    Ok(
        api::leaderboards::get(app, visit.caller(), visit.deadline.clone(), path, Query(query))
            .await?
            .0,
    )
}

/// Dead weight.
pub(super) async fn dead_weight(visit: &Visit, mut query: DeadWeightQuery) -> Result<DeadWeight, ApiError> {
    query.fresh.get_or_insert(false);
    let app = State(visit.app.clone());
    Ok(
        api::dead_weight::list(app, visit.caller(), visit.deadline.clone(), Query(query))
            .await?
            .0,
    )
}

/// What retired tools saved.
pub(super) async fn savings(visit: &Visit) -> Result<Savings, ApiError> {
    let query = SavingsQuery {
        fresh: Some(false),
        ..SavingsQuery::default()
    };
    let app = State(visit.app.clone());
    Ok(
        api::savings::list(app, visit.caller(), visit.deadline.clone(), Query(query))
            .await?
            .0,
    )
}

/// Uploads, newest first.
pub(super) async fn uploads(visit: &Visit, query: UploadsQuery) -> Result<Uploads, ApiError> {
    let app = State(visit.app.clone());
    Ok(api::uploads::list(app, visit.caller(), Query(query)).await?.0)
}

/// Events, newest first.
pub(super) async fn events(visit: &Visit, query: EventsQuery) -> Result<Events, ApiError> {
    let app = State(visit.app.clone());
    Ok(api::events::list(app, visit.caller(), Query(query)).await?.0)
}

/// A board as a table.
pub(super) fn board_table(caption: &str, board: Board, rows: &[LeaderboardRow], now: DateTime<Utc>) -> Table {
    let (key, title) = match board {
        Board::Tools => ("tool_id", "tool"),
        Board::Members => ("member", "member"),
        Board::Projects => ("project", "project"),
    };
    let mut columns = vec![name(key, title), figure("rank", "rank").sortable()];
    if board == Board::Members {
        columns.push(name("member_kind", "kind"));
    }
    if board != Board::Tools {
        columns.push(figure("tools", "tools").sortable());
    }
    columns.extend([
        figure("decided_rate", "works").sortable(),
        figure("events", "calls").sortable(),
        figure("wilson_low", "at least").sortable(),
        figure("trend", "trend").sortable(),
        figure("failures", "failed").sortable(),
        figure("abandoned", "abandoned").sortable(),
        figure("avg_cost_usd", "mean cost").sortable(),
        figure("total_cost_usd", "cost").sortable(),
        figure("total_run_cost_usd", "inside them").sortable(),
    ]);
    if board == Board::Tools {
        columns.extend([
            figure("median_duration_ms", "median").sortable(),
            figure("members", "members").sortable(),
        ]);
    }
    columns.push(figure("last_used_at", "last used").sortable());
    Table {
        caption: caption.to_owned(),
        columns,
        rows: rows.iter().map(|row| board_row(board, row, now)).collect(),
    }
}

fn board_row(board: Board, row: &LeaderboardRow, now: DateTime<Utc>) -> Vec<Entry> {
    let tally = &row.tally;
    let subject = match board {
        Board::Tools => Entry::maybe_link(row.tool_id.as_deref(), links::tool),
        Board::Members => Entry::maybe_link(row.member.as_deref(), links::member),
        Board::Projects => Entry::maybe_link(row.project.as_deref(), links::project),
    };
    let mut entries = vec![subject, Cell::count(row.rank).into()];
    if board == Board::Members {
        entries.push(Cell::maybe(row.member_kind.map(MemberKind::as_str)).into());
    }
    if board != Board::Tools {
        entries.push(Cell::maybe_count(row.tools).into());
    }
    entries.extend([
        Entry::bar(tally.decided_rate),
        Cell::count(tally.events).into(),
        Cell::rate(tally.wilson_low).into(),
        trend(row).into(),
        Cell::count(tally.failures).into(),
        Cell::count(tally.abandoned).into(),
        Cell::usd(tally.avg_cost_usd).into(),
        Cell::usd(tally.total_cost_usd).into(),
        Cell::usd(tally.total_run_cost_usd).into(),
    ]);
    if board == Board::Tools {
        entries.extend([
            Entry::from(Cell::millis(tally.median_duration_ms)),
            Cell::count(tally.members).into(),
        ]);
    }
    entries.push(Cell::time(tally.last_used_at, now).into());
    entries
}

/// The change of the success rate to the window before, in percentage points.
fn trend(row: &LeaderboardRow) -> Cell {
    let before = row.previous.as_ref().and_then(|previous| previous.decided_rate);
    let points = row
        .tally
        .decided_rate
        .zip(before)
        .map(|(now, before)| (now - before) * 100.0);
    let tone = match points {
        Some(points) if points >= 0.05 => Tone::Good,
        Some(points) if points <= -0.05 => Tone::Bad,
        _ => Tone::Plain,
    };
    Cell::points(points).with_tone(tone)
}

/// Retired tools, with what that saved.
pub(super) fn savings_table(rows: &[SavingsRow], now: DateTime<Utc>) -> Table {
    let rows = rows.iter().map(|row| {
        vec![
            Entry::link(&row.tool_id, links::tool(&row.tool_id)),
            Cell::time(Some(row.decided_at), now).into(),
            Cell::count(row.before.sessions).into(),
            Cell::count(row.after.sessions).into(),
            Cell::maybe_count(row.saved.tokens).into(),
            Cell::usd(row.saved.cost_usd).into(),
            Cell::text(&row.still_loaded_by.join(", ")).into(),
            Cell::count(row.needed.calls).into(),
        ]
    });
    Table {
        caption: "What retired tools saved".to_owned(),
        columns: vec![
            name("tool_id", "tool"),
            figure("decided_at", "retired"),
            figure("sessions_before", "sessions before"),
            figure("sessions_after", "sessions since"),
            figure("saved_tokens", "tokens saved"),
            figure("saved_usd", "$ saved"),
            name("still_loaded_by", "still loaded by"),
            figure("needed", "calls since"),
        ],
        rows: rows.collect(),
    }
}

/// Dead weight as a table.
pub(super) fn dead_weight_table(rows: &[DeadWeightRow], now: DateTime<Utc>) -> Table {
    let tone = |verdict| match verdict {
        Verdict::Failing | Verdict::Phantom => Tone::Bad,
        Verdict::Unused
        | Verdict::Dormant
        | Verdict::NeverLoaded
        | Verdict::Unreachable
        | Verdict::Duplicate => Tone::Doubtful,
        Verdict::InUse => Tone::Good,
        Verdict::SingleUser
        | Verdict::UsedByFew
        | Verdict::TooLittleEvidence
        | Verdict::TooNew
        | Verdict::NotKnown
        | Verdict::ShipsWithAgent => Tone::Plain,
    };
    let rows = rows.iter().map(|row| {
        vec![
            Entry::link(&row.tool_id, links::tool(&row.tool_id)),
            Cell::text(row.verdict.as_str())
                .with_tone(tone(row.verdict))
                .into(),
            Cell::count(row.sessions_loaded).into(),
            Cell::maybe_count(row.context_tokens).into(),
            Cell::maybe_count(row.requests).into(),
            Cell::usd(row.est_cost_usd_month).into(),
            Cell::count(row.members_loaded).into(),
            Cell::count(row.members_installed).into(),
            Cell::count(row.events).into(),
            Cell::time(row.last_used_at, now).into(),
            Cell::text(&row.installed_by.join(", ")).into(),
            Cell::maybe(row.remove.as_deref()).into(),
            Cell::text(&row.reason).into(),
        ]
    });
    Table {
        caption: "Dead weight".to_owned(),
        columns: vec![
            name("tool_id", "tool"),
            name("verdict", "verdict"),
            figure("sessions_loaded", "sessions").sortable(),
            figure("context_tokens", "tokens").sortable(),
            figure("requests", "requests").sortable(),
            figure("est_cost_usd_month", "$/month").sortable(),
            figure("members_loaded", "members").sortable(),
            figure("members_installed", "installed").sortable(),
            figure("events", "calls").sortable(),
            figure("last_used_at", "last used").sortable(),
            name("installed_by", "installed by"),
            name("remove", "remove").prose(),
            name("reason", "reason").prose(),
        ],
        rows: rows.collect(),
    }
}

/// Uploads as a table.
pub(super) fn uploads_table<'u>(
    caption: &str,
    uploads: impl Iterator<Item = &'u Upload>,
    now: DateTime<Utc>,
) -> Table {
    let rows = uploads.map(|upload| {
        let ci = upload.ci.as_ref();
        vec![
            Entry::from(Cell::time(Some(upload.received_at), now)),
            Entry::link(&upload.member, links::member(&upload.member)),
            Cell::text(&upload.source).into(),
            Cell::maybe(ci.and_then(|ci| ci.repository.as_deref())).into(),
            Cell::maybe(ci.and_then(|ci| ci.pull_request.as_deref())).into(),
            Cell::maybe(ci.and_then(|ci| ci.run_id.as_deref())).into(),
            Cell::count(upload.received).into(),
            Cell::count(upload.inserted).into(),
            Cell::count(upload.upgraded).into(),
            Cell::count(upload.duplicate).into(),
            Cell::count(upload.conflict).into(),
            Cell::count(upload.rejected).into(),
        ]
    });
    Table {
        caption: caption.to_owned(),
        columns: vec![
            name("received_at", "received"),
            name("member", "member"),
            name("source", "source"),
            name("repository", "repository"),
            name("pull_request", "PR"),
            name("run_id", "run"),
            figure("received", "events"),
            figure("inserted", "inserted"),
            figure("upgraded", "upgraded"),
            figure("duplicate", "duplicate"),
            figure("conflict", "conflict"),
            figure("rejected", "rejected"),
        ],
        rows: rows.collect(),
    }
}

/// CI runs as a table of a few columns.
pub(super) fn runs_table<'u>(
    caption: &str,
    uploads: impl Iterator<Item = &'u Upload>,
    now: DateTime<Utc>,
) -> Table {
    let rows = uploads
        .filter_map(|upload| Some((upload, upload.ci.as_ref()?)))
        .map(|(upload, ci)| {
            vec![
                Entry::from(Cell::maybe(ci.repository.as_deref())),
                Cell::maybe(ci.pull_request.as_deref()).into(),
                Cell::maybe(ci.run_id.as_deref()).into(),
                Cell::count(upload.received).into(),
                Cell::time(Some(upload.received_at), now).into(),
            ]
        });
    Table {
        caption: caption.to_owned(),
        columns: vec![
            name("repository", "repository"),
            name("pull_request", "PR"),
            name("run_id", "run"),
            figure("received", "events"),
            figure("received_at", "received"),
        ],
        rows: rows.collect(),
    }
}

/// Events as a table.
pub(super) fn events_table(caption: &str, events: &[EventRow], now: DateTime<Utc>) -> Table {
    let rows = events.iter().map(|event| {
        let tone = match event.outcome {
            Outcome::Success => Tone::Good,
            Outcome::Failure => Tone::Bad,
            Outcome::Abandoned | Outcome::Unknown => Tone::Plain,
        };
        let session = event.session_id.as_deref();
        vec![
            Entry::from(Cell::time(Some(event.occurred_at), now)),
            Entry::link(&event.tool_id, links::tool(&event.tool_id)),
            Cell::maybe(event.operation.as_deref()).into(),
            Cell::text(event.outcome.as_str()).with_tone(tone).into(),
            Cell::maybe(event.reason.map(|reason| reason.as_str())).into(),
            Cell::millis(event.duration_ms.map(millis)).into(),
            Cell::usd(event.cost_usd).into(),
            Cell::usd(event.run_cost_usd).into(),
            Entry::link(&event.member, links::member(&event.member)),
            Entry::maybe_link(event.project.as_deref(), links::project),
            Entry::maybe_link(session, |session| links::events(&[("session", session)])),
            Cell::maybe(event.model.as_deref()).into(),
            Cell::maybe(event.agent.as_deref()).into(),
        ]
    });
    Table {
        caption: caption.to_owned(),
        columns: vec![
            name("occurred_at", "time"),
            name("tool_id", "tool"),
            name("operation", "operation"),
            name("outcome", "outcome"),
            name("reason", "reason"),
            figure("duration_ms", "duration"),
            figure("cost_usd", "cost"),
            figure("run_cost_usd", "inside it"),
            name("member", "member"),
            name("project", "project"),
            name("session_id", "session").short(),
            name("model", "model").short(),
            name("agent", "agent"),
        ],
        rows: rows.collect(),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a duration is at most a year, which a float holds exactly"
)]
fn millis(ms: i64) -> f64 {
    ms as f64
}
