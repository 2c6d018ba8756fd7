//! The real binary, without a server: what it says about a wrong argument, log or address, and what to do then.

use std::{
    fs,
    io::{Read, Write},
    process::Stdio,
};

use crate::cli::{CALL, Home, token};

#[test]
fn the_places_are_named_with_every_variable_that_changes_them_also_one_that_is_not_set() {
    let (code, _, stderr) = Home::empty().run(&["upload"]);
    assert_eq!(code, 1);
    for variable in [
        "OPENCODE_DB",
        "OPENCODE_DATA_DIR",
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
        "CLAUDE_CONFIG_DIR",
        "QWEN_RUNTIME_DIR",
        "COPILOT_HOME",
    ] {
        assert!(stderr.contains(variable), "{variable}: {stderr}");
    }
}

#[test]
fn a_problem_in_a_log_is_named_with_its_file_and_line() {
    let home = Home::with_calls(2);
    home.write(
        ".claude/projects/-work-api/broken.jsonl",
        &format!("{}\n{{\"type\":\n", CALL.replace("toolu_ID", "toolu_x")),
    );
    let (code, stdout, stderr) = home.run(&["upload", "--dry-run"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("1 invalid_json, ") && stdout.contains("broken.jsonl:2: "),
        "{stdout}"
    );
}

#[test]
fn a_compressed_log_is_read_and_an_archive_is_named() {
    let home = Home::with_calls(1);
    let mut encoder = std::process::Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let call = CALL.replace("toolu_ID", "toolu_gz") + "\n";
    encoder.stdin.take().unwrap().write_all(call.as_bytes()).unwrap();
    let compressed = encoder.wait_with_output().unwrap().stdout;
    fs::create_dir_all(home.path().join("logs")).unwrap();
    fs::write(home.path().join("logs/old.jsonl.gz"), compressed).unwrap();
    fs::write(home.path().join("logs/all.tar.gz"), "x").unwrap();
    let (code, stdout, stderr) = home.run(&["upload", "--dry-run", "--json", "logs"]);
    assert_eq!(code, 0, "{stderr}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&report["events"], &report["problems_by_code"]["compressed"]),
        (&1.into(), &1.into())
    );
    assert!(
        report["problems"][0]["file"]
            .as_str()
            .unwrap()
            .ends_with("all.tar.gz"),
        "{report}"
    );
    let (code, _, stderr) = home.run(&["upload", "--dry-run", "logs/all.tar.gz"]);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("all.tar.gz") && stderr.contains("unpack it"),
        "{stderr}"
    );
}

#[test]
fn an_age_needs_its_unit_and_weeks_are_one() {
    let home = Home::with_calls(1);
    let (code, stdout, stderr) = home.run(&["upload", "--dry-run", "--since", "7"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("7d for days"), "{stderr}");
    let (code, _, stderr) = home.run(&["upload", "--dry-run", "--since", "1w"]);
    assert_eq!(code, 0, "{stderr}");
}

/// A server that answers whatever comes with these bytes, once per connection.
fn answering(bytes: &'static [u8]) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            let _ = connection.read(&mut [0; 4_096]);
            let _ = connection.write_all(bytes);
        }
    });
    address
}

#[test]
fn https_at_a_server_without_it_and_the_reverse_are_told_apart_from_a_server_that_is_away() {
    let home = Home::empty();
    let plain = answering(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    let (code, _, stderr) = home.run(&[
        "scores",
        "--url",
        &format!("https://{plain}"),
        "--token",
        &token(),
    ]);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("does not speak HTTPS") && stderr.contains(&format!("http://{plain}")),
        "{stderr}"
    );
    // What a TLS server answers to plain HTTP: an alert.
    let secure = answering(&[0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]);
    let (code, _, stderr) = home.run(&[
        "scores",
        "--url",
        &format!("http://{secure}"),
        "--token",
        &token(),
    ]);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("does not speak plain HTTP") && stderr.contains(&format!("https://{secure}")),
        "{stderr}"
    );
}
