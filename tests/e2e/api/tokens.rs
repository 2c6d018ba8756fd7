//! `/v1/tokens`: how long they live, what they may do, rotating and revoking.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::harness::{Answer, Caller, Hub, sample::now};
use chrono::{DateTime, TimeDelta, Utc};
use model::{
    team::{Role, Scope},
    token::PREFIX,
};
use reqwest::Method;
use serde_json::{Value, json};

async fn call(caller: &Caller, method: Method, path: &str, body: Value) -> Answer {
    caller
        .send(caller.request(method, path).body(body.to_string()))
        .await
}

async fn made(caller: &Caller, path: &str, body: Value) -> Value {
    let answer = call(caller, Method::POST, path, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_token_lives_for_ninety_days_and_says_so_and_only_admins_make_longer_ones() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let adam = hub.member_with(&acme, "adam", Role::Admin, Scope::ALL).await;
    let token = made(&ann, "/v1/tokens", json!({ "name": "laptop" })).await;
    assert_eq!(
        time(&token["expires_at"]) - time(&token["created_at"]),
        TimeDelta::days(90)
    );
    assert_eq!(token["scopes"], json!(["upload", "read"]));
    for days in [0, 91] {
        let body = json!({ "name": "x", "expires_in_days": days });
        assert_eq!(
            call(&ann, Method::POST, "/v1/tokens", body.clone())
                .await
                .problem(403)
                .code,
            "missing_scope"
        );
        let body = json!({ "name": "x", "member": "ann", "expires_in_days": days });
        let token = made(&adam, "/v1/tokens", body).await;
        assert_eq!(token["expires_at"].is_null(), days == 0);
    }
    let listed = ann.get("/v1/tokens").await;
    assert!(
        !listed.text.contains(PREFIX),
        "a list shows no token: {}",
        listed.text
    );
    assert_eq!(listed.json()["tokens"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_token_makes_others_only_for_what_it_may_do_itself() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let adam = hub.member_with(&acme, "adam", Role::Admin, Scope::ALL).await;
    let reads = hub.token(&acme, adam.member, "adam", &[Scope::Read], None).await;
    for scope in ["upload", "admin"] {
        let body = json!({ "name": "x", "scopes": [scope] });
        assert_eq!(
            call(&reads, Method::POST, "/v1/tokens", body)
                .await
                .problem(403)
                .code,
            "not_allowed"
        );
    }
    let body = json!({ "name": "x", "member": "adam", "scopes": ["read"] });
    assert_eq!(made(&reads, "/v1/tokens", body).await["scopes"], json!(["read"]));
    hub.member_with(&acme, "vera", Role::Viewer, &[Scope::Read]).await;
    let body = json!({ "name": "x", "member": "vera", "scopes": ["upload"] });
    let refused = call(&adam, Method::POST, "/v1/tokens", body).await.problem(403);
    assert!(refused.detail.contains("viewer"), "{refused:?}");
    for name in ["", "a\u{1b}[2J", "two\nlines"] {
        let refused = call(&adam, Method::POST, "/v1/tokens", json!({ "name": name })).await;
        assert_eq!(refused.problem(400).code, "invalid_body", "{name:?}");
    }
}

#[tokio::test]
async fn a_rotated_token_works_for_its_overlap_and_its_successor_lives_as_long_as_it_did() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let old = made(&ann, "/v1/tokens", json!({ "name": "ci", "expires_in_days": 10 })).await;
    let id = old["token_id"].as_str().unwrap();
    let new = made(&ann, &format!("/v1/tokens/{id}/rotate"), json!({})).await;
    assert_eq!(
        time(&new["expires_at"]) - time(&new["created_at"]),
        TimeDelta::days(10)
    );
    assert_eq!((&new["name"], &new["scopes"]), (&old["name"], &old["scopes"]));
    let listed = ann.get("/v1/tokens").await.json();
    let listed = listed["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .find(|token| token["token_id"] == id)
        .unwrap();
    let overlap = time(&listed["expires_at"]) - time(&new["created_at"]);
    assert_eq!(overlap, TimeDelta::hours(24));
    for token in [&old, &new] {
        hub.stranger(token["token"].as_str().unwrap())
            .get("/v1/me")
            .await
            .json();
    }
    let path = format!("/v1/tokens/{}/rotate", new["token_id"].as_str().unwrap());
    made(&ann, &path, json!({ "overlap_hours": 0 })).await;
    let ended = hub.stranger(new["token"].as_str().unwrap());
    assert_eq!(ended.get("/v1/me").await.problem(401).code, "invalid_token");
    let week = json!({ "overlap_hours": 169 });
    assert_eq!(
        call(&ann, Method::POST, "/v1/tokens/current/rotate", week)
            .await
            .problem(400)
            .code,
        "invalid_body"
    );
}

#[tokio::test]
async fn a_revoked_token_is_refused_by_every_process_from_the_next_request_on() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let second = hub.second_server().await;
    let token = made(&ann, "/v1/tokens", json!({ "name": "x" })).await;
    let (plain, id) = (
        token["token"].as_str().unwrap(),
        token["token_id"].as_str().unwrap(),
    );
    let elsewhere = hub.stranger(plain).at(&second);
    for _ in 0..3 {
        elsewhere.get("/v1/me").await.json();
    }
    assert_eq!(
        call(&ann, Method::DELETE, &format!("/v1/tokens/{id}"), json!({}))
            .await
            .status,
        204
    );
    assert_eq!(elsewhere.get("/v1/me").await.problem(401).code, "invalid_token");
    assert_eq!(
        call(&ann, Method::DELETE, &format!("/v1/tokens/{id}"), json!({}))
            .await
            .status,
        204,
        "twice is once"
    );
}

#[tokio::test]
async fn the_last_use_is_written_at_most_once_a_minute() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let identity = || async {
        let token = model::token::Token::parse(&ann.token).unwrap();
        hub.store
            .authenticate(token.hash(), now())
            .await
            .unwrap()
            .unwrap()
    };
    let id = identity().await.token_id;
    let start: DateTime<Utc> = "2026-11-01T12:00:00Z".parse().unwrap();
    for (seconds, expected) in [
        (0, 0),
        (30, 0),
        (59, 0),
        (61, 61),
        (100, 61),
        (122, 122),
        (0, 122),
    ] {
        hub.store
            .token_used(acme.id, id, start + TimeDelta::seconds(seconds))
            .await
            .unwrap();
        let noted = identity().await.last_used_at.unwrap();
        assert_eq!(noted, start + TimeDelta::seconds(expected), "at {seconds} s");
    }
}
