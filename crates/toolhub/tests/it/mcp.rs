//! `toolhub mcp`: an agent asks about the team's tools over stdin and stdout.

use std::{
    io::Write,
    process::{Output, Stdio},
};

use serde_json::{Value, json};

use crate::machine::{Machine, three_calls};

/// Sends messages to a process of its own, and reads its answers.
fn talk(machine: &Machine, messages: &[Value]) -> Vec<Value> {
    let mut child = machine
        .command(&["mcp"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let stdout = String::from_utf8(stdout).unwrap();
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn call(id: u32, name: &str, arguments: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": name, "arguments": arguments } })
}

#[test]
fn an_agent_learns_which_tools_work_and_an_error_says_what_to_do() {
    let machine = Machine::new();
    let server = machine.serve();
    machine.log("home", "s1", &three_calls("s1"));
    machine.json(&["upload", "--wait"]);
    let answers = talk(
        &machine,
        &[
            json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": "2025-03-26" } }),
            json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
            json!({ "jsonrpc": "2.0", "id": "two", "method": "tools/list" }),
            call(3, "which_tools", &json!({ "search": "LINEAR" })),
            call(4, "tool_use", &json!({ "tool_id": "mcp:linear" })),
            call(5, "dead_weight", &json!({ "days": 30 })),
            call(6, "tool_use", &json!({})),
            call(7, "no_such_tool", &json!({})),
            json!({ "jsonrpc": "2.0", "id": 8, "method": "resources/list" }),
            json!("nonsense"),
        ],
    );
    assert_eq!(answers.len(), 9, "a notification has no answer: {answers:?}");
    let text = |n: usize| answers[n]["result"]["content"][0]["text"].as_str().unwrap();
    assert_eq!(answers[0]["result"]["protocolVersion"], "2025-03-26");
    assert_eq!(answers[1]["id"], "two");
    assert_eq!(answers[1]["result"]["tools"].as_array().unwrap().len(), 3);
    assert_eq!(
        text(2),
        "mcp:linear: works 100 % (at least 21 %), 1 calls, 1 members\n"
    );
    assert!(text(3).contains("- get_issue: 1 calls"), "{}", text(3));
    assert!(!text(4).is_empty());
    assert_eq!(answers[5]["result"]["isError"], true, "{}", answers[5]);
    assert_eq!(answers[6]["error"]["code"], -32_602);
    assert_eq!(answers[7]["error"]["code"], -32_601);
    assert_eq!(answers[8]["error"]["code"], -32_600);
    drop(server);
    let gone = talk(&machine, &[call(1, "which_tools", &json!({}))]);
    assert_eq!(gone[0]["result"]["isError"], true);
    let says = gone[0]["result"]["content"][0]["text"].as_str().unwrap();
    assert!(says.contains("cannot reach"), "{says}");
}
