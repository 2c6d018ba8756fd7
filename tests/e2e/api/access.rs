//! Who is let in: every route with no token and with wrong ones; and orgs do not see each other. Who may call what is
//! the table in `isolation.rs`.

use crate::harness::{
    Answer, Caller, Hub,
    sample::{event, now, text},
};
use chrono::TimeDelta;
use model::{
    api::Me,
    team::{Role, Scope},
    token::Token,
};
use reqwest::Method;
use serde_json::json;
use server::access::Access;

/// The routes that need a token (pages need a session, see `pages/sign_in.rs`), with something in the place of each parameter.
fn guarded(hub: &Hub) -> Vec<(Method, String)> {
    server::router::routes(hub.store.clone(), server::Config::default())
        .into_iter()
        .filter(|route| !route.access.is_page() && !matches!(route.access, Access::Public | Access::Probe))
        .map(|route| (route.method, route.path.replace(['{', '}'], "")))
        .collect()
}

async fn ask(caller: &Caller, method: &Method, path: &str) -> Answer {
    caller.send(caller.request(method.clone(), path)).await
}

#[tokio::test]
async fn no_route_answers_without_a_token_or_with_a_wrong_one() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let expired = hub
        .token(
            &acme,
            ann.member,
            "ann",
            &[Scope::Read],
            Some(now() - TimeDelta::hours(1)),
        )
        .await;
    let mistyped = hub.stranger(&ann.token.replace("thb_", "thc_"));
    // A well-formed token that was never issued.
    let unknown = Token::from_random(&[7; 64])
        .map(|token| hub.stranger(token.reveal()))
        .unwrap();
    let routes = guarded(&hub);
    assert!(routes.len() > 30, "{routes:?}");
    for (method, path) in &routes {
        let anonymous = hub.request(method.clone(), path);
        assert_unauthenticated(ann.send(anonymous).await, path, "unauthenticated");
        let basic = hub
            .request(method.clone(), path)
            .basic_auth("ann", Some(&ann.token));
        assert_unauthenticated(ann.send(basic).await, path, "unauthenticated");
        for caller in [&expired, &mistyped, &unknown] {
            let answer = ask(caller, method, path).await;
            assert!(answer.headers.contains_key("www-authenticate"));
            assert_unauthenticated(answer, path, "invalid_token");
        }
    }
}

/// Routes of OTLP answer errors with a `Status`, and all others with a problem.
fn assert_unauthenticated(answer: Answer, path: &str, code: &str) {
    if path.starts_with("/otlp/") {
        // UNAUTHENTICATED of google.rpc.Code.
        let status: serde_json::Value = serde_json::from_str(&answer.text).unwrap_or_default();
        assert_eq!(
            (answer.status.as_u16(), &status["code"]),
            (401, &json!(16)),
            "{path}"
        );
    } else {
        assert_eq!(answer.problem(401).code, code, "{path}");
    }
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_from_the_next_request_on() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let other = hub.token(&acme, ann.member, "ann", &[Scope::Read], None).await;
    let revoked = ann.send(ann.request(Method::DELETE, "/v1/tokens/current")).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(ann.get("/v1/me").await.problem(401).code, "invalid_token");
    let me: Me = other.get("/v1/me").await.ok();
    assert_eq!(me.member, "ann");
}

#[tokio::test]
async fn me_says_whom_the_token_speaks_for() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let ends = now() + TimeDelta::days(3);
    let owner = hub.member_with(&acme, "olga", Role::Owner, &[Scope::Admin]).await;
    let caller = hub
        .token(
            &acme,
            owner.member,
            "olga",
            &[Scope::Upload, Scope::Read],
            Some(ends),
        )
        .await;
    let me: Me = caller.get("/v1/me").await.ok();
    assert_eq!(
        (me.org.as_str(), me.member.as_str(), me.role),
        ("acme", "olga", Role::Owner)
    );
    assert_eq!(me.scopes, [Scope::Upload, Scope::Read]);
    assert_eq!(
        me.token_expires_at.map(|at| at.timestamp()),
        Some(ends.timestamp())
    );
}

#[tokio::test]
async fn two_orgs_do_not_see_each_other() {
    let hub = Hub::start().await;
    let (acme, rival) = (hub.org("acme").await, hub.org("rival").await);
    // The same handle and the same uuid in both.
    let (ann, eve) = (hub.member(&acme, "ann").await, hub.member(&rival, "ann").await);
    let secret = json!({
        "uuid": "call_1", "tool_id": "skill:secret-sauce", "outcome": "success", "occurred_at": text(now()),
        "session_id": "secret-session", "project": "secret-project",
    });
    assert_eq!(ann.upload(&[secret]).await.inserted, 1);
    let inventory = json!({ "sessions": [{
        "session_id": "secret-session", "observed_at": text(now()), "tools": [{ "tool_id": "mcp:secret-server" }],
    }] });
    let put = ann
        .request(Method::PUT, "/v1/inventory")
        .body(inventory.to_string());
    assert_eq!(ann.send(put).await.status, 200);
    assert_eq!(eve.upload(&[event("call_1", "cli:make")]).await.inserted, 1);
    ann.refreshed().await;
    eve.refreshed().await;
    for path in [
        "/v1/events",
        "/v1/events?member=ann",
        "/v1/events?session=secret-session",
        "/v1/events?tool_id=skill:secret-sauce",
        "/v1/scores",
        "/v1/leaderboards/tools?window=all&kind=all",
        "/v1/leaderboards/members?window=all&kind=all",
        "/v1/leaderboards/projects?window=all&kind=all",
        "/v1/dead-weight?days=1",
        "/v1/uploads",
        "/v1/me",
        "/v1/refresh",
    ] {
        let (own, other) = (ann.get(path).await, eve.get(path).await);
        // What the other org does not have is unknown to it.
        let names_one = path.contains("session=") || path.contains("tool_id=");
        let expected = (200, if names_one { 404 } else { 200 });
        assert_eq!((own.status.as_u16(), other.status.as_u16()), expected, "{path}");
        let asked = path.split('=').next_back().unwrap_or_default();
        let other_text = other.text.replace(asked, "");
        assert!(
            !other_text.contains("secret") && !other_text.contains("acme"),
            "{path}: {}",
            other.text
        );
    }
    assert!(ann.get("/v1/events").await.text.contains("secret-sauce"));
    let unseen = eve.get("/v1/scores/skill:secret-sauce").await.problem(404);
    let unknown = eve.get("/v1/scores/skill:never-heard-of").await.problem(404);
    assert_eq!(unseen.code, unknown.code);
    let cursor = ann.get("/v1/events?limit=1").await.json()["next_cursor"].clone();
    assert!(cursor.is_null(), "acme has one event");
}
