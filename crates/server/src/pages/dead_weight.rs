//! `/dead-weight`: tools that sessions load and that no member uses.

use axum::response::Response;
use maud::html;
use model::api::{AllOr, Verdict, query::DeadWeightQuery};

use super::{
    boards::kind_field,
    filters::{self, Field},
    layout, listings,
    view::PageQuery,
    visit::Visit,
};
use crate::error::ApiError;

/// The page.
pub(crate) async fn get(
    visit: Visit,
    PageQuery { query, view }: PageQuery<DeadWeightQuery>,
) -> Result<Response, ApiError> {
    let path = visit.path();
    let found = listings::dead_weight(&visit, query.clone()).await?;
    let mut table = listings::dead_weight_table(&found.dead_weight, visit.now);
    table.sort(&view)?;
    if let Some(format) = view.format {
        return table.download(format, "dead-weight");
    }
    let table = table.without_empty_columns();
    let saved = listings::savings(&visit).await?;
    let saved = listings::savings_table(&saved.savings, visit.now);
    let is_filtered = query != DeadWeightQuery::default();
    let content = html! {
        p .lede {
            "Tools without a call in the last " (found.days) " days (UTC). Every session that loads one pays for its \
             description."
        }
        (filters::form(path, &fields(&query, found.days), is_filtered))
        @if table.rows.is_empty() {
            @if found.data_since.is_none() {
                (filters::empty("Nothing to judge yet: there are no calls.", "toolhub upload"))
            } @else {
                (filters::empty("No tool matches.", "toolhub dead-weight --verdict all"))
            }
        } @else {
            (table.html(path, &query, &view))
            (filters::paging(path, &query, &view, found.next_cursor.as_deref()))
            (filters::downloads(path, &query))
        }
        @if !saved.rows.is_empty() {
            section {
                h2 { "What retired tools saved" }
                p {
                    "The days since each decision, against up to 30 days before it. "
                    code { "toolhub savings" } " lists them all."
                }
                (saved.html(path, &DeadWeightQuery::default(), &view))
            }
        }
    };
    layout::Page {
        visit: &visit,
        title: "Dead weight",
        section: "/dead-weight",
        as_of: found.as_of,
        content,
    }
    .respond()
}

fn fields(query: &DeadWeightQuery, days: i64) -> Vec<Field<'_>> {
    let mut verdicts = filters::words(Verdict::ALL, ("", "without a call"), Verdict::as_str);
    verdicts.push((AllOr::<Verdict>::ALL, "all"));
    let mut lengths = vec![
        ("7", "7 days"),
        ("14", "14 days"),
        ("30", "30 days"),
        ("90", "90 days"),
    ];
    let chosen = days.to_string();
    if !lengths.iter().any(|(word, _)| *word == chosen) {
        lengths.insert(0, ("", "by default"));
    }
    vec![
        Field::Choice {
            name: "days",
            label: "Window",
            words: lengths,
            chosen: Some(chosen),
        },
        kind_field(query.kind, "not built in"),
        Field::Choice {
            name: "verdict",
            label: "Verdict",
            words: verdicts,
            chosen: query.verdict.map(|verdict| verdict.to_string()),
        },
        Field::Text {
            name: "project",
            label: "Project",
            value: query.project.as_deref(),
        },
        Field::Text {
            name: "member",
            label: "Member",
            value: query.member.as_deref(),
        },
    ]
}
