//! From the audit to a decision, to the machines of two members, to the proof.

use std::{fs, time::SystemTime};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::machine::{Machine, Person};

/// A session of some days ago that lists a skill and a server, and makes three requests.
fn session(id: &str, days_ago: i64, listed: &[&str]) -> String {
    let start = DateTime::<Utc>::from(SystemTime::now()) - TimeDelta::days(days_ago) - TimeDelta::minutes(30);
    let at = |minute: i64| (start + TimeDelta::minutes(minute)).to_rfc3339_opts(SecondsFormat::Millis, true);
    let record = |number: i64| {
        json!({
            "uuid": format!("{id}-{number}"), "sessionId": id, "timestamp": at(number), "cwd": "/work/api",
            "version": "2.1.219", "isSidechain": false,
        })
    };
    let merged = |mut record: Value, more: Value| {
        record
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        record.to_string()
    };
    let lines: Vec<String> = listed
        .iter()
        .map(|name| format!("- {name}: {}", "words ".repeat(100)))
        .collect();
    let mut log = vec![merged(
        record(0),
        json!({ "type": "attachment", "attachment": {
            "type": "skill_listing", "content": lines.join("\n"), "names": listed, "isInitial": true,
        } }),
    )];
    for request in 1..=3 {
        let usage = json!({
            "input_tokens": 5, "output_tokens": 50, "cache_read_input_tokens": 20_000 * (request - 1),
            "cache_creation_input_tokens": 900,
        });
        log.push(merged(
            record(request),
            json!({ "type": "assistant", "requestId": format!("req-{id}-{request}"), "message": {
                "id": format!("msg-{id}-{request}"), "role": "assistant", "model": "claude-sonnet-4-5", "usage": usage,
                "content": [{
                    "type": "tool_use", "id": format!("toolu_{id}_{request}"), "name": "Bash", "input": { "command": "ls" },
                }],
            } }),
        ));
    }
    log.join("\n") + "\n"
}

fn install(person: &Person<'_>) {
    for skill in ["quiet", "kept"] {
        let folder = person.home.join(".claude/skills").join(skill);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("SKILL.md"), format!("---\nname: {skill}\n---\n")).unwrap();
    }
}

fn row(answer: &Value, list: &str, tool: &str) -> Value {
    let rows = answer[list].as_array().unwrap();
    rows.iter()
        .find(|row| row["tool_id"] == tool)
        .cloned()
        .unwrap_or_default()
}

#[test]
fn a_tool_is_retired_pruned_by_two_members_and_the_savings_prove_it() {
    let machine = Machine::new();
    let server = machine.serve();
    let (ann, bob) = (machine.person("home"), machine.person("bob"));
    bob.login(&server.url, &ann.said(&["members", "add", "bob", "--invite"]))
        .assert_said(0, &[]);
    for (home, person) in [("home", &ann), ("bob", &bob)] {
        install(person);
        for days in 1..=40 {
            let id = format!("{home}-{days}");
            machine.log(home, &id, &session(&id, days, &["quiet", "kept"]));
        }
        person.said(&["upload", "--wait"]);
    }

    let audit = ann.json(&["dead-weight", "--days", "30"]);
    let accused = row(&audit, "dead_weight", "skill:quiet");
    assert_eq!(accused["verdict"], "unused", "{audit}");
    assert_eq!(accused["loaded_by"], json!(["ann", "bob"]));
    assert_eq!(accused["remove"], "folder ~/.claude/skills/quiet");
    // 609 bytes of a listing are 127 tokens; three requests a session, two sessions a day.
    assert_eq!(accused["context_tokens"], 127);
    assert_eq!(accused["requests"].as_i64().unwrap() % 6, 0);
    assert_eq!(
        accused["carried_tokens"],
        127 * accused["requests"].as_i64().unwrap()
    );
    assert!(accused["est_cost_usd_month"].as_f64().unwrap() > 0.0);

    bob.run(&["decide", "skill:quiet", "retire"]).assert_said(4, &[]);
    ann.said(&["decide", "skill:quiet", "retire", "--note", "nobody calls it"]);
    let planned = bob.json(&["prune", "--dry-run"]);
    assert_eq!(
        (&planned["applied"], planned["steps"].as_array().unwrap().len()),
        (&json!(false), 1),
        "{planned}"
    );
    assert!(
        bob.home.join(".claude/skills/quiet/SKILL.md").exists(),
        "a dry run changes nothing"
    );
    assert!(bob.said(&["prune"]).contains("would remove skill:quiet"));
    assert_eq!(
        bob.json(&["prune", "--apply"])["steps"][0]["tool_ids"],
        json!(["skill:quiet"])
    );
    assert!(!bob.home.join(".claude/skills/quiet/SKILL.md").exists());
    assert!(
        bob.home
            .join(".claude/skills/quiet/SKILL.md.toolhub-backup")
            .exists()
    );
    assert!(
        bob.home.join(".claude/skills/kept/SKILL.md").exists(),
        "what is not decided stays"
    );
    assert_eq!(
        bob.json(&["prune", "--apply"])["steps"],
        json!([]),
        "twice is once"
    );

    // bob has pruned and ann has not; both go on working.
    machine.log("bob", "after-bob", &later(&session("after-bob", 0, &["kept"])));
    machine.log(
        "home",
        "after-ann",
        &later(&session("after-ann", 0, &["quiet", "kept"])),
    );
    for person in [&ann, &bob] {
        person.said(&["upload", "--wait"]);
    }
    let savings = ann.json(&["savings"]);
    let proof = row(&savings, "savings", "skill:quiet");
    assert_eq!(proof["still_loaded_by"], json!(["ann"]), "{savings}");
    assert_eq!(proof["still_installed_by"], json!(["ann"]), "{savings}");
    assert_eq!(
        (&proof["after"]["sessions"], &proof["needed"]["calls"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(proof["before"]["days"], 30);

    ann.json(&["prune", "--apply"]);
    ann.said(&["upload", "--wait"]);
    let proof = row(&ann.json(&["savings"]), "savings", "skill:quiet");
    assert_eq!(proof["still_installed_by"], json!([]));
    assert_eq!(
        bob.json(&["prune", "--undo"])["steps"][0]["tool_ids"],
        json!(["skill:quiet"])
    );
    assert!(bob.home.join(".claude/skills/quiet/SKILL.md").exists());
    assert_eq!(server.stop(), Some(0));
}

/// The same log, an hour later: after a decision that was just made.
fn later(log: &str) -> String {
    let shift = |text: &str| {
        let at: DateTime<Utc> = text.parse().unwrap();
        (at + TimeDelta::hours(1)).to_rfc3339_opts(SecondsFormat::Millis, true)
    };
    let lines = log.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        record["timestamp"] = json!(shift(record["timestamp"].as_str().unwrap()));
        record.to_string()
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}
