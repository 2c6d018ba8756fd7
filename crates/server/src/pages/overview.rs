//! `/`: the org at a glance.

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use model::{
    administration::Member,
    api::{
        Board, DeadWeight, Leaderboard, LeaderboardRow, Overview, Totals, Window,
        query::{DeadWeightQuery, LeaderboardQuery, ListQuery, MembersQuery, OverviewQuery, UploadsQuery},
    },
    cell::Cell,
};

use super::{
    chart::{self, DayBar},
    filters, layout, links, listings,
    table::{Entry, Table, figure, name},
    view::{PageQuery, address},
    visit::Visit,
};
use crate::{api, error::ApiError, extract::Query};

/// Calls that a tool needs before it is called best or worst.
const MIN_SAMPLE: i64 = 20;
/// Rows of each list.
const ROWS: usize = 5;
/// Days without an upload after which a member is listed.
const SILENT_DAYS: i64 = 7;

/// The page.
pub(crate) async fn get(
    visit: Visit,
    PageQuery { mut query, view }: PageQuery<OverviewQuery>,
) -> Result<Response, ApiError> {
    query.fresh.get_or_insert(false);
    let window = query.window.unwrap_or_default();
    let overview = api::overview::get(
        State(visit.app.clone()),
        visit.caller(),
        visit.deadline.clone(),
        Query(query.clone()),
    )
    .await?
    .0;
    if let Some(format) = view.format {
        return chart::table("Calls by day", &bars(&overview)).download(format, "overview");
    }
    let content = if overview.totals.events == 0 && overview.daily.is_empty() {
        html! {
            (filters::windows("/", window))
            (filters::empty("No calls in this window.", "toolhub upload"))
        }
    } else {
        let board = board(&visit, window).await?;
        html! {
            (filters::windows("/", window))
            (tiles(&overview))
            (chart::days("Calls by day", &bars(&overview), "trend"))
            div .columns {
                (ranked("Best tools", &board.leaderboard, window))
                (ranked("Worst tools", &worst(&board.leaderboard), window))
                (dead_weight(&visit).await?)
                (runs(&visit).await?)
                (silent(&visit).await?)
            }
            (filters::downloads("/", &[("window", window.as_str())]))
        }
    };
    layout::Page {
        visit: &visit,
        title: "Overview",
        section: "/",
        as_of: overview.as_of,
        content,
    }
    .respond()
}

fn bars(overview: &Overview) -> Vec<DayBar> {
    let bar = |day: &model::api::TotalsDay| DayBar {
        day: day.day,
        events: day.events,
        successes: day.successes,
        failures: day.failures,
    };
    overview.daily.iter().map(bar).collect()
}

/// The figures, each with its change to the window before.
fn tiles(overview: &Overview) -> Markup {
    let (now, before) = (&overview.totals, overview.previous.as_ref());
    let count = |value: fn(&Totals) -> i64| {
        let change = before
            .map(value)
            .filter(|before| *before > 0)
            .map(|before| percent(value(now), before));
        (Cell::count(value(now)), change)
    };
    let (events, events_change) = count(|totals| totals.events);
    let (members, members_change) = count(|totals| totals.members);
    let rate_change = now
        .decided_rate
        .zip(before.and_then(|before| before.decided_rate))
        .map(|(now, before)| format!("{} points", Cell::points(Some((now - before) * 100.0)).human()));
    let spent_change = now
        .cost_usd
        .zip(
            before
                .and_then(|before| before.cost_usd)
                .filter(|before| *before > 0.0),
        )
        .map(|(now, before)| share(now / before));
    let responses = format!(
        "{} responses of models, also those without a call",
        Cell::count(overview.usage.responses).human()
    );
    let own = format!("{} of them not built in", Cell::count(now.own_events).human());
    html! {
        dl .tiles {
            (tile("Calls", &events, events_change, Some(&own)))
            (tile("Active members", &members, members_change, None))
            (tile("Success rate", &Cell::rate(now.decided_rate), rate_change, Some("of calls that succeeded or failed")))
            (tile("Spend", &Cell::usd(now.cost_usd), spent_change, Some("of calls with a known cost")))
            (tile("All responses", &Cell::usd(overview.usage.usage_cost_usd), None, Some(&responses)))
        }
    }
}

