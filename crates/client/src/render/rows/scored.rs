//! Listings of scores, leaderboards and dead weight.

use chrono::{DateTime, Utc};
use model::{
    api::{
        Board, DeadWeight, DeadWeightGroup, Decision, Decisions, Leaderboard, LeaderboardRow, Savings,
        ScoreDetail, Scores, Tally, Verdict,
    },
    team::MemberKind,
};

use super::{Cell, Column, Listing, Tone, detail, figure, name, next_page, notes};

const TALLY: [Column; 16] = [
    figure("events", "events"),
    figure("successes", "ok").level(7),
    figure("failures", "failed").level(2),
    figure("abandoned", "abandoned").level(9),
    detail("unknown"),
    detail("success_rate"),
    figure("decided_rate", "works"),
    figure("wilson_low", "at least").level(1),
    figure("avg_cost_usd", "avg cost").level(6),
    figure("total_cost_usd", "cost").level(3),
    detail("total_run_cost_usd"),
    detail("uncosted"),
    figure("median_duration_ms", "median").level(5),
    figure("members", "members").level(8),
    detail("first_used_at"),
    figure("last_used_at", "last used").level(4),
];

fn tally(tally: &Tally, now: DateTime<Utc>) -> [Cell; 16] {
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
        Cell::usd(tally.total_cost_usd),
        Cell::usd(tally.total_run_cost_usd),
        Cell::count(tally.uncosted),
        Cell::millis(tally.median_duration_ms),
        Cell::count(tally.members),
        Cell::time(tally.first_used_at, now),
        Cell::time(tally.last_used_at, now),
    ]
}

/// `GET /v1/scores`.
pub(crate) fn scores(response: &Scores, now: DateTime<Utc>) -> Listing {
    let mut columns = vec![name("tool_id", "tool"), detail("kind")];
    columns.extend(TALLY);
    let rows = response.scores.iter().map(|score| {
        let mut row = vec![Cell::text(&score.tool_id), Cell::text(&score.kind)];
        row.extend(tally(&score.tally, now));
        row
    });
    Listing {
        columns,
        rows: rows.collect(),
        notes: notes(response.as_of, response.next_cursor.as_ref(), now),
    }
}

/// `GET /v1/scores/{tool_id}`: the groups of its events as rows.
pub(crate) fn score(response: &ScoreDetail, now: DateTime<Utc>) -> Listing {
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
    let (tally, detail) = (&response.score.tally, &response.detail);
    let all = [tally.events, tally.successes, tally.failures].map(Some);
    let mut rows = vec![row("ever", Some(&response.score.tool_id), all)];
    for outcome in &detail.outcomes {
        let name = match outcome.reason {
            Some(reason) => format!("{} ({reason})", outcome.outcome),
            None => outcome.outcome.to_string(),
        };
        rows.push(row("outcome", Some(&name), [Some(outcome.events), None, None]));
    }
    for (part, parts) in [
        ("operation", &detail.by_operation),
        ("member", &detail.by_member),
        ("project", &detail.by_project),
        ("version", &detail.by_version),
    ] {
        for one in parts {
            let counts = [one.events, one.successes, one.failures].map(Some);
            rows.push(row(part, one.name.as_deref(), counts));
        }
    }
    for day in &detail.daily {
        let counts = [day.events, day.successes, day.failures].map(Some);
        rows.push(row("day", Some(&day.day.to_string()), counts));
    }
    let durations = &detail.durations;
    let took = |ms: Option<f64>| Cell::millis(ms).human().to_owned();
    let mut notes = notes(response.as_of, None, now);
    notes.insert(
        0,
        format!("window {} (UTC days); `ever` is the score", response.window),
    );
    if detail.outcomes.is_empty() {
        notes.push("no events in this window: try `--window all`".to_owned());
        return Listing { columns, rows, notes };
    }
    notes.push(format!(
        "durations: median {}, 90th percentile {}, 99th percentile {}",
        took(durations.p50),
        took(durations.p90),
        took(durations.p99)
    ));
    Listing { columns, rows, notes }
}

