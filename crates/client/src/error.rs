//! What can go wrong, in words that say what to do next, and the exit code each deserves.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// The exit codes of the command line. They are a promise to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// The command line or a settings file is wrong.
    Usage = 2,
    /// Done, but some events were rejected.
    Rejected = 3,
    /// No credentials, or they do not allow it.
    NotAllowed = 4,
    /// Nothing is wrong here; try again later.
    TryAgain = 75,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
}

/// A place in which logs were looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The place.
    pub path: PathBuf,
    /// The variable that moves it, where one does.
    pub variable: Option<&'static str>,
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match self.variable {
            Some(variable) => write!(f, " (moved by {variable})"),
            None => Ok(()),
        }
    }
}

/// Why the client could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No token for this server.
    #[error("no credentials for {url}. Run `toolhub login --with-token`, or set TOOLHUB_TOKEN")]
    NoCredentials {
        /// The server.
        url: String,
    },
    /// The server answered 401.
    #[error("{url} does not know this token: {detail}. Run `toolhub login --with-token` with a valid one")]
    Unauthorized {
        /// The server.
        url: String,
        /// Its words.
        detail: String,
    },
    /// The server answered 403.
    #[error("{url} does not allow this: {detail}")]
    Forbidden {
        /// The server.
        url: String,
        /// Its words.
        detail: String,
    },
    /// Nobody listens there.
    #[error("cannot reach {url}: {cause}. Start one with `toolhub serve`, or name yours with --url")]
    Unreachable {
        /// The server.
        url: String,
        /// Why not.
        cause: String,
    },
    /// The server is there and cannot serve now (408, 429, 5xx).
    #[error("{url} cannot answer now: {detail}. Try again later")]
    Busy {
        /// The server.
        url: String,
        /// Its words, or the status.
        detail: String,
    },
    /// The server refused the request for good.
    #[error("{url}: {detail}{}", request(*status, request_id))]
    Refused {
        /// The server.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The problem's code; empty when the answer was none.
        code: String,
        /// The problem's detail.
        detail: String,
        /// Finds the request in the server's log.
        request_id: String,
    },
    /// Something answered that is not a toolhub server: a login page, a proxy, another program.
    #[error(
        "{url} answers, but not like a toolhub server: {what}. Check the address, and that no login page or proxy stands between"
    )]
    NotToolhub {
        /// The server.
        url: String,
        /// What it answered.
        what: String,
    },
    /// Retried until the patience ran out.
    #[error("gave up on {url} after {} s: {cause}. Run the same command again later: what was acknowledged is not sent twice", after.as_secs())]
    GaveUp {
        /// The server.
        url: String,
        /// How long it was tried.
        after: Duration,
        /// What went wrong the last time.
        cause: String,
    },
    /// The scores did not catch up.
    #[error("the events are stored, but after {} s the scores do not hold them yet{}", after.as_secs(), because(last_error))]
    StillPending {
        /// How long was waited.
        after: Duration,
        /// Why the server's latest refresh failed, if it did.
        last_error: Option<String>,
    },
    /// No logs in any of the places.
    #[error("no session logs found. Looked for {}", places(looked))]
    NoLogs {
        /// The places.
        looked: Vec<Looked>,
    },
    /// A file or folder could not be used.
    #[error("{}: {source}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file of credentials is readable by others.
    #[error("{path} can be read by others. Run `chmod 600 {path}`, and replace the tokens in it if anybody else uses this machine", path = path.display())]
    ExposedCredentials {
        /// The file.
        path: PathBuf,
    },
    /// A settings or credentials file does not say what it should.
    #[error("{}: {detail}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would be right.
        detail: String,
    },
    /// An argument does not make sense.
    #[error("{0}")]
    Usage(String),
    /// No home directory to keep credentials and state in.
    #[error("no home directory: set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME")]
    NoHome,
    /// Writing the output failed (a closed pipe among them: see [`Error::is_broken_pipe`]).
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// Writing an export failed. A closed pipe is a failure here: the rest of the file is missing.
    #[error("cannot write the export: {0}")]
    Export(io::Error),
}

/// The server's log says more only about its own failures.
fn request(status: u16, id: &str) -> String {
    if status < 500 || id.is_empty() {
        String::new()
    } else {
        format!(" (request {id})")
    }
}

fn because(error: &Option<String>) -> String {
    error
        .as_ref()
        .map(|error| format!(": {error}"))
        .unwrap_or_default()
}

fn places(looked: &[Looked]) -> String {
    let mut text = String::new();
    for place in looked {
        text.push_str("\n  ");
        text.push_str(&place.to_string());
    }
    text
}

impl Error {
    /// The exit code that this error deserves.
    pub fn exit(&self) -> Exit {
        match self {
            Error::NoCredentials { .. }
            | Error::Unauthorized { .. }
            | Error::Forbidden { .. }
            | Error::ExposedCredentials { .. } => Exit::NotAllowed,
            Error::Busy { .. } | Error::GaveUp { .. } | Error::StillPending { .. } => Exit::TryAgain,
            Error::Usage(_) | Error::BadFile { .. } => Exit::Usage,
            Error::Unreachable { .. }
            | Error::Refused { .. }
            | Error::NotToolhub { .. }
            | Error::NoLogs { .. }
            | Error::File { .. }
            | Error::NoHome
            | Error::Output(_)
            | Error::Export(_) => Exit::Failed,
        }
    }

    /// True when the reader of our output went away (`toolhub events | head`): a success.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// An [`Error::File`] for `map_err`.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
        move |source| Error::File {
            path: path.to_owned(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_to_do_next() {
        let unreachable = Error::Unreachable {
            url: "http://127.0.0.1:7700".into(),
            cause: "connection refused".into(),
        };
        assert_eq!(
            unreachable.to_string(),
            "cannot reach http://127.0.0.1:7700: connection refused. Start one with `toolhub serve`, or name yours with --url"
        );
        let none = Error::NoLogs {
            looked: vec![Looked {
                path: "/home/a/.claude/projects".into(),
                variable: None,
            }],
        };
        assert!(none.to_string().ends_with("\n  /home/a/.claude/projects"));
    }
}
