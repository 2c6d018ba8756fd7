//! The parts of a page around its table: filters, downloads, paging, and what an empty page says.

use chrono::NaiveDate;
use maud::{Markup, html};
use model::api::{Window, query::ListQuery};
use serde::Serialize;

use super::view::{View, address};

/// The windows to choose from, for a page without other filters.
pub(super) fn windows(path: &str, chosen: Window) -> Markup {
    html! {
        nav .windows aria-label="Window" {
            @for window in Window::ALL {
                a href=(address(path, &(), &[("window", window.as_str())]))
                    aria-current=[(*window == chosen).then_some("true")] { (window_title(*window)) }
            }
        }
    }
}

fn window_title(window: Window) -> &'static str {
    match window {
        Window::Week => "7 days",
        Window::Month => "30 days",
        Window::Quarter => "90 days",
        Window::All => "All time",
    }
}

/// One field of a form of filters.
pub(super) enum Field<'f> {
    /// One of some words; the first is that of no choice.
    Choice {
        name: &'static str,
        label: &'static str,
        words: Vec<(&'f str, &'f str)>,
        chosen: Option<String>,
    },
    /// A day.
    Day {
        name: &'static str,
        label: &'static str,
        value: Option<NaiveDate>,
    },
    /// A name.
    Text {
        name: &'static str,
        label: &'static str,
        value: Option<&'f str>,
    },
}

/// The filters of a page: a form that asks for the page again.
pub(super) fn form(path: &str, fields: &[Field<'_>], is_filtered: bool) -> Markup {
    html! {
        form .filters role="search" aria-label="Filters" action=(path) {
            @for field in fields { (input(field)) }
            div .actions {
                button type="submit" { "Apply" }
                @if is_filtered { a href=(path) { "Clear" } }
            }
        }
    }
}

fn input(field: &Field<'_>) -> Markup {
    match field {
        Field::Choice {
            name,
            label,
            words,
            chosen,
        } => html! {
            label {
                span { (label) }
                select name=(name) {
                    @for (word, title) in words {
                        option value=(word) selected[chosen.as_deref() == Some(*word)] { (title) }
                    }
                }
            }
        },
        Field::Day { name, label, value } => html! {
            label {
                span { (label) }
                input type="date" name=(name) value=[value.map(|day| day.to_string())];
            }
        },
        Field::Text { name, label, value } => html! {
            label {
                span { (label) }
                input type="text" name=(name) value=(value.unwrap_or_default()) maxlength="256" spellcheck="false";
            }
        },
    }
}

/// The words of a filter, after the one of no choice.
pub(super) fn words<T: Copy>(
    all: &'static [T],
    none: (&'static str, &'static str),
    word: fn(T) -> &'static str,
) -> Vec<(&'static str, &'static str)> {
    std::iter::once(none)
        .chain(all.iter().map(|value| (word(*value), word(*value))))
        .collect()
}

/// The filter of the window.
pub(super) fn window_field(window: Option<Window>) -> Field<'static> {
    Field::Choice {
        name: "window",
        label: "Window",
        words: Window::ALL
            .iter()
            .map(|window| (window.as_str(), window_title(*window)))
            .collect(),
        chosen: Some(window.unwrap_or_default().to_string()),
    }
}

/// The same page as a file.
pub(super) fn downloads(path: &str, query: &impl Serialize) -> Markup {
    html! {
        p .downloads {
            "This table as "
            a href=(address(path, query, &[("format", "csv")])) { "CSV" }
            " or "
            a href=(address(path, query, &[("format", "markdown")])) { "Markdown" }
        }
    }
}

/// The mark of the first page in the list of pages before, which has no cursor.
const FIRST: &str = "0";
/// How many pages before a page remembers.
const MAX_BACK: usize = 20;

/// The page before and the next one.
pub(super) fn paging<Q>(path: &str, query: &Q, view: &View, next_cursor: Option<&str>) -> Markup
where
    Q: ListQuery + Serialize + Clone,
{
    let at = |cursor: Option<&str>, back: &[String]| {
        let page = query.clone().with_page(query.limit(), cursor.map(str::to_owned));
        let back = back.join(".");
        let mut more = Vec::new();
        if !back.is_empty() {
            more.push(("back", back.as_str()));
        }
        if let Some(sort) = &view.sort {
            more.push(("sort", sort));
            more.push(("order", if view.ascending { "asc" } else { "desc" }));
        }
        address(path, &page, &more)
    };
    let previous = view.back.split_last().map(|(cursor, before)| {
        let cursor = (cursor != FIRST).then_some(cursor.as_str());
        at(cursor, before)
    });
    let next = next_cursor.map(|cursor| {
        let mut back = view.back.clone();
        back.push(query.cursor().unwrap_or(FIRST).to_owned());
        let start = back.len().saturating_sub(MAX_BACK);
        at(Some(cursor), &back[start..])
    });
    html! {
        @if previous.is_some() || next.is_some() || query.cursor().is_some() {
            nav .paging aria-label="Pages of the table" {
                @match (&previous, query.cursor()) {
                    (Some(previous), _) => a rel="prev" href=(previous) { "Previous" },
                    (None, Some(_)) => a href=(at(None, &[])) { "First page" },
                    (None, None) => span aria-disabled="true" { "Previous" },
                }
                @match &next {
                    Some(next) => a rel="next" href=(next) { "Next" },
                    None => span aria-disabled="true" { "Next" },
                }
            }
        }
    }
}

/// What a page without rows says: what there is not, and the command that changes it.
pub(super) fn empty(what: &str, command: &str) -> Markup {
    html! {
        div .empty {
            p { (what) }
            p .fine { "Next:" }
            pre { code { (command) } }
        }
    }
}
