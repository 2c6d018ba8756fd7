//! Whom an org trusts, and for how long.

use crate::harness::{issuer::Key, sample::with};
use model::team::{Role, Scope};
use reqwest::Method;
use serde_json::json;

use super::Stage;

#[tokio::test]
async fn of_several_orgs_that_trust_a_repository_one_is_named() {
    let stage = Stage::set().await;
    stage.trust(json!({})).await;
    let rival = stage.hub.org("rival").await;
    let eve = stage
        .hub
        .member_with(&rival, "eve", Role::Owner, Scope::ALL)
        .await;
    let publisher = json!({ "provider": "github", "repository": "ACME/api", "owner_id": "7" });
    let add = eve
        .request(Method::POST, "/v1/trusted-publishers")
        .body(publisher.to_string());
    assert_eq!(eve.send(add).await.status, 201);
    let token = Key::First.sign(&stage.claims("1"));
    assert_eq!(stage.exchange(&token).await.problem(403).code, "ambiguous_org");
    let token = stage
        .exchange_for(json!({ "token": token, "org": "rival" }))
        .await
        .json();
    let ci = stage.hub.stranger(token["token"].as_str().unwrap());
    assert_eq!(ci.get("/v1/me").await.json()["org"], "rival");
    let other = Key::First.sign(&stage.claims("2"));
    let unknown = stage
        .exchange_for(json!({ "token": other, "org": "unknown" }))
        .await;
    assert_eq!(unknown.problem(403).code, "untrusted_repository");
}

#[tokio::test]
async fn trust_that_ends_takes_its_tokens_along() {
    let stage = Stage::set().await;
    let publisher = stage.trust(json!({})).await;
    let token = stage.exchange(&Key::First.sign(&stage.claims("1"))).await.json();
    let ci = stage.hub.stranger(token["token"].as_str().unwrap());
    ci.get("/v1/me").await.json();
    let twice = stage.olga.request(Method::POST, "/v1/trusted-publishers");
    let body = json!({ "provider": "github", "repository": "acme/api", "owner_id": "7" });
    assert_eq!(
        stage
            .olga
            .send(twice.body(body.to_string()))
            .await
            .problem(409)
            .code,
        "conflict"
    );
    let path = format!(
        "/v1/trusted-publishers/{}",
        publisher["publisher_id"].as_str().unwrap()
    );
    assert_eq!(
        stage
            .olga
            .send(stage.olga.request(Method::DELETE, &path))
            .await
            .status,
        204
    );
    assert_eq!(ci.get("/v1/me").await.problem(401).code, "invalid_token");
    let ended = stage.olga.get("/v1/audit?action=token.revoked").await.json();
    assert_eq!(
        (
            &ended["audit"][0]["subject"],
            &ended["audit"][0]["details"]["token_id"]
        ),
        (&json!("ci-acme-api"), &token["token_id"])
    );
    let later = stage.exchange(&Key::First.sign(&stage.claims("2"))).await;
    assert_eq!(later.problem(403).code, "untrusted_repository");
}

#[tokio::test]
async fn a_deactivated_ci_member_gets_no_token_and_a_person_is_never_one() {
    let stage = Stage::set().await;
    stage.trust(json!({ "member": "robot" })).await;
    let change = stage
        .olga
        .request(Method::PATCH, "/v1/members/robot")
        .body(json!({ "active": false }).to_string());
    assert_eq!(stage.olga.send(change).await.status, 200);
    let refused = stage.exchange(&Key::First.sign(&stage.claims("1"))).await;
    assert_eq!(refused.problem(403).code, "untrusted_member");
    stage.hub.member(&stage.acme, "ann").await;
    for (fields, status) in [
        (json!({ "repository": "acme/web", "member": "ann" }), 409),
        (json!({ "repository": "acme" }), 400),
        (json!({ "repository": "acme/we b" }), 400),
        (json!({ "owner_id": "acme" }), 400),
        (json!({ "provider": "jenkins" }), 400),
        (json!({ "issuer": "https://evil.example" }), 400),
    ] {
        let body = with(
            json!({ "provider": "github", "repository": "acme/web", "owner_id": "7" }),
            &fields,
        );
        let request = stage
            .olga
            .request(Method::POST, "/v1/trusted-publishers")
            .body(body.to_string());
        stage.olga.send(request).await.problem(status);
    }
}
