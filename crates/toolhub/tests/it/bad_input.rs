//! Bad logs and bad set-ups: one clear sentence each, and the right exit code. What needs no server is in `cli.rs`.

use std::{fs, net::TcpListener};

use crate::machine::{Ended, Machine, three_calls};

#[test]
fn a_malformed_line_costs_that_line_and_is_told_with_its_place() {
    let machine = Machine::new();
    let lines = three_calls("s1").replacen("{\"type\":\"user\"", "{\"type\":\"user\",oops", 1);
    let path = machine.log("home", "s1", &lines);
    let report = machine.json(&["upload", "--dry-run"]);
    assert_eq!(
        report["events"], 3,
        "the call is there, only its answer is not: {report}"
    );
    let problem = &report["problems"][0];
    assert_eq!(
        (problem["file"].as_str(), problem["line"].as_u64()),
        (path.to_str(), Some(2)),
        "{report}"
    );
    assert_eq!(
        report["problems_by_code"].as_object().unwrap().len(),
        1,
        "{report}"
    );
    let people = machine.run(&["upload", "--dry-run"]);
    assert!(
        people.stdout.contains("  1 invalid_json, ") && people.stdout.contains(".jsonl:2: "),
        "{}",
        people.stdout
    );
}

#[test]
fn a_half_written_last_line_waits_for_the_next_upload() {
    let machine = Machine::new();
    let whole = three_calls("s1");
    machine.log("home", "s1", &whole[..whole.len() - 30]);
    let report = machine.json(&["upload", "--dry-run"]);
    assert_eq!(
        (&report["events"], &report["unfinished_lines"]),
        (&3.into(), &1.into()),
        "{report}"
    );
    assert_eq!(report["problems"], serde_json::json!([]));
}

#[cfg(feature = "server")]
mod of_the_operator {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_what_to_do() {
        let machine = Machine::new();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        for command in ["serve", "demo"] {
            let ended = machine.run(&[command, "--listen", &address]);
            ended.assert_said(1, &[&address, "--listen"]);
        }
        assert!(
            !machine.path("data").exists(),
            "nothing is made for a server that cannot listen"
        );
    }

    #[test]
    fn a_data_directory_that_is_none_is_named() {
        let machine = Machine::new();
        fs::write(machine.path("data"), "not a directory").unwrap();
        let ended = machine.run(&["serve", "--listen", "127.0.0.1:0"]);
        ended.assert_said(1, &[machine.path("data").to_str().unwrap()]);
        assert_eq!(
            fs::read_to_string(machine.path("data")).unwrap(),
            "not a directory"
        );
    }

    #[test]
    fn programs_that_are_not_postgresql_are_named() {
        let machine = Machine::new();
        let mut command = machine.command(&["serve", "--listen", "127.0.0.1:0"]);
        let output = command
            .env("TOOLHUB_PG_BIN", machine.path("nowhere"))
            .output()
            .unwrap();
        let ended = Ended {
            code: output.status.code(),
            stdout: String::new(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        ended.assert_said(1, &[machine.path("nowhere").to_str().unwrap(), "TOOLHUB_PG_BIN"]);
    }

    #[test]
    fn a_database_that_cannot_be_reached_is_named_without_its_password() {
        let machine = Machine::new();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("postgres://toolhub:hunter2@{address}/toolhub");
        let ended = machine.run(&["serve", "--listen", "127.0.0.1:0", "--database-url", &url]);
        assert!(matches!(ended.code, Some(1 | 75)), "{ended:?}");
        assert!(
            ended.stderr.contains(&address.port().to_string()),
            "{}",
            ended.stderr
        );
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
        let missing = machine.run(&["admin", "migrate", "--database-url-file", "/nowhere/url"]);
        missing.assert_said(1, &["/nowhere/url"]);
    }
}
