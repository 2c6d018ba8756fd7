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
    let fields = [Field::Text {
        name: "member",
        label: "Member",
        value: query.member.as_deref(),
    }];
    let content = html! {
        (filters::form(path, &fields, query != UploadsQuery::default()))
        @if table.rows.is_empty() {
            (filters::empty("No uploads yet.", "toolhub upload"))
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
        as_of: None,
        content,
    }
    .respond()
}
