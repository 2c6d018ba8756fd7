//! The output of the binary: results on stdout, everything else on stderr.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use client::{Error, render::Screen};

/// The terminal that stdout is connected to, if it is one; `wide`: a table may be wider. Colors follow <https://no-color.org>.
pub(crate) fn screen(wide: bool) -> Screen {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_terminal = io::stdout().is_terminal();
    let is_dumb = env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    let size = terminal_size::terminal_size_of(io::stdout()).filter(|_| is_terminal && !wide);
    Screen {
        // Some terminals do not know their size.
        width: size
            .map(|(width, _)| usize::from(width.0))
            .filter(|width| *width > 0),
        color: is_terminal && !is_dumb && !set("NO_COLOR"),
    }
}

/// Writes a result to stdout.
pub(crate) fn answer(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::Output)
}

/// Writes a result and a line break to stdout.
pub(crate) fn answer_line(text: &str) -> Result<(), Error> {
    answer(&format!("{text}\n"))
}

/// Writes a JSON result and a line break to stdout, with control characters escaped.
pub(crate) fn answer_json(json: &str) -> Result<(), Error> {
    answer_line(&model::text::escape_json(json.trim_end_matches('\n')))
}

/// Writes a line to stderr. It may contain file names and texts that are not trusted, so it is cleaned here.
pub(crate) fn note(text: &str) {
    // An error means that stderr is closed: there is no place to report it.
    let _ = writeln!(io::stderr().lock(), "{}", model::text::clean_prose(text));
}

/// Writes a warning to stderr.
pub(crate) fn warn(text: &str) {
    note(&format!("toolhub: warning: {text}"));
}

/// Writes an error to stderr.
pub(crate) fn error(text: &str) {
    note(&format!("toolhub: {text}"));
}

/// Writes the log of the server to stderr, as text or as JSON lines. `TOOLHUB_LOG` sets the level (default `info`).
#[cfg(feature = "server")]
pub(crate) fn log_to_stderr(json: bool) {
    let log = tracing_subscriber::fmt()
        .with_env_filter(log_filter(std::env::var("TOOLHUB_LOG").ok().as_deref()))
        // No colours in a file or in the journal of systemd.
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .with_target(false);
    // An error means that this process has a subscriber already, which stays.
    let _ = if json {
        log.json().try_init()
    } else {
        log.try_init()
    };
}

/// The filter of the log. Below `info` the driver logs the parameters of statements, such as hashes of tokens and texts of
/// users. This filter never allows that.
#[cfg(feature = "server")]
fn log_filter(requested: Option<&str>) -> tracing_subscriber::EnvFilter {
    use tracing_subscriber::EnvFilter;

    let filter = requested.and_then(|requested| EnvFilter::try_new(requested).ok());
    let driver = "tokio_postgres=info".parse().expect("a directive");
    filter
        .unwrap_or_else(|| EnvFilter::new("info"))
        .add_directive(driver)
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::*;

    #[test]
    fn no_filter_makes_the_driver_log_parameters() {
        for requested in [
            None,
            Some("trace"),
            Some("tokio_postgres=trace,info"),
            Some("???"),
        ] {
            let filter = log_filter(requested).to_string();
            assert!(filter.contains("tokio_postgres=info"), "{requested:?}: {filter}");
            assert!(
                !filter.contains("tokio_postgres=trace"),
                "{requested:?}: {filter}"
            );
        }
    }
}
