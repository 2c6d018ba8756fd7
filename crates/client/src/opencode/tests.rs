use std::{collections::BTreeMap, sync::mpsc};

use sources::{Agent, Collected, Prices};

use super::*;

const SCHEMA: &str = "
    CREATE TABLE session (id text PRIMARY KEY, directory text NOT NULL, version text NOT NULL);
    CREATE TABLE message (id text PRIMARY KEY, session_id text NOT NULL, data text NOT NULL);
    CREATE TABLE part (id text PRIMARY KEY, message_id text NOT NULL, session_id text NOT NULL, data text NOT NULL);
    CREATE TABLE session_message (id text PRIMARY KEY, session_id text NOT NULL, type text NOT NULL, data text);
    INSERT INTO session VALUES ('ses_1', '/w/api', '1.18.0');
    INSERT INTO message VALUES ('msg_1', 'ses_1', '{\"role\":\"assistant\",\"time\":{\"created\":1000}}');";

/// A folder with a database as OpenCode makes it, and the connection that made it.
fn database(journal: &str) -> (TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let writer = Connection::open(folder.path().join("opencode.db")).unwrap();
    writer.pragma_update(None, "journal_mode", journal).unwrap();
    writer.execute_batch(SCHEMA).unwrap();
    (folder, writer)
}

fn add(writer: &Connection, call: u32) {
    let data = format!(
        r#"{{"type":"tool","callID":"call_{call}","tool":"bash","state":{{"status":"completed","time":{{"start":2000,"end":3000}}}}}}"#
    );
    let id = format!("prt_{call:06}");
    writer
        .execute("INSERT INTO part VALUES (?1, 'msg_1', 'ses_1', ?2)", [id, data])
        .unwrap();
}

fn log(folder: &TempDir) -> LogFile {
    LogFile {
        path: folder.path().join("opencode.db"),
        agent: Some(Agent::OpenCode),
        bytes: 0,
        modified: None,
        directory: None,
    }
}

fn events(folder: &TempDir) -> Collected {
    let (facts, problem) = read(&log(folder), &Options::default()).unwrap();
    assert_eq!(problem, None);
    sources::join(vec![facts], &Prices::builtin(), &mut |_| None)
}

/// All files with their bytes, but for the index of the log, which is the memory that SQLite's processes share.
fn files(folder: &TempDir) -> BTreeMap<String, Option<Vec<u8>>> {
    fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let content = (!name.ends_with("-shm")).then(|| fs::read(&path).unwrap());
            (name, content)
        })
        .collect()
}

#[test]
fn a_database_at_rest_is_read_and_nothing_is_left_beside_it() {
    for journal in ["wal", "delete"] {
        let (folder, writer) = database(journal);
        add(&writer, 1);
        writer.close().unwrap();
        let before = files(&folder);
        assert_eq!(before.len(), 1, "{journal}");
        let collected = events(&folder);
        assert_eq!(collected.events().next().unwrap().project.as_deref(), Some("api"));
        assert_eq!(files(&folder), before, "{journal}");
    }
}

#[test]
fn what_is_only_in_the_log_of_a_running_opencode_is_read_and_what_is_not_committed_is_not() {
    let (folder, writer) = database("wal");
    add(&writer, 1);
    writer.execute_batch("BEGIN").unwrap();
    add(&writer, 2);
    let before = files(&folder);
    assert!(before.contains_key("opencode.db-wal"));
    assert_eq!(events(&folder).events().len(), 1);
    assert_eq!(files(&folder), before);
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(events(&folder).events().len(), 2);
}

#[test]
fn the_log_that_a_killed_opencode_left_is_read_and_stays() {
    let (running, writer) = database("wal");
    add(&writer, 1);
    let killed = tempfile::tempdir().unwrap();
    for name in ["opencode.db", "opencode.db-wal"] {
        fs::copy(running.path().join(name), killed.path().join(name)).unwrap();
    }
    let before = files(&killed);
    assert_eq!(events(&killed).events().len(), 1);
    assert_eq!(files(&killed), before);
}

#[test]
fn a_transaction_that_a_killed_opencode_left_half_written_is_not_read() {
    let (running, writer) = database("delete");
    for call in 0..200 {
        add(&writer, call);
    }
    // So small a cache spills pages of the open transaction into the database.
    writer
        .execute_batch("PRAGMA cache_size = 1; BEGIN; DELETE FROM part")
        .unwrap();
    for call in 1_000..1_400 {
        add(&writer, call);
    }
    let killed = tempfile::tempdir().unwrap();
    for name in ["opencode.db", "opencode.db-journal"] {
        fs::copy(running.path().join(name), killed.path().join(name)).unwrap();
    }
    let before = files(&killed);
    assert_eq!(events(&killed).events().len(), 200);
    assert_eq!(files(&killed), before);
}

#[test]
fn a_database_that_another_program_holds_for_itself_is_read() {
    for journal in ["wal", "delete"] {
        let (folder, writer) = database(journal);
        add(&writer, 1);
        writer.pragma_update(None, "locking_mode", "EXCLUSIVE").unwrap();
        writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
        assert_eq!(events(&folder).events().len(), 1, "{journal}");
    }
}

