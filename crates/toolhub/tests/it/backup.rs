//! `toolhub admin backup` and `restore`: the same rows and the same scores, elsewhere.

use std::{
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::Value;
use testing::{Beside, TestDatabase};

use crate::machine::{Machine, Served, three_calls};

/// Every table and view with rows of its own, and a digest of its rows. What a start or a refresh writes is left out.
const DIGESTS: &str = "
    select c.relname, (xpath('/row/digest/text()', query_to_xml(format(
        'select md5(coalesce(string_agg(t::text, chr(10) order by t::text collate \"C\"), '''')) as digest from %I t',
        c.relname), false, true, '')))[1]::text
    from pg_class c
    where c.relkind in ('r', 'm') and c.relnamespace = 'public'::regnamespace
        and c.relname not in ('score_refresh', 'board_state', 'token_uses')
    order by c.relname";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn digests(url: &str) -> Vec<Vec<String>> {
    let rows = runtime().block_on(async { Beside::of(url).await.ask(DIGESTS).await });
    // The digest of no rows.
    let empty = "d41d8cd98f00b204e9800998ecf8427e";
    for table in [
        "usage_events",
        "uploads",
        "board_scores",
        "tool_scores",
        "api_tokens",
    ] {
        let row = rows.iter().find(|row| row[0] == table).expect(table);
        assert_ne!(row[1], empty, "{table} has rows");
    }
    rows
}

fn embedded_url(data_dir: &Path) -> String {
    embedded::running_url(data_dir).unwrap().expect("it runs")
}

/// What the read commands answer, without the time of the latest refresh.
fn answers(machine: &Machine, url: &str, token: &str) -> Vec<Value> {
    [
        &["scores"][..],
        &["leaderboard", "tools", "--window", "all", "--kind", "all"],
        &["leaderboard", "members", "--window", "all"],
        &["dead-weight"],
        &["events"],
        &["uploads"],
    ]
    .into_iter()
    .map(|command| {
        let mut answer = machine.json(&[command, &["--url", url, "--token", token]].concat());
        answer.as_object_mut().unwrap().remove("as_of");
        answer
    })
    .collect()
}

fn token(machine: &Machine, database: &[&str]) -> String {
    let made = machine.run(
        &[
            &[
                "admin", "token", "create", "--org", "home", "--member", "ann", "--name", "test",
            ][..],
            database,
        ]
        .concat(),
    );
    assert_eq!(made.code, Some(0), "{made:?}");
    made.stdout.trim_end().to_owned()
}

/// A machine with a running server, a member, and calls in the boards.
fn filled() -> (Machine, Served, String) {
    let machine = Machine::new();
    let server = machine.serve();
    let token = token(&machine, &[]);
    machine.log("home", "s1", &three_calls("s1"));
    let uploaded = machine.run(&["upload", "--wait", "--url", &server.url, "--token", &token]);
    assert_eq!(uploaded.code, Some(0), "{uploaded:?}");
    (machine, server, token)
}

#[test]
fn a_restored_backup_has_the_same_rows_and_the_same_scores() {
    let (machine, server, token) = filled();
    let before = answers(&machine, &server.url, &token);
    let rows = digests(&embedded_url(&machine.path("data")));
    let backup = machine.path("backup");
    let made = machine.run(&["admin", "backup", backup.to_str().unwrap()]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stdout.starts_with("wrote a backup to "), "{made:?}");
    let again = machine.run(&["admin", "backup", backup.to_str().unwrap()]);
    again.assert_said(1, &["is not empty"]);

    // While its server runs, and where there is something already.
    let path = backup.to_str().unwrap();
    machine
        .run(&["admin", "restore", path])
        .assert_said(1, &["a server uses ", "--data-dir"]);
    assert_eq!(server.stop(), Some(0));
    machine
        .run(&["admin", "restore", path])
        .assert_said(1, &["is not empty: it has schema version"]);

    let elsewhere = machine.path("data2");
    let elsewhere = elsewhere.to_str().unwrap();
    let restored = machine.json(&["admin", "restore", path, "--data-dir", elsewhere]);
    assert_eq!(
        (&restored["orgs"], &restored["applied"]),
        (&1.into(), &Value::Array(Vec::new()))
    );
    let server = machine.serve_with(&["--data-dir", elsewhere]);
    assert_eq!(digests(&embedded_url(Path::new(elsewhere))), rows);
    assert_eq!(answers(&machine, &server.url, &token), before);
    let rebuilt = machine.json(&["admin", "rebuild", "--data-dir", elsewhere]);
    assert_eq!(rebuilt["differences"], 0);
    // It goes on: the same logs are known.
    let uploaded = machine.json(&["upload", "--full", "--url", &server.url, "--token", &token]);
    assert_eq!(
        (&uploaded["inserted"], &uploaded["duplicate"]),
        (&0.into(), &3.into()),
        "{uploaded}"
    );
}

#[test]
fn an_embedded_database_moves_to_an_external_one_and_back_by_two_commands() {
    let (machine, server, token) = filled();
    let before = answers(&machine, &server.url, &token);
    let rows = digests(&embedded_url(&machine.path("data")));
    let (there, back) = (machine.path("there"), machine.path("back"));
    let (there, back) = (there.to_str().unwrap(), back.to_str().unwrap());
    let external = runtime().block_on(TestDatabase::empty());
    machine.json(&["admin", "backup", there]);
    machine.json(&["admin", "restore", there, "--database-url", external.url()]);
    assert_eq!(server.stop(), Some(0));

    assert_eq!(digests(external.url()), rows);
    let server = machine.serve_with(&["--database-url", external.url()]);
    assert_eq!(answers(&machine, &server.url, &token), before);
    machine.json(&["admin", "backup", back, "--database-url", external.url()]);
    assert_eq!(server.stop(), Some(0));
    let data = machine.path("data2");
    machine.json(&["admin", "restore", back, "--data-dir", data.to_str().unwrap()]);
    let server = machine.serve_with(&["--data-dir", data.to_str().unwrap()]);
    assert_eq!(digests(&embedded_url(&data)), rows);
    assert_eq!(answers(&machine, &server.url, &token), before);
}

#[test]
fn a_backup_under_load_is_one_moment_and_holds_all_that_was_acknowledged_before() {
    let (machine, server, token) = filled();
    let done = AtomicBool::new(false);
    let upload = |session: &str| {
        let home = machine.path(session);
        machine.log(session, session, &three_calls(session));
        let status = machine
            .command(&["upload", "--url", &server.url, "--token", &token])
            .env("HOME", &home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success());
    };
    for number in 0..5 {
        upload(&format!("before{number}"));
    }
    let path = machine.path("backup");
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !done.load(Ordering::Relaxed) {
                upload(&format!("during{number}"));
                number += 1;
            }
        });
        let made = machine.run(&["admin", "backup", path.to_str().unwrap()]);
        done.store(true, Ordering::Relaxed);
        assert_eq!(made.code, Some(0), "{made:?}");
    });
    assert_eq!(server.stop(), Some(0));
    let data = machine.path("data2");
    let data_dir = data.to_str().unwrap();
    machine.json(&["admin", "restore", path.to_str().unwrap(), "--data-dir", data_dir]);
    let server = machine.serve_with(&["--data-dir", data_dir]);
    let rebuilt = machine.json(&["admin", "rebuild", "--data-dir", data_dir]);
    assert_eq!(
        rebuilt["differences"], 0,
        "derived data and events are of one moment"
    );
    let counted = runtime().block_on(async {
        let beside = Beside::of(&embedded_url(&data)).await;
        let before = "select count(*) from usage_events where uuid ~ '^toolu_(s1|before)'";
        (
            beside.number(before).await,
            beside.number("select count(*) % 3 from usage_events").await,
        )
    });
    assert_eq!(counted, (18, 0), "whole uploads");
    drop(server);
}

#[test]
fn what_is_no_backup_or_too_new_is_refused_before_anything_is_made() {
    let machine = Machine::new();
    let folder = machine.path("home");
    let restore = |name: &str| {
        let from = folder.join(name);
        machine.run(&["admin", "restore", from.to_str().unwrap()])
    };
    restore("nothing").assert_said(1, &["is no backup of `toolhub admin backup`"]);
    let newer = folder.join("newer");
    std::fs::create_dir(&newer).unwrap();
    std::fs::write(
        newer.join("toolhub.json"),
        r#"{"toolhub":"9.0.0","schema":9999,"pg_dump":15,"taken_at":"2026-01-02T03:04:05Z"}"#,
    )
    .unwrap();
    restore("newer").assert_said(1, &["9999", "Upgrade toolhub"]);
    assert!(!machine.path("data").exists());
}

#[test]
fn a_dump_of_postgres_alone_restores_the_same_rows() {
    let (machine, server, _) = filled();
    let url = embedded_url(&machine.path("data"));
    let rows = digests(&url);
    let external = runtime().block_on(TestDatabase::empty());
    let dump = machine.path("plain.dump");
    let run = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program)
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{program}: {output:?}");
    };
    let file = dump.to_str().unwrap();
    run("pg_dump", &["--format=custom", "--file", file, &url]);
    run("pg_restore", &["--no-owner", "--dbname", external.url(), file]);
    assert_eq!(digests(external.url()), rows);
    assert_eq!(server.stop(), Some(0));
}
