//! Which columns each answer has. Rates never stand without the number of calls behind them.

use chrono::{DateTime, Utc};
use model::api::{
    CiContext, DeadWeight, EventRow, Events, Leaderboard, LeaderboardRow, Me, ScoreDetail, Scores, Tally,
    Upload, Uploads,
};

use super::{Cell, Column, Listing, cell::ago};
use crate::read::Board;

/// A column for everybody, at the left.
pub(super) const fn name(key: &'static str, title: &'static str) -> Column {
    Column {
        key,
        title: Some(title),
        right: false,
    }
}

/// A column for everybody, at the right.
pub(super) const fn figure(key: &'static str, title: &'static str) -> Column {
    Column {
        key,
        title: Some(title),
        right: true,
    }
}

/// A column for CSV only.
pub(super) const fn detail(key: &'static str) -> Column {
    Column {
        key,
        title: None,
        right: false,
    }
}

const TALLY: [Column; 13] = [
    figure("events", "events"),
    figure("successes", "ok"),
    figure("failures", "failed"),
    figure("abandoned", "abandoned"),
    detail("unknown"),
    detail("success_rate"),
    figure("decided_rate", "works"),
    figure("wilson_low", "at least"),
    figure("avg_cost_usd", "avg cost"),
    figure("median_duration_ms", "median"),
    figure("members", "members"),
    detail("first_used_at"),
    figure("last_used_at", "last used"),
];

fn tally(tally: &Tally, now: DateTime<Utc>) -> [Cell; 13] {
    [
        Cell::count(tally.events),
        Cell::count(tally.successes),
        Cell::count(tally.failures),
        Cell::count(tally.abandoned),
        Cell::count(tally.unknown),
        Cell::rate(tally.success_rate),
        Cell::rate(tally.decided_rate),
        Cell::rate(tally.wilson_low),
        Cell::usd(tally.avg_cost_usd),
        Cell::millis(tally.median_duration_ms),
        Cell::count(tally.members),
        Cell::time(tally.first_used_at, now),
        Cell::time(tally.last_used_at, now),
    ]
}

/// How fresh the rows are, and how to get more.
fn notes(as_of: Option<DateTime<Utc>>, cursor: Option<&String>, now: DateTime<Utc>) -> Vec<String> {
    let mut notes = vec![match as_of {
        Some(as_of) => format!("scores as of {}", ago(as_of, now)),
        None => "the scores have not been computed yet".to_owned(),
    }];
    notes.extend(next_page(cursor));
    notes
}

pub(super) fn next_page(cursor: Option<&String>) -> Option<String> {
    cursor.map(|cursor| format!("there is more: --cursor {}", model::text::clean(cursor)))
}

/// `GET /v1/scores`.
pub fn scores(answer: &Scores, now: DateTime<Utc>) -> Listing {
    let mut columns = vec![name("tool_id", "tool"), detail("kind")];
    columns.extend(TALLY);
    let rows = answer.scores.iter().map(|score| {
        let mut row = vec![Cell::text(&score.tool_id), Cell::text(&score.kind)];
        row.extend(tally(&score.tally, now));
        row
    });
    Listing {
        columns,
        rows: rows.collect(),
        notes: notes(answer.as_of, answer.next_cursor.as_ref(), now),
    }
}

/// `GET /v1/scores/{tool_id}`: the parts of its events, one below the other.
pub fn score(answer: &ScoreDetail, now: DateTime<Utc>) -> Listing {
    let columns = vec![
        name("part", "part"),
        name("name", "name"),
        figure("events", "events"),
        figure("successes", "ok"),
        figure("failures", "failed"),
    ];
    let row = |part: &str, name: Option<&str>, counts: [Option<i64>; 3]| {
        let mut cells = vec![Cell::text(part), Cell::maybe(name)];
        cells.extend(counts.map(Cell::maybe_count));
        cells
    };
    let tally = &answer.score.tally;
    let all = [tally.events, tally.successes, tally.failures].map(Some);
    let mut rows = vec![row("ever", Some(&answer.score.tool_id), all)];
    for outcome in &answer.outcomes {
        let name = match outcome.reason {
            Some(reason) => format!("{} ({reason})", outcome.outcome),
            None => outcome.outcome.to_string(),
        };
        rows.push(row("outcome", Some(&name), [Some(outcome.events), None, None]));
    }
    for (part, parts) in [
        ("operation", &answer.by_operation),
        ("member", &answer.by_member),
        ("project", &answer.by_project),
        ("version", &answer.by_version),
    ] {
        for one in parts {
            let counts = [one.events, one.successes, one.failures].map(Some);
            rows.push(row(part, one.name.as_deref(), counts));
        }
    }
    for day in &answer.daily {
        let counts = [day.events, day.successes, day.failures].map(Some);
        rows.push(row("day", Some(&day.day.to_string()), counts));
    }
    let durations = &answer.durations;
    let took = |ms: Option<f64>| Cell::millis(ms).human().to_owned();
    let mut notes = notes(answer.as_of, None, now);
    notes.insert(
        0,
        format!(
            "window {} (UTC days); `ever` is the score",
            model::text::clean(&answer.window)
        ),
    );
    notes.push(format!(
        "half of the calls took at most {}, nine in ten {}, all but one in a hundred {}",
        took(durations.p50),
        took(durations.p90),
        took(durations.p99)
    ));
    Listing { columns, rows, notes }
}

