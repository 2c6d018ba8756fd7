//! `POST /v1/oidc/exchange`: what is exchanged, and everything that is not. The list is that of crates.io's tests of
//! trusted publishing, with what its providers and ours differ in.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use e2e::{
    Answer, Caller, Hub, Org,
    issuer::{CiIssuer, Key, unsigned},
    sample::{event, now, with},
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

#[tokio::test]
async fn a_good_identity_gets_half_an_hour_of_uploading_labelled_with_its_run() {
    let stage = Stage::set().await;
    stage
        .trust(json!({ "workflow": "ci.yml", "environment": "Production" }))
        .await;
    let token = stage.exchange(&Key::First.sign(&stage.claims("1"))).await.json();
    assert_eq!(
        (&token["member"], &token["scopes"]),
        (&json!("ci-acme-api"), &json!(["upload"]))
    );
    let ends: chrono::DateTime<chrono::Utc> = token["expires_at"].as_str().unwrap().parse().unwrap();
    let made: chrono::DateTime<chrono::Utc> = token["created_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(ends - made, chrono::TimeDelta::minutes(30));
    let ci = stage.hub.stranger(token["token"].as_str().unwrap());
    // The label is what was signed, whatever the client says about itself.
    let upload = ci
        .request(Method::POST, "/v1/events")
        .header(
            model::api::CI_HEADER,
            json!({ "provider": "github", "repository": "evil/fork" }).to_string(),
        )
        .body(json!({ "events": [event("call_1", "cli:make")] }).to_string());
    assert_eq!(ci.send(upload).await.receipt().inserted, 1);
    let uploads = stage.olga.get("/v1/uploads").await.json();
    assert_eq!(uploads["uploads"][0]["member"], "ci-acme-api");
    assert_eq!(
        uploads["uploads"][0]["ci"],
        json!({ "provider": "github", "repository": "acme/api", "git_ref": "refs/pull/12/merge", "run_id": "99", "pull_request": "12" })
    );
    assert_eq!(ci.get("/v1/scores").await.problem(403).code, "missing_scope");
    let rotate = ci
        .send(ci.request(Method::POST, "/v1/tokens/current/rotate"))
        .await;
    assert_eq!(
        rotate.problem(403).code,
        "not_allowed",
        "it cannot make itself live longer"
    );
    let acts = stage.olga.get("/v1/audit?action=token.exchanged").await.json();
    assert_eq!(acts["audit"][0]["actor"], "github:acme/api");
    assert_eq!(acts["audit"][0]["details"]["ci"]["run_id"], "99");
}

#[tokio::test]
async fn the_client_finds_the_identity_of_its_run_by_itself() {
    use client::{Environment, Server, identity};

    let stage = Stage::set().await;
    stage.trust(json!({})).await;
    // The client asks for the address that it knows the server by.
    let server = Server::new(&stage.hub.url, None).unwrap();
    let home = std::path::Path::new("/nowhere");
    let on_a_laptop = Environment::new(home, home, []);
    assert!(identity::exchange(&server, &on_a_laptop).await.unwrap().is_none());
    let url = stage.issuer.give(stage.claims("1"));
    let wrong = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "other"),
    ];
    let refused = identity::exchange(&server, &Environment::new(home, home, wrong))
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("401") && !refused.to_string().contains("other"),
        "{refused}"
    );
    let github = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "run"),
    ];
    let audience = identity::exchange(&server, &Environment::new(home, home, github))
        .await
        .unwrap_err();
    assert!(
        audience.to_string().contains(AUDIENCE),
        "meant for this address and not for that: {audience}"
    );
    // GitLab, or anybody else, puts it into a variable.
    let token = Key::First.sign(&stage.claims("2"));
    let given = Environment::new(home, home, [(identity::VARIABLE, token.as_str())]);
    let known = identity::exchange(&server, &given).await.unwrap().unwrap();
    let me: model::api::Me = known.get_as("/v1/me", &[]).await.unwrap();
    assert_eq!(
        (me.member.as_str(), me.scopes),
        ("ci-acme-api", vec![Scope::Upload])
    );
}