fn tile(title: &str, value: &Cell, change: Option<String>, note: Option<&str>) -> Markup {
    html! {
        div {
            dt { (title) }
            dd {
                span .value { (value.human()) }
                @if let Some(change) = change { span .change { (change) " to the window before" } }
                @if let Some(note) = note { span .note { (note) } }
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than the 53 bits that a float has"
)]
fn percent(now: i64, before: i64) -> String {
    share(now as f64 / before as f64)
}

fn share(ratio: f64) -> String {
    format!("{:+.0} %", (ratio - 1.0) * 100.0)
}

async fn board(visit: &Visit, window: Window) -> Result<Leaderboard, ApiError> {
    let query = LeaderboardQuery {
        window: Some(window),
        min_sample: Some(MIN_SAMPLE),
        limit: Some(model::limits::PAGE_ROWS),
        ..LeaderboardQuery::default()
    };
    let mut board = listings::board(visit, Board::Tools, query).await?;
    // Calls that neither succeeded nor failed, such as commands, make a tool neither good nor bad.
    board.leaderboard.retain(|row| row.tally.decided_rate.is_some());
    Ok(board)
}

fn worst(rows: &[LeaderboardRow]) -> Vec<LeaderboardRow> {
    let left = rows.len().saturating_sub(ROWS);
    rows.iter().rev().take(left.min(ROWS)).cloned().collect()
}

fn ranked(title: &str, rows: &[LeaderboardRow], window: Window) -> Markup {
    let rows = rows.iter().take(ROWS).map(|row| {
        let tool = row.tool_id.as_deref();
        vec![
            Entry::maybe_link(tool, links::tool),
            Entry::bar(row.tally.decided_rate),
            Cell::count(row.tally.events).into(),
        ]
    });
    let table = Table {
        caption: title.to_owned(),
        columns: vec![
            name("tool_id", "tool"),
            figure("decided_rate", "works"),
            figure("events", "calls"),
        ],
        rows: rows.collect(),
    };
    let all = address("/tools", &(), &[("window", window.as_str())]);
    html! {
        section {
            h2 { (title) }
            @if table.rows.is_empty() {
                p .fine { "No further tool has " (MIN_SAMPLE) " calls in this window." }
            } @else { (table.plain_html()) }
            p { a href=(all) { "All tools" } }
        }
    }
}

async fn dead_weight(visit: &Visit) -> Result<Markup, ApiError> {
    let query = DeadWeightQuery {
        fresh: Some(false),
        judged: Some(true),
        ..DeadWeightQuery::default()
    };
    let found: DeadWeight =
        listings::dead_weight(visit, query.with_page(u32::try_from(ROWS).ok(), None)).await?;
    let loaded = found.dead_weight.iter().filter(|row| row.sessions_loaded > 0);
    let rows = loaded.map(|row| {
        vec![
            Entry::link(&row.tool_id, links::tool(&row.tool_id)),
            Cell::count(row.sessions_loaded).into(),
            Cell::bytes(row.context_bytes).into(),
        ]
    });
    let table = Table {
        caption: "Heaviest dead weight".to_owned(),
        columns: vec![
            name("tool_id", "tool"),
            figure("sessions_loaded", "sessions"),
            figure("context_bytes", "context"),
        ],
        rows: rows.collect(),
    };
    Ok(html! {
        section {
            h2 { "Heaviest dead weight" }
            p .fine { "Loaded in sessions of the last " (found.days) " days, and called in none of them." }
            @if table.rows.is_empty() { p { "No tool is dead weight." } } @else { (table.plain_html()) }
            p { a href="/dead-weight" { "All dead weight" } }
        }
    })
}

async fn runs(visit: &Visit) -> Result<Markup, ApiError> {
    let of_ci = UploadsQuery {
        ci: Some(true),
        ..UploadsQuery::default()
    };
    let runs = listings::uploads(visit, of_ci.with_page(u32::try_from(ROWS).ok(), None)).await?;
    let table = listings::runs_table("Newest CI runs", runs.uploads.iter(), visit.now);
    Ok(html! {
        section {
            h2 { "Newest CI runs" }
            @if table.rows.is_empty() {
                p .fine { "None yet. In a CI job:" }
                pre { code { "toolhub upload" } }
            } @else { (table.plain_html()) }
            p { a href="/uploads?ci=true" { "All CI runs" } }
        }
    })
}

/// Members who have not been seen for a while; for administrators.
async fn silent(visit: &Visit) -> Result<Markup, ApiError> {
    if !visit.administers() {
        return Ok(html! {});
    }
    let query = MembersQuery {
        active: Some(true),
        limit: Some(model::limits::PAGE_ROWS),
        cursor: None,
    };
    let members = api::members::list(State(visit.app.clone()), visit.caller(), Query(query))
        .await?
        .0
        .members;
    let is_silent = |member: &&Member| {
        member
            .last_seen_at
            .is_none_or(|at| (visit.now - at).num_days() >= SILENT_DAYS)
    };
    let rows = members.iter().filter(is_silent).take(ROWS).map(|member| {
        vec![
            Entry::link(&member.handle, links::member(&member.handle)),
            Cell::time(member.last_seen_at, visit.now).into(),
        ]
    });
    let table = Table {
        caption: "Not seen for a while".to_owned(),
        columns: vec![name("member", "member"), figure("last_seen_at", "last seen")],
        rows: rows.collect(),
    };
    Ok(html! {
        @if !table.rows.is_empty() {
            section {
                h2 { "Not seen for a while" }
                p .fine { "Members without a request in the last " (SILENT_DAYS) " days." }
                (table.plain_html())
                p { a href="/settings#members" { "All members" } }
            }
        }
    })
}
