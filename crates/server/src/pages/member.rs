//! `/members/{handle}`: what one member uses, uploads, and has loaded for nothing.

use axum::response::Response;
use maud::{Markup, html};
use model::{
    api::{
        Board, Window,
        query::{DeadWeightQuery, LeaderboardQuery, ListQuery, UploadsQuery},
    },
    text,
};

use super::{filters, layout, links, listings, table::Table, view::PageQuery, visit::Visit};
use crate::{error::ApiError, extract::PathParam};

/// Rows of each list.
const ROWS: u32 = 20;

/// The page.
pub(crate) async fn get(
    visit: Visit,
    PathParam(handle): PathParam,
    PageQuery { query, view }: PageQuery<LeaderboardQuery>,
) -> Result<Response, ApiError> {
    let window = query.window.unwrap_or_default();
    let found = found(&visit, &handle, query).await?;
    if let Some(format) = view.format {
        return found.tools.download(format, "member");
    }
    let content = html! {
        (filters::windows(visit.path(), window))
        (found.sections(&handle, window))
        (filters::downloads(visit.path(), &[("window", window.as_str())]))
    };
    layout::Page {
        visit: &visit,
        title: &handle,
        section: "/members",
        as_of: found.as_of,
        content,
    }
    .respond()
}

/// The lists of a member.
pub(super) struct Found {
    pub(super) tools: Table,
    projects: Table,
    dead_weight: Table,
    uploads: Table,
    pub(super) as_of: Option<chrono::DateTime<chrono::Utc>>,
}

/// Asks for the lists of a member.
pub(super) async fn found(
    visit: &Visit,
    handle: &str,
    mut query: LeaderboardQuery,
) -> Result<Found, ApiError> {
    query.member = Some(handle.to_owned());
    query.limit.get_or_insert(ROWS);
    let tools = listings::board(visit, Board::Tools, query.clone()).await?;
    let projects = listings::board(visit, Board::Projects, query).await?;
    let unused = DeadWeightQuery {
        member: Some(handle.to_owned()),
        ..DeadWeightQuery::default()
    };
    let unused = listings::dead_weight(visit, unused.with_page(Some(ROWS), None)).await?;
    let sent = UploadsQuery {
        member: Some(handle.to_owned()),
        ..UploadsQuery::default()
    };
    let sent = listings::uploads(visit, sent.with_page(Some(ROWS), None)).await?;
    Ok(Found {
        tools: listings::board_table("Tools", Board::Tools, &tools.leaderboard, visit.now),
        projects: listings::board_table("Projects", Board::Projects, &projects.leaderboard, visit.now),
        dead_weight: listings::dead_weight_table(&unused.dead_weight, visit.now),
        uploads: listings::uploads_table("Uploads", sent.uploads.iter(), visit.now).without_column("member"),
        as_of: tools.as_of,
    })
}

impl Found {
    /// The lists, each with the way to all of it.
    pub(super) fn sections(&self, handle: &str, window: Window) -> Markup {
        let of = |path: &str| super::view::address(path, &(), &[("member", handle)]);
        let of_window =
            super::view::address("/tools", &(), &[("window", window.as_str()), ("member", handle)]);
        html! {
            (section("Tools", &self.tools, &of_window, "No calls in this window."))
            (section("Projects", &self.projects, &links::events(&[("member", handle)]), "No calls in a project in this window."))
            (section("Loaded and not used", &self.dead_weight, &of("/dead-weight"), "Nothing is loaded for nothing."))
            (section("Uploads", &self.uploads, &of("/uploads"), "No uploads."))
            p { a href=(links::events(&[("member", handle)])) { "All events of " bdi { (text::clean(handle)) } } }
        }
    }
}

fn section(title: &str, table: &Table, all: &str, none: &str) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if table.rows.is_empty() { p .fine { (none) } } @else {
                (table.plain_html())
                p { a href=(all) { "All of them" } }
            }
        }
    }
}