#[tokio::test]
async fn a_client_and_a_server_that_call_it_the_same_agree_on_the_audience() {
    use client::{Environment, Server, identity};

    let issuer = CiIssuer::start().await;
    // Known before it listens, as behind a proxy.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let hub = Hub::start_at(
        listener,
        Config {
            public_url: Some(url.clone()),
            oidc_issuers: vec![format!("github={}", issuer.url).parse().unwrap()],
            ..Config::default()
        },
    )
    .await;
    let acme = hub.org("acme").await;
    let gitlab = CiIssuer::start().await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let stage = Stage {
        issuer,
        gitlab,
        hub,
        acme,
        olga,
    };
    stage.trust(json!({})).await;
    let ask = stage.issuer.give(stage.claims("1"));
    let run = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", ask.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "run"),
    ];
    let home = std::path::Path::new("/nowhere");
    let server = Server::new(&format!("{url}/"), None).unwrap();
    let known = identity::exchange(&server, &Environment::new(home, home, run))
        .await
        .unwrap()
        .unwrap();
    known.get_as::<model::api::Me>("/v1/me", &[]).await.unwrap();
}

#[tokio::test]
async fn gitlab_has_claims_of_its_own() {
    let stage = Stage::set().await;
    let publisher = json!({
        "provider": "gitlab", "repository": "group/sub/api", "owner_id": "8", "workflow": ".gitlab-ci.yml",
    });
    stage.trust(publisher).await;
    let at = now().timestamp();
    let host = stage.gitlab.url.trim_start_matches("http://");
    let claims = json!({
        "iss": stage.gitlab.url, "aud": [AUDIENCE, "other"], "iat": at, "nbf": at, "exp": at + 300, "jti": "1",
        "project_path": "group/sub/api", "namespace_id": "8", "pipeline_source": "merge_request_event",
        "ref": "fix", "ref_path": "refs/merge-requests/3/head", "pipeline_id": "5", "job_id": "6",
        "ci_config_ref_uri": format!("{host}/group/sub/api//.gitlab-ci.yml@refs/heads/main"),
    });
    let token = stage.exchange(&Key::First.sign(&claims)).await.json();
    assert_eq!(token["member"], "ci-group-sub-api");
    assert_eq!(
        (&token["ci"]["pull_request"], &token["ci"]["job"]),
        (&json!("3"), &json!("6"))
    );
    // The same claims from the issuer whose tokens look otherwise.
    let claims = with(claims, &json!({ "iss": stage.issuer.url, "jti": "2" }));
    assert_eq!(
        stage.exchange(&Key::First.sign(&claims)).await.problem(401).code,
        "identity_malformed"
    );
}

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
async fn a_token_within_the_leeway_of_a_minute_is_good() {
    let stage = Stage::set().await;
    stage.trust(json!({})).await;
    let at = now().timestamp();
    for (jti, fields) in [
        ("late", json!({ "exp": at - 30 })),
        ("early", json!({ "iat": at + 30, "nbf": at + 30 })),
    ] {
        stage
            .exchange(&Key::First.sign(&with(stage.claims(jti), &fields)))
            .await
            .json();
    }
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
async fn rotated_keys_are_found_and_withdrawn_ones_forgotten() {
    let stage = Stage::set().await;
    stage.trust(json!({})).await;
    stage.exchange(&Key::First.sign(&stage.claims("1"))).await.json();
    assert_eq!(stage.issuer.fetches(), 1);
    stage.exchange(&Key::First.sign(&stage.claims("2"))).await.json();
    assert_eq!(stage.issuer.fetches(), 1, "known keys are not asked for again");
    stage.issuer.publish(&[Key::Second]);
    stage.exchange(&Key::Second.sign(&stage.claims("3"))).await.json();
    assert_eq!(stage.issuer.fetches(), 2);
    let old = stage.exchange(&Key::First.sign(&stage.claims("4"))).await;
    assert_eq!(old.problem(401).code, "identity_key");
}

#[tokio::test]
async fn made_up_key_ids_do_not_make_the_server_ask_the_issuer_again_and_again() {
    let stage = Stage::with_pause(Duration::from_secs(3_600)).await;
    stage.trust(json!({})).await;
    for number in 0..20 {
        let header = json!({ "alg": "RS256", "kid": format!("made-up-{number}") });
        let token = Key::Stranger.sign_with(&header, &stage.claims("1"));
        stage.exchange(&token).await.problem(401);
    }
    assert_eq!(stage.issuer.fetches(), 1);
    stage.exchange(&Key::First.sign(&stage.claims("1"))).await.json();
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_is_a_temporary_matter() {
    let stage = Stage::set().await;
    stage.trust(json!({})).await;
    stage.issuer.set_down(true);
    let token = Key::First.sign(&stage.claims("1"));
    let answer = stage.exchange(&token).await;
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(answer.problem(503).code, "issuer_unavailable");
    stage.issuer.set_down(false);
    stage.exchange(&token).await.json();
    stage.issuer.set_down(true);
    stage.exchange(&Key::First.sign(&stage.claims("2"))).await.json();
}

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
        .exchange_for(json!({ "token": other, "org": "nobody" }))
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
