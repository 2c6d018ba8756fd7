//! The digest of a period: what changed against the period before.

use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use crate::machine::Machine;

/// Twenty calls of a server some days ago, of which so many failed.
fn calls(session: &str, server: &str, days_ago: i64, failures: usize) -> String {
    let start = DateTime::<Utc>::from(SystemTime::now()) - TimeDelta::days(days_ago) - TimeDelta::minutes(50);
    let mut log = String::new();
    for number in 0..20 {
        let id = format!("toolu_{session}_{number}");
        let at = |second: i64| {
            (start + TimeDelta::seconds(i64::try_from(number).unwrap() * 60 + second))
                .to_rfc3339_opts(SecondsFormat::Millis, true)
        };
        let call = json!({
            "type": "assistant", "sessionId": session, "cwd": "/work/api", "timestamp": at(0),
            "message": { "id": format!("m{id}"), "content": [{
                "type": "tool_use", "id": id, "name": format!("mcp__{server}__get"), "input": {},
            }] },
        });
        let result = json!({
            "type": "user", "sessionId": session, "cwd": "/work/api", "timestamp": at(1),
            "message": { "content": [{
                "type": "tool_result", "tool_use_id": id, "content": "done", "is_error": number < failures,
            }] },
        });
        log += &format!("{call}\n{result}\n");
    }
    log
}

#[test]
fn a_digest_says_what_became_worse_what_is_new_and_who_was_not_seen() {
    let machine = Machine::new();
    let server = machine.serve();
    let (ann, bob) = (machine.person("home"), machine.person("bob"));
    machine.log("home", "before", &calls("before", "linear", 10, 0));
    machine.log("home", "now", &calls("now", "linear", 1, 12));
    machine.log("home", "new", &calls("new", "github", 1, 0));
    ann.said(&["upload", "--wait"]);
    ann.said(&["members", "add", "carl"]);
    bob.login(&server.url, &ann.said(&["members", "add", "bob", "--invite"]))
        .assert_said(0, &[]);

    let digest = ann.json(&["digest"]);
    let named = |list: &str| -> Vec<&str> {
        let rows = digest[list].as_array().unwrap().iter();
        rows.map(|row| row["tool_id"].as_str().unwrap()).collect()
    };
    assert_eq!(named("worse"), ["mcp:linear"], "{digest}");
    assert_eq!(named("new_failures"), ["mcp:linear"]);
    assert_eq!(named("new_tools"), ["mcp:github"]);
    assert!(named("better").is_empty());
    assert_eq!(digest["worse"][0]["failures"], 12);
    assert_eq!(
        (&digest["period"], &digest["overview"]["totals"]["events"]),
        (&json!("7d"), &json!(40))
    );
    assert_eq!(digest["not_seen"], json!(["carl"]), "carl never came");
    assert_eq!(
        bob.json(&["digest"])["not_seen"],
        json!(null),
        "bob may not list the members"
    );

    let text = ann.said(&["digest"]);
    let link = format!("- [`mcp:linear`]({}/tools/mcp:linear): 40.0 %", server.url);
    assert!(text.starts_with("# Tools, ") && text.contains(&link), "{text}");
    let html = ann.said(&["digest", "--format", "html", "--period", "30d"]);
    assert!(
        html.starts_with("<!doctype html>") && html.contains("mcp:github"),
        "{html}"
    );
    assert_eq!(ann.run(&["digest", "--period", "1d"]).code, Some(2));
    assert_eq!(server.stop(), Some(0));
}
