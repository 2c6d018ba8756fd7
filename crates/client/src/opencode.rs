//! Reads the rows of the SQLite databases of OpenCode and Cursor and passes them to `sources`.
//!
//! The agent may be running. Its latest changes are in SQLite's write-ahead log (`-wal`), which must be read too, and no
//! file may be created next to the database, not even the shared-memory file (`-shm`) that an ordinary reader creates.
//! A database without a write-ahead log is therefore opened in place as immutable, and its state is compared before and
//! after reading. A database with one is copied, and the copy is read; file systems that can share blocks need no space
//! for it.
//!
//! A copy is consistent if the write-ahead log was not restarted in the meantime: a page that changed in the database
//! while it was copied is also in the log, which is copied last.

use std::{
    fs, io,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig, types::ValueRef};
use sources::{DatabaseReader, FileFacts, LINE_BYTES, Options};
use tempfile::TempDir;

use crate::{
    find::{self, LogFile, beside, wal},
    report::Problem,
};

mod cursor;

/// The first bytes of every SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Attempts to copy a database: one fails only if the agent restarts its log in the meantime.
const MAX_COPIES: u32 = 5;
/// Time between two attempts.
const COPY_INTERVAL: Duration = Duration::from_millis(100);

/// Bytes of the header of a write-ahead log; it changes when the log is restarted.
const WAL_HEADER: usize = 32;

