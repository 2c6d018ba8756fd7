//! `/events`: the calls themselves, newest first.

use axum::response::Response;
use maud::html;
use model::{Outcome, api::query::EventsQuery};

use super::{
    filters::{self, Field},
    layout, listings,
    view::PageQuery,
    visit::Visit,
};
use crate::error::ApiError;

/// The page.
pub(crate) async fn get(
    visit: Visit,
    PageQuery { query, view }: PageQuery<EventsQuery>,
) -> Result<Response, ApiError> {
    let path = visit.path();
    let found = listings::events(&visit, query.clone()).await?;
    let table = listings::events_table("Events", &found.events, visit.now);
    if let Some(format) = view.format {
        return table.download(format, "events");
    }
    let is_filtered = query != EventsQuery::default();
    let content = html! {
        (filters::form(path, &fields(&query), is_filtered))
        @if table.rows.is_empty() {
            @if is_filtered {
                (filters::empty("No event matches.", "toolhub events"))
            } @else {
                (filters::empty("No events yet.", "toolhub upload"))
            }
        } @else {
            (table.html(path, &query, &view))
            (filters::paging(path, &query, &view, found.next_cursor.as_deref()))
            (filters::downloads(path, &query))
        }
    };
    layout::Page {
        visit: &visit,
        title: "Events",
        section: "/events",
        as_of: Some(visit.now),
        content,
    }
    .respond()
}

fn fields(query: &EventsQuery) -> Vec<Field<'_>> {
    let text = |name, label, value| Field::Text { name, label, value };
    vec![
        text("tool_id", "Tool", query.tool_id.as_deref()),
        text("member", "Member", query.member.as_deref()),
        text("project", "Project", query.project.as_deref()),
        text("session", "Session", query.session.as_deref()),
        Field::Choice {
            name: "outcome",
            label: "Outcome",
            words: filters::words(Outcome::ALL, ("", "all"), Outcome::as_str),
            chosen: query.outcome.map(|outcome| outcome.to_string()),
        },
    ]
}
