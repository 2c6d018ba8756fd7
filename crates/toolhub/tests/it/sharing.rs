//! Project rules: a project that is excluded leaves no event and no inventory, whatever sends the logs.

use std::{
    fs,
    process::{Child, Stdio},
};

use serde_json::Value;

use crate::machine::{Machine, eventually, three_calls};

/// A repository with a skill of its own.
fn repository(machine: &Machine, path: &str, skill: &str) {
    let folder = machine.path("home").join(path);
    fs::create_dir_all(folder.join(".git")).unwrap();
    let skill_folder = folder.join(".claude/skills").join(skill);
    fs::create_dir_all(&skill_folder).unwrap();
    fs::write(skill_folder.join("SKILL.md"), "---\ndescription: A skill\n---\n").unwrap();
}

/// Writes a session of three calls in a folder of the home, which had loaded one tool.
fn session(machine: &Machine, path: &str, id: &str, loaded: &str) {
    let cwd = machine.path("home").join(path).display().to_string();
    let calls = three_calls(id).replace("/home/ann/api", &cwd);
    let day = calls.split("\"timestamp\":\"").nth(1).unwrap()[..10].to_owned();
    let listing = format!(
        r#"{{"type":"attachment","sessionId":"{id}","cwd":"{cwd}","uuid":"{id}-0","timestamp":"{day}T09:59:00.000Z","attachment":{{"type":"skill_listing","content":"- {loaded}: A skill","skillCount":1,"isInitial":true,"names":["{loaded}"]}}}}"#
    );
    machine.log("home", id, &format!("{listing}\n{calls}"));
}

fn settings(machine: &Machine, text: &str) {
    let folder = machine.path("home/.config/toolhub");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), text).unwrap();
}

fn projects(machine: &Machine) -> Vec<String> {
    let answer = machine.json(&["events", "--limit", "500"]);
    let events = answer["events"].as_array().unwrap().iter();
    events
        .map(|event| event["project"].as_str().unwrap().to_owned())
        .collect()
}

fn has_session(machine: &Machine, id: &str) -> bool {
    let ended = machine.run(&["events", "--session", id, "--json"]);
    if ended.code == Some(1) {
        assert!(ended.stderr.contains("no events of a session"), "{ended:?}");
        return false;
    }
    let answer: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    answer["events"].as_array().unwrap().len() == 3
}

/// Everything that the server answers about tools.
fn known_tools(machine: &Machine) -> String {
    machine
        .json(&[
            "dead-weight",
            "--verdict",
            "all",
            "--kind",
            "all",
            "--limit",
            "500",
        ])
        .to_string()
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_excluded_project_leaves_nothing_by_any_way_of_sending() {
    let machine = Machine::new();
    repository(&machine, "work/api", "api-skill");
    repository(&machine, "clients/acme", "acme-skill");
    session(&machine, "work/api", "api1", "api-loaded");
    session(&machine, "clients/acme", "acme1", "acme-loaded");
    let server = machine.serve();
    settings(&machine, "[projects]\nexclude = ['~/clients']\n");

    let ended = machine.run(&["upload", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&report["events"], &report["inserted"]), (&3.into(), &3.into()));
    assert_eq!(
        report["excluded"],
        serde_json::json!({ "events": 3, "sessions": 1, "projects": 1 })
    );
    assert!(
        ended
            .stderr
            .contains("excluded by project rules: 3 events, 1 session, 1 project"),
        "{}",
        ended.stderr
    );

    session(&machine, "clients/acme", "acme2", "acme-loaded");
    let changed = machine.json(&["upload", "--changed"]);
    assert_eq!(
        (&changed["inserted"], &changed["excluded"]["events"]),
        (&0.into(), &3.into()),
        "only the new log is read"
    );

    session(&machine, "clients/acme", "acme3", "acme-loaded");
    session(&machine, "work/api", "api2", "api-loaded");
    assert_eq!(machine.run(&["hooks", "run"]).code, Some(0));
    eventually("the hook uploads", || has_session(&machine, "api2"));

    let mut watch = machine.command(&["watch", "--every", "1s"]);
    let watch = Killed(watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    session(&machine, "clients/acme", "acme4", "acme-loaded");
    session(&machine, "work/api", "api3", "api-loaded");
    eventually("watch uploads", || has_session(&machine, "api3"));
    drop(watch);

    let mut ci = machine.command(&["upload", "--json"]);
    let ci = ci.env("GITHUB_ACTIONS", "true").output().unwrap();
    let ci: Value = serde_json::from_slice(&ci.stdout).unwrap();
    assert_eq!(ci["excluded"]["events"], 12);

    assert_eq!(projects(&machine), ["api"; 9]);
    let tools = known_tools(&machine);
    assert!(
        tools.contains("skill:api-loaded") && tools.contains("skill:api-skill"),
        "{tools}"
    );
    assert!(!tools.contains("acme"), "{tools}");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn an_upload_after_a_change_of_the_rules_sends_old_logs_too() {
    let machine = Machine::new();
    let server = machine.serve();
    session(&machine, "clients/acme", "acme1", "acme-loaded");
    settings(&machine, "[projects]\nexclude = ['acme']\n");
    assert_eq!(machine.json(&["upload"])["inserted"], 0);
    // A log that was written a moment ago is read once more.
    let nothing_changed = || machine.json(&["upload", "--changed"])["files"] == 0;
    eventually("nothing changed", nothing_changed);
    settings(&machine, "");
    assert_eq!(machine.json(&["upload", "--changed"])["inserted"], 3);
    assert!(nothing_changed());
    assert_eq!(server.stop(), Some(0));
}
