//! The listing of what responses used.

use chrono::{DateTime, Utc};
use model::{
    api::{UsageReport, UsageTotals},
    cell::ago,
};

use super::{Cell, Listing, figure, name, next_page};

/// `GET /v1/usage`.
pub(crate) fn usage(report: &UsageReport, now: DateTime<Utc>) -> Listing {
    let columns = vec![
        name("subject", "subject"),
        figure("responses", "responses"),
        figure("usage_cost_usd", "cost"),
        figure("uncosted_responses", "unpriced").level(2),
        figure("input_tokens", "input").level(3),
        figure("output_tokens", "output").level(1),
        figure("cache_read_tokens", "cache read").level(4),
        figure("cache_write_tokens", "cache write").level(5),
    ];
    let row = |subject: &str, usage: &UsageTotals| {
        vec![
            Cell::text(subject),
            Cell::count(usage.responses),
            Cell::usd(usage.usage_cost_usd),
            Cell::count(usage.uncosted_responses),
            Cell::count(usage.input_tokens),
            Cell::count(usage.output_tokens),
            Cell::count(usage.cache_read_tokens),
            Cell::count(usage.cache_write_tokens),
        ]
    };
    let rows = report
        .usage
        .iter()
        .map(|used| row(used.subject.as_deref().unwrap_or("(none)"), &used.usage));
    let totals = &report.totals;
    let mut notes = vec![format!(
        "all together: {} responses, {}; counted {}",
        Cell::count(totals.responses).human(),
        Cell::usd(totals.usage_cost_usd).human(),
        report
            .as_of
            .map_or_else(|| "now".to_owned(), |as_of| ago(as_of, now)),
    )];
    for unpriced in &report.unpriced {
        notes.push(format!(
            "no price for {}: {} responses have no cost; `toolhub prices` shows how to add one",
            model::text::clean(&unpriced.model),
            unpriced.responses
        ));
    }
    notes.extend(next_page(report.next_cursor.as_ref()));
    Listing {
        columns,
        rows: rows.collect(),
        notes,
    }
}
