//! What is exchanged, and for what.

use crate::harness::{
    Hub,
    issuer::{CiIssuer, Key},
    sample::{event, now, with},
};
use model::team::{Role, Scope};
use reqwest::Method;
use serde_json::json;
use server::Config;

use super::{AUDIENCE, Stage};

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
    let unchanged = identity::sign_in(server.clone(), &on_a_laptop).await.unwrap();
    assert!(unchanged.token().is_err());
    let url = stage.issuer.give(stage.claims("1"));
    let wrong = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", url.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "other"),
    ];
    let refused = identity::sign_in(server.clone(), &Environment::new(home, home, wrong))
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
    let audience = identity::sign_in(server.clone(), &Environment::new(home, home, github))
        .await
        .unwrap_err();
    let said = audience.to_string();
    assert!(
        said.contains(AUDIENCE) && said.contains("--public-url") && said.contains(&stage.hub.url),
        "meant for this address and not for that: {said}"
    );
    assert_eq!(audience.exit(), client::Exit::NotAllowed);
    // A job without `permissions: id-token: write` has neither variable.
    let unpermitted = [("GITHUB_ACTIONS", "true"), ("GITHUB_REPOSITORY", "acme/api")];
    let missing = identity::sign_in(server.clone(), &Environment::new(home, home, unpermitted))
        .await
        .unwrap_err();
    let said = missing.to_string();
    assert!(
        said.contains("permissions: id-token: write") && said.contains("trusted-publishers add acme/api"),
        "{said}"
    );
    // The doctor says the same, and with an identity that it works.
    let ci = client::doctor::run_checks(&Environment::new(home, home, unpermitted), Ok(server.clone())).await;
    let check = ci.iter().find(|check| check.name == "identity").unwrap();
    assert_eq!(check.health, client::doctor::Health::Broken);
    assert!(
        check.fix.as_ref().unwrap().contains("id-token: write"),
        "{check:?}"
    );
    let token = Key::First.sign(&stage.claims("doctor"));
    let run = Environment::new(home, home, [(identity::VARIABLE, token.as_str())]);
    let ci = client::doctor::run_checks(&run, Ok(server.clone())).await;
    let health = |name: &str| ci.iter().find(|check| check.name == name).unwrap().health;
    assert_eq!(health("identity"), client::doctor::Health::Ok, "{ci:?}");
    // GitLab, or anybody else, puts it into a variable.
    let token = Key::First.sign(&stage.claims("2"));
    let given = Environment::new(home, home, [(identity::VARIABLE, token.as_str())]);
    let known = identity::sign_in(server, &given).await.unwrap();
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
    let known = identity::sign_in(server, &Environment::new(home, home, run))
        .await
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
