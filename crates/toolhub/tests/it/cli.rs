//! The real binary, without a server: exit codes, what goes to stdout, and what it says when something is missing.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Command, Output, Stdio},
};

/// A line of a log with one call.
pub(crate) const CALL: &str = r#"{"type":"assistant","sessionId":"s","cwd":"/home/ann/api","timestamp":"2026-01-02T03:04:05.000Z","message":{"id":"m","content":[{"type":"tool_use","id":"toolu_ID","name":"Bash","input":{}}]}}"#;

/// A home of its own.
pub(crate) struct Home(tempfile::TempDir);

impl Home {
    /// A home without anything.
    pub(crate) fn empty() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    /// A home with a log of so many calls.
    pub(crate) fn with_calls(calls: usize) -> Home {
        let home = Home::empty();
        let log: String = (0..calls)
            .map(|n| CALL.replace("toolu_ID", &format!("toolu_{n:06}")) + "\n")
            .collect();
        home.write(".claude/projects/-work-api/session.jsonl", &log);
        home
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file below it.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The binary, with an empty environment.
    fn toolhub(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolhub"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path())
            .current_dir(self.path());
        command
    }

    /// Runs the binary: exit code, stdout and stderr.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        told(&self.toolhub(arguments).stdin(Stdio::null()).output().unwrap())
    }
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// An address without a listener.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

const TOKEN: &str = "thb_000000000000000000000000000000000000";

/// A well-formed token that no server knows.
pub(crate) fn token() -> String {
    model::token::Token::from_random(&[9; 64])
        .unwrap()
        .reveal()
        .to_owned()
}

#[test]
fn a_wrong_command_line_is_usage() {
    let home = Home::empty();
    for arguments in [
        &["upload", "--nope"][..],
        &["leaderboard", "--window", "1d"],
        &["scores", "--limit", "501"],
        &["whoami", "--url", "127.0.0.1:7700"],
        &["upload", "--print-events", "--json"],
        &[],
    ] {
        let (code, stdout, stderr) = home.run(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(!stderr.is_empty());
    }
    assert_eq!(home.run(&["--version"]).0, 0);
}

#[test]
fn parquet_is_for_events_alone_and_for_a_file() {
    let home = Home::empty();
    for command in [
        "scores",
        "leaderboard",
        "dead-weight",
        "uploads",
        "whoami",
        "prices",
    ] {
        let (code, stdout, stderr) = home.run(&[command, "--format", "parquet"]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{command}: {stderr}");
        assert!(
            stderr.contains("toolhub events --format parquet > events.parquet"),
            "{stderr}"
        );
    }
    let (code, stdout, stderr) = home.run(&["events", "--format", "parquet", "--json"]);
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(
        stderr.contains("--json") && stderr.contains("choose one"),
        "{stderr}"
    );
}

#[cfg(unix)]
#[test]
fn parquet_is_refused_on_a_terminal_with_what_to_do() {
    use rustix::{fs::OFlags, pty};

    let terminal = pty::openpt(pty::OpenptFlags::RDWR | pty::OpenptFlags::NOCTTY).unwrap();
    pty::grantpt(&terminal).unwrap();
    pty::unlockpt(&terminal).unwrap();
    let name = pty::ptsname(&terminal, Vec::new()).unwrap();
    let end = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, rustix::fs::Mode::empty()).unwrap();
    let home = Home::empty();
    let (code, _, stderr) = told(
        &home
            .toolhub(&["events", "--format", "parquet"])
            .stdin(Stdio::null())
            .stdout(end)
            .stderr(Stdio::piped())
            .output()
            .unwrap(),
    );
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("toolhub events --format parquet > events.parquet"),
        "{stderr}"
    );
}

#[test]
fn without_a_server_the_address_and_what_to_start_are_said() {
    let home = Home::with_calls(1);
    let url = nowhere();
    let expected = format!(
        "toolhub: cannot reach {url}: connection refused. Start one with `toolhub serve`, or name yours with --url\n"
    );
    for command in [
        "scores",
        "leaderboard",
        "dead-weight",
        "events",
        "uploads",
        "whoami",
        "upload",
    ] {
        let (code, stdout, stderr) = home.run(&[command, "--url", &url]);
        assert_eq!(
            (code, stdout.as_str(), stderr),
            (75, "", expected.clone()),
            "{command}"
        );
    }
    // Reads and uploads end in the same way: a script need not tell them apart.
    for arguments in [&["upload", "--retry-for", "0"][..], &["scores"]] {
        let given = ["--url", &url, "--token", &token()].map(str::to_owned);
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        let (code, _, stderr) = home.run(&[arguments, &given].concat());
        assert_eq!(code, 75, "{arguments:?}: {stderr}");
    }
    let (code, _, stderr) = home.run(&["upload", "--url", &url, "--token", &token(), "--retry-for", "0"]);
    assert_eq!(code, 75, "{stderr}");
    assert!(
        stderr.contains(&url) && stderr.contains("connection refused"),
        "{stderr}"
    );
}

#[test]
fn a_token_that_is_none_is_not_allowed_and_not_shown() {
    let home = Home::with_calls(1);
    let (code, stdout, stderr) = home.run(&["upload", "--url", &nowhere(), "--token", TOKEN]);
    assert_eq!((code, stdout.as_str()), (4, ""), "{stderr}");
    assert!(
        stderr.contains("toolhub login http") && !stderr.contains(TOKEN),
        "{stderr}"
    );
}

#[test]
fn a_place_without_logs_says_where_it_looked() {
    let home = Home::empty();
    for arguments in [&["upload"][..], &["upload", "--dry-run"]] {
        let (code, stdout, stderr) = home.run(arguments);
        assert_eq!((code, stdout.as_str()), (1, ""));
        for place in [".claude/projects", ".codex/sessions", ".copilot/session-state"] {
            assert!(
                stderr.contains(&home.path().join(place).display().to_string()),
                "{stderr}"
            );
        }
    }
    let (code, _, stderr) = home.run(&["upload", "--dry-run", "missing"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("missing"), "{stderr}");
}

#[test]
fn a_dry_run_prints_the_events_and_nothing_else() {
    let home = Home::with_calls(3);
    let (code, stdout, stderr) = home.run(&["upload", "--dry-run", "--print-events"]);
    assert_eq!(code, 0, "{stderr}");
    let events: Vec<serde_json::Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: Vec<&str> = events
        .iter()
        .map(|event| event["uuid"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["toolu_000000", "toolu_000001", "toolu_000002"]);
    assert_eq!(events[0]["project"], "api");

    let (code, stdout, _) = home.run(&["upload", "--dry-run", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 0);
    assert_eq!(
        (&report["events"], &report["received"], &report["dry_run"]),
        (&3.into(), &0.into(), &true.into())
    );
    assert_eq!(stdout.lines().count(), 1);
    assert!(!home.path().join(".local").exists() && !home.path().join(".config").exists());
}

#[test]
fn a_reader_that_goes_away_is_a_success() {
    let home = Home::with_calls(50_000);
    let mut child = home
        .toolhub(&["upload", "--dry-run", "--print-events"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert!(first.contains("toolu_000000"));
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_130() {
    let home = Home::with_calls(1);
    // There is no answer here: the connection waits in the queue of a listener that never accepts.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut child = home
        .toolhub(&["upload", "--url", &url, "--token", &token()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Once the request is here, the program waits for its answer.
    let (mut connection, _) = listener.accept().unwrap();
    assert!(connection.read(&mut [0; 16]).unwrap() > 0);
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_hook_never_fails_and_never_prints() {
    let home = Home::with_calls(1);
    assert_eq!(
        home.run(&["upload", "--best-effort", "--url", &nowhere(), "--retry-for", "0"])
            .0,
        0
    );
    let (code, stdout, stderr) = home.run(&["hooks", "run"]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "", ""));
}

#[test]
fn hooks_are_installed_shown_and_removed() {
    let home = Home::empty();
    assert_eq!(home.run(&["hooks", "status"]).0, 1);
    assert_eq!(home.run(&["hooks", "install"]).0, 0);
    let (code, stdout, _) = home.run(&["hooks", "status"]);
    assert_eq!(code, 0);
    assert!(
        stdout.contains("SessionEnd: ") && stdout.contains("hooks run"),
        "{stdout}"
    );
    assert_eq!(home.run(&["hooks", "uninstall"]).0, 0);
    assert_eq!(
        fs::read_to_string(home.path().join(".claude/settings.json")).unwrap(),
        "{}\n"
    );
}

#[test]
fn a_login_needs_a_token_that_the_server_knows() {
    let home = Home::empty();
    for (input, url, code) in [("not a token\n", nowhere(), 2), (&token(), nowhere(), 75)] {
        let mut child = home
            .toolhub(&["login", "--with-token", "--url", &url])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let (got, _, stderr) = told(&child.wait_with_output().unwrap());
        assert_eq!(got, code, "{stderr}");
        assert!(!stderr.contains(input.trim()), "{stderr}");
    }
    assert!(!home.path().join(".config").exists());
    assert_eq!(home.run(&["logout", "--url", &nowhere()]).0, 4);
}

#[test]
fn a_projects_file_cannot_send_the_token_elsewhere() {
    let home = Home::with_calls(1);
    home.write(
        "work/.toolhub.toml",
        "url = \"http://evil.example\"\nformat = \"csv\"\n",
    );
    let url = nowhere();
    home.write(".config/toolhub/config.toml", &format!("url = \"{url}\"\n"));
    let output = home
        .toolhub(&["whoami"])
        .current_dir(home.path().join("work"))
        .output()
        .unwrap();
    let (code, _, stderr) = told(&output);
    assert_eq!(code, 75);
    assert!(
        stderr.contains("ignored `url`") && stderr.contains(&url) && !stderr.contains("evil"),
        "{stderr}"
    );
}

#[test]
fn the_doctor_names_what_is_missing_and_how_to_mend_it() {
    let home = Home::empty();
    let (code, stdout, _) = home.run(&["doctor", "--json", "--url", &nowhere()]);
    assert_eq!(code, 1);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let broken: Vec<&str> = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["health"] == "broken")
        .map(|check| check["name"].as_str().unwrap())
        .collect();
    assert_eq!(broken, ["credentials", "server"]);
}

#[test]
fn prices_completions_and_manual_are_printed() {
    let home = Home::empty();
    let (code, stdout, _) = home.run(&["prices", "--json"]);
    let prices: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 0);
    assert!(prices["prices"].as_array().unwrap().len() > 20);
    assert_eq!(prices["overrides"], serde_json::json!([]));
    assert!(prices["source"]["version"].is_string(), "{prices}");
    home.write("ours.toml", "[[price]]\nmodel = \"ours\"\n");
    let (code, _, stderr) = home.run(&["prices", "--prices", "ours.toml"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("ours.toml"), "{stderr}");
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = home.run(&["completions", shell]);
        assert!(code == 0 && script.contains("leaderboard"), "{shell}");
    }
    assert_eq!(home.run(&["man", "--out", "man"]).0, 0);
    assert!(home.path().join("man/toolhub-upload.1").is_file());
}

/// A home with a call in each of these projects.
fn home_with_projects(projects: &[&str]) -> Home {
    let home = Home::empty();
    for project in projects {
        let name = project.rsplit('/').next().unwrap();
        let cwd = home.path().join(project).display().to_string();
        let call = CALL
            .replace("/home/ann/api", &cwd)
            .replace("toolu_ID", &format!("toolu_{name}"));
        home.write(
            &format!(".claude/projects/{name}/session-{name}.jsonl"),
            &(call + "\n"),
        );
    }
    home
}

/// The projects of the events that an upload would send.
fn sent_projects(home: &Home, folder: &str, arguments: &[&str]) -> Vec<String> {
    let arguments = [&["upload", "--dry-run", "--print-events"], arguments].concat();
    let folder = home.path().join(folder);
    fs::create_dir_all(&folder).unwrap();
    let (code, stdout, stderr) = told(&home.toolhub(&arguments).current_dir(folder).output().unwrap());
    assert_eq!(code, 0, "{stderr}");
    let project =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["project"].to_string();
    let mut projects: Vec<String> = stdout.lines().map(project).collect();
    projects.sort();
    projects
        .iter()
        .map(|name| name.trim_matches('"').to_owned())
        .collect()
}

#[test]
fn only_selected_projects_are_sent_and_the_others_are_counted() {
    let home = home_with_projects(&["work/api", "work/web-shop", "clients/acme"]);
    let sent = |arguments: &[&str]| sent_projects(&home, ".", arguments);
    assert_eq!(sent(&[]), ["acme", "api", "web-shop"]);
    assert_eq!(sent(&["--project", "api"]), ["api"]);
    assert_eq!(
        sent(&["--project", "api", "--project", "web-*"]),
        ["api", "web-shop"]
    );
    assert_eq!(sent(&["--project", "~/clients/*"]), ["acme"]);
    assert_eq!(
        sent(&["--project", &format!("{}/work", home.path().display())]),
        ["api", "web-shop"]
    );
    assert_eq!(sent_projects(&home, "work/api", &["--project", "."]), ["api"]);
    assert_eq!(sent(&["--project", "none"]), [""; 0]);

    let (code, stdout, stderr) = home.run(&["upload", "--dry-run", "--json", "--project", "api"]);
    assert_eq!(code, 0, "{stderr}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        report["excluded"],
        serde_json::json!({ "events": 2, "sessions": 1, "projects": 2 })
    );
    assert!(stderr.contains("excluded by project rules: 2 events"), "{stderr}");
    let (_, stdout, stderr) = home.run(&["upload", "--dry-run", "--json"]);
    assert!(
        stdout.contains(r#""excluded":{"events":0,"#) && !stderr.contains("excluded"),
        "{stderr}"
    );
}

#[test]
fn rules_of_the_settings_hold_and_nothing_widens_them() {
    let home = home_with_projects(&["work/api", "work/web", "clients/acme"]);
    home.write(
        ".config/toolhub/config.toml",
        "[projects]\ninclude = [\"~/work\", \"acme\"]\nexclude = [\"acme\"]\n",
    );
    let sent = |folder: &str, arguments: &[&str]| sent_projects(&home, folder, arguments);
    assert_eq!(sent(".", &[]), ["api", "web"]);
    assert_eq!(
        sent(".", &["--project", "acme"]),
        [""; 0],
        "an argument cannot share what is excluded"
    );
    home.write(
        "clients/acme/.toolhub.toml",
        "[projects]\ninclude = [\"*\"]\nexclude = []\n",
    );
    assert_eq!(
        sent("clients/acme", &[]),
        ["api", "web"],
        "neither can the file of a project"
    );
    home.write("work/web/.toolhub.toml", "[projects]\nexclude = [\".\"]\n");
    assert_eq!(
        sent(".", &[]),
        ["api"],
        "the file of a project narrows from every folder"
    );
}

#[test]
fn a_rule_that_is_not_understood_stops_the_upload() {
    let home = home_with_projects(&["work/api"]);
    for (settings, expected) in [
        (
            "[projects]\nexclud = [\"api\"]\n",
            "unknown key `projects.exclud`",
        ),
        ("[projects]\nexclude = [\"[\"]\n", "`projects.exclude`"),
        ("exclude = [\"api\"]\n", "[projects]"),
    ] {
        home.write(".config/toolhub/config.toml", settings);
        let (code, stdout, stderr) = home.run(&["upload", "--dry-run", "--print-events"]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(
            stderr.contains(expected) && stderr.contains("config.toml"),
            "{stderr}"
        );
    }
    home.write(".config/toolhub/config.toml", "");
    let (code, stdout, stderr) = home.run(&["upload", "--dry-run", "--print-events", "--project", "["]);
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    home.write("work/api/.toolhub.toml", "[projects]\nexclud = [\".\"]\n");
    let (code, stdout, _) = home.run(&["upload", "--dry-run", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (code, &report["events"]),
        (0, &0.into()),
        "its project is not shared"
    );
    assert_eq!(report["problems_by_code"]["invalid_project_rules"], 1);
}
