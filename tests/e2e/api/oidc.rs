//! `POST /v1/oidc/exchange`: what is exchanged, and everything that is not. The list is that of crates.io's tests of
//! trusted publishing, with what its providers and ours differ in.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accepted;
mod keys;
mod refused;
mod trust;

use std::time::Duration;

use crate::harness::{
    Answer, Caller, Hub, Org,
    issuer::CiIssuer,
    sample::{now, with},
};
use model::team::{Role, Scope};
use reqwest::Method;
use serde_json::{Value, json};
use server::Config;

const AUDIENCE: &str = "https://toolhub.example";

struct Stage {
    issuer: CiIssuer,
    gitlab: CiIssuer,
    hub: Hub,
    acme: Org,
    olga: Caller,
}

impl Stage {
    async fn set() -> Stage {
        Stage::with_pause(Duration::ZERO).await
    }

    async fn with_pause(pause: Duration) -> Stage {
        let (issuer, gitlab) = (CiIssuer::start().await, CiIssuer::start().await);
        let hub = Hub::start_with(Config {
            public_url: Some(format!("{AUDIENCE}/")),
            oidc_issuers: vec![
                format!("github={}", issuer.url).parse().unwrap(),
                format!("gitlab={}", gitlab.url).parse().unwrap(),
            ],
            oidc_key_pause: pause,
            refresh_debounce: Duration::from_millis(5),
            ..Config::default()
        })
        .await;
        let acme = hub.org("acme").await;
        let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
        Stage {
            issuer,
            gitlab,
            hub,
            acme,
            olga,
        }
    }

    async fn trust(&self, fields: Value) -> Value {
        let publisher = json!({ "provider": "github", "repository": "acme/api", "owner_id": "7" });
        let request = self.olga.request(Method::POST, "/v1/trusted-publishers");
        let answer = self
            .olga
            .send(request.body(with(publisher, &fields).to_string()))
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        serde_json::from_str(&answer.text).unwrap()
    }

    /// The claims of a good token of GitHub Actions.
    fn claims(&self, jti: &str) -> Value {
        let at = now().timestamp();
        json!({
            "iss": self.issuer.url, "aud": AUDIENCE, "iat": at, "nbf": at - 5, "exp": at + 300, "jti": jti,
            "sub": "repo:acme/api:ref:refs/heads/main", "repository": "acme/api", "repository_owner": "acme",
            "repository_owner_id": "7", "repository_id": "70", "event_name": "pull_request",
            "ref": "refs/pull/12/merge", "run_id": "99",
            "workflow_ref": "acme/api/.github/workflows/ci.yml@refs/heads/main", "environment": "production",
        })
    }

    async fn exchange(&self, token: &str) -> Answer {
        self.exchange_for(json!({ "token": token })).await
    }

    async fn exchange_for(&self, body: Value) -> Answer {
        let request = self
            .hub
            .request(Method::POST, "/v1/oidc/exchange")
            .body(body.to_string());
        self.olga.send(request).await
    }
}
