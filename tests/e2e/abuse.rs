//! Names come from other people's logs and programs. Whatever they hold, from upload to screen they move no terminal,
//! start no formula and are no markup; and nothing of them is lost but what was dangerous.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs};

use crate::harness::{
    Caller, Hub,
    process::toolhub,
    sample::{event, now, text, with},
};
use model::{
    team::{Role, Scope},
    text::{clean, is_unsafe},
};
use reqwest::Method;
use serde_json::{Value, json};

/// Markup, escapes of seven and eight bits, line ends, direction overrides, formulas, and what takes tables apart.
const HOSTILE: [&str; 24] = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>&amp;",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;title\u{7}",
    "\u{9b}31mred",
    "\u{85}next",
    "two\nlines",
    "two\r\nlines",
    "nul\0byte",
    "\u{202E}txt.exe",
    "\u{2066}isolated\u{2069}",
    "para\u{2029}graph",
    "=cmd|'/c calc'!A1",
    "=HYPERLINK(\"http://x.example\",\"y\")",
    "+1+1",
    "-2+3",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
    "a|b\\|c",
    "`code` *b* _i_ ~s~ # h",
    "[link](javascript:alert(1))",
    "\"quoted\",comma;semicolon",
];

/// What the program answers, and what it says beside; both are for a terminal.
async fn ask(hub: &Hub, caller: &Caller, arguments: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let whose = ["--url", hub.url.as_str(), "--token", caller.token.as_str()];
    let output = toolhub(home.path(), &[arguments, &whose].concat())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {said}");
    assert_harmless(arguments, &said);
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn assert_harmless(what: &[&str], shown: &str) {
    let found: Vec<char> = shown.chars().filter(|c| *c != '\n' && is_unsafe(*c)).collect();
    assert!(found.is_empty(), "{what:?} shows {found:?}: {shown:?}");
}

/// Everything that is text in a body.
fn texts(body: &Value, found: &mut BTreeSet<String>) {
    match body {
        Value::String(text) => drop(found.insert(text.clone())),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// Asks in every format and looks at each; answers the JSON.
async fn shown(hub: &Hub, caller: &Caller, arguments: &[&str]) -> Value {
    let format = async |format: &str| {
        let answer = ask(hub, caller, &[arguments, &["--format", format]].concat()).await;
        assert_harmless(&[arguments, &[format]].concat(), &answer);
        answer
    };
    let json: Value = serde_json::from_str(&format("json").await).unwrap();
    let rows = json
        .as_object()
        .unwrap()
        .values()
        .find_map(Value::as_array)
        .unwrap()
        .len();

    let table = format("table").await;
    assert_eq!(table.lines().count(), rows + 2, "a row is a line: {table}");

    let csv = format("csv").await;
    let mut records = csv::Reader::from_reader(csv.as_bytes());
    let mut count = 0;
    for record in records.records() {
        count += 1;
        for cell in &record.unwrap() {
            let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
            assert!(
                !formula || cell.parse::<f64>().is_ok(),
                "{arguments:?}: {cell:?} is a formula"
            );
        }
    }
    assert_eq!(count, rows);

    let markdown = format("markdown").await;
    assert_eq!(markdown.lines().count(), rows + 2);
    let bars = |line: &str| line.replace("\\\\", "").replace("\\|", "").matches('|').count();
    let columns = bars(markdown.lines().next().unwrap());
    for line in markdown.lines() {
        assert_eq!(bars(line), columns, "a cell is a cell: {line}");
        for markup in ["<", "`", "[", "]", "*"] {
            let plain = line.replace(&format!("\\{markup}"), "");
            assert!(!plain.contains(markup), "{markup} is markup: {line}");
        }
    }
    json
}

async fn call(caller: &Caller, method: Method, path: &str, body: &Value) -> crate::harness::Answer {
    caller
        .send(caller.request(method, path).body(body.to_string()))
        .await
}

#[tokio::test]
async fn what_was_uploaded_is_harmless_in_every_format_and_nothing_harmless_is_lost() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let allow = json!({ "task_text_allowed": true });
    assert_eq!(call(&olga, Method::PATCH, "/v1/org", &allow).await.status, 200);
    let events: Vec<Value> = HOSTILE
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let fields = json!({
                "operation": name, "session_id": name, "project": name, "model": name, "agent": name,
                "agent_version": name, "git_branch": name, "task_text": name,
            });
            with(event(&format!("call_{number}"), &format!("mcp:{name}")), &fields)
        })
        .collect();
    let receipt = olga.upload(&events).await;
    assert_eq!(receipt.inserted, events.len() as u64, "{receipt:?}");
    let loaded: Vec<Value> = HOSTILE
        .iter()
        .map(|name| json!({ "tool_id": format!("skill:{name}"), "description": name, "source": name }))
        .collect();
    for session in ["s1", "s2", "s3"] {
        let inventory = json!({ "sessions": [{
            "session_id": session, "project": "<b>", "observed_at": text(now()), "tools": loaded.clone(),
        }] });
        assert_eq!(
            call(&olga, Method::PUT, "/v1/inventory", &inventory).await.status,
            200
        );
    }
    let machine =
        json!({ "machine": { "machine_id": "m\u{1b}[2J", "observed_at": text(now()), "tools": loaded } });
    let answer = call(&olga, Method::PUT, "/v1/inventory", &machine).await;
    assert!(matches!(answer.status.as_u16(), 200 | 400), "{}", answer.text);
    // A run says about itself what it wants.
    for name in HOSTILE {
        let run = json!({ "provider": "github", "repository": name, "git_ref": name, "run_id": name });
        let request = olga
            .request(Method::POST, "/v1/events")
            .header(model::api::CI_HEADER, run.to_string())
            .body(json!({ "events": [] }).to_string());
        let answer = olga.send(request).await;
        assert!(matches!(answer.status.as_u16(), 200 | 400), "{}", answer.text);
    }
    olga.refreshed().await;

    let window = ["--window", "all", "--kind", "all", "--limit", "500"];
    for (arguments, prefix) in [
        (["scores", "--limit", "500"].to_vec(), "mcp:"),
        ([&["leaderboard", "tools"], window.as_slice()].concat(), "mcp:"),
        ([&["leaderboard", "projects"], window.as_slice()].concat(), ""),
        (
            ["dead-weight", "--verdict", "all", "--limit", "500"].to_vec(),
            "skill:",
        ),
        (["events", "--limit", "500"].to_vec(), ""),
    ] {
        let json = shown(&hub, &olga, &arguments).await;
        let mut found = BTreeSet::new();
        texts(&json, &mut found);
        for name in HOSTILE {
            let expected = clean(&format!("{prefix}{name}")).into_owned();
            assert!(
                found.contains(&expected),
                "{arguments:?}: {expected:?} is not in {found:?}"
            );
        }
    }
    for arguments in [
        ["leaderboard", "members", "--window", "all"].as_slice(),
        &["uploads", "--limit", "500"],
        &["audit", "--limit", "500"],
        &["members", "list"],
    ] {
        shown(&hub, &olga, arguments).await;
    }
    let export = ask(&hub, &olga, &["me", "export"]).await;
    assert_harmless(&["me", "export"], &export);
    let mut found = BTreeSet::new();
    texts(&serde_json::from_str(&export).unwrap(), &mut found);
    assert!(found.contains("=cmd|'/c calc'!A1"));
}