/// A table that is read, with the columns that it must have.
type Table = (&'static str, &'static [&'static str]);

const SESSION: Table = ("session", &["id", "directory"]);
const MESSAGE: Table = ("message", &["id", "session_id", "data"]);
const PART: Table = ("part", &["id", "message_id", "session_id", "data"]);
/// The table that replaces `message` and `part` in newer sessions.
const SESSION_MESSAGE: Table = ("session_message", &["id", "session_id", "type", "data"]);

/// True when a file begins like an SQLite database.
pub(crate) fn is_database(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// Reads a database. A problem in addition to the facts says what is missing from them.
pub(crate) fn read(log: &LogFile, options: &Options) -> Result<(FileFacts, Option<Problem>), Problem> {
    let name = log.path.to_string_lossy();
    if let Some(result) = read_in_place(log, options, &name) {
        return result;
    }
    let unreadable = |error: io::Error| {
        let detail = format!("cannot copy the database: {error}");
        Problem::of_file(&log.path, "unreadable", &detail)
    };
    for _ in 0..MAX_COPIES {
        if let Some(copy) = copy(&log.path).map_err(unreadable)? {
            let opened = Connection::open_with_flags(
                copy.path().join(COPY),
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            );
            return rows(opened, log, options, &name);
        }
        #[expect(clippy::disallowed_methods, reason = "logs are read on threads of their own")]
        thread::sleep(COPY_INTERVAL);
    }
    Err(Problem::of_file(
        &log.path,
        "locked_database",
        "the agent kept writing to the database; run the upload again",
    ))
}

/// Reads a database without a write-ahead log in place. `None` if it has one, or changed in the meantime.
fn read_in_place(
    log: &LogFile,
    options: &Options,
    name: &str,
) -> Option<Result<(FileFacts, Option<Problem>), Problem>> {
    let before = State::of(&log.path).filter(State::is_at_rest)?;
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(immutable(&log.path)?, flags);
    let result = rows(opened, log, options, name);
    (State::of(&log.path)? == before).then_some(result)
}

/// Sizes and times of a database's files, which change when it is written.
#[derive(PartialEq, Eq)]
struct State {
    database: (u64, Option<SystemTime>),
    wal: u64,
    journal: u64,
}

impl State {
    fn of(path: &Path) -> Option<State> {
        let metadata = fs::metadata(path).ok()?;
        let length = |suffix| {
            let beside = beside(path, suffix).and_then(|file| fs::metadata(file).ok());
            beside.map_or(0, |metadata| metadata.len())
        };
        Some(State {
            database: (metadata.len(), metadata.modified().ok()),
            wal: length("-wal"),
            journal: length("-journal"),
        })
    }

    fn is_at_rest(&self) -> bool {
        self.wal == 0 && self.journal == 0
    }
}

/// The URI with which SQLite opens a file without locking it and without creating other files.
fn immutable(path: &Path) -> Option<String> {
    let mut uri = "file:".to_owned();
    let text = path.to_str()?;
    if cfg!(windows) {
        uri.push('/');
    }
    for c in text.chars() {
        match c {
            '?' => uri.push_str("%3f"),
            '#' => uri.push_str("%23"),
            '%' => uri.push_str("%25"),
            '\\' if cfg!(windows) => uri.push('/'),
            c => uri.push(c),
        }
    }
    uri.push_str("?immutable=1");
    Some(uri)
}

/// The name of a copy in its folder.
const COPY: &str = "copy.db";

/// Copies a database with its log into a temporary folder that only this user can read. `None` if the log was restarted
/// in the meantime, or if a database without one changed.
fn copy(path: &Path) -> io::Result<Option<TempDir>> {
    let folder = tempfile::Builder::new().prefix("toolhub-").tempdir()?;
    let target = folder.path().join(COPY);
    let (before, header) = (State::of(path), wal_header(path)?);
    copy_file(path, &target)?;
    for suffix in ["-wal", "-journal"] {
        let (Some(from), Some(to)) = (beside(path, suffix), beside(&target, suffix)) else {
            continue;
        };
        match copy_file(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    let is_same_log = header == wal_header(path)?;
    let has_log = header.is_some();
    let is_consistent = is_same_log && (has_log || State::of(path) == before);
    Ok(is_consistent.then_some(folder))
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = find::open(from)?;
    let mut to = fs::File::create_new(to)?;
    io::copy(&mut from, &mut to).map(drop)
}

/// The header of the log; `None` when there is no log, or an empty one.
fn wal_header(database: &Path) -> io::Result<Option<Vec<u8>>> {
    use std::io::Read;
    let Some(wal) = wal(database) else { return Ok(None) };
    let mut header = Vec::with_capacity(WAL_HEADER);
    match find::open(&wal) {
        Ok(file) => file.take(WAL_HEADER as u64).read_to_end(&mut header)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok((header.len() == WAL_HEADER).then_some(header))
}

/// Passes all rows to the reader.
fn rows(
    opened: rusqlite::Result<Connection>,
    log: &LogFile,
    options: &Options,
    name: &str,
) -> Result<(FileFacts, Option<Problem>), Problem> {
    let problem = |error: &rusqlite::Error| sqlite_problem(&log.path, error);
    let connection = opened.map_err(|error| problem(&error))?;
    // Views and triggers of a database that is not ours must not run functions with side effects.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)
        .map_err(|error| problem(&error))?;
    if cursor::is_database(&connection).map_err(|error| problem(&error))? {
        let (facts, error) = cursor::rows(&connection, &log.path, name);
        return Ok((facts, error.map(|error| problem(&error))));
    }
    if let Some(lacking) = lacking(&connection).map_err(|error| problem(&error))? {
        return Err(Problem::of_file(&log.path, "unknown_format", &lacking));
    }
    let mut reader = DatabaseReader::new(name, options);
    let read = sessions(&connection, &mut reader)
        .and_then(|()| messages(&connection, &mut reader))
        .and_then(|()| parts(&connection, &mut reader))
        .and_then(|()| session_messages(&connection, &mut reader));
    let problem = read.err().map(|error| problem(&error));
    Ok((reader.finish(), problem))
}

/// The first table or column that is missing, as a message. Messages are in one of two kinds of tables, or in both.
fn lacking(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let has_newest = has(connection, SESSION_MESSAGE)?;
    for (table, columns) in [SESSION, MESSAGE, PART] {
        let known = columns_of(connection, table)?;
        if known.is_empty() && has_newest && table != SESSION.0 {
            continue;
        }
        if known.is_empty() {
            return Ok(Some(format!(
                "not a known OpenCode database: it has no table {table}"
            )));
        }
        if let Some(column) = columns
            .iter()
            .find(|column| !known.iter().any(|known| known == *column))
        {
            return Ok(Some(format!(
                "not a known OpenCode database: its table {table} has no column {column}"
            )));
        }
    }
    Ok(None)
}

fn has(connection: &Connection, (table, columns): Table) -> rusqlite::Result<bool> {
    let known = columns_of(connection, table)?;
    Ok(columns
        .iter()
        .all(|column| known.iter().any(|known| known == column)))
}

fn columns_of(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT c.name AS name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table' AND t.name = ?1",
    )?;
    let names = statement.query_map([table], |row| row.get("name"))?;
    names.collect()
}

fn sessions(connection: &Connection, reader: &mut DatabaseReader) -> rusqlite::Result<()> {
    let has_version = columns_of(connection, "session")?
        .iter()
        .any(|column| column == "version");
    let version = if has_version { "version" } else { "NULL AS version" };
    let mut statement = connection.prepare(&format!("SELECT id, directory, {version} FROM session"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(id) = text(row.get_ref("id")?) {
            reader.session(
                &id,
                text(row.get_ref("directory")?).as_deref(),
                text(row.get_ref("version")?).as_deref(),
            );
        }
    }
    Ok(())
}

fn messages(connection: &Connection, reader: &mut DatabaseReader) -> rusqlite::Result<()> {
    if !has(connection, MESSAGE)? {
        return Ok(());
    }
    let mut statement = connection.prepare(
        "SELECT id, session_id, CASE WHEN octet_length(data) <= ?1 THEN data END AS data, data IS NULL AS is_null \
         FROM message",
    )?;
    let mut rows = statement.query([row_bytes()])?;
    while let Some(row) = rows.next()? {
        let (Some(id), Some(session)) = (text(row.get_ref("id")?), text(row.get_ref("session_id")?)) else {
            continue;
        };
        match bytes(row.get_ref("data")?) {
            Some(data) => reader.message(&id, &session, data),
            None if row.get("is_null")? => {}
            None => reader.too_large("message", &id),
        }
    }
    Ok(())
}

fn parts(connection: &Connection, reader: &mut DatabaseReader) -> rusqlite::Result<()> {
    if !has(connection, PART)? {
        return Ok(());
    }
    let mut statement = connection.prepare(
        "SELECT id, message_id, session_id, CASE WHEN octet_length(data) <= ?1 THEN data END AS data, \
         data IS NULL AS is_null FROM part",
    )?;
    let mut rows = statement.query([row_bytes()])?;
    while let Some(row) = rows.next()? {
        let (Some(id), Some(message), Some(session)) = (
            text(row.get_ref("id")?),
            text(row.get_ref("message_id")?),
            text(row.get_ref("session_id")?),
        ) else {
            continue;
        };
        match bytes(row.get_ref("data")?) {
            Some(data) => reader.part(&id, &message, &session, data),
            None if row.get("is_null")? => {}
            None => reader.too_large("part", &id),
        }
    }
    Ok(())
}

/// Longest row that is read.
fn row_bytes() -> i64 {
    i64::try_from(LINE_BYTES).unwrap_or(i64::MAX)
}

/// The rows of the newest table that the older tables do not hold too: OpenCode copied the sessions of older versions
/// into it, and goes on with them there.
fn session_messages(connection: &Connection, reader: &mut DatabaseReader) -> rusqlite::Result<()> {
    if !has(connection, SESSION_MESSAGE)? {
        return Ok(());
    }
    let timed = |table, column| has(connection, (table, column));
    let order = if timed("session_message", &["seq"])? {
        "n.seq"
    } else {
        "n.rowid"
    };
    let only_here = if !has(connection, MESSAGE)? {
        ""
    } else if timed("message", &["time_updated"])? && timed("session_message", &["time_created"])? {
        "AND NOT EXISTS (SELECT 1 FROM message AS m WHERE m.session_id = n.session_id \
         AND m.time_updated >= n.time_created)"
    } else {
        "AND NOT EXISTS (SELECT 1 FROM message AS m WHERE m.session_id = n.session_id)"
    };
    let mut statement = connection.prepare(&format!(
        "SELECT n.id, n.session_id, n.type, CASE WHEN octet_length(n.data) <= ?1 THEN n.data END AS data, \
         n.data IS NULL AS is_null FROM session_message AS n \
         WHERE n.type IN ('user', 'assistant') {only_here} ORDER BY n.session_id, {order}"
    ))?;
    let mut rows = statement.query([row_bytes()])?;
    while let Some(row) = rows.next()? {
        let (Some(id), Some(session), Some(kind)) = (
            text(row.get_ref("id")?),
            text(row.get_ref("session_id")?),
            text(row.get_ref("type")?),
        ) else {
            continue;
        };
        match bytes(row.get_ref("data")?) {
            Some(data) => reader.session_message(&id, &session, &kind, data),
            None if row.get("is_null")? => {}
            None => reader.too_large("session_message", &id),
        }
    }
    Ok(())
}

fn bytes(value: ValueRef<'_>) -> Option<&[u8]> {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes),
        _ => None,
    }
}

fn text(value: ValueRef<'_>) -> Option<std::borrow::Cow<'_, str>> {
    bytes(value).map(String::from_utf8_lossy)
}

/// An error of SQLite as a problem.
fn sqlite_problem(path: &Path, error: &rusqlite::Error) -> Problem {
    let code = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => "corrupt_database",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            "locked_database"
        }
        _ => "unreadable",
    };
    Problem::of_file(path, code, &error.to_string())
}

#[cfg(test)]
mod tests;
