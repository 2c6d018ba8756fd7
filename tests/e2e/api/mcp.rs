//! `/mcp`: agents ask about the tools of their team over HTTP.

use model::team::{Role, Scope};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Caller, Hub,
    sample::{event, with},
};

async fn send(caller: &Caller, message: &Value) -> Answer {
    caller
        .send(caller.request(Method::POST, "/mcp").body(message.to_string()))
        .await
}

/// What a tool of the server answers.
async fn ask(caller: &Caller, tool: &str, arguments: Value) -> (String, bool) {
    let call = json!({ "name": tool, "arguments": arguments });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call });
    let answer = send(caller, &message).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let result = answer.json()["result"].clone();
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    (text.to_owned(), result["isError"] == true)
}

#[tokio::test]
async fn an_agent_is_told_the_figures_of_its_own_org_and_of_no_other() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let eve = hub.member(&hub.org("rival").await, "eve").await;
    ann.upload(&[
        event("toolu_1", "mcp:linear"),
        with(
            event("toolu_2", "mcp:linear"),
            &json!({ "outcome": "failure", "reason": "error" }),
        ),
        event("toolu_3", "skill:secret-plan"),
    ])
    .await;
    ann.refreshed().await;
    eve.upload(&[event("toolu_1", "mcp:github")]).await;
    eve.refreshed().await;

    let (tools, failed) = ask(&ann, "which_tools", json!({})).await;
    assert!(
        !failed && tools.contains("mcp:linear: works 50 %") && tools.contains("secret-plan"),
        "{tools}"
    );
    let (found, _) = ask(&ann, "which_tools", json!({ "search": "LINEAR" })).await;
    assert!(
        found.contains("2 calls") && !found.contains("secret-plan"),
        "{found}"
    );
    let (one, _) = ask(
        &ann,
        "tool_use",
        json!({ "tool_id": "mcp:linear", "window": "7d" }),
    )
    .await;
    assert!(one.contains("2 calls"), "{one}");
    let (dead, failed) = ask(&ann, "dead_weight", json!({ "days": 30 })).await;
    assert!(!failed && !dead.is_empty(), "{dead}");

    let (tools, _) = ask(&eve, "which_tools", json!({})).await;
    assert!(
        tools.contains("mcp:github") && !tools.contains("linear") && !tools.contains("secret"),
        "{tools}"
    );
    let (of_others, failed) = ask(&eve, "tool_use", json!({ "tool_id": "skill:secret-plan" })).await;
    assert!(failed && of_others.contains("no tool"), "{of_others}");
}

#[tokio::test]
async fn messages_are_answered_as_the_protocol_says() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let hello = json!({ "jsonrpc": "2.0", "id": "a", "method": "initialize",
        "params": { "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } });
    let answer = send(&ann, &hello).await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let answer = answer.json();
    assert_eq!(
        (&answer["id"], &answer["result"]["protocolVersion"]),
        (&json!("a"), &json!("2025-06-18"))
    );
    let listed = send(
        &ann,
        &json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }),
    )
    .await
    .json();
    assert_eq!(listed["result"]["tools"].as_array().map(Vec::len), Some(3));

    let notification = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let answer = send(&ann, &notification).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (202, ""));
    for (message, code) in [
        (
            json!({ "jsonrpc": "2.0", "id": 3, "method": "resources/list" }),
            -32_601,
        ),
        (
            json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": { "name": "x" } }),
            -32_602,
        ),
        (json!([]), -32_600),
    ] {
        assert_eq!(send(&ann, &message).await.json()["error"]["code"], code);
    }
    for arguments in [
        json!({ "window": "8d" }),
        json!({ "kind": 7 }),
        json!({ "window": ["7d"] }),
    ] {
        let (text, failed) = ask(&ann, "which_tools", arguments).await;
        assert!(failed && !text.is_empty());
    }

    let other = ann
        .request(Method::POST, "/mcp")
        .header("mcp-protocol-version", "1999-01-01");
    let problem = ann.send(other.body(hello.to_string())).await.problem(400);
    assert!(problem.detail.contains("2025-06-18"), "{}", problem.detail);
    // There is no stream to open, and no session to end.
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(ann.send(ann.request(method, "/mcp")).await.status, 405);
    }
    let uploader = hub.member_with(&acme, "ci", Role::Member, &[Scope::Upload]).await;
    assert_eq!(send(&uploader, &hello).await.status, 403);
}
