//! `/uploads`: the receipts, with the CI runs among them.

use axum::response::Response;
use maud::html;
use model::api::query::UploadsQuery;

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
    PageQuery { query, view }: PageQuery<UploadsQuery>,
) -> Result<Response, ApiError> {
    let path = visit.path();
    let found = listings::uploads(&visit, query.clone()).await?;
    let table = listings::uploads_table("Uploads", found.uploads.iter(), visit.now);
    if let Some(format) = view.format {
        return table.download(format, "uploads");
    }
    let is_filtered = query != UploadsQuery::default();
    let content = html! {
        (filters::form(path, &fields(&query), is_filtered))
        @if table.rows.is_empty() {
            @if is_filtered {
                (filters::empty("No upload matches.", "toolhub uploads"))
            } @else {
                (filters::empty("No uploads yet.", "toolhub upload"))
            }
        } @else {
            (table.html(path, &query, &view))
            (filters::paging(path, &query, &view, found.next_cursor.as_deref()))
            (filters::downloads(path, &query))
        }
    };
    layout::Page {
        visit: &visit,
        title: "Uploads",
        section: "/uploads",
        as_of: Some(visit.now),
        content,
    }
    .respond()
}

fn fields(query: &UploadsQuery) -> Vec<Field<'_>> {
    let text = |name, label, value| Field::Text { name, label, value };
    vec![
        Field::Choice {
            name: "ci",
            label: "From",
            words: vec![
                ("", "everywhere"),
                ("true", "CI runs"),
                ("false", "machines of members"),
            ],
            chosen: query.ci.map(|ci| ci.to_string()),
        },
        text("repository", "Repository", query.repository.as_deref()),
        text("pull_request", "Pull request", query.pull_request.as_deref()),
        text("run_id", "Run", query.run_id.as_deref()),
        text("member", "Member", query.member.as_deref()),
    ]
}
