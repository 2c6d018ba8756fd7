//! The binary on a newcomer's machine: serve, upload, read; and what happens when the server is killed.

use std::fs;

use crate::machine::{Machine, eventually, names, three_calls};
use serde_json::Value;

fn tools(answer: &Value, noun: &str) -> Vec<String> {
    let rows = answer[noun].as_array().unwrap();
    rows.iter()
        .map(|row| row["tool_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn serve_upload_and_leaderboard_need_no_set_up() {
    let machine = Machine::new();
    machine.log("home", "s1", &three_calls("s1"));
    let server = machine.serve();

    let me = machine.json(&["whoami"]);
    assert_eq!(
        (me["member"].as_str(), me["role"].as_str()),
        (Some("ann"), Some("owner"))
    );
    let report = machine.json(&["upload", "--wait"]);
    assert_eq!(
        (&report["files"], &report["received"], &report["inserted"]),
        (&1.into(), &3.into(), &3.into())
    );
    assert_eq!(report["durable"], true);
    let mut board = tools(&machine.json(&["leaderboard", "--kind", "all"]), "leaderboard");
    board.sort();
    assert_eq!(board, ["builtin:Bash", "mcp:linear", "skill:design-md"]);

    let before = machine.json(&["scores"]);
    let again = machine.json(&["upload", "--wait"]);
    assert_eq!(
        (&again["received"], &again["inserted"], &again["duplicate"]),
        (&3.into(), &0.into(), &3.into())
    );
    let after = machine.json(&["scores"]);
    assert_eq!(before["scores"], after["scores"]);
    assert_eq!(tools(&after, "scores").len(), 3);

    let table = machine.run(&["leaderboard"]);
    assert_eq!(table.code, Some(0));
    assert!(table.stdout.contains("skill:design-md"), "{}", table.stdout);
    let events = machine.json(&["events"]);
    let event = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["tool_id"] == "mcp:linear")
        .unwrap();
    assert_eq!(
        (event["operation"].as_str(), event["duration_ms"].as_i64()),
        (Some("get_issue"), Some(750))
    );
    assert_eq!(event["project"], "api");
    let uploads = machine.json(&["uploads"])["uploads"].clone();
    assert_eq!(uploads.as_array().unwrap().len(), 2);
    assert_eq!(
        uploads[0]["client"],
        concat!("toolhub/", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(
        machine.json(&["dead-weight"])["dead_weight"],
        Value::Array(Vec::new())
    );

    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_killed_server_comes_up_again_with_everything_that_it_acknowledged() {
    let machine = Machine::new();
    machine.log("home", "s1", &three_calls("s1"));
    let mut uploaded = 0;
    for round in 0..2 {
        machine.log("home", &format!("r{round}"), &three_calls(&format!("r{round}")));
        let server = machine.serve();
        let url = server.url.clone();
        // The port is another one each time, so the address is given; the token is kept for the first.
        let token = machine.run(&["admin", "token", "create", "--org", "home", "--member", "ann"]);
        assert_eq!(token.code, Some(0), "{token:?}");
        let report = machine.json(&["upload", "--url", &url, "--token", token.stdout.trim()]);
        uploaded += report["inserted"].as_u64().unwrap();
        server.kill();
    }
    assert_eq!(uploaded, 9);
    let server = machine.serve();
    let token = machine.run(&["admin", "token", "create", "--org", "home", "--member", "ann"]);
    let events = machine.json(&["events", "--url", &server.url, "--token", token.stdout.trim()]);
    assert_eq!(events["events"].as_array().unwrap().len(), 9);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_home_without_a_token_is_told_how_to_get_one() {
    let machine = Machine::new();
    fs::create_dir(machine.path("data")).unwrap();
    fs::write(machine.path("data/photo.jpg"), "mine").unwrap();
    let server = machine.serve();
    assert_eq!(
        fs::read_to_string(machine.path("data/photo.jpg")).unwrap(),
        "mine",
        "what was there stays there"
    );
    fs::create_dir(machine.path("other")).unwrap();
    let output = machine
        .command(&["scores", "--url", &server.url])
        .env("HOME", machine.path("other"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains(&server.url) && said.contains("toolhub login"),
        "{said}"
    );
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_second_server_on_the_same_data_is_refused_and_the_first_goes_on() {
    let machine = Machine::new();
    let server = machine.serve();
    let second = machine.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(
        second
            .stderr
            .contains(&machine.path("data").display().to_string()),
        "{}",
        second.stderr
    );
    assert_eq!(machine.json(&["whoami"])["member"], "ann");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_operator_makes_orgs_members_and_tokens_while_the_server_runs() {
    let machine = Machine::new();
    machine.log("home", "s1", &three_calls("s1"));
    let server = machine.serve();
    for arguments in [
        ["admin", "org", "create", "acme"].as_slice(),
        &["admin", "member", "add", "bob", "--org", "acme"],
        &["admin", "refresh"],
        &["admin", "migrate"],
    ] {
        let ended = machine.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    }
    let token = machine.run(&[
        "admin", "token", "create", "--org", "acme", "--member", "bob", "--scope", "upload",
    ]);
    assert_eq!(
        token.stdout.lines().count(),
        1,
        "the token stands alone on stdout: {token:?}"
    );
    let token = token.stdout.trim();
    assert!(model::token::Token::parse(token).is_ok());
    let report = machine.json(&["upload", "--token", token]);
    assert_eq!(report["inserted"], 3);
    let refused = machine.run(&["scores", "--token", token]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("read"), "{}", refused.stderr);
    assert_eq!(
        machine.json(&["events"])["events"],
        Value::Array(Vec::new()),
        "the first org sees nothing of it"
    );

    let twice = machine.run(&["admin", "org", "create", "acme"]);
    assert_eq!(twice.code, Some(1));
    assert!(twice.stderr.contains("`acme`"), "{}", twice.stderr);
    let unknown = machine.run(&["admin", "token", "create", "--org", "acme", "--member", "eve"]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("`eve`"), "{}", unknown.stderr);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn the_demo_shows_the_whole_way_and_leaves_nothing_behind() {
    let machine = Machine::new();
    let demo = machine.run(&["demo", "--once"]);
    assert_eq!(demo.code, Some(0), "{demo:?}");
    for shown in [
        "skill:write-tests",
        "mcp:github",
        "mcp:analytics",
        "skill:figma-import",
        "skill:legacy-migrator",
        "acme/checkout",
        "ada",
    ] {
        assert!(demo.stdout.contains(shown), "{shown} in {}", demo.stdout);
    }
    let of_ada: Vec<&str> = demo
        .stderr
        .lines()
        .filter(|line| line.trim_start().starts_with("ada "))
        .collect();
    assert_eq!(of_ada.len(), 2, "{}", demo.stderr);
    assert!(
        !of_ada[0].contains(" 0 inserted") && of_ada[1].contains(" 0 inserted"),
        "{of_ada:?}"
    );
    assert!(
        !demo.stderr.contains("TOOLHUB_URL"),
        "the server is gone: {}",
        demo.stderr
    );
    eventually("the demo cleans up", || names(&machine.path("tmp")).is_empty());
    assert!(
        names(&machine.path("home")).is_empty(),
        "{:?}",
        names(&machine.path("home"))
    );
}

#[test]
fn an_embedded_server_that_ends_says_why_and_where_its_log_is() {
    let machine = Machine::new();
    let server = machine.serve();
    let pid_file = walk(&machine.path("data"), "postmaster.pid");
    let pid = fs::read_to_string(&pid_file).unwrap();
    let stopped = std::process::Command::new("kill")
        .args(["-INT", pid.lines().next().unwrap()])
        .status()
        .unwrap();
    assert!(stopped.success());
    let (code, said) = server.ended();
    assert_eq!(code, Some(1), "{said}");
    for words in [
        "the embedded PostgreSQL stopped. Another program told it to stop",
        "postgres.log",
        "fast shutdown request",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(machine.serve().stop(), Some(0));
}

/// The file with this name below a folder.
fn walk(folder: &std::path::Path, name: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|found| found == name) {
                return path;
            }
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    panic!("no {name}")
}

#[test]
fn a_server_listens_on_a_name_and_its_token_works_under_every_name_of_the_machine() {
    let machine = Machine::new();
    let server = machine.serve_with(&["--listen", "localhost:0"]);
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    for name in ["localhost", "127.0.0.1"] {
        let me = machine.json(&["whoami", "--url", &format!("http://{name}:{port}")]);
        assert_eq!(me["member"], "ann", "{name}");
    }
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_upload_does_not_need_a_home_that_can_be_written() {
    let machine = Machine::new();
    let log = machine.log("home", "s1", &three_calls("s1"));
    let server = machine.serve();
    let token = machine
        .run(&["admin", "token", "create", "--org", "home", "--member", "ann"])
        .stdout;
    fs::write(machine.path("file"), "").unwrap();
    // A file where a folder should be cannot be written by root either.
    for (name, value) in [
        ("XDG_STATE_HOME", machine.path("file")),
        ("HOME", machine.path("file/home")),
    ] {
        let output = machine
            .command(&["upload", "--json", "--url", &server.url, "--token", token.trim()])
            .arg(&log)
            .env(name, value)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {said}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (&report["received"], &report["rejected"]),
            (&3.into(), &0.into()),
            "{name}"
        );
        assert!(
            said.contains("cannot remember what was sent") && said.contains("file"),
            "{name}: {said}"
        );
    }
    assert_eq!(server.stop(), Some(0));
}

/// A machine with a session of three calls and one installed skill.
fn machine_with_a_skill() -> Machine {
    let machine = Machine::new();
    machine.log("home", "s1", &three_calls("s1"));
    let skill = machine.path("home/.claude/skills/pdf");
    fs::create_dir_all(&skill).unwrap();
    fs::write(skill.join("SKILL.md"), "---\nname: pdf\n---\n").unwrap();
    machine
}

#[test]
fn the_last_tool_that_is_removed_from_a_machine_is_removed_on_the_server() {
    let machine = machine_with_a_skill();
    let server = machine.serve();
    let installed = || {
        machine.json(&["upload", "--wait"]);
        let rows = machine.json(&["dead-weight", "--verdict", "all", "--days", "9"]);
        let rows = rows["dead_weight"].as_array().unwrap().clone();
        let row = rows
            .iter()
            .find(|row| row["tool_id"] == "skill:pdf")
            .unwrap()
            .clone();
        row["members_installed"].clone()
    };
    assert_eq!(installed(), 1);
    fs::remove_dir_all(machine.path("home/.claude/skills")).unwrap();
    assert_eq!(installed(), 0);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn fresh_logs_are_not_judged_and_the_answer_says_how_far_they_reach() {
    let machine = machine_with_a_skill();
    let server = machine.serve();
    machine.json(&["upload", "--wait"]);
    let ended = machine.run(&["dead-weight"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.stdout.contains("too_new"), "{}", ended.stdout);
    assert!(
        ended
            .stderr
            .contains("nothing to judge yet: the logs reach back 1 day; try `--days 1`"),
        "{}",
        ended.stderr
    );
    let listed = machine.run(&["dead-weight", "--verdict", "too_new"]);
    assert!(listed.stdout.contains("skill:pdf"), "{listed:?}");
    let again = machine.run(&["upload", "--changed"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(server.stop(), Some(0));
}
