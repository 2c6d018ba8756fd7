//! A table: as HTML for people, as CSV for spreadsheets, as Markdown for tickets.

use std::{borrow::Cow, cmp::Ordering};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use maud::{Markup, html};
use model::cell::{Cell, Tone};
use serde::Serialize;

use super::view::{Format, View, address};
use crate::error::ApiError;

/// A column: its key in the API, its title for people.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) key: Cow<'static, str>,
    title: Cow<'static, str>,
    right: bool,
    sortable: bool,
    width: Width,
}

/// How wide a column of text may be.
#[derive(Clone, Copy, Debug, Default)]
enum Width {
    /// As its values.
    #[default]
    Fitting,
    /// A few letters: the rest of an id is cut.
    Short,
    /// Sentences, whose lines break.
    Prose,
}

/// A column of names.
pub(super) const fn name(key: &'static str, title: &'static str) -> Column {
    Column {
        key: Cow::Borrowed(key),
        title: Cow::Borrowed(title),
        right: false,
        sortable: false,
        width: Width::Fitting,
    }
}

/// A column of numbers.
pub(super) const fn figure(key: &'static str, title: &'static str) -> Column {
    let mut column = name(key, title);
    column.right = true;
    column
}

/// A column of numbers for a name that comes from the data.
pub(super) fn figure_named(title: &str) -> Column {
    Column {
        key: Cow::Owned(title.to_owned()),
        title: Cow::Owned(title.to_owned()),
        right: true,
        sortable: false,
        width: Width::Fitting,
    }
}

impl Column {
    /// Sentences: the column is wide, and its lines break.
    pub(super) fn prose(self) -> Column {
        Column {
            width: Width::Prose,
            ..self
        }
    }

    /// Ids: the column is narrow, and their ends are cut.
    pub(super) fn short(self) -> Column {
        Column {
            width: Width::Short,
            ..self
        }
    }

    fn class(&self) -> Option<&'static str> {
        match (self.right, self.width) {
            (true, _) => Some("figure"),
            (false, Width::Prose) => Some("prose"),
            (false, Width::Short) => Some("short"),
            (false, Width::Fitting) => None,
        }
    }

    /// Lets people sort by the column.
    pub(super) fn sortable(self) -> Column {
        Column {
            sortable: true,
            ..self
        }
    }
}

/// A value, and where it leads.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) cell: Cell,
    pub(super) href: Option<String>,
    /// A share between 0 and 1, shown as a bar.
    pub(super) share: Option<f64>,
    /// How strong the value is, from 1 to 5, shown as a shade.
    pub(super) heat: Option<u8>,
}

impl From<Cell> for Entry {
    fn from(cell: Cell) -> Entry {
        Entry {
            cell,
            ..Entry::default()
        }
    }
}

impl Entry {
    /// A name that leads to its page.
    pub(super) fn link(name: &str, href: String) -> Entry {
        Entry {
            cell: Cell::text(name),
            href: Some(href),
            ..Entry::default()
        }
    }

    /// A name that leads to its page, where there is one.
    pub(super) fn maybe_link(name: Option<&str>, href: impl FnOnce(&str) -> String) -> Entry {
        match name {
            Some(name) if !name.is_empty() => Entry::link(name, href(name)),
            _ => Cell::maybe(None).into(),
        }
    }

    /// A rate, with a bar beside the number.
    pub(super) fn bar(rate: Option<f64>) -> Entry {
        Entry {
            cell: Cell::rate(rate),
            share: rate,
            ..Entry::default()
        }
    }

    fn html(&self) -> Markup {
        let tone = match self.cell.tone() {
            Tone::Plain => None,
            Tone::Good => Some("good"),
            Tone::Bad => Some("bad"),
            Tone::Doubtful => Some("doubtful"),
        };
        html! {
            @if let Some(share) = self.share {
                (meter(share))
                span .rate { (self.cell.human()) }
            } @else { (self.name(tone)) }
        }
    }

    fn name(&self, tone: Option<&'static str>) -> Markup {
        html! {
            @match &self.href {
                Some(href) => a href=(href) { bdi { (self.cell.human()) } },
                None => @match tone {
                    Some(tone) => span class=(tone) { bdi { (self.cell.human()) } },
                    None => bdi { (self.cell.human()) },
                },
            }
        }
    }
}

/// A bar of 40 units for a share between 0 and 1. The number is beside it.
fn meter(share: f64) -> Markup {
    html! {
        svg .meter viewBox="0 0 40 6" aria-hidden="true" {
            rect .track width="40" height="6" rx="3" {}
            rect .value width=(format!("{:.1}", share.clamp(0.0, 1.0) * 40.0)) height="6" rx="3" {}
        }
    }
}

/// A table with what it is about.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Entry>>,
}

impl Table {
    /// Sorts the rows by the column that was asked for, if people may sort by it. Rows without a value come last.
    ///
    /// # Errors
    /// When there is no such column.
    pub(super) fn sort(&mut self, view: &View) -> Result<(), ApiError> {
        let Some(key) = &view.sort else { return Ok(()) };
        let sortable = |column: &&Column| column.sortable;
        let at = self
            .columns
            .iter()
            .position(|column| column.sortable && column.key == *key)
            .ok_or_else(|| {
                let keys: Vec<&str> = self
                    .columns
                    .iter()
                    .filter(sortable)
                    .map(|column| &*column.key)
                    .collect();
                ApiError::BadQuery(format!("`sort` is one of {}", keys.join(", ")))
            })?;
        self.rows.sort_by(|one, other| {
            let (one, other) = (&one[at].cell, &other[at].cell);
            match (one.plain().is_empty(), other.plain().is_empty()) {
                (false, false) if view.ascending => compare(one, other),
                (false, false) => compare(other, one),
                (missing, other) => missing.cmp(&other),
            }
        });
        Ok(())
    }

