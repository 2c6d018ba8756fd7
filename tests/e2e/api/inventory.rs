//! `PUT /v1/inventory`: what sessions had loaded, and what machines have installed.

use crate::harness::{
    Caller, Hub,
    sample::{now, text},
};
use model::{api::DeadWeight, inventory::InventoryReceipt};
use reqwest::Method;
use serde_json::{Value, json};

async fn put(caller: &Caller, body: &Value) -> crate::harness::Answer {
    caller
        .send(
            caller
                .request(Method::PUT, "/v1/inventory")
                .body(body.to_string()),
        )
        .await
}

#[tokio::test]
async fn the_same_inventory_sent_twice_changes_nothing() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let inventory = json!({
        "sessions": [{
            "session_id": "s1", "project": "api", "agent": "claude-code", "observed_at": text(now()),
            "tools": [{ "tool_id": "mcp:figma", "context_bytes": 900 }, { "tool_id": "skill:design-md" }],
        }],
        "machine": {
            "machine_id": "m1", "observed_at": text(now()),
            "tools": [{ "tool_id": "skill:design-md", "description": "Writes a design.", "source": "user" }],
        },
    });
    let first: InventoryReceipt = put(&ann, &inventory).await.ok();
    assert_eq!((first.sessions, first.loaded, first.installed), (1, 2, 1));
    assert!(first.changed > 0);
    let second: InventoryReceipt = put(&ann, &inventory).await.ok();
    assert_eq!(
        (second.sessions, second.loaded, second.installed, second.changed),
        (1, 2, 1, 0)
    );
}

#[tokio::test]
async fn a_tool_that_a_machine_no_longer_lists_is_no_longer_installed() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    let machine = |tools: &[&str]| {
        let tools: Vec<Value> = tools.iter().map(|tool| json!({ "tool_id": tool })).collect();
        json!({ "machine": { "machine_id": "m1", "observed_at": text(now()), "tools": tools } })
    };
    let installed = async || {
        let answer: DeadWeight = ann.get("/v1/dead-weight").await.ok();
        let mut found: Vec<(String, i64)> = answer
            .dead_weight
            .into_iter()
            .map(|row| (row.tool_id, row.members_installed))
            .collect();
        found.sort();
        found
    };
    let _: InventoryReceipt = put(&ann, &machine(&["skill:a", "skill:b"])).await.ok();
    let _: InventoryReceipt = put(&bob, &machine(&["skill:a"])).await.ok();
    assert_eq!(
        installed().await,
        [("skill:a".to_owned(), 2), ("skill:b".to_owned(), 1)]
    );
    let _: InventoryReceipt = put(&ann, &machine(&["skill:b"])).await.ok();
    assert_eq!(
        installed().await,
        [("skill:a".to_owned(), 1), ("skill:b".to_owned(), 1)]
    );
}

#[tokio::test]
async fn an_inventory_that_cannot_be_read_is_refused_whole() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let session = |session: &str, tool: &str| json!({ "sessions": [{ "session_id": session, "observed_at": text(now()), "tools": [{ "tool_id": tool }] }] });
    for body in [
        json!([1]),
        session("", "mcp:figma"),
        session(&"s".repeat(300), "mcp:figma"),
        session("s1", "figma"),
    ] {
        assert_eq!(put(&ann, &body).await.problem(400).code, "invalid_body", "{body}");
    }
    let answer: DeadWeight = ann.get("/v1/dead-weight").await.ok();
    assert_eq!(answer.dead_weight, []);
}
