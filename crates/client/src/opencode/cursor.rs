//! Reads the rows of Cursor's SQLite database and passes them to `sources`.
//!
//! The key-value table also holds the files of every chat and keys of the program's account: only the two kinds of rows
//! that `sources` reads are asked for, by the index of the keys.

use std::{collections::HashMap, path::Path};

use rusqlite::Connection;
use sources::{CursorReader, FileFacts};

use super::{bytes, has, row_bytes, text};
use crate::vscode;

/// The table, with the columns that it must have.
const TABLE: super::Table = ("cursorDiskKV", &["key", "value"]);

/// True for a database of Cursor.
pub(super) fn is_database(connection: &Connection) -> rusqlite::Result<bool> {
    has(connection, TABLE)
}

/// Passes all rows to the reader. An error in addition to the facts says that some are missing from them.
pub(super) fn rows(connection: &Connection, path: &Path, name: &str) -> (FileFacts, Option<rusqlite::Error>) {
    let mut reader = CursorReader::new(name);
    let read = chats(connection, path, &mut reader).and_then(|()| messages(connection, &mut reader));
    (reader.finish(), read.err())
}

fn chats(connection: &Connection, path: &Path, reader: &mut CursorReader) -> rusqlite::Result<()> {
    let mut folders = HashMap::new();
    let mut statement = connection.prepare(
        "SELECT substr(key, 14) AS chat, CASE WHEN octet_length(value) <= ?1 THEN value END AS value, \
         CASE WHEN json_valid(value) THEN json_extract(value, '$.workspaceIdentifier.id') END AS workspace \
         FROM cursorDiskKV WHERE key >= 'composerData:' AND key < 'composerData;'",
    )?;
    let mut rows = statement.query([row_bytes()])?;
    while let Some(row) = rows.next()? {
        let Some(chat) = text(row.get_ref("chat")?) else {
            continue;
        };
        let workspace = text(row.get_ref("workspace")?);
        let folder = workspace.and_then(|workspace| {
            let folder = folders
                .entry(workspace.into_owned())
                .or_insert_with_key(|workspace| folder_of(path, workspace));
            folder.clone()
        });
        match bytes(row.get_ref("value")?) {
            Some(value) => reader.chat(&chat, folder.as_deref(), value),
            None => reader.too_large(&format!("composerData:{chat}")),
        }
    }
    Ok(())
}

/// The folder of a workspace, next to the folder of the database.
fn folder_of(database: &Path, workspace: &str) -> Option<String> {
    let is_name = workspace.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let user = database.parent()?.parent()?;
    is_name
        .then(|| vscode::folder(&user.join("workspaceStorage").join(workspace)))
        .flatten()
}

fn messages(connection: &Connection, reader: &mut CursorReader) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT substr(key, 10) AS names, CASE WHEN octet_length(value) <= ?1 THEN value END AS value, \
         value IS NULL AS is_null FROM cursorDiskKV WHERE key >= 'bubbleId:' AND key < 'bubbleId;'",
    )?;
    let mut rows = statement.query([row_bytes()])?;
    while let Some(row) = rows.next()? {
        let Some(names) = text(row.get_ref("names")?) else {
            continue;
        };
        let (chat, message) = names.split_once(':').unwrap_or(("", &names));
        match bytes(row.get_ref("value")?) {
            Some(value) => reader.message(chat, message, value),
            None if row.get("is_null")? => {}
            None => reader.too_large(&format!("bubbleId:{names}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use sources::{Agent, Options, Prices};

    use crate::find::LogFile;

    use super::*;

    #[test]
    fn chats_and_their_calls_are_read_from_the_database_and_nothing_else_is() {
        let user = tempfile::tempdir().unwrap();
        fs::create_dir_all(user.path().join("globalStorage")).unwrap();
        fs::create_dir_all(user.path().join("workspaceStorage/1f")).unwrap();
        fs::write(
            user.path().join("workspaceStorage/1f/workspace.json"),
            r#"{"folder":"file:///w/api"}"#,
        )
        .unwrap();
        let path = user.path().join("globalStorage/state.vscdb");
        let writer = Connection::open(&path).unwrap();
        writer
            .execute_batch(
                r#"CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
                   CREATE TABLE cursorDiskKV (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB);
                   INSERT INTO cursorDiskKV VALUES
                   ('composerData:c', '{"createdAt":1775120400000,"modelConfig":{"modelName":"claude-4.5-sonnet"},"workspaceIdentifier":{"id":"1f"}}'),
                   ('composerData:broken', '{'),
                   ('bubbleId:c:1', CAST('{"type":2,"createdAt":"2026-04-02T09:00:01.000Z","toolFormerData":{"toolCallId":"toolu_01A","name":"read_file_v2","status":"completed"}}' AS BLOB)),
                   ('bubbleId:c:2', 'null'),
                   ('bubbleId:c:3', NULL),
                   ('checkpointId:c:1', '{"toolFormerData":{"toolCallId":"toolu_01B","name":"x","status":"completed"}}');"#,
            )
            .unwrap();
        writer.close().unwrap();
        let log = LogFile {
            path,
            agent: Some(Agent::Cursor),
            bytes: 0,
            modified: None,
            directory: None,
        };
        let (facts, problem) = super::super::read(&log, &Options::default()).unwrap();
        assert_eq!(problem, None);
        let collected = sources::join(vec![facts], &Prices::builtin(), &mut |_| None);
        let events: Vec<_> = collected.events().collect();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].uuid.as_deref(), Some("toolu_01A"));
        assert_eq!(events[0].session.as_deref(), Some("c"));
        assert_eq!(events[0].project.as_deref(), Some("api"));
        assert_eq!(collected.problems.len(), 1);
        assert_eq!(collected.problems[0].code.as_str(), "invalid_json");
    }
}
