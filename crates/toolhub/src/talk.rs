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
