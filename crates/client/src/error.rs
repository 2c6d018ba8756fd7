//! The errors of the client and their exit codes. A message says what happened, then what to do.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// The exit codes of the command line. Scripts rely on them.
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
    /// A temporary failure: try again later.
    TryAgain = 75,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
}

/// True for a file that does not exist, also because one of its folders does not, or is none.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// A place that was searched for logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// The place.
    pub path: PathBuf,
    /// The variable that sets the place, if one does.
    pub variable: Option<&'static str>,
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match self.variable {
            Some(variable) => write!(f, " ({variable} changes it)"),
            None => Ok(()),
        }
    }
}

/// An error of the client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No token for this server.
    #[error("no credentials for {url}. Run `toolhub login {url}`, or set TOOLHUB_TOKEN")]
    NoCredentials {
        /// The server.
        url: String,
    },
    /// The server answered 401.
    #[error("{url} does not know this token: {detail}. Run `toolhub login {url}` for another")]
    Unauthorized {
        /// The server.
        url: String,
        /// The problem's code; empty when the response had none.
        code: String,
        /// The detail of its response.
        detail: String,
    },
    /// The server answered 403.
    #[error("{url} does not allow this: {detail}")]
    Forbidden {
        /// The server.
        url: String,
        /// The problem's code; empty when the response had none.
        code: String,
        /// The detail of its response.
        detail: String,
    },
    /// A CI run has neither a token nor an identity.
    #[error("no credentials for {url}, and this CI run has no identity. {hint}; or set TOOLHUB_TOKEN")]
    NoIdentity {
        /// The server.
        url: String,
        /// What gives the run an identity.
        hint: String,
    },
    /// The identity of a CI run was refused.
    #[error("{url} does not accept the identity of this CI run: {detail}. {hint}")]
    IdentityRefused {
        /// The server.
        url: String,
        /// The detail of its response.
        detail: String,
        /// What to change.
        hint: String,
    },
    /// No server listens at the address, or the connection broke.
    #[error("cannot reach {url}: {cause}. Start one with `toolhub serve`, or name yours with --url")]
    Unreachable {
        /// The server.
        url: String,
        /// The cause.
        cause: String,
    },
    /// The server cannot answer at the moment (408, 429, 5xx).
    #[error("{url} cannot answer now: {detail}. Try again later")]
    Busy {
        /// The server.
        url: String,
        /// The detail of its response, or the status.
        detail: String,
    },
    /// The server refused the request for good.
    #[error("{url}: {detail}{}", request(*status, request_id))]
    Refused {
        /// The server.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The problem's code; empty when the response had none.
        code: String,
        /// The problem's detail.
        detail: String,
        /// Identifies the request in the server's log.
        request_id: String,
    },
    /// The response is not that of a toolhub server, but of a login page, a proxy or another program.
    #[error(
        "{url} answers, but not like a toolhub server: {what}. Check the address, and whether a login page or proxy is in between"
    )]
    NotToolhub {
        /// The server.
        url: String,
        /// What is wrong with the response.
        what: String,
    },
    /// Retried until the retry policy ended.
    #[error("gave up on {url} after {} s: {cause}. Run the same command again later: acknowledged events are not sent twice", after.as_secs())]
    GaveUp {
        /// The server.
        url: String,
        /// How long it was retried.
        after: Duration,
        /// The last error.
        cause: String,
    },
    /// The scores do not include the events yet.
    #[error("the events are stored, but after {} s the scores do not include them yet{}", after.as_secs(), because(last_error))]
    StillPending {
        /// The time waited.
        after: Duration,
        /// Why the server's latest refresh failed, if it did.
        last_error: Option<String>,
    },
    /// No logs in any of the folders.
    #[error(
        "no session logs found. Use an agent first, or name the folder that has them: `toolhub upload PATH`. Searched:{}",
        list(looked)
    )]
    NoLogs {
        /// The places.
        looked: Vec<Looked>,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Other users can read the credentials file.
    #[error("{path} can be read by others. Run `chmod 600 {path}`, and replace the tokens in it if this machine has other users", path = path.display())]
    ExposedCredentials {
        /// The file.
        path: PathBuf,
    },
    /// A settings or credentials file is invalid.
    #[error("{}: {detail}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong and what is expected.
        detail: String,
    },
    /// An argument is invalid.
    #[error("{0}")]
    Usage(String),
    /// No home directory for credentials and state.
    #[error("no home directory: set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME")]
    NoHome,
    /// A response was cut off.
    #[error("{0} is incomplete: the connection broke. Run the command again")]
    Incomplete(&'static str),
    /// Writing the output failed (a closed pipe among them: see [`Error::is_broken_pipe`]).
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// Writing an export failed. A closed pipe is an error here: the file is incomplete.
    #[error("cannot write the export: {0}")]
    Export(io::Error),
}

/// The request id, for failures of the server: its log has the details.
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

fn list(looked: &[Looked]) -> String {
    let mut text = String::new();
    for path in looked {
        text.push_str("\n  ");
        text.push_str(&path.to_string());
    }
    text
}

impl Error {
    /// The exit code of this error.
    pub fn exit(&self) -> Exit {
        match self {
            Error::NoCredentials { .. }
            | Error::Unauthorized { .. }
            | Error::Forbidden { .. }
            | Error::NoIdentity { .. }
            | Error::IdentityRefused { .. }
            | Error::ExposedCredentials { .. } => Exit::NotAllowed,
            Error::Unreachable { .. }
            | Error::Busy { .. }
            | Error::GaveUp { .. }
            | Error::StillPending { .. }
            | Error::Incomplete(_) => Exit::TryAgain,
            Error::Usage(_) | Error::BadFile { .. } => Exit::Usage,
            Error::Refused { .. }
            | Error::NotToolhub { .. }
            | Error::NoLogs { .. }
            | Error::File { .. }
            | Error::NoHome
            | Error::Output(_)
            | Error::Export(_) => Exit::Failed,
        }
    }

    /// True when the reader of the output has closed the pipe (`toolhub events | head`), which is not an error.
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
