//! The walls between the crates, held by a test. `ARCHITECTURE.md` says what each is for.
//!
//! A wall is an absence, and code cannot show what is missing: so the resolved graph of dependencies is asked who
//! reaches what, and the source text is asked where a dependency cannot tell (the standard library opens files too).

#![expect(clippy::unwrap_used, reason = "a test that cannot read the workspace fails")]

mod graph;
mod rules;
mod text;

use std::{
    fs,
    path::{Path, PathBuf},
};

use graph::Graph;
use text::Source;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Every file below `dir` with this extension.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The folder of a room.
fn folder(room: &str) -> PathBuf {
    match room {
        "toolhub-e2e" => root().join("tests"),
        room => root().join("crates").join(room.trim_start_matches("toolhub-")),
    }
}

/// The files of a room that end in its library or binary.
fn sources(room: &str) -> Vec<Source> {
    files(&folder(room).join("src"), "rs")
        .into_iter()
        .filter(|path| !path.iter().any(|part| part == "tests.rs" || part == "tests"))
        .map(|path| {
            Source::read(
                room,
                &path.display().to_string(),
                &fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}

fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn no_room_depends_on_what_it_may_not() {
    let graph = Graph::of_workspace();
    let known: Vec<&str> = rules::ROOMS.iter().map(|room| room.name).collect();
    assert_eq!(
        graph.rooms().collect::<Vec<_>>(),
        known,
        "a new room needs its line in rules.rs"
    );
    assert_none(&rules::breaches(&graph));
}

#[test]
fn every_planted_dependency_is_caught() {
    let plant = |from: &str, to: &str| {
        let mut graph = Graph::of_workspace();
        graph.add(from, to);
        rules::breaches(&graph)
    };
    for owned in rules::OWNED {
        for name in owned.crates {
            for room in rules::ROOMS
                .iter()
                .filter(|room| !owned.rooms.contains(&room.name))
            {
                let found = plant(room.name, name);
                assert!(
                    found.iter().any(|breach| breach.contains(name)),
                    "{} -> {name}",
                    room.name
                );
            }
        }
    }
    for room in rules::ROOMS {
        for name in room.never_reaches {
            // Far below: through a crate from outside that the room really has.
            let mut graph = Graph::of_workspace();
            graph.add(room.name, "some-crate");
            graph.add("some-crate", "another-crate");
            graph.add("another-crate", name);
            let found = rules::breaches(&graph);
            assert!(
                found.iter().any(|breach| breach.contains("another-crate")),
                "{} ->> {name}",
                room.name
            );
        }
        for other in rules::ROOMS.iter().filter(|other| other.name != room.name) {
            if !room.may_use.contains(&other.name) {
                assert!(
                    !plant(room.name, other.name).is_empty(),
                    "{} -> {}",
                    room.name,
                    other.name
                );
            }
        }
    }
}

#[test]
fn the_uploader_alone_has_no_server_in_it() {
    let tree = graph::tree_of(&["-p", "toolhub", "--no-default-features"]);
    assert!(tree.contains("toolhub-client"), "{tree:?}");
    for name in ["toolhub-server", "toolhub-store", "axum", "tokio-postgres"] {
        assert!(!tree.contains(name), "{name}");
    }
}

#[test]
fn the_binary_has_no_test_support_in_it() {
    let tree = graph::tree_of(&["-p", "toolhub"]);
    assert!(tree.contains("toolhub-server"), "{tree:?}");
    for name in ["toolhub-testing", "testcontainers"] {
        assert!(!tree.contains(name), "{name}");
    }
}

#[test]
fn no_room_does_by_hand_what_it_may_not_depend_on() {
    let mut breaches = Vec::new();
    for room in rules::ROOMS.iter().filter(|room| room.name != "toolhub-e2e") {
        let sources = sources(room.name);
        assert!(!sources.is_empty(), "{}", room.name);
        breaches.extend(sources.iter().flat_map(rules::breaches_in));
    }
    assert_none(&breaches);
}

#[test]
fn every_planted_line_is_caught() {
    let caught =
        |room: &str, text: &str| !rules::breaches_in(&Source::read(room, "planted.rs", text)).is_empty();
    for pure in ["toolhub-model", "toolhub-sources"] {
        for line in [
            "let text = std::fs::read_to_string(path)?;",
            "use std::fs;",
            "use std::{collections::BTreeMap, fs::File};",
            "use std::{io::{self, Read}, net::{IpAddr, TcpStream}};",
            "let home = std::env::var(\"HOME\");",
            "let now = Utc::now();",
            "let began = std::time::Instant::now();",
            "use std::time::{Duration, SystemTime};",
            "std::process::Command::new(\"git\");",
            "std::io::stdin().read_line(&mut line);",
        ] {
            assert!(caught(pure, line), "{pure}: {line}");
        }
        for line in [
            "// std::fs is not for this room",
            "let text = \"std::fs::read\";",
            "use std::{io::Read, time::Duration};",
            "#[cfg(test)]\nmod tests {\n    use std::fs;\n    fn read() { fs::read(\"}\").unwrap(); }\n}",
            "let offset = offsets::read();",
        ] {
            assert!(!caught(pure, line), "{pure}: {line}");
        }
    }
    for dry in [
        "toolhub-server",
        "toolhub-client",
        "toolhub-model",
        "toolhub-sources",
        "toolhub",
    ] {
        for line in [
            "query(\"select count(*) from usage_events\")",
            "query(\"-- event::count\\nselect event_id\\n  from usage_events\")",
            "query(r#\"INSERT INTO orgs (slug) VALUES ($1)\"#)",
            "query(\"update members set role = 'owner'\")",
            "query(\"DELETE FROM uploads\")",
            "query(\"refresh materialized view concurrently tool_scores\")",
            "query(\"with seen as (select 1) table seen\")",
            "query(\"select 1\")",
            "query(\"select pg_advisory_lock(1)\")",
            "include_str!(\"count.sql\")",
        ] {
            assert!(caught(dry, line), "{dry}: {line}");
        }
        for line in [
            "/// Use select count(*) from usage_events in psql.",
            "\"selected\"",
            "\"update the client, then try again\"",
            "\"with the token of a member\"",
            "\"create an org first\"",
        ] {
            assert!(!caught(dry, line), "{dry}: {line}");
        }
    }
    assert!(!caught("toolhub-store", "query(\"select 1\")"));
}

#[test]
fn statements_live_where_statements_are_spoken() {
    let root = root();
    let speaks = |path: &Path| {
        let folders = rules::ROOMS
            .iter()
            .filter(|room| room.speaks_sql)
            .map(|room| folder(room.name));
        folders.into_iter().any(|folder| path.starts_with(folder))
    };
    let strays: Vec<PathBuf> = ["crates", "tests"]
        .iter()
        .flat_map(|folder| files(&root.join(folder), "sql"))
        .filter(|path| !speaks(path))
        .collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[test]
fn no_file_has_outgrown_its_room() {
    const LINES: usize = 600;
    let root = root();
    let long: Vec<(usize, PathBuf)> = ["crates", "tests"]
        .iter()
        .flat_map(|folder| files(&root.join(folder), "rs"))
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > LINES)
        .collect();
    assert!(
        long.is_empty(),
        "about 400 lines are a file, {LINES} are two: {long:?}"
    );
}