    /// The table for people. `query` is what the links of its headings keep.
    pub(super) fn html(&self, path: &str, query: &impl Serialize, view: &View) -> Markup {
        html! {
            div .scroll role="region" aria-label=(self.caption) tabindex="0" {
                table {
                    caption .unseen { (self.caption) }
                    thead {
                        tr {
                            @for column in &self.columns {
                                th scope="col" class=[column.class()]
                                    aria-sort=[order(column, view)] {
                                    @if column.sortable {
                                        a href=(sort_address(column, path, query, view)) { (column.title) }
                                    } @else { (column.title) }
                                }
                            }
                        }
                    }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                @for (at, (column, entry)) in self.columns.iter().zip(row).enumerate() {
                                    @if at == 0 {
                                        th scope="row" class=[column.class()] { (entry.html()) }
                                    } @else {
                                        td class=[column.class()] data-heat=[entry.heat] { (entry.html()) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Takes away columns, but not the first, that have no value in any row. Not for files, whose columns are always the same.
    pub(super) fn without_empty_columns(mut self) -> Table {
        for at in (1..self.columns.len()).rev() {
            let is_empty = |row: &Vec<Entry>| row[at].cell.plain().is_empty();
            if !self.rows.is_empty() && self.rows.iter().all(is_empty) {
                self.columns.remove(at);
                for row in &mut self.rows {
                    row.remove(at);
                }
            }
        }
        self
    }

    /// Takes away a column that says the same in every row.
    pub(super) fn without_column(mut self, key: &str) -> Table {
        if let Some(at) = self.columns.iter().position(|column| column.key == key) {
            self.columns.remove(at);
            for row in &mut self.rows {
                row.remove(at);
            }
        }
        self
    }

    /// Takes the links from the first column, whose names have no pages.
    pub(super) fn remove_links(&mut self) {
        for row in &mut self.rows {
            if let Some(entry) = row.first_mut() {
                entry.href = None;
            }
        }
    }

    /// The table without links in its headings.
    pub(super) fn plain_html(&self) -> Markup {
        let columns = self.columns.iter().map(|column| Column {
            sortable: false,
            ..column.clone()
        });
        let table = Table {
            columns: columns.collect(),
            ..self.clone()
        };
        let table = table.without_empty_columns();
        table.html("", &(), &View::default())
    }

    /// The table as a file.
    pub(super) fn download(&self, format: Format, stem: &str) -> Result<Response, ApiError> {
        let internal = |error: &dyn std::fmt::Display| ApiError::Internal {
            cause: error.to_string(),
        };
        let (extension, media_type, body) = match format {
            Format::Csv => (
                "csv",
                "text/csv; charset=utf-8",
                self.csv().map_err(|error| internal(&error))?,
            ),
            Format::Markdown => ("md", "text/markdown; charset=utf-8", self.markdown().into_bytes()),
        };
        Response::builder()
            .header(header::CONTENT_TYPE, HeaderValue::from_static(media_type))
            .header(
                header::CONTENT_DISPOSITION,
                format!("attachment; filename=\"toolhub-{stem}.{extension}\""),
            )
            .body(Body::from(body))
            .map_err(|error| internal(&error))
    }

    fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.columns.iter().map(|column| Cell::text(&column.key).csv()))?;
        for row in &self.rows {
            writer.write_record(row.iter().map(|entry| entry.cell.csv()))?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        let mut line = |cells: Vec<String>| {
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        };
        line(
            self.columns
                .iter()
                .map(|column| Cell::text(&column.title).markdown())
                .collect(),
        );
        line(
            self.columns
                .iter()
                .map(|column| if column.right { "--:" } else { "---" }.to_owned())
                .collect(),
        );
        for row in &self.rows {
            line(row.iter().map(|entry| entry.cell.markdown()).collect());
        }
        text
    }
}

fn compare(one: &Cell, other: &Cell) -> Ordering {
    let number = |cell: &Cell| cell.plain().parse::<f64>().ok();
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => one.plain().cmp(other.plain()),
    }
}

fn is_sorted_by(column: &Column, view: &View) -> bool {
    column.sortable && view.sort.as_deref() == Some(&*column.key)
}

/// How a column is sorted, for its heading.
fn order(column: &Column, view: &View) -> Option<&'static str> {
    match (column.sortable, is_sorted_by(column, view), view.ascending) {
        (true, true, true) => Some("ascending"),
        (true, true, false) => Some("descending"),
        (true, false, _) => Some("none"),
        (false, ..) => None,
    }
}

/// Where a heading leads: sorted by its column, the other way round if it is already.
fn sort_address(column: &Column, path: &str, query: &impl Serialize, view: &View) -> String {
    let turned = is_sorted_by(column, view) && !view.ascending;
    let order = if turned { "asc" } else { "desc" };
    address(path, query, &[("sort", &*column.key), ("order", order)])
}
