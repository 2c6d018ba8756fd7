//! What is wrong with an identity is named, and nothing is exchanged for it.

use crate::harness::{
    issuer::{Key, unsigned},
    sample::{now, with},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use super::{AUDIENCE, Stage};

#[tokio::test]
async fn what_is_wrong_with_a_token_is_named_and_nothing_is_exchanged() {
    let stage = Stage::set().await;
    stage
        .trust(json!({ "workflow": "ci.yml", "environment": "production" }))
        .await;
    let at = now().timestamp();
    for (fields, status, code) in [
        (
            json!({ "exp": at - 120, "iat": at - 600, "nbf": at - 600 }),
            401,
            "identity_expired",
        ),
        (json!({ "exp": at - 61 }), 401, "identity_expired"),
        (json!({ "nbf": at + 120 }), 401, "identity_not_yet_valid"),
        (json!({ "iat": at + 120 }), 401, "identity_not_yet_valid"),
        (json!({ "exp": i64::MAX }), 401, "identity_malformed"),
        (json!({ "exp": "soon" }), 401, "identity_malformed"),
        (json!({ "exp": null }), 401, "identity_malformed"),
        (json!({ "jti": "" }), 401, "identity_malformed"),
        (json!({ "jti": null }), 401, "identity_malformed"),
        (json!({ "aud": "https://crates.io" }), 401, "identity_audience"),
        (json!({ "aud": ["a", "b"] }), 401, "identity_audience"),
        (json!({ "aud": [] }), 401, "identity_audience"),
        (
            json!({ "aud": format!("{AUDIENCE}.evil.example") }),
            401,
            "identity_audience",
        ),
        (json!({ "iss": "https://evil.example" }), 401, "identity_issuer"),
        (
            json!({ "iss": format!("{}/", stage.issuer.url) }),
            401,
            "identity_issuer",
        ),
        (
            json!({ "event_name": "pull_request_target" }),
            401,
            "identity_event",
        ),
        (json!({ "event_name": "workflow_run" }), 401, "identity_event"),
        (json!({ "event_name": null }), 401, "identity_malformed"),
        (json!({ "repository": "acme/other" }), 403, "untrusted_repository"),
        (json!({ "repository_owner_id": "8" }), 403, "untrusted_owner"),
        (
            json!({ "workflow_ref": "acme/api/.github/workflows/x.yml@refs/heads/main" }),
            403,
            "untrusted_workflow",
        ),
        (
            json!({ "workflow_ref": "evil/x/.github/workflows/ci.yml@refs/heads/main" }),
            403,
            "untrusted_workflow",
        ),
        (json!({ "environment": "staging" }), 403, "untrusted_environment"),
        (json!({ "environment": null }), 403, "untrusted_environment"),
    ] {
        let token = Key::First.sign(&with(stage.claims("x"), &fields));
        let problem = stage.exchange(&token).await.problem(status);
        assert_eq!(problem.code, code, "{fields}");
    }
    let acts = stage.olga.get("/v1/audit?action=token.exchanged").await.json();
    assert_eq!(acts["audit"], json!([]));
    // What was refused was not used up.
    stage.exchange(&Key::First.sign(&stage.claims("x"))).await.json();
}

#[tokio::test]
async fn forged_headers_and_signatures_are_refused() {
    let stage = Stage::set().await;
    stage.trust(json!({})).await;
    let claims = stage.claims("1");
    let good = Key::First.sign(&claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let none = unsigned(&json!({ "alg": "none", "kid": "first" }), &claims);
    let hs256 = {
        // The public key, taken for a shared secret: HMAC-SHA-256 over it.
        let header = unsigned(&json!({ "alg": "HS256", "kid": "first" }), &claims);
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &Key::First.modulus());
        let tag = ring::hmac::sign(&key, header.as_bytes());
        format!("{header}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    };
    let other_claims = unsigned(&json!({ "alg": "RS256", "kid": "first" }), &stage.claims("2"));
    let critical = json!({ "alg": "RS256", "kid": "first", "crit": ["exp"], "exp": 1 });
    let short = BASE64_URL_SAFE_NO_PAD.encode([0_u8; 16]);
    for (token, code) in [
        (format!("{none}."), "identity_algorithm"),
        (format!("{none}.{signature}"), "identity_algorithm"),
        (hs256, "identity_algorithm"),
        (
            Key::First.sign_with(&json!({ "alg": "rs256", "kid": "first" }), &claims),
            "identity_algorithm",
        ),
        (
            Key::First.sign_with(&json!({ "alg": "RS512", "kid": "first" }), &claims),
            "identity_algorithm",
        ),
        (Key::First.sign_with(&critical, &claims), "identity_malformed"),
        (
            Key::First.sign_with(&json!({ "alg": "RS256" }), &claims),
            "identity_malformed",
        ),
        (
            Key::Stranger.sign_with(&json!({ "alg": "RS256", "kid": "first" }), &claims),
            "identity_signature",
        ),
        (format!("{other_claims}.{signature}"), "identity_signature"),
        (format!("{signed}.{short}"), "identity_signature"),
        (format!("{signed}."), "identity_signature"),
        (format!("{signed}.{signature}="), "identity_malformed"),
        (Key::Stranger.sign(&claims), "identity_key"),
        (signed.to_owned(), "identity_malformed"),
        (format!("{good}.{signature}"), "identity_malformed"),
        (String::new(), "identity_malformed"),
        ("a.b.c".to_owned(), "identity_malformed"),
        ("thb_0123".to_owned(), "identity_malformed"),
        (format!("{signed}.{}", "A".repeat(20_000)), "identity_malformed"),
    ] {
        let problem = stage.exchange(&token).await.problem(401);
        assert_eq!(problem.code, code, "{}", &token[..token.len().min(200)]);
    }
    let huge = stage.exchange(&"A".repeat(100_000)).await;
    assert_eq!(huge.problem(413).code, "too_large");
    stage.exchange(&good).await.json();
}

#[tokio::test]
async fn each_identity_works_once_also_when_many_try_at_once() {
    let stage = Stage::set().await;
    stage.trust(json!({})).await;
    let token = Key::First.sign(&stage.claims("1"));
    let answers = futures_util::future::join_all((0..8).map(|_| stage.exchange(&token))).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1, "{answers:?}");
    assert_eq!(
        stage.exchange(&token).await.problem(403).code,
        "identity_replayed"
    );
    stage.exchange(&Key::First.sign(&stage.claims("2"))).await.json();
}

#[tokio::test]
async fn what_gitlab_says_is_held_against_the_trust_as_well() {
    let stage = Stage::set().await;
    let publisher = json!({
        "provider": "gitlab", "repository": "group/sub/api", "owner_id": "8", "workflow": ".gitlab-ci.yml",
        "environment": "production",
    });
    stage.trust(publisher).await;
    let at = now().timestamp();
    let host = stage.gitlab.url.trim_start_matches("http://");
    let claims = json!({
        "iss": stage.gitlab.url, "aud": AUDIENCE, "iat": at, "exp": at + 300, "jti": "1",
        "project_path": "group/sub/api", "namespace_id": "8", "pipeline_source": "push", "ref": "main",
        "ref_path": "refs/heads/main", "pipeline_id": "5", "job_id": "6", "environment": "production",
        "ci_config_ref_uri": format!("{host}/group/sub/api//.gitlab-ci.yml@refs/heads/main"),
    });
    for (fields, status, code) in [
        (json!({ "exp": at - 120 }), 401, "identity_expired"),
        (json!({ "aud": "https://gitlab.com" }), 401, "identity_audience"),
        (
            json!({ "project_path": "group/api" }),
            403,
            "untrusted_repository",
        ),
        (json!({ "namespace_id": "9" }), 403, "untrusted_owner"),
        (json!({ "namespace_id": null }), 401, "identity_malformed"),
        (
            json!({ "ci_config_ref_uri": format!("{host}/group/sub/api//other.yml@refs/heads/main") }),
            403,
            "untrusted_workflow",
        ),
        (
            json!({ "ci_config_ref_uri": format!("{host}/evil/fork//.gitlab-ci.yml@refs/heads/main") }),
            403,
            "untrusted_workflow",
        ),
        (
            json!({ "ci_config_ref_uri": "gitlab.example/group/sub/api//.gitlab-ci.yml@refs/heads/main" }),
            403,
            "untrusted_workflow",
        ),
        (json!({ "ci_config_ref_uri": null }), 403, "untrusted_workflow"),
        (json!({ "environment": "staging" }), 403, "untrusted_environment"),
    ] {
        let token = Key::First.sign(&with(claims.clone(), &fields));
        let problem = stage.exchange(&token).await.problem(status);
        assert_eq!(problem.code, code, "{fields}");
    }
    let stranger = stage.exchange(&Key::Stranger.sign(&claims)).await;
    assert_eq!(stranger.problem(401).code, "identity_key");
    stage.exchange(&Key::First.sign(&claims)).await.json();
    assert_eq!(
        stage.exchange(&Key::First.sign(&claims)).await.problem(403).code,
        "identity_replayed"
    );
}
