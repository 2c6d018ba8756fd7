//! Arguments that several commands have, and their parsers. The doc comments are the help.

#[cfg(feature = "server")]
use std::net::{SocketAddr, ToSocketAddrs};
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

/// How a listing is printed.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Output format [default: table]
    #[arg(long, value_parser = formats())]
    pub(crate) format: Option<String>,
    #[command(flatten)]
    pub(crate) wide: Wide,
}

/// Whether a table may be wider than the terminal.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Wide {
    /// Show every column of a table, also where the terminal has no room for it
    #[arg(long)]
    pub(crate) wide: bool,
}

/// The output and the page of a listing.
#[derive(Debug, Args)]
pub(crate) struct Page {
    #[command(flatten)]
    pub(crate) output: Output,
    /// Show at most N rows (1 to 500) [default: 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: Option<u32>,
    /// Show the page after CURSOR, which the previous page printed [default: the first page]
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

/// Parses an address to listen on. A host name may have several addresses: clients try that of IPv4 first, because it is
/// the default of theirs.
#[cfg(feature = "server")]
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let expected = "an address is like 127.0.0.1:7700, localhost:7700 or 0.0.0.0:7700";
    if text.parse::<std::net::IpAddr>().is_ok() || !text.contains(':') {
        return Err(format!("the port is missing; {expected}"));
    }
    let mut addresses: Vec<SocketAddr> = text
        .to_socket_addrs()
        .map_err(|error| format!("{error}; {expected}"))?
        .collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses
        .first()
        .copied()
        .ok_or_else(|| format!("the name has no address; {expected}"))
}

/// Parses a number of seconds, minutes, hours, days or weeks: `90`, `30s`, `5m`, `2h`, `7d`, `1w`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => 0,
    };
    number
        .parse::<u64>()
        .ok()
        .filter(|_| seconds > 0)
        .and_then(|number| number.checked_mul(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| "a duration is like 30s, 5m, 2h, 7d or 1w; a number alone is seconds".into())
}

/// Parses a time, a day (UTC) or an age. A number alone is refused: read as seconds, as for a duration, `--since 7` would
/// select next to nothing.
pub(crate) fn time(text: &str) -> Result<DateTime<Utc>, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "{text} of what? Write {text}d for days, {text}h for hours or {text}w for weeks"
        ));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    duration(text)
        .ok()
        .and_then(|ago| environment::now().checked_sub_signed(TimeDelta::from_std(ago).ok()?))
        .ok_or_else(|| "a time is like 2026-11-23, 2026-11-23T09:30:00Z, or 7d or 1w ago".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "server")]
    #[test]
    fn an_address_to_listen_on_may_be_a_name_and_needs_a_port() {
        assert_eq!(listen_address("[::1]:7711"), Ok("[::1]:7711".parse().unwrap()));
        let local = listen_address("localhost:7711").unwrap();
        assert!(local.ip().is_loopback() && local.port() == 7711, "{local}");
        for text in ["localhost", "127.0.0.1", "::1", "7711", ""] {
            let error = listen_address(text).unwrap_err();
            assert!(
                error.contains("the port is missing") && error.contains("localhost:7700"),
                "{text}: {error}"
            );
        }
        assert!(listen_address("localhost:port").is_err());
    }

    #[test]
    fn durations_and_times_are_parsed() {
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1w"), Ok(Duration::from_secs(7 * 86_400)));
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
        assert!(time("1w").unwrap() < time("6d").unwrap());
        let error = time("7").unwrap_err();
        assert!(
            error.contains("7d for days") && error.contains("7w for weeks"),
            "{error}"
        );
        assert!(time("99999999999d").is_err());
        assert!(time("yesterday").is_err());
    }
}
