//! One value, formatted for people and for programs.

use crate::text;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

/// Shown for a missing value.
const NOTHING: &str = "–";

/// What a value says about its row, shown as a color.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// It needs a look.
    Doubtful,
}

/// A value of a listing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    human: String,
    plain: String,
    tone: Tone,
    /// The plain value is a number, so that a leading sign is not a formula.
    number: bool,
}

impl Cell {
    /// A text that is not trusted.
    pub fn text(text: &str) -> Cell {
        let clean = text::clean(text).into_owned();
        Cell {
            human: if clean.is_empty() {
                NOTHING.into()
            } else {
                clean.clone()
            },
            plain: clean,
            number: false,
            ..Cell::default()
        }
    }

    /// A text that may be missing.
    pub fn maybe(text: Option<&str>) -> Cell {
        Cell::text(text.unwrap_or_default())
    }

    /// A count.
    pub fn count(count: i64) -> Cell {
        Cell {
            human: grouped(count),
            plain: count.to_string(),
            number: true,
            ..Cell::default()
        }
    }

    /// A number of things that may be missing.
    pub fn maybe_count(count: Option<i64>) -> Cell {
        count.map_or_else(Cell::nothing, Cell::count)
    }

    /// A rate between 0 and 1.
    pub fn rate(rate: Option<f64>) -> Cell {
        Cell::number(rate, |rate| format!("{:.1} %", rate * 100.0))
    }

    /// An amount of US dollars.
    pub fn usd(usd: Option<f64>) -> Cell {
        Cell::number(usd, |usd| match usd {
            usd if usd >= 100.0 => format!("${usd:.0}"),
            usd if usd >= 0.1 => format!("${usd:.2}"),
            usd => format!("${usd:.4}"),
        })
    }

    /// A duration in ms.
    pub fn millis(ms: Option<f64>) -> Cell {
        Cell::number(ms, duration)
    }

    /// A size in bytes.
    pub fn bytes(bytes: i64) -> Cell {
        let human = match bytes {
            ..1_000 => format!("{bytes} B"),
            1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes / 100 % 10),
            _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
        };
        Cell {
            human,
            plain: bytes.to_string(),
            number: true,
            ..Cell::default()
        }
    }

    /// A time, relative to `now` for people.
    pub fn time(time: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Cell {
        time.map_or_else(Cell::nothing, |time| Cell {
            human: ago(time, now),
            plain: time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            number: false,
            ..Cell::default()
        })
    }

    /// A JSON value: text for people, JSON for programs.
    pub fn facts(facts: &Value) -> Cell {
        Cell {
            human: Cell::text(&words(facts)).human,
            plain: text::clean(&facts.to_string()).into_owned(),
            number: false,
            ..Cell::default()
        }
    }

    /// A difference in percentage points.
    pub fn points(points: Option<f64>) -> Cell {
        Cell::number(points.map(|points| (points * 10.0).round() / 10.0), |points| {
            format!("{points:+.1}")
        })
    }

    /// The value in a tone.
    pub fn with_tone(self, tone: Tone) -> Cell {
        Cell { tone, ..self }
    }

    /// The tone of the value.
    pub fn tone(&self) -> Tone {
        self.tone
    }

    fn nothing() -> Cell {
        Cell {
            human: NOTHING.into(),
            plain: String::new(),
            number: false,
            ..Cell::default()
        }
    }

    fn number(value: Option<f64>, human: impl FnOnce(f64) -> String) -> Cell {
        value.map_or_else(Cell::nothing, |value| Cell {
            human: human(value),
            plain: value.to_string(),
            number: true,
            ..Cell::default()
        })
    }

    /// The value in a table.
    pub fn human(&self) -> &str {
        &self.human
    }

    /// The value for programs, empty when it is missing.
    pub fn plain(&self) -> &str {
        &self.plain
    }

    /// The value in CSV: a text that a spreadsheet would run as a formula gets a leading apostrophe, also one that begins
    /// with the full-width form of a sign (<https://owasp.org/www-community/attacks/CSV_Injection>).
    pub fn csv(&self) -> String {
        const STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
        if !self.number && self.plain.starts_with(STARTS) {
            format!("'{}", self.plain)
        } else {
            self.plain.clone()
        }
    }

    /// The value in Markdown, with all markup escaped.
    pub fn markdown(&self) -> String {
        let mut escaped = String::with_capacity(self.human.len());
        for c in self.human.chars() {
            match c {
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '&' => escaped.push_str("&amp;"),
                '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' => escaped.extend(['\\', c]),
                c => escaped.push(c),
            }
        }
        escaped
    }
}

