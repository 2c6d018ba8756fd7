//! The names of OpenCode's files, and of databases.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use sources::Agent;

/// True for the names of OpenCode's databases: `opencode.db`, and `opencode-<channel>.db` of other channels.
pub(super) fn is_database_name(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    name.strip_suffix(".db")
        .and_then(|name| name.strip_prefix("opencode"))
        .is_some_and(|channel| channel.is_empty() || channel.starts_with('-'))
}

/// The agent of a database, by its name.
pub(super) fn database_of(path: &Path) -> Option<Agent> {
    if path.file_name().is_some_and(|name| name == "state.vscdb") {
        return Some(Agent::Cursor);
    }
    is_database_name(path).then_some(Agent::OpenCode)
}

/// The write-ahead log of a database.
pub(crate) fn wal(database: &Path) -> Option<PathBuf> {
    beside(database, "-wal")
}

/// True for files of the storage folder that contain a session, a message or a part. The other files (differences,
/// to-do lists, shares) are not logs.
pub(super) fn is_stored_record(path: &Path) -> bool {
    let mut below = path.iter().skip_while(|part| *part != "storage").skip(1);
    let kind = below.next();
    let is_record = |part: &OsStr| part == "session" || part == "message" || part == "part";
    // Before version 0.6 everything was below `session`.
    kind.is_some_and(is_record) && below.next().is_some_and(|part| part != "share" && part != "diff")
}

/// True for files of the storage folder with values that the parts of a session or a message share.
pub(super) fn is_context(path: &Path, agent: Option<Agent>) -> bool {
    agent == Some(Agent::OpenCode) && is_stored_record(path) && !path.iter().any(|part| part == "part")
}

/// The file next to a database with this suffix.
pub(crate) fn beside(path: &Path, suffix: &str) -> Option<PathBuf> {
    let mut name = OsString::from(path.file_name()?);
    name.push(suffix);
    Some(path.with_file_name(name))
}
