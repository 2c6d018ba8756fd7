//! The one place that talks to people: answers on stdout, everything else on stderr.

use std::io::{self, Write};

use client::Error;

/// Writes an answer to stdout.
pub(crate) fn answer(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::Output)
}

/// Writes an answer and ends its line.
pub(crate) fn answer_line(text: &str) -> Result<(), Error> {
    answer(&format!("{text}\n"))
}

/// Writes an answer that is JSON, and ends its line. What it holds stays the same, and moves no terminal.
pub(crate) fn answer_json(json: &str) -> Result<(), Error> {
    answer_line(&model::text::escape_json(json.trim_end_matches('\n')))
}

/// Says something beside the answer. It may name files and quote others, so it is cleaned here at the latest.
pub(crate) fn note(text: &str) {
    // Nobody is left to be told that stderr is closed.
    let _ = writeln!(io::stderr().lock(), "{}", model::text::clean_prose(text));
}

/// Says that something is wrong, but not so wrong that we stop.
pub(crate) fn warn(text: &str) {
    note(&format!("toolhub: warning: {text}"));
}

/// Says why we stop.
pub(crate) fn complain(text: &str) {
    note(&format!("toolhub: {text}"));
}

/// Sends the log of the server to stderr: as text, or as JSON lines. `TOOLHUB_LOG` chooses how much (`info`).
#[cfg(feature = "server")]
pub(crate) fn log_to_stderr(json: bool) {
    use std::io::IsTerminal;

    let log = tracing_subscriber::fmt()
        .with_env_filter(log_filter(std::env::var("TOOLHUB_LOG").ok().as_deref()))
        // No colours in a file or a journal.
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .with_target(false);
    // A second subscriber of the same process is refused; the first goes on.
    let _ = if json {
        log.json().try_init()
    } else {
        log.try_init()
    };
}

/// What the log holds. The driver logs the parameters of statements below `info`: hashes of tokens, and whatever
/// somebody has sent. It never may, whatever was asked for.
#[cfg(feature = "server")]
fn log_filter(wish: Option<&str>) -> tracing_subscriber::EnvFilter {
    use tracing_subscriber::EnvFilter;

    let filter = wish.and_then(|wish| EnvFilter::try_new(wish).ok());
    let driver = "tokio_postgres=info".parse().expect("a directive");
    filter
        .unwrap_or_else(|| EnvFilter::new("info"))
        .add_directive(driver)
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use super::*;

    #[test]
    fn the_driver_never_logs_parameters_whatever_is_asked_for() {
        for wish in [
            None,
            Some("trace"),
            Some("tokio_postgres=trace,info"),
            Some("???"),
        ] {
            let filter = log_filter(wish).to_string();
            assert!(filter.contains("tokio_postgres=info"), "{wish:?}: {filter}");
            assert!(!filter.contains("tokio_postgres=trace"), "{wish:?}: {filter}");
        }
    }
}
