//! Charts: inline SVG with a title, a description, and the numbers in a table behind it.

use chrono::NaiveDate;
use maud::{Markup, html};
use model::cell::Cell;

use super::table::{Entry, Table, figure, name};

/// The size of the drawing; it is stretched to its place.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 160.0;

/// The calls of one day.
#[derive(Clone, Copy, Debug)]
pub(super) struct DayBar {
    pub(super) day: NaiveDate,
    pub(super) events: i64,
    pub(super) successes: i64,
    pub(super) failures: i64,
}

/// Calls by day, by their outcome. Days without a call have no bar. Nothing when there is no day.
pub(super) fn days(title: &str, days: &[DayBar], id: &str) -> Markup {
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        return html! {};
    };
    let most = days.iter().map(|day| day.events).max().unwrap_or(1).max(1);
    let total: i64 = days.iter().map(|day| day.events).sum();
    let description = format!(
        "{} calls from {} to {}; at most {} on one day.",
        Cell::count(total).human(),
        first.day,
        last.day,
        Cell::count(most).human()
    );
    let count = (last.day - first.day).num_days() + 1;
    let (title_id, description_id) = (format!("{id}-title"), format!("{id}-description"));
    html! {
        figure .chart {
            figcaption {
                span #(title_id) .chart-title { (title) }
                span .legend aria-hidden="true" {
                    span .key.success { "success" }
                    span .key.failure { "failure" }
                    span .key.other { "abandoned or unknown" }
                }
            }
            div .plot {
                span .most aria-hidden="true" { (Cell::count(most).human()) }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img"
                    aria-labelledby=(format!("{title_id} {description_id}")) {
                    desc #(description_id) { (description) }
                    @for day in days { (bar(day, first.day, count, most)) }
                }
                div .axis aria-hidden="true" { span { (first.day) } span { (last.day) } }
            }
            details {
                summary { "The numbers" }
                (table(title, days).plain_html())
            }
        }
    }
}

/// The bar of a day: successes below, then failures, then the rest.
fn bar(day: &DayBar, first: NaiveDate, count: i64, most: i64) -> Markup {
    let unit = WIDTH / float(count);
    let x = float((day.day - first).num_days()) * unit + unit * 0.1;
    let height = |events: i64| float(events) / float(most) * HEIGHT;
    let other = (day.events - day.successes - day.failures).max(0);
    let mut top = HEIGHT;
    let parts = [
        ("success", day.successes),
        ("failure", day.failures),
        ("other", other),
    ]
    .map(|(class, events)| {
        top -= height(events);
        (class, top, height(events))
    });
    html! {
        g {
            title {
                (day.day) ": " (Cell::count(day.events).human()) " calls, " (Cell::count(day.failures).human())
                " failures"
            }
            @for (class, y, height) in parts {
                @if height > 0.0 {
                    rect class=(class) x=(short(x)) y=(short(y)) width=(short(unit * 0.8)) height=(short(height)) {}
                }
            }
        }
    }
}

/// The numbers of the chart.
pub(super) fn table(title: &str, days: &[DayBar]) -> Table {
    let rows = days.iter().map(|day| {
        vec![
            Entry::from(Cell::text(&day.day.to_string())),
            Cell::count(day.events).into(),
            Cell::count(day.successes).into(),
            Cell::count(day.failures).into(),
        ]
    });
    Table {
        caption: format!("{title}: the numbers"),
        columns: vec![
            name("day", "day"),
            figure("events", "calls"),
            figure("successes", "ok"),
            figure("failures", "failed"),
        ],
        rows: rows.collect(),
    }
}

fn short(value: f64) -> String {
    format!("{value:.1}")
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a drawing needs no more than the 53 bits that a float has"
)]
fn float(number: i64) -> f64 {
    number as f64
}
