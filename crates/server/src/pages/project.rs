//! `/projects/{name}`: which tools a project uses, and who works on it.

use axum::response::Response;
use maud::{Markup, html};
use model::api::{
    Board,
    query::{EventsQuery, LeaderboardQuery, ListQuery},
};

use super::{
    filters, layout, links, listings,
    table::Table,
    view::{PageQuery, address},
    visit::Visit,
};
use crate::{error::ApiError, extract::PathParam};

/// Rows of each list.
const ROWS: u32 = 20;

/// The page.
pub(crate) async fn get(
    visit: Visit,
    PathParam(project): PathParam,
    PageQuery { mut query, view }: PageQuery<LeaderboardQuery>,
) -> Result<Response, ApiError> {
    let window = query.window.unwrap_or_default();
    query.project = Some(project.clone());
    query.limit.get_or_insert(ROWS);
    let tools = listings::board(&visit, Board::Tools, query.clone()).await?;
    let members = listings::board(&visit, Board::Members, query).await?;
    let tools_table = listings::board_table("Tools", Board::Tools, &tools.leaderboard, visit.now);
    if let Some(format) = view.format {
        return tools_table.download(format, "project");
    }
    let mut members_table = listings::board_table("Members", Board::Members, &members.leaderboard, visit.now);
    if !visit.app.store.org_settings(visit.caller.org).await?.show_names {
        members_table.remove_links();
    }
    let events = EventsQuery {
        project: Some(project.clone()),
        ..EventsQuery::default()
    };
    let events = listings::events(&visit, events.with_page(Some(ROWS), None)).await?;
    let events_table =
        listings::events_table("Newest calls", &events.events, visit.now).without_column("project");
    let all_tools = address(
        "/tools",
        &(),
        &[("window", window.as_str()), ("project", &project)],
    );
    let content = html! {
        (filters::windows(visit.path(), window))
        (section("Tools", &tools_table, Some(&all_tools)))
        (section("Members", &members_table, None))
        (section("Newest calls", &events_table, Some(&links::events(&[("project", &project)]))))
        p { a href=(address("/dead-weight", &(), &[("project", &project)])) { "Dead weight in this project" } }
        (filters::downloads(visit.path(), &[("window", window.as_str())]))
    };
    layout::Page {
        visit: &visit,
        title: &project,
        section: "/projects",
        as_of: tools.as_of,
        content,
    }
    .respond()
}

fn section(title: &str, table: &Table, all: Option<&str>) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if table.rows.is_empty() { p .fine { "None in this window." } } @else {
                (table.plain_html())
                @if let Some(all) = all { p { a href=(all) { "All of them" } } }
            }
        }
    }
}
