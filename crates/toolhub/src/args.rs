//! Arguments that several commands have, and their parsers. The doc comments are the help.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use clap::{
    Args,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use client::{environment, render::Format};
use model::{
    Kind,
    api::{AllOr, Window, query::ListQuery},
    team::{Scope, parse_scopes},
    words::UnknownWord,
};

use crate::context::Context;

/// The output format and the page of a listing.
#[derive(Debug, Args)]
pub(crate) struct Page {
    /// Output format [default: table]
    #[arg(long, value_parser = formats())]
    pub(crate) format: Option<String>,
    /// Show at most N rows (1 to 500) [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: Option<u32>,
    /// Show the page after CURSOR, which the previous page printed
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
}

impl Page {
    /// Adds this page to a query. The limit of the settings applies if none is given.
    pub(crate) fn of<Q: ListQuery>(&self, query: Q, context: &Context) -> Q {
        query.with_page(self.limit.or(context.settings.limit), self.cursor.clone())
    }
}

/// The name of the format that is a file of all events.
pub(crate) const PARQUET: &str = "parquet";

/// Parses an output format. For Parquet the error names the command that has it.
pub(crate) fn formats() -> impl TypedValueParser<Value = String> {
    let page = Format::ALL.map(|format| PossibleValue::new(format.as_str()));
    let parquet = PossibleValue::new(PARQUET).hide(true);
    PossibleValuesParser::new(page.into_iter().chain([parquet])).try_map(|name| {
        if name == PARQUET {
            Err("only events have the format Parquet: `toolhub events --format parquet > events.parquet`")
        } else {
            Ok(name)
        }
    })
}

/// Parses one of these words.
pub(crate) fn word<T>(words: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownWord> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse())
}

/// Parses a kind of tools or `all`.
pub(crate) fn kinds() -> impl TypedValueParser<Value = AllOr<Kind>> {
    word(
        Kind::ALL
            .iter()
            .map(|kind| kind.as_str())
            .chain([AllOr::<Kind>::ALL]),
    )
}

/// Scopes of a token, as `--scope` takes them.
#[derive(Clone, Debug)]
pub(crate) struct Scopes(pub(crate) Vec<Scope>);

/// Parses scopes such as `upload,read`.
pub(crate) fn scopes(text: &str) -> Result<Scopes, UnknownWord> {
    parse_scopes(text).map(Scopes)
}

/// Parses the window of a board.
pub(crate) fn windows() -> impl TypedValueParser<Value = Window> {
    word(Window::ALL.iter().map(|window| window.as_str()))
}

/// Parses a number of seconds, minutes, hours or days: `90`, `30s`, `5m`, `2h`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    number
        .parse::<u64>()
        .ok()
        .filter(|_| seconds > 0)
        .and_then(|number| number.checked_mul(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| "a duration is like 30s, 5m, 2h or 7d".into())
}

/// Parses a time, a day (UTC) or an age.
pub(crate) fn time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    duration(text)
        .ok()
        .and_then(|ago| environment::now().checked_sub_signed(TimeDelta::from_std(ago).ok()?))
        .ok_or_else(|| "a time is like 2026-11-23, 2026-11-23T09:30:00Z, or 7d for seven days ago".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_times_are_parsed() {
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        for text in ["", "m", "5 m", "-5s", "5y", "99999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(
            time("2026-11-23").unwrap().to_rfc3339(),
            "2026-11-23T00:00:00+00:00"
        );
        assert_eq!(
            time("2026-11-23T10:00:00+01:00").unwrap().to_rfc3339(),
            "2026-11-23T09:00:00+00:00"
        );
        assert!(time("7d").unwrap() < environment::now());
        assert!(time("99999999999d").is_err());
        assert!(time("yesterday").is_err());
    }
}