/// `GET /v1/leaderboards/…`.
pub(crate) fn leaderboard(board: Board, response: &Leaderboard, now: DateTime<Utc>) -> Listing {
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
            columns.extend([
                name("member", "member"),
                name("member_kind", "kind").level(2),
                figure("tools", "tools").level(1),
            ]);
            |row| {
                vec![
                    Cell::maybe(row.member.as_deref()),
                    Cell::maybe(row.member_kind.map(MemberKind::as_str)),
                    Cell::maybe_count(row.tools),
                ]
            }
        }
        Board::Projects => {
            columns.extend([name("project", "project"), figure("tools", "tools").level(1)]);
            |row| vec![Cell::maybe(row.project.as_deref()), Cell::maybe_count(row.tools)]
        }
    };
    columns.extend(TALLY);
    columns.extend([
        figure("trend", "trend").level(3),
        detail("previous_events"),
        detail("previous_decided_rate"),
        detail("previous_wilson_low"),
    ]);
    // The count is always 1 in a row of one member; only tools have a median, and only on boards of everything.
    let without_median = response
        .leaderboard
        .iter()
        .all(|row| row.tally.median_duration_ms.is_none());
    for column in &mut columns {
        let is_empty = match column.key {
            "members" => board == Board::Members,
            "median_duration_ms" => without_median,
            _ => false,
        };
        if is_empty {
            column.title = None;
        }
    }
    let rows = response.leaderboard.iter().map(|row| {
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
    let mut notes = notes(response.as_of, response.next_cursor.as_ref(), now);
    notes.insert(0, days(response));
    let of_ci = |row: &LeaderboardRow| row.member_kind == Some(MemberKind::Ci);
    if response.leaderboard.iter().any(of_ci) && !response.leaderboard.iter().all(of_ci) {
        notes.push("people and CI identities are ranked apart: `--member-kind` shows one of them".to_owned());
    }
    if response.leaderboard.is_empty() {
        notes.push(
            "nothing to rank: try `--window all` for all events, or `--kind all` to include built-in tools"
                .into(),
        );
    }
    Listing {
        columns,
        rows: rows.collect(),
        notes,
    }
}

/// Which days a board counts.
fn days(response: &Leaderboard) -> String {
    let compared = match (response.previous_first_day, response.previous_last_day) {
        (Some(first), Some(last)) => format!("; the trend is since {first} to {last}"),
        _ => String::new(),
    };
    match (response.window, response.first_day, response.last_day) {
        (Some(window), ..) => format!("window {window} (UTC days)"),
        (None, Some(first), Some(last)) => format!("{first} to {last} (UTC days){compared}"),
        (None, None, Some(last)) => format!("until {last} (UTC days){compared}"),
        (None, ..) => "all days".to_owned(),
    }
}

/// The difference of the decided rate to the previous window, in percentage points.
fn trend(row: &LeaderboardRow) -> Cell {
    let before = row.previous.as_ref().and_then(|previous| previous.decided_rate);
    let difference = row
        .tally
        .decided_rate
        .zip(before)
        .map(|(now, before)| now - before);
    let points = difference.map(|share| share * 100.0);
    let tone = match points {
        Some(points) if points >= 0.05 => Tone::Good,
        Some(points) if points <= -0.05 => Tone::Bad,
        _ => Tone::Plain,
    };
    Cell::points(points).with_tone(tone)
}

/// `GET /v1/dead-weight`.
pub(crate) fn dead_weight(response: &DeadWeight, now: DateTime<Utc>) -> Listing {
    if let Some(groups) = &response.groups {
        return dead_weight_groups(groups, response, now);
    }
    let columns = vec![
        name("tool_id", "tool"),
        detail("kind"),
        name("verdict", "verdict"),
        figure("events", "events").level(8),
        figure("sessions_loaded", "sessions").level(1),
        figure("members_loaded", "members").level(5),
        figure("members_installed", "installed").level(6),
        figure("context_tokens", "tokens").level(2),
        figure("est_cost_usd_month", "$/month").level(2),
        detail("context_bytes"),
        name("installed_by", "by").level(7).prose(),
        figure("last_used_at", "last used").level(3),
        detail("members"),
        detail("known_since"),
        detail("requests"),
        detail("carried_tokens"),
        detail("invoke_tokens"),
        detail("confidence"),
        detail("group"),
        detail("decision"),
        detail("loaded_by"),
        name("remove", "remove").level(9).prose(),
        name("reason", "reason").level(4).prose(),
    ];
    let rows = response.dead_weight.iter().map(|row| {
        vec![
            Cell::text(&row.tool_id),
            Cell::text(&row.kind),
            Cell::text(row.verdict.as_str()).with_tone(verdict_tone(row.verdict)),
            Cell::count(row.events),
            Cell::count(row.sessions_loaded),
            Cell::count(row.members_loaded),
            Cell::count(row.members_installed),
            Cell::maybe_count(row.context_tokens),
            Cell::usd(row.est_cost_usd_month),
            Cell::bytes(row.context_bytes),
            Cell::text(&row.installed_by.join(", ")),
            Cell::time(row.last_used_at, now),
            Cell::count(row.members),
            Cell::time(row.known_since, now),
            Cell::maybe_count(row.requests),
            Cell::maybe_count(row.carried_tokens),
            Cell::maybe_count(row.invoke_tokens),
            Cell::rate(Some(row.confidence)),
            Cell::text(&row.group),
            Cell::maybe(row.decision.map(Decision::as_str)),
            Cell::text(&row.loaded_by.join(", ")),
            Cell::maybe(row.remove.as_deref()),
            Cell::text(&row.reason),
        ]
    });
    let mut notes = notes(response.as_of, response.next_cursor.as_ref(), now);
    notes.insert(0, format!("the last {} days (UTC)", response.days));
    if response.dead_weight.is_empty() {
        notes.push(nothing_unused(response, now));
    }
    Listing {
        columns,
        rows: rows.collect(),
        notes,
    }
}

/// `GET /v1/dead-weight` with `group_by`.
fn dead_weight_groups(groups: &[DeadWeightGroup], response: &DeadWeight, now: DateTime<Utc>) -> Listing {
    let columns = vec![
        name("group", "group"),
        figure("tools", "tools"),
        figure("tools_without_calls", "uncalled"),
        figure("events", "events").level(4),
        figure("sessions_loaded", "sessions").level(3),
        figure("context_tokens", "tokens").level(1),
        detail("carried_tokens"),
        figure("est_cost_usd_month", "$/month").level(1),
        name("loaded_by", "by").level(5).prose(),
        name("remove", "remove").level(2).prose(),
    ];
    let rows = groups.iter().map(|group| {
        vec![
            Cell::text(&group.group),
            Cell::count(group.tools),
            Cell::count(group.tools_without_calls),
            Cell::count(group.events),
            Cell::count(group.sessions_loaded),
            Cell::maybe_count(group.context_tokens),
            Cell::maybe_count(group.carried_tokens),
            Cell::usd(group.est_cost_usd_month),
            Cell::text(&group.loaded_by.join(", ")),
            Cell::maybe(group.remove.as_deref()),
        ]
    });
    let mut notes = notes(response.as_of, None, now);
    notes.insert(0, format!("the last {} days (UTC)", response.days));
    if groups.is_empty() {
        notes.push("no group: no tool of the catalogue belongs to one".to_owned());
    }
    Listing {
        columns,
        rows: rows.collect(),
        notes,
    }
}

/// `GET /v1/decisions`.
pub(crate) fn decisions(response: &Decisions, now: DateTime<Utc>) -> Listing {
    let columns = vec![
        name("tool_id", "tool"),
        name("decision", "decision"),
        name("until", "until").level(2),
        name("owner", "owner").level(3),
        name("decided_by", "by").level(4),
        figure("decided_at", "decided").level(1),
        detail("ended_at"),
        detail("active"),
        name("note", "note").level(5).prose(),
    ];
    let rows = response.decisions.iter().map(|row| {
        vec![
            Cell::text(&row.tool_id),
            Cell::text(row.decision.as_str()),
            Cell::maybe(row.until.map(|day| day.to_string()).as_deref()),
            Cell::maybe(row.owner.as_deref()),
            Cell::text(&row.decided_by),
            Cell::time(Some(row.decided_at), now),
            Cell::time(row.ended_at, now),
            Cell::text(if row.active { "true" } else { "false" }),
            Cell::maybe(row.note.as_deref()),
        ]
    });
    let mut notes: Vec<String> = next_page(response.next_cursor.as_ref()).into_iter().collect();
    if response.decisions.is_empty() {
        notes.push(
            "nothing is decided: `toolhub decide TOOL_ID keep|retire|watch` decides about a tool".to_owned(),
        );
    }
    Listing {
        columns,
        rows: rows.collect(),
        notes,
    }
}

/// `GET /v1/savings`.
pub(crate) fn savings(response: &Savings, now: DateTime<Utc>) -> Listing {
    let columns = vec![
        name("tool_id", "tool"),
        figure("decided_at", "retired").level(2),
        figure("sessions_before", "before"),
        figure("sessions_after", "since"),
        figure("saved_sessions", "sessions saved").level(3),
        figure("saved_tokens", "tokens saved"),
        figure("saved_usd", "$ saved"),
        name("still_loaded_by", "still loaded by").level(1).prose(),
        name("still_installed_by", "still installed by").level(4).prose(),
        figure("needed", "needed").level(1),
        detail("needed_by"),
        detail("decided_by"),
        detail("owner"),
    ];
    let rows = response.savings.iter().map(|row| {
        vec![
            Cell::text(&row.tool_id),
            Cell::time(Some(row.decided_at), now),
            Cell::count(row.before.sessions),
            Cell::count(row.after.sessions),
            Cell::text(&row.saved.sessions.to_string()),
            Cell::maybe_count(row.saved.tokens),
            Cell::usd(row.saved.cost_usd),
            Cell::text(&row.still_loaded_by.join(", ")),
            Cell::text(&row.still_installed_by.join(", ")),
            Cell::count(row.needed.calls),
            Cell::text(&row.needed.members.join(", ")),
            Cell::text(&row.decided_by),
            Cell::maybe(row.owner.as_deref()),
        ]
    });
    let mut notes = notes(response.as_of, response.next_cursor.as_ref(), now);
    if response.savings.is_empty() {
        notes.push("nothing is retired: `toolhub decide TOOL_ID retire` decides about a tool".to_owned());
    }
    Listing {
        columns,
        rows: rows.collect(),
        notes,
    }
}

/// Why a listing of dead weight is empty: a tool must be known for the whole window, or for 30 days of a longer one.
fn nothing_unused(response: &DeadWeight, now: DateTime<Utc>) -> String {
    let Some(first) = response.data_since else {
        return "nothing to judge yet: `toolhub upload` sends the calls in your session logs".to_owned();
    };
    let reach = (now.date_naive() - first).num_days();
    match reach {
        reach if reach >= response.days.min(30) => {
            "no tool matches; `--verdict all` also lists the tools that are in use".to_owned()
        }
        ..=0 => "nothing to judge yet: the logs begin today".to_owned(),
        1 => "nothing to judge yet: the logs reach back 1 day; try `--days 1`".to_owned(),
        days => format!("nothing to judge yet: the logs reach back {days} days; try `--days {days}`"),
    }
}

fn verdict_tone(verdict: Verdict) -> Tone {
    match verdict {
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
    }
}
