//! `events --format parquet`: every event as the API has it, typed, and never a file that only looks whole.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
};

use chrono::{DateTime, Utc};
use parquet::{
    basic::{Compression, Encoding},
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use serde_json::Value;

use crate::machine::{Ended, Machine, Served};

/// More than the 50,000 rows of a row group, and no multiple of a page.
const CALLS: usize = 50_321;
/// Branches that a spreadsheet, a shell or a parser could trip over.
const HOSTILE: [&str; 8] = [
    "=HYPERLINK('http://x')",
    "a,b;c\\td",
    "'; drop table usage_events; --",
    "\\\"quoted\\\" \\\\ back",
    "zero\\u0000\\n\\u001b[2Jbidi\\u202e",
    "日本語 🦀 e\\u0301",
    "null",
    "PAR1",
];

/// Sessions with answered, failed and unanswered calls, with costs and without, on hostile branches.
fn calls(session: usize, count: usize) -> String {
    let mut log = format!(
        r#"{{"type":"user","sessionId":"s{session}","cwd":"/home/ann/api","timestamp":"2026-03-01T10:00:00.000Z","message":{{"role":"user","content":"=cmd|' /C calc'!A0, please\u202e"}}}}"#
    ) + "\n";
    for n in 0..count {
        let id = format!("toolu_{session}_{n}");
        let envelope = format!(
            r#""sessionId":"s{session}","cwd":"/home/ann/p{}","gitBranch":"{}","version":"2.1.212""#,
            n % 7,
            HOSTILE[n % HOSTILE.len()]
        );
        let at = |millis: usize| {
            format!(
                "2026-03-01T{:02}:{:02}:{:02}.{millis:03}Z",
                10 + session % 10,
                n / 60 % 60,
                n % 60
            )
        };
        let spent = match n % 3 {
            0 => String::new(),
            _ => format!(
                r#","model":"claude-sonnet-4-5-20250929","usage":{{"input_tokens":{n},"output_tokens":{}}}"#,
                n * 3
            ),
        };
        log += &format!(
            r#"{{"type":"assistant",{envelope},"timestamp":"{}","message":{{"id":"m{session}_{n}"{spent},"content":[{{"type":"tool_use","id":"{id}","name":"mcp__linear__get_{}","input":{{}}}}]}}}}"#,
            at(1),
            n % 5
        );
        log.push('\n');
        if n % 4 > 0 {
            log += &format!(
                r#"{{"type":"user",{envelope},"timestamp":"{}","message":{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{id}","content":"","is_error":{}}}]}}}}"#,
                at(2 + n % 900),
                n % 4 == 3
            );
            log.push('\n');
        }
    }
    log
}

/// `events --format parquet` into a file.
#[track_caller]
fn export(machine: &Machine, more: &[&str], to: &Path) -> Ended {
    let arguments = [&["events", "--format", "parquet"], more].concat();
    let mut command = machine.command(&arguments);
    let ended = Ended::from(command.stdout(File::create(to).unwrap()).output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

fn read(path: &Path) -> SerializedFileReader<File> {
    SerializedFileReader::new(File::open(path).unwrap()).unwrap()
}

/// Every event that `events --json` has, page after page.
fn pages(machine: &Machine, more: &[&str]) -> Vec<Value> {
    let (mut events, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut arguments = [&["events", "--limit", "500"], more].concat();
        if let Some(cursor) = &cursor {
            arguments.extend(["--cursor", cursor]);
        }
        let mut page = machine.json(&arguments);
        let Value::Array(rows) = page["events"].take() else {
            panic!("{page}");
        };
        events.extend(rows);
        cursor = match page["next_cursor"].take() {
            Value::String(cursor) => Some(cursor),
            _ => return events,
        };
    }
}

/// A field of the file says what the API says, in the type that fits.
#[track_caller]
fn assert_same(key: &str, field: &Field, value: &Value) {
    let micros = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp_micros();
    let same = match (key, field, value) {
        ("task_text", Field::Null, Value::Null) => true,
        ("occurred_at" | "received_at", Field::TimestampMicros(at), Value::String(text)) => {
            *at == micros(text)
        }
        ("duration_ms", Field::Long(ms), Value::Number(_)) => Some(*ms) == value.as_i64(),
        ("cost_usd", Field::Decimal(cost), Value::Number(_)) => {
            let units = i64::from_be_bytes(cost.data().try_into().unwrap());
            let usd = format!("{}.{:06}", units / 1_000_000, units % 1_000_000);
            (cost.precision(), cost.scale()) == (18, 6) && usd.parse::<f64>().ok() == value.as_f64()
        }
        ("occurred_at" | "received_at" | "duration_ms" | "cost_usd", Field::Str(_), _) => false,
        (_, Field::Str(text), Value::String(expected)) => text == expected,
        (_, Field::Bool(flag), Value::Bool(expected)) => flag == expected,
        (_, Field::Null, Value::Null) => true,
        _ => false,
    };
    assert!(same, "{key}: {field:?} is not {value}");
}

/// The file holds these events and no others, in this order. Answers how many values of each key were no null.
#[track_caller]
fn assert_holds(path: &Path, events: &[Value]) -> std::collections::BTreeMap<String, usize> {
    let mut there = std::collections::BTreeMap::new();
    let file = read(path);
    let mut rows = file.get_row_iter(None).unwrap();
    for event in events {
        let row = rows.next().expect("a row for each event").unwrap();
        let known = event.as_object().unwrap();
        let columns: Vec<&String> = row.get_column_iter().map(|(key, _)| key).collect();
        assert!(known.keys().all(|key| columns.contains(&key)), "{known:?}");
        for (key, field) in row.get_column_iter() {
            assert_same(key, field, known.get(key).unwrap_or(&Value::Null));
            *there.entry(key.clone()).or_default() += usize::from(*field != Field::Null);
        }
    }
    assert!(rows.next().is_none(), "no row beside them");
    there
}

/// An export whose first row group is being written to a pipe that is not read, and is larger than the pipe.
fn stuck(machine: &Machine, limit: usize) -> Child {
    let mut command = machine.command(&["events", "--format", "parquet", "--limit", &limit.to_string()]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut magic = [0; 4];
    child.stdout.as_mut().unwrap().read_exact(&mut magic).unwrap();
    assert_eq!(&magic, b"PAR1");
    child
}

fn ended(child: Child) -> Ended {
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: format!("{} bytes", output.stdout.len()),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn an_interrupted_export_leaves_no_file_that_looks_complete(machine: &Machine, server: Served) {
    const NOT_WHOLE: &str = "the file is not whole";

    let mut child = stuck(machine, CALLS / 2);
    drop(child.stdout.take());
    ended(child).assert_said(1, &["cannot write the export", NOT_WHOLE]);

    let mut child = stuck(machine, CALLS / 2);
    let told = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(told.success());
    // The pipe is not read, and the program ends all the same.
    let code = child.wait().unwrap().code();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains(NOT_WHOLE), "{said}");

    let child = stuck(machine, CALLS);
    let url = server.url.clone();
    server.kill();
    // As every command that cannot reach the server.
    ended(child).assert_said(75, &[&url, NOT_WHOLE]);
}

#[test]
fn an_export_holds_every_event_as_the_api_has_it_and_is_whole_or_failed() {
    let machine = Machine::new();
    let sessions = 20;
    for session in 0..sessions {
        let count = CALLS / sessions + usize::from(session < CALLS % sessions);
        machine.log("home", &format!("s{session}"), &calls(session, count));
    }
    let server = machine.serve();
    machine.json(&["org", "settings", "--task-text", "on"]);
    let report = machine.json(&["upload", "--task-text", "--no-inventory"]);
    // On a busy machine a batch may be sent again: its events are duplicates then.
    let stored = |key: &str| report[key].as_u64().unwrap_or_default();
    assert_eq!(stored("inserted") + stored("duplicate"), CALLS as u64, "{report}");

    let path = machine.path("all.parquet");
    let told = export(&machine, &[], &path);
    assert!(told.stderr.contains(&format!("wrote {CALLS} events")), "{told:?}");
    let events = pages(&machine, &[]);
    assert_eq!(events.len(), CALLS);
    let there = assert_holds(&path, &events);
    for (key, most) in [
        ("uuid", true),
        ("task_text", true),
        ("git_branch", true),
        ("duration_ms", false),
        ("reason", false),
        ("cost_usd", false),
        ("model", false),
    ] {
        assert!(
            (most && there[key] == CALLS) || (!most && (1..CALLS).contains(&there[key])),
            "{key}: {there:?}"
        );
    }
    let file = read(&path);
    let groups: Vec<i64> = file
        .metadata()
        .row_groups()
        .iter()
        .map(|group| group.num_rows())
        .collect();
    assert_eq!(groups, [50_000, 321]);
    for column in file.metadata().row_group(0).columns() {
        assert!(matches!(column.compression(), Compression::ZSTD(_)));
        if ["outcome", "reason", "tool_id", "member"].contains(&column.column_path().string().as_str()) {
            assert!(
                column
                    .encodings()
                    .any(|encoding| encoding == Encoding::RLE_DICTIONARY)
            );
        }
    }

    for (more, expected) in [
        (
            &["--outcome", "failure"][..],
            events_that(&events, "outcome", "failure"),
        ),
        (&["--project", "p3"], events_that(&events, "project", "p3")),
    ] {
        let path = machine.path("some.parquet");
        export(&machine, more, &path);
        assert!(!expected.is_empty() && expected.len() < CALLS);
        assert_holds(&path, &expected);
    }
    for limit in [1, 500, 1_234] {
        let path = machine.path("first.parquet");
        export(&machine, &["--limit", &limit.to_string()], &path);
        assert_holds(&path, &events[..limit]);
    }
    machine
        .run(&["events", "--limit", "501"])
        .assert_said(2, &["500 rows", "--cursor", "--format parquet"]);

    let none = machine.path("none.parquet");
    export(&machine, &["--until", "2001-01-01"], &none);
    assert_holds(&none, &[]);
    assert_eq!(
        read(&none).metadata().file_metadata().schema().get_fields().len(),
        20
    );

    let refused = machine.path("refused.parquet");
    let mut command = machine.command(&["events", "--format", "parquet", "--url", &server.url]);
    command
        .env("HOME", machine.path("tmp"))
        .stdout(File::create(&refused).unwrap());
    Ended::from(command.output().unwrap()).assert_said(4, &["toolhub login"]);
    assert_eq!(fs::metadata(&refused).unwrap().len(), 0, "nothing is begun");

    an_interrupted_export_leaves_no_file_that_looks_complete(&machine, server);
}

fn events_that(events: &[Value], key: &str, value: &str) -> Vec<Value> {
    let that = events.iter().filter(|event| event[key] == value);
    that.cloned().collect()
}