/// A JSON value as text: `role admin, scopes upload read`. Null is empty.
fn words(facts: &Value) -> String {
    let all = |values: &mut dyn Iterator<Item = String>, between: &str| {
        values
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(between)
    };
    match facts {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => all(&mut values.iter().map(words), " "),
        Value::Object(fields) => {
            let fact = |(key, value): (&String, &Value)| match (value, words(value)) {
                (Value::Object(_), said) => said,
                (_, said) if said.is_empty() => said,
                (_, said) => format!("{key} {said}"),
            };
            all(&mut fields.iter().map(fact), ", ")
        }
        other => other.to_string(),
    }
}

/// Digits in groups of three.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn duration(ms: f64) -> String {
    let seconds = ms / 1_000.0;
    match seconds {
        s if s < 1.0 => format!("{ms:.0} ms"),
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3_600.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

/// The age of a time; a date for times of more than 60 days ago or in the future.
pub fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let past = now - time;
    if past < TimeDelta::zero() && past > TimeDelta::minutes(-1) {
        return "now".into();
    }
    match (
        past.num_seconds(),
        past.num_minutes(),
        past.num_hours(),
        past.num_days(),
    ) {
        (..0, ..) => time.format("%Y-%m-%d %H:%MZ").to_string(),
        (s, 0, ..) => format!("{s} s ago"),
        (_, m, 0, _) => format!("{m} min ago"),
        (_, _, h, 0) => format!("{h} h ago"),
        (_, _, _, d @ ..60) => format!("{d} d ago"),
        _ => time.format("%Y-%m-%d").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_text_for_people_and_json_for_programs() {
        let facts = serde_json::json!({
            "role": "admin", "active": false, "scopes": ["upload", "read"], "expires_at": null, "ci": { "run_id": "9" },
            "name": "a\u{1b}[2J",
        });
        let cell = Cell::facts(&facts);
        assert_eq!(
            cell.human(),
            "active false, run_id 9, name a\u{FFFD}[2J, role admin, scopes upload read"
        );
        assert_eq!(serde_json::from_str::<Value>(&cell.plain).unwrap(), facts);
        assert_eq!(Cell::facts(&serde_json::json!({})).human(), NOTHING);
    }

    #[test]
    fn values_are_short_for_people_and_exact_for_programs() {
        let now: DateTime<Utc> = "2026-11-23T12:00:00Z".parse().unwrap();
        let at = |text: &str| Cell::time(Some(text.parse().unwrap()), now);
        for (cell, human, plain) in [
            (Cell::count(-1_234_567), "-1,234,567", "-1234567"),
            (Cell::count(999), "999", "999"),
            (Cell::rate(Some(0.935_4)), "93.5 %", "0.9354"),
            (Cell::rate(None), "–", ""),
            (Cell::usd(Some(0.001_234)), "$0.0012", "0.001234"),
            (Cell::usd(Some(1234.5)), "$1234", "1234.5"),
            (Cell::millis(Some(270.0)), "270 ms", "270"),
            (Cell::millis(Some(13_000.0)), "13.0 s", "13000"),
            (Cell::millis(Some(5_400_000.0)), "1.5 h", "5400000"),
            (Cell::bytes(63_555), "63.5 kB", "63555"),
            (Cell::bytes(121_244_000), "121.2 MB", "121244000"),
            (at("2026-11-23T11:59:48Z"), "12 s ago", "2026-11-23T11:59:48Z"),
            (at("2026-11-23T09:59:00Z"), "2 h ago", "2026-11-23T09:59:00Z"),
            (at("2026-11-01T00:00:00Z"), "22 d ago", "2026-11-01T00:00:00Z"),
            (at("2026-01-01T00:00:00Z"), "2026-01-01", "2026-01-01T00:00:00Z"),
            (
                at("2026-11-24T00:00:00Z"),
                "2026-11-24 00:00Z",
                "2026-11-24T00:00:00Z",
            ),
            (Cell::points(Some(-3.249)), "-3.2", "-3.2"),
            (Cell::points(Some(0.96)), "+1.0", "1"),
            (Cell::text(""), "–", ""),
        ] {
            assert_eq!((cell.human(), cell.plain.as_str()), (human, plain));
        }
    }

    #[test]
    fn a_text_is_never_a_formula_and_a_number_stays_a_number() {
        for text in ["=1", "+1", "-1", "@x", "＝1", "＋1", "－1", "＠x"] {
            assert_eq!(Cell::text(text).csv(), format!("'{text}"));
        }
        assert_eq!(Cell::count(-1).csv(), "-1");
        assert_eq!(Cell::points(Some(-0.5)).csv(), "-0.5");
    }
}
