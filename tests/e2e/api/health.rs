//! `/livez`, `/readyz`, `/v1/limits`, and what the server says to what it does not know.

use crate::harness::{Answer, Hub, process::until, sample::event};
use model::limits::Limits;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn the_server_is_alive_and_ready() {
    let hub = Hub::start().await;
    assert_eq!(hub.get("/livez").await.status, 200);
    let ready = hub.get("/readyz").await.json();
    assert_eq!(
        (&ready["ready"], &ready["durable"]),
        (&true.into(), &true.into()),
        "{ready}"
    );
}

#[tokio::test]
async fn the_limits_are_answered_as_data() {
    let hub = Hub::start().await;
    let limits: Limits = hub.get("/v1/limits").await.ok();
    assert_eq!(limits, Limits::default());
}

#[tokio::test]
async fn an_unknown_route_or_method_gets_a_problem_too() {
    let hub = Hub::start().await;
    assert_eq!(hub.get("/v1/nothing").await.problem(404).code, "no_such_route");
    assert_eq!(hub.get("/no-such-route").await.problem(404).code, "no_such_route");
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let wrong = ann.send(ann.request(Method::DELETE, "/v1/events")).await;
    assert!(
        wrong
            .headers
            .get("allow")
            .is_some_and(|allow| allow.to_str().is_ok_and(|allow| allow.contains("POST")))
    );
    assert_eq!(wrong.problem(405).code, "method_not_allowed");
}

/// One line of `/readyz` for each check.
fn checks(text: &str) -> Vec<(String, String, f64)> {
    text.lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line.trim_end_matches(',')).ok())
        .map(|check| {
            let word = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
            (
                word("check"),
                word("status"),
                check["ms"].as_f64().unwrap_or(-1.0),
            )
        })
        .collect()
}

#[tokio::test]
async fn readiness_has_a_line_with_its_time_for_each_check() {
    let hub = Hub::start().await;
    let answer = hub.get("/readyz").await;
    let text = answer.text.clone();
    let body = answer.json();
    for (key, value) in [("database", "ok"), ("schema", "ok")] {
        assert_eq!(body[key], value, "{text}");
    }
    assert_eq!(
        (&body["draining"], &body["degraded"]),
        (&false.into(), &false.into())
    );
    let checks = checks(&text);
    let names: Vec<&str> = checks.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(
        names,
        ["database", "schema", "pool", "writable", "refresh"],
        "{text}"
    );
    assert!(
        checks.iter().all(|(_, status, ms)| status == "ok" && *ms >= 0.0),
        "{text}"
    );
}

#[tokio::test]
async fn a_database_that_is_read_only_is_not_ready() {
    let hub = Hub::start().await;
    let beside = hub.beside().await;
    beside
        .ask("do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$")
        .await;
    // Connections from before the change still write.
    beside
        .ask("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
        .await;
    until("the server notices", async || {
        let answer = hub.get("/readyz").await;
        answer.status == 503 && !checks(&answer.text).is_empty()
    })
    .await;
}

#[tokio::test]
async fn an_org_whose_refresh_fails_degrades_the_server_and_does_not_stop_it() {
    let hub = Hub::start().await;
    let org = hub.org("acme").await;
    let ann = hub.member(&org, "ann").await;
    ann.upload(&[event("call_1", "skill:x")]).await;
    ann.refreshed().await;
    let beside = hub.beside().await;
    beside
        .ask("update board_state set last_error = 'planted', last_error_at = now()")
        .await;
    let body = hub.get("/readyz").await.json();
    assert_eq!(
        (&body["ready"], &body["degraded"]),
        (&true.into(), &true.into()),
        "{body}"
    );
}

#[tokio::test]
async fn answers_of_the_api_say_how_long_their_parts_took() {
    let hub = Hub::start().await;
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let parts = |answer: &Answer| -> Vec<String> {
        let header = answer.headers["server-timing"].to_str().expect("text").to_owned();
        header
            .split(", ")
            .map(|part| {
                let (name, took) = part.split_once(";dur=").expect("a duration");
                assert!(took.parse::<f64>().expect("a number") >= 0.0, "{header}");
                name.to_owned()
            })
            .collect()
    };
    let body = json!({ "events": [event("call_1", "skill:x")] });
    let uploaded = ann
        .send(ann.request(Method::POST, "/v1/events").json(&body))
        .await;
    assert_eq!(parts(&uploaded), ["auth", "body", "commit", "total"]);
    let read = ann.send(ann.request(Method::GET, "/v1/scores")).await;
    assert_eq!(parts(&read), ["auth", "total"]);
    assert!(!hub.get("/readyz").await.headers.contains_key("server-timing"));
}
