//! Output formats: tables for the terminal, CSV for spreadsheets, Markdown for tickets.
//!
//! Names come from logs and are not trusted: they cannot move the cursor of a terminal, become a formula in a
//! spreadsheet, or become markup in a ticket.

mod layout;
pub mod rows;
mod run;
pub mod team;
#[cfg(test)]
mod widths;

use std::{fmt, str::FromStr};

use comfy_table::{
    CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle, Width,
};

use layout::{GAP, Layout, layout, shortened};
use model::cell::{Cell, Tone};

pub use run::run_summary;

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

/// Where a table is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// Columns of the terminal. `None`: there is none, and nothing is left out.
    pub width: Option<usize>,
    /// Color the values that are good or bad.
    pub color: bool,
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
    /// 0: always shown. Of the others, those with the highest level go first where a terminal is too narrow.
    pub(crate) level: u8,
    /// May continue on the next line, between two words.
    pub(crate) prose: bool,
}

impl Column {
    /// The column with this level.
    pub(crate) const fn level(self, level: u8) -> Column {
        Column { level, ..self }
    }

    /// The column as one of prose.
    pub(crate) const fn prose(self) -> Column {
        Column { prose: true, ..self }
    }
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
    pub fn render(&self, format: Format, screen: Screen) -> String {
        match format {
            Format::Table | Format::Json => self.table(screen),
            Format::Csv => self.csv(),
            Format::Markdown => self.markdown(),
        }
    }

    /// Names the columns that a table leaves out on this screen; `None` when it has all of them.
    pub fn left_out(&self, screen: Screen) -> Option<String> {
        let shown = self.layout(screen);
        let missing: Vec<&str> = self
            .shown()
            .filter(|(at, ..)| !shown.iter().any(|(shown, _)| shown == at))
            .map(|(_, title, _)| title)
            .collect();
        (!missing.is_empty()).then(|| format!("--wide also shows: {}", missing.join(", ")))
    }

    fn layout(&self, screen: Screen) -> Layout {
        let texts = |at: usize| self.rows.iter().map(move |row| row[at].human());
        layout(&self.columns, texts, screen.width)
    }

    /// Indexes, titles and alignment of the columns with a title.
    fn shown(&self) -> impl Iterator<Item = (usize, &'static str, bool)> + Clone {
        self.columns
            .iter()
            .enumerate()
            .filter_map(|(at, column)| Some((at, column.title?, column.right)))
    }

    fn table(&self, screen: Screen) -> String {
        let shown = self.layout(screen);
        let mut table = Table::new();
        table
            .force_no_tty()
            .load_style(UNDERLINED)
            .set_content_arrangement(ContentArrangement::Disabled);
        if screen.color {
            table.enforce_styling();
        }
        table.set_header(shown.iter().filter_map(|(at, _)| self.columns[*at].title));
        for row in &self.rows {
            table.add_row(shown.iter().map(|&(at, width)| {
                let text = if self.columns[at].prose {
                    row[at].human().to_owned()
                } else {
                    shortened(row[at].human(), width)
                };
                let cell = comfy_table::Cell::new_owned(text);
                match color_of(row[at].tone()) {
                    Some(color) => cell.fg(color),
                    None => cell,
                }
            }));
        }
        for (nth, &(at, width)) in shown.iter().enumerate() {
            if let Some(column) = table.column_mut(nth) {
                // One column of the gap is the separator.
                let gap = if nth == 0 { 0 } else { GAP - 1 };
                column.set_padding((u16::try_from(gap).unwrap_or_default(), 0));
                let width = u16::try_from(width + gap).unwrap_or(u16::MAX);
                column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
                if self.columns[at].right {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        format!("{}\n", table.trim_fmt())
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

/// The color of a value.
fn color_of(tone: Tone) -> Option<Color> {
    match tone {
        Tone::Plain => None,
        Tone::Good => Some(Color::Green),
        Tone::Bad => Some(Color::Red),
        Tone::Doubtful => Some(Color::Yellow),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rows::{detail, figure, name};

    fn hostile(name: &str) -> Listing {
        Listing {
            columns: vec![
                self::name("tool_id", "tool"),
                figure("events", "events"),
                detail("session_id"),
            ],
            rows: vec![vec![Cell::text(name), Cell::count(12_345), Cell::text("s")]],
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_table_is_for_people_and_csv_has_every_column_in_plain_values() {
        let listing = hostile("mcp:linear");
        let table = listing.render(Format::Table, Screen::default());
        assert!(
            table.contains("12,345") && table.contains("mcp:linear") && !table.contains("session"),
            "{table}"
        );
        assert_eq!(
            listing.render(Format::Csv, Screen::default()),
            "tool_id,events,session_id\nmcp:linear,12345,s\n"
        );
        assert_eq!(
            listing.render(Format::Markdown, Screen::default()),
            "| tool | events |\n| --- | --: |\n| mcp:linear | 12,345 |\n"
        );
    }

    #[test]
    fn no_name_moves_a_terminal_starts_a_formula_or_becomes_markup() {
        for name in ["\u{1b}[2Jmcp:x", "mcp:a\nb", "mcp:\u{202E}x", "mcp:\u{9b}31m"] {
            for format in [Format::Table, Format::Csv, Format::Markdown] {
                let text = hostile(name).render(format, Screen::default());
                let hidden = text.chars().any(|c| c != '\n' && model::text::is_unsafe(c));
                assert!(!hidden, "{name:?} as {format}: {text:?}");
            }
            assert_eq!(
                hostile(name)
                    .render(Format::Csv, Screen::default())
                    .lines()
                    .count(),
                2,
                "{name:?}"
            );
        }
        for name in ["=1+1", "+1", "-1", "@SUM(A1)", "=HYPERLINK(\"http://x\",\"y\")"] {
            let csv = hostile(name).render(Format::Csv, Screen::default());
            let cell = csv.lines().nth(1).unwrap().trim_start_matches('"');
            assert!(cell.starts_with('\''), "{cell}");
        }
        let markdown =
            hostile("a|b<img src=x>[l](http://x)`c`*d*").render(Format::Markdown, Screen::default());
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
