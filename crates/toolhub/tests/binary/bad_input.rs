//! What people get wrong, and what the machine does: one clear sentence each, and the right exit code.

use std::{fs, net::TcpListener};

use crate::machine::{Ended, Machine, three_calls};

/// One sentence, or a few, for a person: no backtrace, no debug output.
#[track_caller]
fn assert_said(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for word in words {
        assert!(
            ended.stderr.contains(word),
            "{word:?} is not in {:?}",
            ended.stderr
        );
    }
    for noise in ["panicked", "Error {", "stack backtrace", "Some("] {
        assert!(!ended.stderr.contains(noise), "{}", ended.stderr);
    }
}

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
        people.stdout.contains("problems in the logs: 1 "),
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

#[test]
fn a_dry_run_prints_the_events_and_nothing_else() {
    let machine = Machine::new();
    machine.log("home", "s1", &three_calls("s1"));
    let printed = machine.run(&["upload", "--dry-run", "--print-events"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let events: Vec<serde_json::Value> = printed
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.get("task_text").is_none()));
}

#[test]
fn a_home_without_logs_says_where_it_looked() {
    let machine = Machine::new();
    let ended = machine.run(&["upload", "--dry-run"]);
    assert_said(
        &ended,
        1,
        &[
            "no session logs found",
            &machine.path("home").join(".claude").display().to_string(),
        ],
    );
    let empty = machine.path("empty");
    fs::create_dir(&empty).unwrap();
    let ended = machine.run(&["upload", "--dry-run", empty.to_str().unwrap()]);
    assert_said(&ended, 1, &["no session logs found", empty.to_str().unwrap()]);
    let ended = machine.run(&["upload", "--dry-run", "/nowhere/at/all"]);
    assert_said(&ended, 1, &["/nowhere/at/all"]);
}

#[test]
fn no_server_says_the_address_and_what_to_start() {
    let machine = Machine::new();
    machine.log("home", "s1", &three_calls("s1"));
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}");
    let token = model::token::Token::from_random(&[7; 64]).unwrap();
    for arguments in [["scores"].as_slice(), &["upload", "--retry-for", "0s"]] {
        let given = ["--url", &url, "--token", token.reveal()];
        let ended = machine.run(&[arguments, &given].concat());
        assert!(matches!(ended.code, Some(1 | 75)), "{ended:?}");
        assert!(ended.stderr.contains(&url), "{}", ended.stderr);
        assert!(
            !ended.stderr.contains(token.reveal()),
            "a token is never printed: {}",
            ended.stderr
        );
    }
    let ended = machine.run(&["scores", "--url", &url, "--token", token.reveal()]);
    assert_said(&ended, 1, &["toolhub serve"]);
}

#[test]
fn a_mistyped_token_is_said_to_be_none_before_anybody_is_asked() {
    let machine = Machine::new();
    assert_said(&machine.run(&["scores", "--token", "thb_oops"]), 4, &["thb_", "checksum"]);
}

#[test]
fn a_wrong_argument_says_what_would_be_right() {
    let machine = Machine::new();
    assert_said(
        &machine.run(&["leaderboard", "--window", "8d"]),
        2,
        &["7d", "30d", "90d", "all"],
    );
    assert_said(&machine.run(&["leader"]), 2, &["leaderboard"]);
    assert_said(&machine.run(&["scores", "--url", "ftp://x"]), 2, &["ftp://x"]);
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
            assert_said(&ended, 1, &[&address, "--listen"]);
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
        assert_said(&ended, 1, &[machine.path("data").to_str().unwrap()]);
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
        assert_said(
            &ended,
            1,
            &[machine.path("nowhere").to_str().unwrap(), "TOOLHUB_PG_BIN"],
        );
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
        assert_said(&missing, 1, &["/nowhere/url"]);
    }
}