/// `GET /v1/leaderboards/…`.
pub fn leaderboard(board: Board, answer: &Leaderboard, now: DateTime<Utc>) -> Listing {
    let mut columns = vec![figure("rank", "#")];
    let subject: fn(&LeaderboardRow) -> Vec<Cell> = match board {
        Board::Tools => {
            columns.extend([name("tool_id", "tool"), detail("kind")]);
            |row| {
                vec![
                    Cell::maybe(row.tool_id.as_deref()),
                    Cell::maybe(row.kind.as_deref()),
                ]
            }
        }
        Board::Members => {
            columns.extend([name("member", "member"), figure("tools", "tools")]);
            |row| vec![Cell::maybe(row.member.as_deref()), Cell::maybe_count(row.tools)]
        }
        Board::Projects => {
            columns.extend([name("project", "project"), figure("tools", "tools")]);
            |row| vec![Cell::maybe(row.project.as_deref()), Cell::maybe_count(row.tools)]
        }
    };
    columns.extend(TALLY);
    columns.extend([
        figure("trend", "trend"),
        detail("previous_events"),
        detail("previous_decided_rate"),
        detail("previous_wilson_low"),
    ]);
    if board == Board::Members {
        // One member has used it: themself.
        columns
            .iter_mut()
            .filter(|column| column.key == "members")
            .for_each(|column| column.title = None);
    }
    let rows = answer.leaderboard.iter().map(|row| {
        let mut cells = vec![Cell::count(row.rank)];
        cells.extend(subject(row));
        cells.extend(tally(&row.tally, now));
        let previous = row.previous.as_ref();
        cells.extend([
            trend(row),
            Cell::maybe_count(previous.map(|previous| previous.events)),
            Cell::rate(previous.and_then(|previous| previous.decided_rate)),
            Cell::rate(previous.and_then(|previous| previous.wilson_low)),
        ]);
        cells
    });
    let mut notes = notes(answer.as_of, answer.next_cursor.as_ref(), now);
    notes.insert(
        0,
        format!("window {} (UTC days)", model::text::clean(&answer.window)),
    );
    if answer.leaderboard.is_empty() {
        notes.push(
            "nothing to rank: `--window all` looks further back, `--kind all` shows built-in tools too"
                .into(),
        );
    }
    Listing {
        columns,
        rows: rows.collect(),
        notes,
    }
}

/// By how many points of a hundred the share of successes differs from the window before.
fn trend(row: &LeaderboardRow) -> Cell {
    let before = row.previous.as_ref().and_then(|previous| previous.decided_rate);
    let difference = row
        .tally
        .decided_rate
        .zip(before)
        .map(|(now, before)| now - before);
    Cell::points(difference.map(|share| share * 100.0))
}

/// `GET /v1/dead-weight`.
pub fn dead_weight(answer: &DeadWeight, now: DateTime<Utc>) -> Listing {
    let columns = vec![
        name("tool_id", "tool"),
        detail("kind"),
        name("verdict", "verdict"),
        figure("events", "events"),
        figure("sessions_loaded", "sessions"),
        figure("members_loaded", "members"),
        figure("members_installed", "installed"),
        figure("context_bytes", "context"),
        name("installed_by", "by"),
        figure("last_used_at", "last used"),
        detail("members"),
        detail("known_since"),
        name("reason", "reason"),
    ];
    let rows = answer.dead_weight.iter().map(|row| {
        vec![
            Cell::text(&row.tool_id),
            Cell::text(&row.kind),
            Cell::text(&row.verdict),
            Cell::count(row.events),
            Cell::count(row.sessions_loaded),
            Cell::count(row.members_loaded),
            Cell::count(row.members_installed),
            Cell::bytes(row.context_bytes),
            Cell::text(&row.installed_by.join(", ")),
            Cell::time(row.last_used_at, now),
            Cell::count(row.members),
            Cell::time(row.known_since, now),
            Cell::text(&row.reason),
        ]
    });
    let mut notes = notes(answer.as_of, answer.next_cursor.as_ref(), now);
    notes.insert(0, format!("the last {} days (UTC)", answer.days));
    Listing {
        columns,
        rows: rows.collect(),
        notes,
    }
}

