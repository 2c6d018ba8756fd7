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
