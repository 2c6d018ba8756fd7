//! The arguments. Their doc comments are the help.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use clap::{
    Args, Parser,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use client::{environment, render::Format};
use model::{
    Kind,
    api::{AllOr, Window, query::ListQuery},
    team::{Scope, parse_scopes},
    words::UnknownWord,
};

use crate::{command::Command, context::Context};

/// Which tools work, what did the team just run, and what is dead weight: toolhub collects the tool calls of a team's
/// coding agents from their session logs, counts each one exactly once, and answers.
///
/// Exit codes: 0 done, 1 failed, 2 usage, 3 some events rejected, 4 not allowed, 75 try again later, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "toolhub", version, max_term_width = 100, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The server. Default: the one of the last login, else http://127.0.0.1:7700
    #[arg(
        long,
        global = true,
        env = "TOOLHUB_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Global options"
    )]
    pub(crate) url: Option<String>,
    /// The token. Better in the environment or by `toolhub login`: others can see arguments
    #[arg(
        long,
        global = true,
        env = "TOOLHUB_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        help_heading = "Global options"
    )]
    pub(crate) token: Option<String>,
    /// Machine output on stdout, everything else on stderr
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
}

/// How an answer is shown, and which page of it.
#[derive(Debug, Args)]
pub(crate) struct Page {
    /// How the answer is laid out: table, json, csv or markdown
    #[arg(long, value_parser = formats())]
    pub(crate) format: Option<String>,
    /// Rows to show, at most 500
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) limit: Option<u32>,
    /// Go on where the page before ended
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
}

impl Page {
    /// The query at this page. The number of rows is that of the settings unless given.
    pub(crate) fn of<Q: ListQuery>(&self, query: Q, context: &Context) -> Q {
        query.with_page(self.limit.or(context.settings.limit), self.cursor.clone())
    }
}

/// The word of the format that is a file and no page.
pub(crate) const PARQUET: &str = "parquet";

/// How a page is laid out. Who asks for Parquet is told where it is.
pub(crate) fn formats() -> impl TypedValueParser<Value = String> {
    let page = Format::ALL.map(|format| PossibleValue::new(format.as_str()));
    let parquet = PossibleValue::new(PARQUET).hide(true);
    PossibleValuesParser::new(page.into_iter().chain([parquet])).try_map(|word| {
        if word == PARQUET {
            Err("only events are written as Parquet: `toolhub events --format parquet > events.parquet`")
        } else {
            Ok(word)
        }
    })
}

/// One of these words.
pub(crate) fn word<T>(words: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownWord> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse())
}

/// The kinds of tools, and `all`.
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

/// `upload,read`.
pub(crate) fn scopes(text: &str) -> Result<Scopes, UnknownWord> {
    parse_scopes(text).map(Scopes)
}

/// The windows of the boards.
pub(crate) fn windows() -> impl TypedValueParser<Value = Window> {
    word(Window::ALL.iter().map(|window| window.as_str()))
}

/// A number of seconds, minutes, hours or days: `90`, `30s`, `5m`, `2h`, `7d`.
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

/// A time, a day (UTC), or how long ago.
pub(crate) fn since(text: &str) -> Result<DateTime<Utc>, String> {
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
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_make_sense() {
        Cli::command().debug_assert();
    }

    /// The help is the reference of the command line: a change of it is seen in review.
    #[cfg(feature = "server")]
    #[test]
    fn the_help_of_every_command_is_as_reviewed() {
        fn help(command: &mut clap::Command, path: &str, text: &mut String) {
            let path = format!("{path} {}", command.get_name()).trim().to_owned();
            text.push_str(&format!("=== {path}\n\n{}\n", command.render_long_help()));
            for below in command
                .get_subcommands_mut()
                .filter(|below| below.get_name() != "help")
            {
                help(below, &path, text);
            }
        }
        let mut text = String::new();
        let mut command = Cli::command().term_width(100);
        command.build();
        help(&mut command, "", &mut text);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn durations_have_a_unit_and_times_three_forms() {
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        for text in ["", "m", "5 m", "-5s", "5y", "99999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(
            since("2026-11-23").unwrap().to_rfc3339(),
            "2026-11-23T00:00:00+00:00"
        );
        assert_eq!(
            since("2026-11-23T10:00:00+01:00").unwrap().to_rfc3339(),
            "2026-11-23T09:00:00+00:00"
        );
        assert!(since("7d").unwrap() < environment::now());
        assert!(since("99999999999d").is_err());
        assert!(since("yesterday").is_err());
    }
}