/// `GET /v1/events`.
pub fn events(answer: &Events, now: DateTime<Utc>) -> Listing {
    let columns = vec![
        name("occurred_at", "when"),
        name("member", "member"),
        name("tool_id", "tool"),
        name("operation", "operation"),
        name("outcome", "outcome"),
        name("reason", "reason"),
        figure("duration_ms", "took"),
        figure("cost_usd", "cost"),
        name("project", "project"),
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
    let rows = answer.events.iter().map(|event| event_row(event, now)).collect();
    Listing {
        columns,
        rows,
        notes: next_page(answer.next_cursor.as_ref()).into_iter().collect(),
    }
}

fn event_row(event: &EventRow, now: DateTime<Utc>) -> Vec<Cell> {
    #[expect(clippy::cast_precision_loss, reason = "a year of ms is far below 2^53")]
    let took = event.duration_ms.map(|ms| ms as f64);
    vec![
        Cell::time(Some(event.occurred_at), now),
        Cell::text(&event.member),
        Cell::text(&event.tool_id),
        Cell::maybe(event.operation.as_deref()),
        Cell::text(event.outcome.as_str()),
        Cell::maybe(event.reason.map(model::Reason::as_str)),
        Cell::millis(took),
        Cell::usd(event.cost_usd),
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

/// `GET /v1/uploads`.
pub fn uploads(answer: &Uploads, now: DateTime<Utc>) -> Listing {
    let columns = vec![
        name("received_at", "when"),
        name("member", "member"),
        name("source", "source"),
        figure("received", "received"),
        figure("inserted", "inserted"),
        figure("upgraded", "upgraded"),
        figure("duplicate", "duplicate"),
        figure("conflict", "conflict"),
        figure("rejected", "rejected"),
        name("ci", "from"),
        detail("client"),
        detail("batch"),
        detail("upload_id"),
    ];
    let rows = answer
        .uploads
        .iter()
        .map(|upload| upload_row(upload, now))
        .collect();
    Listing {
        columns,
        rows,
        notes: next_page(answer.next_cursor.as_ref()).into_iter().collect(),
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
        Cell::count(upload.rejected),
        Cell::text(&upload.ci.as_ref().map(ci).unwrap_or_default()),
        Cell::maybe(upload.client.as_deref()),
        Cell::text(&upload.batch),
        Cell::text(&upload.upload_id),
    ]
}

/// `github acme/api main #12 run 99`.
pub(super) fn ci(context: &CiContext) -> String {
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

/// `GET /v1/me`.
pub fn me(answer: &Me, now: DateTime<Utc>) -> Listing {
    let columns = vec![
        name("org", "org"),
        name("member", "member"),
        name("role", "role"),
        name("kind", "kind"),
        name("scopes", "scopes"),
        name("token_name", "token"),
        name("token_expires_at", "expires"),
    ];
    let scopes: Vec<&str> = answer.scopes.iter().map(|scope| scope.as_str()).collect();
    let expires = answer.token_expires_at;
    let row = vec![
        Cell::text(&answer.org),
        Cell::text(&answer.member),
        Cell::text(answer.role.as_str()),
        Cell::text(answer.kind.as_str()),
        Cell::text(&scopes.join(",")),
        Cell::text(&answer.token_name),
        if expires.is_some() {
            Cell::time(expires, now)
        } else {
            Cell::text("never")
        },
    ];
    Listing {
        columns,
        rows: vec![row],
        notes: Vec::new(),
    }
}

/// What models cost.
pub fn prices(prices: &sources::Prices) -> Listing {
    let columns = vec![
        name("model", "model"),
        name("from", "from"),
        figure("input", "input"),
        figure("output", "output"),
        figure("cache_read", "cache read"),
        figure("cache_write_5m", "write 5 min"),
        figure("cache_write_1h", "write 1 h"),
        detail("source"),
    ];
    let rows = prices.list().map(|price| {
        let amounts = [
            price.input,
            price.output,
            price.cache_read,
            price.cache_write_5m,
            price.cache_write_1h,
        ];
        let mut row = vec![Cell::text(&price.model), Cell::text(&price.from.to_string())];
        row.extend(amounts.map(|amount| Cell::usd(Some(amount))));
        row.push(Cell::text(&price.source));
        row
    });
    Listing {
        columns,
        rows: rows.collect(),
        notes: vec!["USD per million tokens".into()],
    }
}
