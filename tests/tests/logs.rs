//! Nobody ever reads a token in a log. A program of its own, because a process has one log.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use e2e::{
    Answer, Caller, Hub,
    sample::{event, now},
};
use model::team::{Role, Scope};
use reqwest::Method;
use serde_json::{Value, json};
use tracing_subscriber::{filter::Targets, prelude::*};

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

/// Everything that is logged, at every level, by every crate.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A whole run with everything logged: made, used, rotated, mistyped, revoked, exchanged, sent where it does not
/// belong. In the log there is not one token.
#[tokio::test]
async fn no_token_stands_in_the_log_of_a_whole_run() {
    let log = Log::default();
    let writer = log.clone();
    // The driver logs the parameters of statements below `info`, and the program never lets it (`talk::log_filter`).
    let everything = Targets::new()
        .with_default(tracing::Level::TRACE)
        .with_target("tokio_postgres", tracing::Level::INFO);
    let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
    tracing_subscriber::registry()
        .with(layer.with_filter(everything))
        .init();
    let issuer = e2e::issuer::CiIssuer::start().await;
    let hub = Hub::start_with(server::Config {
        public_url: Some("https://toolhub.example".to_owned()),
        oidc_issuers: vec![format!("github={}", issuer.url).parse().unwrap()],
        ..server::Config::default()
    })
    .await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let ann = hub.member(&acme, "ann").await;
    let mut secrets = vec![olga.token.clone(), ann.token.clone()];
    ann.upload(&[event("call_1", "cli:make")]).await;
    let token = made(&olga, "/v1/tokens", json!({ "name": "x", "member": "ann" })).await;
    secrets.push(token["token"].as_str().unwrap().to_owned());
    let path = format!("/v1/tokens/{}/rotate", token["token_id"].as_str().unwrap());
    secrets.push(
        made(&olga, &path, json!({})).await["token"]
            .as_str()
            .unwrap()
            .to_owned(),
    );
    let invited = made(&olga, "/v1/members", json!({ "handle": "bob", "invite": true })).await;
    secrets.push(invited["invitation"]["token"].as_str().unwrap().to_owned());
    let mistyped = format!("{}x", &ann.token[..ann.token.len() - 1]);
    hub.stranger(&mistyped).get("/v1/me").await;
    secrets.push(mistyped);
    // Where a token does not belong.
    ann.get(&format!("/v1/events?member={}", ann.token)).await.json();
    ann.get(&format!("/v1/scores/{}", ann.token)).await.problem(404);
    call(&ann, Method::POST, "/v1/tokens", json!({ "nome": ann.token }))
        .await
        .problem(400);
    let publisher = json!({ "provider": "github", "repository": "acme/api", "owner_id": "7" });
    made(&olga, "/v1/trusted-publishers", publisher).await;
    let at = now().timestamp();
    let identity = e2e::issuer::Key::First.sign(&json!({
        "iss": issuer.url, "aud": "https://toolhub.example", "iat": at, "exp": at + 300, "jti": "1",
        "repository": "acme/api", "repository_owner_id": "7", "event_name": "push", "ref": "refs/heads/main",
        "workflow_ref": "acme/api/.github/workflows/ci.yml@refs/heads/main", "run_id": "1",
    }));
    for expected in [200, 403] {
        let exchange = hub
            .request(Method::POST, "/v1/oidc/exchange")
            .body(json!({ "token": identity }).to_string());
        let answer = ann.send(exchange).await;
        assert_eq!(answer.status, expected, "{}", answer.text);
        if let Some(token) = serde_json::from_str::<Value>(&answer.text).unwrap()["token"].as_str() {
            secrets.push(token.to_owned());
        }
    }
    secrets.push(identity.rsplit('.').next().unwrap().to_owned());
    call(&ann, Method::DELETE, "/v1/tokens/current", json!({})).await;
    ann.get("/v1/me").await.problem(401);
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(
        log.contains("request") && log.contains("/v1/tokens"),
        "the run was logged"
    );
    for secret in &secrets {
        let at = log.find(secret.as_str());
        assert_eq!(
            at.map(|at| &log[at.saturating_sub(300)..at]),
            None,
            "a secret stands in the log after this"
        );
    }
}
