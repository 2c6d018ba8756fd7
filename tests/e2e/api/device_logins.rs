//! `/v1/device-logins` and `/me/device`: a machine without a token, and the person who confirms it in a browser.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::TimeDelta;
use model::{
    administration::{DeviceLogin, IssuedToken},
    api::Me,
    team::{Role, Scope},
};
use reqwest::Method;
use serde_json::{Value, json};
use server::Config;

use crate::harness::{Answer, Browser, Hub, sample::now};

async fn hub() -> Hub {
    Hub::start_with(Config::default()).await
}

async fn post(hub: &Hub, path: &str, body: Value) -> Answer {
    Answer::of(hub.request(Method::POST, path).json(&body)).await
}

async fn begin(hub: &Hub, body: Value) -> DeviceLogin {
    let answer = post(hub, "/v1/device-logins", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

async fn poll(hub: &Hub, login: &DeviceLogin) -> Answer {
    let body = json!({ "device_code": login.device_code });
    post(hub, "/v1/device-logins/token", body).await
}

async fn decide(browser: &Browser, login: &DeviceLogin, decision: &str) -> Answer {
    let fields = [("code", login.user_code.as_str()), ("decision", decision)];
    browser.post("/me/device", &fields).await
}

/// Lets the interval pass.
async fn wait(hub: &Hub) {
    let earlier = "update device_logins set polled_at = polled_at - interval '1 minute'";
    hub.beside().await.ask(earlier).await;
}

#[tokio::test]
async fn a_login_that_a_person_confirms_gives_one_token_once() {
    let hub = hub().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let login = begin(&hub, json!({ "machine": "<b>laptop" })).await;
    assert_eq!(
        poll(&hub, &login).await.problem(400).code,
        "authorization_pending"
    );

    let browser = Browser::new(&hub);
    let asked = browser.get(&login.path).await;
    assert_eq!(asked.status, 303, "a person signs in first");
    let browser = Browser::signed_in(&hub, &ann).await;
    let page = browser.get(&login.path).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for shown in [
        "&lt;b&gt;laptop",
        &login.user_code,
        "127.0.0.1",
        "upload, read",
        "ann",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    let token_of = async |login: &DeviceLogin| poll(&hub, login).await;
    wait(&hub).await;
    assert_eq!(
        token_of(&login).await.problem(400).code,
        "authorization_pending",
        "who looks has not confirmed"
    );
    let done = decide(&browser, &login, "confirm").await;
    assert_eq!(done.status, 200, "{}", done.text);
    let answers = futures_util::future::join_all((0..6).map(|_| poll(&hub, &login))).await;
    let issued: Vec<IssuedToken> = answers
        .into_iter()
        .filter(|answer| answer.status == 200)
        .map(|answer| answer.ok())
        .collect();
    let [issued] = issued.as_slice() else {
        panic!("one token: {}", issued.len())
    };
    assert_eq!(issued.info.name, "login on <b>laptop");
    let me: Me = hub.stranger(issued.token.reveal()).get("/v1/me").await.ok();
    assert_eq!(me.member, "ann");
    assert_eq!(me.scopes, [Scope::Upload, Scope::Read]);
    let days = me.token_expires_at.map(|end| (end - now()).num_days());
    assert!(days.is_some_and(|days| (88..=90).contains(&days)), "{days:?}");
    assert_eq!(poll(&hub, &login).await.problem(400).code, "expired_token");
    assert_eq!(decide(&browser, &login, "confirm").await.status, 404);
    let left = hub.beside().await.ask("select count(*) from device_logins").await;
    assert_eq!(left, [["0"]]);
    let acts = hub
        .beside()
        .await
        .ask("select action from audit_log where subject = 'ann' order by audit_id desc limit 2")
        .await;
    assert_eq!(acts, [["token.created"], ["login.confirmed"]]);
}

#[tokio::test]
async fn a_login_that_is_denied_gives_no_token_and_cannot_be_confirmed_afterwards() {
    let hub = hub().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let browser = Browser::signed_in(&hub, &ann).await;
    let login = begin(&hub, json!({})).await;
    assert_eq!(decide(&browser, &login, "deny").await.status, 200);
    assert_eq!(decide(&browser, &login, "confirm").await.status, 404);
    assert_eq!(browser.get(&login.path).await.status, 404);
    assert_eq!(poll(&hub, &login).await.problem(400).code, "access_denied");
    let acts = hub
        .beside()
        .await
        .ask("select action from audit_log order by audit_id desc limit 1")
        .await;
    assert_eq!(acts, [["login.denied"]]);
}

#[tokio::test]
async fn the_token_allows_no_more_than_the_session_that_confirmed() {
    let hub = hub().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let reader = hub.token(&acme, olga.member, "olga", &[Scope::Read], None).await;
    let browser = Browser::signed_in(&hub, &reader).await;
    let login = begin(&hub, json!({ "scopes": ["upload", "read", "admin"] })).await;
    let page = browser.get(&login.path).await.text;
    assert!(page.contains("<dd>read</dd>"), "{page}");
    assert_eq!(decide(&browser, &login, "confirm").await.status, 200);
    let issued: IssuedToken = poll(&hub, &login).await.ok();
    assert_eq!(issued.info.scopes, [Scope::Read]);
    let login = begin(&hub, json!({ "scopes": ["admin"] })).await;
    assert_eq!(decide(&browser, &login, "confirm").await.status, 403);
    let owner = Browser::signed_in(&hub, &olga).await;
    assert_eq!(decide(&owner, &login, "confirm").await.status, 200);
    wait(&hub).await;
    let issued: IssuedToken = poll(&hub, &login).await.ok();
    assert_eq!(issued.info.scopes, [Scope::Admin]);
}

#[tokio::test]
async fn a_session_that_ends_before_the_token_is_fetched_gives_none() {
    let hub = hub().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let browser = Browser::signed_in(&hub, &ann).await;
    let login = begin(&hub, json!({})).await;
    assert_eq!(decide(&browser, &login, "confirm").await.status, 200);
    let revoked = ann.send(ann.request(Method::DELETE, "/v1/tokens/current")).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(poll(&hub, &login).await.problem(400).code, "expired_token");
}

#[tokio::test]
async fn a_machine_that_asks_too_often_slows_down_and_codes_end_after_minutes() {
    let hub = hub().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let login = begin(&hub, json!({})).await;
    assert_eq!((login.expires_in, login.interval), (600, 2));
    assert_eq!(
        poll(&hub, &login).await.problem(400).code,
        "authorization_pending"
    );
    assert_eq!(poll(&hub, &login).await.problem(400).code, "slow_down");
    let interval = hub
        .beside()
        .await
        .ask("select interval_seconds from device_logins")
        .await;
    assert_eq!(interval, [["7"]]);
    wait(&hub).await;
    assert_eq!(
        poll(&hub, &login).await.problem(400).code,
        "authorization_pending"
    );
    let end = now() - TimeDelta::seconds(1);
    hub.beside()
        .await
        .ask(&format!(
            "update device_logins set expires_at = '{}'",
            end.to_rfc3339()
        ))
        .await;
    let browser = Browser::signed_in(&hub, &ann).await;
    assert_eq!(browser.get(&login.path).await.status, 404);
    assert_eq!(decide(&browser, &login, "confirm").await.status, 404);
    assert_eq!(poll(&hub, &login).await.problem(400).code, "expired_token");
}

#[tokio::test]
async fn one_address_leaves_a_bounded_number_of_logins_waiting_and_only_hashes_are_stored() {
    let hub = hub().await;
    let mut logins = Vec::new();
    for _ in 0..20 {
        logins.push(begin(&hub, json!({ "machine": "laptop" })).await);
    }
    let refused = post(&hub, "/v1/device-logins", json!({})).await;
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(refused.problem(429).code, "too_many_requests");
    let dump = hub
        .beside()
        .await
        .ask("select encode(device_hash, 'escape') || encode(user_hash, 'escape') || d::text from device_logins d")
        .await;
    let dump = format!("{dump:?}");
    for login in &logins {
        assert!(!dump.contains(login.device_code.reveal()) && !dump.contains(&login.user_code));
        assert!(!dump.contains(&login.user_code.replace('-', "")));
    }
    hub.beside()
        .await
        .ask("update device_logins set expires_at = now() - interval '1 second'")
        .await;
    begin(&hub, json!({})).await;
    for body in [
        json!({ "machine": "" }),
        json!({ "machine": "x".repeat(65) }),
        json!({ "scopes": [] }),
        json!({ "scopes": ["all"] }),
    ] {
        let answer = post(&hub, "/v1/device-logins", body.clone()).await;
        assert_eq!(answer.problem(400).code, "invalid_body", "{body}");
    }
}
