//! A session is uploaded again and again while it goes on, and logs do not only grow: a later snapshot of one may have
//! lost most of its calls. Whatever the order in which snapshots arrive, the server ends up with the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use crate::harness::{Deployment, deployment::Member, process::toolhub};
use serde_json::{Value, json};

/// A line with the call of a tool, and what the response that made it has used so far.
fn call(id: &str, response: &str, second: u32, tool: &str, output: u32) -> String {
    let message = json!({
        "id": response, "model": "claude-sonnet-4-5", "role": "assistant",
        "content": [{ "type": "tool_use", "id": id, "name": tool, "input": {} }],
        "usage": { "input_tokens": 1_000, "output_tokens": output },
    });
    line("assistant", second, &message)
}

/// A line with the result of a call.
fn result(id: &str, second: u32, is_error: bool, text: &str) -> String {
    let content =
        json!([{ "type": "tool_result", "tool_use_id": id, "is_error": is_error, "content": text }]);
    line("user", second, &json!({ "role": "user", "content": content }))
}

fn line(kind: &str, second: u32, message: &Value) -> String {
    let line = json!({
        "type": kind, "sessionId": "s", "cwd": "/home/ann/api", "gitBranch": "main", "version": "2.1.0",
        "timestamp": format!("2026-01-02T03:04:{second:02}.000Z"), "message": message,
    });
    format!("{line}\n")
}

/// One session, three times, each as the whole log stood then.
fn snapshots() -> [String; 3] {
    let build = call("toolu_build", "m1", 1, "Bash", 10) + &result("toolu_build", 3, false, "ok");
    let read = call("toolu_read", "m2", 4, "Read", 20);
    let read_result = result("toolu_read", 5, true, "File does not exist.");
    // The response went on: its cost is now that of two calls.
    let grep = call("toolu_grep", "m2", 4, "Grep", 50)
        + &result(
            "toolu_grep",
            6,
            true,
            "The user doesn't want to proceed with this tool use.",
        );
    let issues = call("toolu_issues", "m3", 7, "mcp__linear__list_issues", 30);
    let issues_result = result("toolu_issues", 9, false, "[]");
    let edit = call("toolu_edit", "m4", 10, "Edit", 40);
    [
        format!("{build}{read}"),
        format!("{build}{read}{grep}{read_result}{issues}"),
        // Compacted: nothing is left of the calls before the last two.
        format!("{issues}{issues_result}{edit}"),
    ]
}

/// What `toolhub` prints with `--json`.
async fn answer(home: &Path, deployment: &Deployment, member: &Member, arguments: &[&str]) -> Value {
    let url = deployment.server.url();
    let mut all = arguments.to_vec();
    all.extend(["--json", "--url", &url, "--token", &member.token]);
    let done = toolhub(home, &all).output().await.unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&done.stdout).unwrap()
}

/// What a team sees after an upload: the events and the scores, without the times of their arrival.
async fn state(home: &Path, deployment: &Deployment, member: &Member) -> [Value; 2] {
    let mut state = [
        answer(home, deployment, member, &["events", "--limit", "500"]).await,
        answer(
            home,
            deployment,
            member,
            &["scores", "--kind", "all", "--limit", "500"],
        )
        .await,
    ];
    for body in &mut state {
        body.as_object_mut().unwrap().remove("as_of");
    }
    for event in state[0]["events"].as_array_mut().unwrap() {
        event.as_object_mut().unwrap().remove("received_at");
    }
    state
}

/// Uploads the snapshots in this order, as one file that changes. After each step: how many calls are known, and how
/// many of them have no result yet. At the end what the team sees.
async fn uploaded(order: [usize; 3]) -> (Vec<(usize, usize)>, [Value; 2]) {
    let deployment = Deployment::start().await;
    let member = deployment.member("ann").await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".claude/projects/-home-ann-api");
    std::fs::create_dir_all(&folder).unwrap();
    let mut steps = Vec::new();
    for step in order {
        std::fs::write(folder.join("s.jsonl"), &snapshots()[step]).unwrap();
        let upload = ["upload", "--wait", "--no-inventory"];
        let receipt = answer(home.path(), &deployment, &member, &upload).await;
        assert_eq!(
            (&receipt["rejected"], &receipt["conflict"]),
            (&json!(0), &json!(0)),
            "{receipt}"
        );
        let [events, _] = state(home.path(), &deployment, &member).await;
        let events = events["events"].as_array().unwrap();
        let open = events.iter().filter(|event| event["reason"] == "unanswered");
        steps.push((events.len(), open.count()));
    }
    let last = state(home.path(), &deployment, &member).await;
    (steps, last)
}

#[tokio::test]
async fn snapshots_of_a_session_in_any_order_end_in_the_same_state_and_lose_no_call() {
    let (steps, expected) = uploaded([0, 1, 2]).await;
    assert_eq!(steps, [(2, 1), (4, 1), (5, 1)]);
    let outcome = |id: &str| {
        let events = expected[0]["events"].as_array().unwrap();
        let event = events.iter().find(|event| event["uuid"] == id).unwrap();
        (event["outcome"].clone(), event["reason"].clone())
    };
    // The first three are no longer in the last snapshot; the fourth has its result only there.
    for (id, result, reason) in [
        ("toolu_build", "success", Value::Null),
        ("toolu_read", "failure", json!("error")),
        ("toolu_grep", "abandoned", json!("rejected")),
        ("toolu_issues", "success", Value::Null),
        ("toolu_edit", "abandoned", json!("unanswered")),
    ] {
        assert_eq!(outcome(id), (json!(result), reason), "{id}");
    }
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (_, state) = uploaded(order).await;
        assert_eq!(state, expected, "{order:?}");
    }
}
