//! What is kept about people: task texts, opting out, exporting and deleting one's data, and how long anything is kept.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::harness::{
    Answer, Caller, Hub, Org,
    sample::{event, event_at, now, text, with},
};
use chrono::{NaiveTime, TimeDelta};
use model::team::{Role, Scope};
use reqwest::Method;
use serde_json::{Value, json};

async fn call(caller: &Caller, method: Method, path: &str, body: Value) -> Answer {
    caller
        .send(caller.request(method, path).body(body.to_string()))
        .await
}

async fn stage() -> (Hub, Org, Caller, Caller) {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let ann = hub.member(&acme, "ann").await;
    (hub, acme, olga, ann)
}

fn events(caller: &Value) -> Vec<String> {
    let rows = caller["events"].as_array().unwrap();
    rows.iter()
        .map(|row| row["uuid"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_task_text_is_stored_only_where_the_org_says_so_and_every_one_left_out_is_counted() {
    let (_hub, _, olga, ann) = stage().await;
    let told = |uuid: &str| with(event(uuid, "cli:make"), &json!({ "task_text": "my secret task" }));
    let many: Vec<Value> = (0..150).map(|number| told(&format!("call_{number}"))).collect();
    let receipt = ann.upload(&many).await;
    assert_eq!(
        (receipt.inserted, receipt.warned, receipt.warnings.len()),
        (150, 150, 100)
    );
    let warning = serde_json::to_value(&receipt.warnings[3]).unwrap();
    assert_eq!(warning["code"], "task_text_not_stored");
    assert_eq!(
        (&warning["index"], &warning["uuid"], &warning["field"]),
        (&json!(3), &json!("call_3"), &json!("task_text"))
    );
    assert!(!olga.get("/v1/events?limit=500").await.text.contains("secret"));
    assert!(!ann.get("/v1/me/data").await.text.contains("secret"));
    call(
        &olga,
        Method::PATCH,
        "/v1/org",
        json!({ "task_text_allowed": true }),
    )
    .await
    .json();
    let receipt = ann.upload(&[told("call_0"), told("new")]).await;
    assert_eq!((receipt.upgraded, receipt.inserted, receipt.warned), (1, 1, 0));
    assert!(olga.get("/v1/events").await.text.contains("my secret task"));
}

#[tokio::test]
async fn who_deletes_their_data_is_rid_of_it_and_the_same_logs_do_not_bring_it_back() {
    let (hub, acme, olga, ann) = stage().await;
    let bob = hub.member(&acme, "bob").await;
    let logs: Vec<Value> = (0..20)
        .map(|number| event(&format!("call_{number}"), "skill:only-ann"))
        .collect();
    let inventory = json!({ "sessions": [{
        "session_id": "s", "observed_at": text(now() - TimeDelta::hours(1)), "tools": [{ "tool_id": "mcp:x" }],
    }] });
    ann.upload(&logs).await;
    bob.upload(&logs[..3]).await;
    call(&ann, Method::PUT, "/v1/inventory", inventory.clone())
        .await
        .json();
    ann.refreshed().await;
    let unsure = call(&ann, Method::DELETE, "/v1/me/data", json!({}))
        .await
        .problem(400);
    assert!(unsure.detail.contains("?confirm=ann"), "{unsure:?}");
    let deleted = call(&ann, Method::DELETE, "/v1/me/data?confirm=ann", json!({}))
        .await
        .json();
    assert_eq!(
        (&deleted["events"], &deleted["uploads"], &deleted["inventory"]),
        (&json!(20), &json!(1), &json!(1))
    );
    olga.refreshed().await;
    let score = olga.get("/v1/scores/skill:only-ann").await.json();
    assert_eq!(score["events"], 3, "bob's are left: {score}");
    let board = olga
        .get("/v1/leaderboards/members?window=all&kind=all&fresh=true")
        .await
        .text;
    assert!(board.contains("bob") && !board.contains("ann"), "{board}");
    assert_eq!(hub.store.rebuild().await.unwrap().differences, 0);
    // The same logs, and something new.
    let mut again = logs.clone();
    again.insert(7, event_at("fresh", "cli:make", now()));
    let receipt = ann.upload(&again).await;
    assert_eq!(
        (receipt.received, receipt.inserted, receipt.rejected),
        (21, 1, 20)
    );
    let rejection = serde_json::to_value(&receipt.rejections[7]).unwrap();
    assert_eq!(
        (&rejection["code"], &rejection["index"]),
        (&json!("deleted_by_member"), &json!(8))
    );
    call(&ann, Method::PUT, "/v1/inventory", inventory.clone())
        .await
        .json();
    let export = ann.get("/v1/me/data").await.json();
    assert_eq!(
        (
            &export["session_tools"],
            export["usage_events"].as_array().unwrap().len()
        ),
        (&json!([]), 1)
    );
    // Unless the member says so.
    call(
        &ann,
        Method::PATCH,
        "/v1/me/settings",
        json!({ "accept_deleted": true }),
    )
    .await
    .json();
    assert_eq!(ann.upload(&again).await.inserted, 20);
}

#[tokio::test]
async fn a_clock_that_was_ahead_does_not_bring_deleted_events_back() {
    let (_hub, _, _, ann) = stage().await;
    let ahead = [
        event_at("now", "cli:make", now()),
        event_at("ahead", "cli:make", now() + TimeDelta::hours(3)),
    ];
    assert_eq!(ann.upload(&ahead).await.inserted, 2);
    let deleted = call(&ann, Method::DELETE, "/v1/me/data?confirm=ann", json!({}))
        .await
        .json();
    assert_eq!(deleted["events"], 2);
    let receipt = ann.upload(&ahead).await;
    assert_eq!((receipt.inserted, receipt.rejected), (0, 2), "{receipt:?}");
    let later = event_at("later", "cli:make", now() + TimeDelta::hours(4));
    assert_eq!(ann.upload(&[later]).await.inserted, 1);
}

#[tokio::test]
async fn an_export_holds_everything_of_the_member_and_nothing_of_others() {
    let (hub, acme, _, ann) = stage().await;
    let bob = hub.member(&acme, "bob").await;
    bob.upload(&[event("bobs", "skill:bobs-own")]).await;
    let many: Vec<Value> = (0..3_000)
        .map(|number| event(&format!("anns_{number}"), "cli:make"))
        .collect();
    ann.upload(&many).await;
    let machine = json!({ "machine": {
        "machine_id": "laptop", "observed_at": text(now()), "tools": [{ "tool_id": "mcp:x" }],
    } });
    call(&ann, Method::PUT, "/v1/inventory", machine).await.json();
    let answer = ann.get("/v1/me/data").await;
    assert!(!answer.text.contains("bob") && !answer.text.contains("token_hash"));
    let export = answer.json();
    let sizes: Vec<(&str, usize)> = store::privacy::EXPORTED
        .iter()
        .map(|(table, _)| (*table, export[table].as_array().unwrap().len()))
        .collect();
    assert_eq!(
        sizes,
        [
            ("members", 1),
            ("api_tokens", 1),
            ("page_sessions", 0),
            ("trusted_publishers", 0),
            // Added, given a token, exported.
            ("audit_log", 3),
            ("machine_tools", 1),
            ("session_usage", 0),
            ("session_usage_days", 0),
            ("session_tools", 0),
            ("loaded_members", 0),
            ("unreachable_tools", 0),
            ("unnamed_calls", 0),
            ("uploads", 1),
            ("usage_days", 1),
            ("usage_events", 3_000),
            ("usage_totals", 1),
        ]
    );
    assert_eq!(export["member"], "ann");
}

#[tokio::test]
async fn uploads_under_way_and_a_deletion_leave_nothing_half() {
    let (hub, acme, _, ann) = stage().await;
    for round in 0..10 {
        let logs: Vec<Value> = (0..400)
            .map(|number| event(&format!("call-{round}-{number}"), "cli:make"))
            .collect();
        let uploads = futures_util::future::join_all(logs.chunks(100).map(|part| ann.upload(part)));
        let deletion = call(&ann, Method::DELETE, "/v1/me/data?confirm=ann", json!({}));
        let (receipts, deleted) = tokio::join!(uploads, deletion);
        assert_eq!(deleted.status, 200, "{}", deleted.text);
        for receipt in receipts {
            assert!(receipt.inserted == 100 || receipt.rejected == 100, "{receipt:?}");
        }
        assert_eq!(
            hub.store.event_count(acme.id, None).await.unwrap(),
            0,
            "all had occurred before the deletion"
        );
        assert_eq!(hub.store.rebuild().await.unwrap().differences, 0);
    }
}

#[tokio::test]
async fn a_retention_deletes_whole_days_with_all_that_is_derived_and_refuses_what_is_older() {
    let (hub, _, olga, ann) = stage().await;
    let midnight = now().date_naive().and_time(NaiveTime::MIN).and_utc();
    let old: Vec<Value> = (0..40)
        .map(|days| {
            event_at(
                &format!("day_{days}"),
                "cli:make",
                midnight - TimeDelta::days(days),
            )
        })
        .collect();
    ann.upload(&old).await;
    ann.refreshed().await;
    assert_eq!(
        hub.store.retention_run(now()).await.unwrap(),
        store::privacy::RetentionDeleted::default(),
        "kept for ever"
    );
    for days in [-1, 40_000] {
        let refused = call(&olga, Method::PATCH, "/v1/org", json!({ "retention_days": days })).await;
        assert_eq!(refused.problem(400).code, "invalid_body");
    }
    call(&olga, Method::PATCH, "/v1/org", json!({ "retention_days": 10 }))
        .await
        .json();
    let kept = hub.store.retention_run(now()).await.unwrap();
    assert_eq!(kept.events, 29, "the days 0 to 10 are kept: {kept:?}");
    assert_eq!(hub.store.retention_run(now()).await.unwrap().events, 0);
    assert_eq!(hub.store.rebuild().await.unwrap().differences, 0);
    olga.refreshed().await;
    assert_eq!(olga.get("/v1/scores/cli:make").await.json()["events"], 11);
    let receipt = ann.upload(&old).await;
    assert_eq!((receipt.duplicate, receipt.rejected), (11, 29));
    assert_eq!(
        serde_json::to_value(receipt.rejections[0].code).unwrap(),
        "older_than_retention"
    );
    call(&olga, Method::PATCH, "/v1/org", json!({ "retention_days": 0 }))
        .await
        .json();
    assert_eq!(ann.upload(&old).await.inserted, 29, "kept for ever again");
    assert_eq!(events(&ann.get("/v1/events?limit=500").await.json()).len(), 40);
}

#[tokio::test]
async fn an_admin_deletes_for_one_who_cannot_and_it_is_written_down() {
    let (_hub, _, olga, ann) = stage().await;
    ann.upload(&[event("call_1", "cli:make")]).await;
    let deleted = call(
        &olga,
        Method::DELETE,
        "/v1/members/ann/data?confirm=ann",
        json!({}),
    )
    .await
    .json();
    assert_eq!(deleted["events"], 1);
    let acts = olga.get("/v1/audit?action=data").await.json();
    let act = &acts["audit"][0];
    assert_eq!(
        (&act["actor"], &act["subject"], &act["action"]),
        (&json!("olga"), &json!("ann"), &json!("data.deleted"))
    );
    assert_eq!(act["address"], "127.0.0.1");
    assert_eq!(act["details"]["events"], 1);
}

#[tokio::test]
async fn a_member_decides_whether_boards_show_them() {
    let (_hub, _, _, ann) = stage().await;
    for opt_out in [true, false] {
        let change = json!({ "board_opt_out": opt_out });
        let settings = call(&ann, Method::PATCH, "/v1/me/settings", change).await.json();
        assert_eq!(settings["board_opt_out"], opt_out);
        assert_eq!(ann.get("/v1/me/settings").await.json(), settings);
    }
}