#[tokio::test]
async fn names_that_people_give_are_refused_or_harmless() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    for (number, name) in HOSTILE.iter().enumerate() {
        // NUL is refused before the text is read as a handle.
        let code = if name.contains('\0') {
            "invalid_parameter"
        } else {
            "invalid_body"
        };
        let member = call(&olga, Method::POST, "/v1/members", &json!({ "handle": name })).await;
        assert_eq!(member.problem(400).code, code, "{name:?}");
        let renamed = call(
            &olga,
            Method::PATCH,
            "/v1/members/olga",
            &json!({ "handle": name }),
        )
        .await;
        assert_eq!(renamed.problem(400).code, code, "{name:?}");
        assert!(hub.store.org_create(name, now()).await.is_err(), "{name:?}");
        let token = call(&olga, Method::POST, "/v1/tokens", &json!({ "name": name })).await;
        let expected = if name.chars().any(is_unsafe) { 400 } else { 201 };
        assert_eq!(token.status, expected, "{name:?}: {}", token.text);
        let publisher = json!({
            "provider": "github", "repository": format!("acme/r{number}"), "owner_id": "7", "workflow": name,
            "environment": name,
        });
        let trusted = call(&olga, Method::POST, "/v1/trusted-publishers", &publisher).await;
        assert_eq!(trusted.status, expected, "{name:?}: {}", trusted.text);
        let publisher = json!({ "provider": "github", "repository": format!("{name}/x"), "owner_id": "7" });
        let trusted = call(&olga, Method::POST, "/v1/trusted-publishers", &publisher).await;
        assert!(
            matches!(trusted.status.as_u16(), 201 | 400),
            "{name:?}: {}",
            trusted.text
        );
        // What a refusal repeats is harmless, too.
        for answer in [
            call(&olga, Method::PATCH, "/v1/org", &json!({ *name: true })).await,
            call(
                &olga,
                Method::POST,
                "/v1/trusted-publishers",
                &json!({ "provider": name }),
            )
            .await,
        ] {
            answer.problem(400);
        }
    }
    for arguments in [
        ["tokens", "list", "--limit", "500"].as_slice(),
        &["trusted-publishers", "list", "--limit", "500"],
        &["audit", "--limit", "500"],
        &["members", "list", "--limit", "500"],
    ] {
        shown(&hub, &olga, arguments).await;
    }
}

/// A laptop whose own logs are hostile: what the uploader shows of them before anything is sent.
#[tokio::test]
async fn what_stands_in_hostile_logs_is_harmless_before_it_is_sent() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".claude/projects/-w");
    fs::create_dir_all(&folder).unwrap();
    for (number, name) in HOSTILE.iter().enumerate() {
        let quoted = json!(name).to_string();
        let cwd = json!(format!("/home/ann/{name}")).to_string();
        let call = format!(
            r#"{{"type":"assistant","sessionId":{quoted},"cwd":{cwd},"gitBranch":{quoted},"version":{quoted},"timestamp":"2026-01-02T03:04:05.000Z","message":{{"id":"m","model":{quoted},"content":[{{"type":"tool_use","id":"toolu_{number}","name":{quoted},"input":{{}}}},{{"type":"tool_use","id":"toolu_s{number}","name":"Skill","input":{{"skill":{quoted}}}}}]}}}}"#
        );
        // A second line that cannot be read is told with the name of its file.
        let file = name.replace(['/', '\0'], "_");
        fs::write(
            folder.join(format!("{file}.jsonl")),
            format!("{call}\n{{\"type\":\"assistant\",oops{name}\n"),
        )
        .unwrap();
    }
    for arguments in [
        ["upload", "--dry-run"].as_slice(),
        &["upload", "--dry-run", "--print-events"],
        &["upload", "--dry-run", "--json"],
        &["doctor"],
        &["upload", "--url", "http://127.0.0.1:1", "--token", "\u{1b}[31m"],
    ] {
        let output = toolhub(home.path(), arguments).output().await.unwrap();
        for shown in [output.stdout, output.stderr] {
            assert_harmless(arguments, &String::from_utf8(shown).unwrap());
        }
    }
}