#[test]
fn every_reading_beside_a_busy_writer_is_whole() {
    let (folder, writer) = database("wal");
    writer.pragma_update(None, "wal_autocheckpoint", 4).unwrap();
    add(&writer, 0);
    let (stop, stopped) = mpsc::channel::<()>();
    let writing = thread::spawn(move || {
        let mut calls = 1;
        while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
            add(&writer, calls);
            calls += 1;
        }
        calls
    });
    let mut last = 0;
    for _ in 0..20 {
        match read(&log(&folder), &Options::default()) {
            Ok((facts, problem)) => {
                assert_eq!(problem, None);
                let collected = sources::join(vec![facts], &Prices::builtin(), &mut |_| None);
                assert_eq!(collected.problems, []);
                let now = collected.events().len();
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
            Err(problem) => assert_eq!(problem.code, "locked_database"),
        }
    }
    stop.send(()).unwrap();
    let calls = writing.join().unwrap();
    assert!(last > 0);
    assert_eq!(u32::try_from(events(&folder).events().len()), Ok(calls));
}

#[test]
fn a_damaged_database_is_named_and_what_can_be_read_counts() {
    let (folder, writer) = database("delete");
    for call in 0..500 {
        add(&writer, call);
    }
    writer.close().unwrap();
    let path = folder.path().join("opencode.db");
    let mut bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xA5);
    fs::write(&path, &bytes).unwrap();
    let (facts, problem) = read(&log(&folder), &Options::default()).unwrap();
    assert_eq!(problem.unwrap().code, "corrupt_database");
    let collected = sources::join(vec![facts], &Prices::builtin(), &mut |_| None);
    assert!(collected.events().len() > 0);

    fs::write(&path, [MAGIC, &[7; 4_000][..]].concat()).unwrap();
    let problem = read(&log(&folder), &Options::default()).unwrap_err();
    assert_eq!(problem.code, "corrupt_database");
}

#[test]
fn a_database_of_another_program_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let other = Connection::open(folder.path().join("opencode.db")).unwrap();
    other.execute_batch("CREATE TABLE notes (id text)").unwrap();
    let problem = read(&log(&folder), &Options::default()).unwrap_err();
    assert_eq!(problem.code, "unknown_format");
    assert!(problem.detail.contains("no table session"), "{}", problem.detail);

    let (folder, writer) = database("delete");
    writer
        .execute_batch("ALTER TABLE part RENAME COLUMN data TO body")
        .unwrap();
    let problem = read(&log(&folder), &Options::default()).unwrap_err();
    assert!(problem.detail.contains("no column data"), "{}", problem.detail);
}

/// A message of the newest table with one call.
fn newest(call: u32) -> String {
    format!(
        r#"{{"agent":"build","model":{{"id":"claude-sonnet-5","providerID":"p"}},"content":[{{"type":"tool","id":"call_{call}","name":"bash","state":{{"status":"completed","input":{{}},"content":[]}},"time":{{"created":1,"completed":2}}}}],"time":{{"created":1}}}}"#
    )
}

#[test]
fn messages_that_only_the_newest_table_holds_are_read_too() {
    let (folder, writer) = database("delete");
    add(&writer, 1);
    // One session is only there, the other is a copy of what the older tables hold.
    for (id, session, call) in [("m", "ses_9", 2), ("n", "ses_1", 3)] {
        writer
            .execute(
                "INSERT INTO session_message VALUES (?1, ?2, 'assistant', ?3)",
                [id, session, &newest(call)],
            )
            .unwrap();
    }
    let mut uuids: Vec<_> = events(&folder).events().filter_map(|event| event.uuid).collect();
    uuids.sort();
    // The ids of these calls only count: the time makes them unique.
    assert_eq!(uuids, ["1/call_2", "2000/call_1"]);
    // A session that went on in the newest table.
    writer
        .execute_batch(
            "ALTER TABLE message ADD COLUMN time_updated integer NOT NULL DEFAULT 1000;
             ALTER TABLE session_message ADD COLUMN time_created integer NOT NULL DEFAULT 2000;
             ALTER TABLE session_message ADD COLUMN seq integer;",
        )
        .unwrap();
    assert_eq!(events(&folder).events().count(), 3);
    writer
        .execute_batch("DROP TABLE message; DROP TABLE part;")
        .unwrap();
    assert_eq!(events(&folder).events().count(), 2);
}

#[cfg(unix)]
#[test]
fn names_that_mean_something_in_a_uri_are_just_names() {
    let (folder, writer) = database("delete");
    add(&writer, 1);
    writer.close().unwrap();
    let odd = folder.path().join("a?b#c%41");
    fs::create_dir(&odd).unwrap();
    fs::copy(folder.path().join("opencode.db"), odd.join("opencode.db")).unwrap();
    let log = LogFile {
        path: odd.join("opencode.db"),
        ..log(&folder)
    };
    let (facts, problem) = read(&log, &Options::default()).unwrap();
    assert_eq!(problem, None);
    let collected = sources::join(vec![facts], &Prices::builtin(), &mut |_| None);
    assert_eq!(collected.events().len(), 1);
}
