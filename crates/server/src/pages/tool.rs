//! `/tools/{tool_id}`: one tool in depth.

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use model::{
    api::{
        AllOr, DeadWeightRow, Durations, OutcomeCount, Part, ScoreDetail, Tally,
        query::{DeadWeightQuery, ListQuery, ScoreQuery},
    },
    cell::Cell,
    limits,
};

use super::{
    chart::{self, DayBar},
    filters, layout, links, listings,
    table::{Entry, Table, figure, name},
    view::PageQuery,
    visit::Visit,
};
use crate::{
    api,
    error::ApiError,
    extract::{PathParam, Query},
};

/// The newest events that the page shows.
const RECENT: u32 = 20;

/// The page. A tool without a call has a page too, if the org knows it: dead weight leads there.
pub(crate) async fn get(
    visit: Visit,
    PathParam(tool_id): PathParam,
    PageQuery { mut query, view }: PageQuery<ScoreQuery>,
) -> Result<Response, ApiError> {
    query.fresh.get_or_insert(false);
    query.limit.get_or_insert(RECENT);
    let asked = api::scores::get(
        State(visit.app.clone()),
        visit.caller(),
        visit.deadline.clone(),
        PathParam(tool_id.clone()),
        Query(query.clone()),
    )
    .await;
    let (content, as_of) = match asked {
        Ok(found) => {
            if let Some(format) = view.format {
                return parts_table(&found.0).download(format, "tool");
            }
            (page(&visit, &found.0), found.0.as_of)
        }
        Err(ApiError::NotFound(why)) => match never_called(&visit, &tool_id).await? {
            Some(row) => (uncalled(&visit, &row), Some(visit.now)),
            None => return Err(ApiError::NotFound(why)),
        },
        Err(error) => return Err(error),
    };
    layout::Page {
        visit: &visit,
        title: &tool_id,
        section: "/tools",
        as_of,
        content,
    }
    .respond()
}

/// A tool of the catalogue that has no call.
async fn never_called(visit: &Visit, tool_id: &str) -> Result<Option<DeadWeightRow>, ApiError> {
    let query = DeadWeightQuery {
        kind: Some(AllOr::All),
        verdict: Some(AllOr::All),
        ..DeadWeightQuery::default()
    };
    let mut query = query.with_page(Some(limits::PAGE_ROWS), None);
    loop {
        let found = listings::dead_weight(visit, query.clone()).await?;
        if let Some(row) = found.dead_weight.into_iter().find(|row| row.tool_id == tool_id) {
            return Ok(Some(row));
        }
        if found.next_cursor.is_none() {
            return Ok(None);
        }
        query = query.with_page(Some(limits::PAGE_ROWS), found.next_cursor);
    }
}

fn uncalled(visit: &Visit, row: &DeadWeightRow) -> Markup {
    html! {
        p .lede { "No call of this tool is stored. " (model::text::clean(&row.reason)) "." }
        (listings::dead_weight_table(std::slice::from_ref(row), visit.now).plain_html())
        p { a href="/dead-weight" { "All dead weight" } }
    }
}

fn page(visit: &Visit, found: &ScoreDetail) -> Markup {
    let tool_id = found.score.tool_id.as_str();
    let detail = &found.detail;
    let days: Vec<DayBar> = detail
        .daily
        .iter()
        .map(|day| DayBar {
            day: day.day,
            events: day.events,
            successes: day.successes,
            failures: day.failures,
        })
        .collect();
    html! {
        (filters::windows(visit.path(), found.window))
        (tiles(&found.score.tally))
        (chart::days("Calls by day", &days, "trend"))
        div .columns {
            (section("Outcomes and reasons", &outcomes(tool_id, &detail.outcomes)))
            (section("Durations", &durations(&detail.durations)))
            (section("Who can show it to you", &parts("member", "member", &detail.by_member, links::member)))
            (section("Projects", &parts("project", "project", &detail.by_project, links::project)))
            (section("Operations", &unlinked("operation", "operation", &detail.by_operation)))
            (section("Versions of the agent", &unlinked("version", "version", &detail.by_version)))
        }
        section {
            h2 { "Newest calls" }
            (listings::events_table("Newest calls", &found.recent, visit.now).without_column("tool_id").plain_html())
            p { a href=(links::events(&[("tool_id", tool_id)])) { "All events of this tool" } }
        }
        (filters::downloads(visit.path(), &[("window", found.window.as_str())]))
    }
}

