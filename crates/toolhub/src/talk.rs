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

/// Says something beside the answer.
pub(crate) fn note(text: &str) {
    // Nobody is left to be told that stderr is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
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

    use tracing_subscriber::{EnvFilter, fmt};

    let filter = EnvFilter::try_from_env("TOOLHUB_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = fmt()
        .with_env_filter(filter)
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
