//! Output formats: tables for the terminal, CSV for spreadsheets, Markdown for tickets.
//!
//! Names come from logs and are not trusted: they cannot move the cursor of a terminal, become a formula in a
//! spreadsheet, or become markup in a ticket.

mod cell;
pub mod rows;
pub mod team;

use std::{fmt, str::FromStr};

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use cell::Cell;

use crate::Error;

/// Only the header has a line below it, so that many rows fit on a screen.
const UNDERLINED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// An output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A table for a terminal.
    #[default]
    Table,
    /// The body of the server's response, unchanged.
    Json,
    /// RFC 4180, plain values.
    Csv,
    /// A table of GitHub's Markdown.
    Markdown,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 4] = [Format::Table, Format::Json, Format::Csv, Format::Markdown];

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Json => "json",
            Format::Csv => "csv",
            Format::Markdown => "markdown",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Format, Error> {
        Format::ALL
            .into_iter()
            .find(|format| format.as_str() == name)
            .ok_or_else(|| {
                Error::Usage(format!(
                    "unknown format `{name}`: use table, json, csv or markdown"
                ))
            })
    }
}

/// A column of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// The key of the API: the header in CSV.
    pub(crate) key: &'static str,
    /// The header in tables and Markdown. `None`: only CSV has the column.
    pub(crate) title: Option<&'static str>,
    /// Align to the right, as for numbers.
    pub(crate) right: bool,
}

/// Rows with their columns, ready for output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The columns.
    pub(crate) columns: Vec<Column>,
    /// The rows: one cell per column.
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Notes beside the rows: their age, how to get the next page. Not part of the output.
    pub notes: Vec<String>,
}

impl Listing {
    /// The listing in a format; a table for JSON, which is the server's body and not rendered here.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Table | Format::Json => self.table(),
            Format::Csv => self.csv(),
            Format::Markdown => self.markdown(),
        }
    }

    /// Indexes, titles and alignment of the columns with a title.
    fn shown(&self) -> impl Iterator<Item = (usize, &'static str, bool)> + Clone {
        self.columns
            .iter()
            .enumerate()
            .filter_map(|(at, column)| Some((at, column.title?, column.right)))
    }

    fn table(&self) -> String {
        let mut table = Table::new();
        table
            .load_style(UNDERLINED)
            .set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(self.shown().map(|(_, title, _)| title));
        for row in &self.rows {
            table.add_row(self.shown().map(|(at, _, _)| row[at].human()));
        }
        for (nth, (_, _, right)) in self.shown().enumerate() {
            if let Some(column) = table.column_mut(nth)
                && right
            {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        format!("{table}\n")
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        let mut line = |cells: &mut dyn Iterator<Item = String>| {
            text.push('|');
            for cell in cells {
                text.push(' ');
                text.push_str(&cell);
                text.push_str(" |");
            }
            text.push('\n');
        };
        line(&mut self.shown().map(|(_, title, _)| title.to_owned()));
        line(
            &mut self
                .shown()
                .map(|(_, _, right)| if right { "--:".into() } else { "---".into() }),
        );
        for row in &self.rows {
            line(&mut self.shown().map(|(at, _, _)| row[at].markdown()));
        }
        text
    }

    fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let header = writer.write_record(self.columns.iter().map(|column| column.key));
        let rows = self
            .rows
            .iter()
            .try_for_each(|row| writer.write_record(row.iter().map(Cell::csv)));
        header
            .and(rows)
            .expect("every row has a cell per column, and memory can be written");
        let bytes = writer.into_inner().expect("memory can be written");
        String::from_utf8(bytes).expect("cells are text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile(name: &str) -> Listing {
        Listing {
            columns: vec![
                Column {
                    key: "tool_id",
                    title: Some("tool"),
                    right: false,
                },
                Column {
                    key: "events",
                    title: Some("events"),
                    right: true,
                },
                Column {
                    key: "session_id",
                    title: None,
                    right: false,
                },
            ],
            rows: vec![vec![Cell::text(name), Cell::count(12_345), Cell::text("s")]],
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_table_is_for_people_and_csv_has_every_column_in_plain_values() {
        let listing = hostile("mcp:linear");
        let table = listing.render(Format::Table);
        assert!(
            table.contains("12,345") && table.contains("mcp:linear") && !table.contains("session"),
            "{table}"
        );
        assert_eq!(
            listing.render(Format::Csv),
            "tool_id,events,session_id\nmcp:linear,12345,s\n"
        );
        assert_eq!(
            listing.render(Format::Markdown),
            "| tool | events |\n| --- | --: |\n| mcp:linear | 12,345 |\n"
        );
    }

    #[test]
    fn no_name_moves_a_terminal_starts_a_formula_or_becomes_markup() {
        for name in ["\u{1b}[2Jmcp:x", "mcp:a\nb", "mcp:\u{202E}x", "mcp:\u{9b}31m"] {
            for format in [Format::Table, Format::Csv, Format::Markdown] {
                let text = hostile(name).render(format);
                let hidden = text.chars().any(|c| c != '\n' && model::text::is_unsafe(c));
                assert!(!hidden, "{name:?} as {format}: {text:?}");
            }
            assert_eq!(hostile(name).render(Format::Csv).lines().count(), 2, "{name:?}");
        }
        for name in ["=1+1", "+1", "-1", "@SUM(A1)", "=HYPERLINK(\"http://x\",\"y\")"] {
            let csv = hostile(name).render(Format::Csv);
            let cell = csv.lines().nth(1).unwrap().trim_start_matches('"');
            assert!(cell.starts_with('\''), "{cell}");
        }
        let markdown = hostile("a|b<img src=x>[l](http://x)`c`*d*").render(Format::Markdown);
        assert_eq!(
            markdown.lines().nth(2).unwrap(),
            r"| a\|b&lt;img src=x&gt;\[l\](http://x)\`c\`\*d\* | 12,345 |"
        );
    }

    #[test]
    fn every_format_parses_from_its_name() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
        let error = "yaml".parse::<Format>().unwrap_err().to_string();
        assert!(error.contains("`yaml`") && error.contains("markdown"), "{error}");
    }
}