/// The score: over all time, as everywhere.
fn tiles(tally: &Tally) -> Markup {
    let values = [
        ("Calls, ever", Cell::count(tally.events)),
        ("Works", Cell::rate(tally.decided_rate)),
        ("At least", Cell::rate(tally.wilson_low)),
        ("Median", Cell::millis(tally.median_duration_ms)),
        ("Mean cost of a call that has one", Cell::usd(tally.avg_cost_usd)),
        ("Cost of all calls", Cell::usd(tally.total_cost_usd)),
        (
            "Cost of what ran inside them",
            Cell::usd(tally.total_run_cost_usd),
        ),
        ("Calls without a cost", Cell::count(tally.uncosted)),
        ("Members", Cell::count(tally.members)),
    ];
    html! {
        dl .tiles {
            @for (title, value) in values {
                div { dt { (title) } dd { span .value { (value.human()) } } }
            }
        }
    }
}

fn section(title: &str, table: &Table) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if table.rows.is_empty() { p .fine { "None in this window." } } @else { (table.plain_html()) }
        }
    }
}

fn outcomes(tool_id: &str, outcomes: &[OutcomeCount]) -> Table {
    let rows = outcomes.iter().map(|one| {
        let outcome = one.outcome.as_str();
        vec![
            Entry::link(
                outcome,
                links::events(&[("tool_id", tool_id), ("outcome", outcome)]),
            ),
            Cell::maybe(one.reason.map(|reason| reason.as_str())).into(),
            Cell::count(one.events).into(),
        ]
    });
    Table {
        caption: "Outcomes and reasons".to_owned(),
        columns: vec![
            name("outcome", "outcome"),
            name("reason", "reason"),
            figure("events", "calls"),
        ],
        rows: rows.collect(),
    }
}

fn durations(durations: &Durations) -> Table {
    let rows = [
        ("half of the calls", durations.p50),
        ("90 %", durations.p90),
        ("99 %", durations.p99),
    ]
    .map(|(part, ms)| vec![Entry::from(Cell::text(part)), Cell::millis(ms).into()]);
    Table {
        caption: "Durations".to_owned(),
        columns: vec![name("part", "calls"), figure("duration_ms", "took at most")],
        rows: if durations.p50.is_some() {
            rows.into()
        } else {
            Vec::new()
        },
    }
}

fn parts(key: &'static str, title: &'static str, parts: &[Part], href: fn(&str) -> String) -> Table {
    part_table(key, title, parts, |name| Entry::maybe_link(name, href))
}

fn unlinked(key: &'static str, title: &'static str, parts: &[Part]) -> Table {
    part_table(key, title, parts, |name| Cell::maybe(name).into())
}

fn part_table(
    key: &'static str,
    title: &'static str,
    parts: &[Part],
    subject: impl Fn(Option<&str>) -> Entry,
) -> Table {
    let rows = parts.iter().map(|part| {
        vec![
            subject(part.name.as_deref()),
            Cell::count(part.events).into(),
            Cell::count(part.failures).into(),
        ]
    });
    Table {
        caption: format!("Calls by {title}"),
        columns: vec![
            name(key, title),
            figure("events", "calls"),
            figure("failures", "failed"),
        ],
        rows: rows.collect(),
    }
}

/// Everything that the page counts, as one table.
fn parts_table(found: &ScoreDetail) -> Table {
    let detail = &found.detail;
    let mut rows = Vec::new();
    for (part, parts) in [
        ("operation", &detail.by_operation),
        ("member", &detail.by_member),
        ("project", &detail.by_project),
        ("version", &detail.by_version),
    ] {
        rows.extend(parts.iter().map(|one| {
            vec![
                Entry::from(Cell::text(part)),
                Cell::maybe(one.name.as_deref()).into(),
                Cell::count(one.events).into(),
                Cell::count(one.successes).into(),
                Cell::count(one.failures).into(),
            ]
        }));
    }
    rows.extend(detail.daily.iter().map(|day| {
        vec![
            Entry::from(Cell::text("day")),
            Cell::text(&day.day.to_string()).into(),
            Cell::count(day.events).into(),
            Cell::count(day.successes).into(),
            Cell::count(day.failures).into(),
        ]
    }));
    Table {
        caption: "The tool in parts".to_owned(),
        columns: vec![
            name("part", "part"),
            name("name", "name"),
            figure("events", "calls"),
            figure("successes", "ok"),
            figure("failures", "failed"),
        ],
        rows,
    }
}
