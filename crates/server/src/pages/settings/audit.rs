//! `/settings/audit`: the audit log, for admins.

use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use maud::html;
use model::{administration::Audit, api::query::AuditQuery, cell::Cell};

use super::super::{
    filters::{self, Field},
    layout,
    table::{Entry, Table, name},
    view::PageQuery,
    visit::Visit,
};
use crate::{api, error::ApiError, extract::Query};

/// The page.
pub(crate) async fn get(
    visit: Visit,
    PageQuery { query, view }: PageQuery<AuditQuery>,
) -> Result<Response, ApiError> {
    let path = visit.path();
    let found = api::audit::list(State(visit.app.clone()), visit.caller(), Query(query.clone()))
        .await?
        .0;
    let table = table(&found, visit.now);
    if let Some(format) = view.format {
        return table.download(format, "audit");
    }
    let text = |name, label, value| Field::Text { name, label, value };
    let fields = [
        text("actor", "Actor", query.actor.as_deref()),
        text("action", "Action", query.action.as_deref()),
    ];
    let content = html! {
        p .lede { "Who did what, to whom, and from where. No page or command changes it." }
        (filters::form(path, &fields, query != AuditQuery::default()))
        @if table.rows.is_empty() {
            (filters::empty("Nothing matches.", "toolhub audit"))
        } @else {
            (table.html(path, &query, &view))
            (filters::paging(path, &query, &view, found.next_cursor.as_deref()))
            (filters::downloads(path, &query))
        }
        p { a href="/settings" { "Settings" } }
    };
    layout::Page {
        visit: &visit,
        title: "Audit log",
        section: "/settings",
        as_of: Some(visit.now),
        content,
    }
    .respond()
}

fn table(found: &Audit, now: DateTime<Utc>) -> Table {
    let rows = found.audit.iter().map(|entry| {
        vec![
            Entry::from(Cell::time(Some(entry.occurred_at), now)),
            Cell::text(&entry.actor).into(),
            Cell::text(&entry.action).into(),
            Cell::maybe(entry.subject.as_deref()).into(),
            Cell::maybe(entry.address.as_deref()).into(),
            Cell::facts(&entry.details).into(),
        ]
    });
    Table {
        caption: "Audit log".to_owned(),
        columns: vec![
            name("occurred_at", "time"),
            name("actor", "actor"),
            name("action", "action"),
            name("subject", "subject"),
            name("address", "address"),
            name("details", "details").prose(),
        ],
        rows: rows.collect(),
    }
}
