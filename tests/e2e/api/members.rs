//! `/v1/members`: inviting, renaming, roles, deactivating; and the owner who cannot go.

use crate::harness::{Answer, Caller, Hub, Org, sample::event};
use model::{
    api::query::{ListQuery, MembersQuery},
    team::{Role, Scope},
};
use reqwest::Method;
use serde_json::{Value, json};

async fn call(caller: &Caller, method: Method, path: &str, body: Value) -> Answer {
    caller
        .send(caller.request(method, path).body(body.to_string()))
        .await
}

async fn team() -> (Hub, Org, Caller, Caller) {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let adam = hub.member_with(&acme, "adam", Role::Admin, Scope::ALL).await;
    (hub, acme, olga, adam)
}

#[tokio::test]
async fn an_invitation_is_exchanged_once_for_a_token_that_its_sender_never_saw() {
    let (hub, _, _, adam) = team().await;
    let added = call(
        &adam,
        Method::POST,
        "/v1/members",
        json!({ "handle": "ann", "invite": true }),
    )
    .await;
    assert_eq!(added.status, 201);
    let added: Value = serde_json::from_str(&added.text).unwrap();
    assert_eq!(
        (&added["role"], &added["kind"]),
        (&json!("member"), &json!("person"))
    );
    let invitation = hub.stranger(added["invitation"]["token"].as_str().unwrap());
    let exchange = json!({ "overlap_hours": 0, "name": "laptop" });
    let fresh = call(
        &invitation,
        Method::POST,
        "/v1/tokens/current/rotate",
        exchange.clone(),
    )
    .await;
    assert_eq!(fresh.status, 201);
    let fresh: Value = serde_json::from_str(&fresh.text).unwrap();
    let ann = hub.stranger(fresh["token"].as_str().unwrap());
    assert_eq!(ann.get("/v1/me").await.json()["token_name"], "laptop");
    assert_eq!(ann.upload(&[event("call_1", "cli:make")]).await.inserted, 1);
    let again = call(&invitation, Method::POST, "/v1/tokens/current/rotate", exchange).await;
    assert_eq!(again.problem(401).code, "invalid_token");
}

#[tokio::test]
async fn who_is_renamed_keeps_everything_and_who_is_deactivated_is_out_at_once() {
    let (hub, acme, _, adam) = team().await;
    let ann = hub.member(&acme, "ann").await;
    ann.upload(&[event("call_1", "cli:make")]).await;
    let renamed = call(
        &adam,
        Method::PATCH,
        "/v1/members/ann",
        json!({ "handle": "anna" }),
    )
    .await;
    assert_eq!(renamed.json()["handle"], "anna");
    assert_eq!(ann.get("/v1/events").await.json()["events"][0]["member"], "anna");
    let taken = call(
        &adam,
        Method::PATCH,
        "/v1/members/anna",
        json!({ "handle": "olga" }),
    )
    .await;
    assert_eq!(taken.problem(409).code, "conflict");
    let gone = call(
        &adam,
        Method::PATCH,
        "/v1/members/anna",
        json!({ "active": false }),
    )
    .await
    .json();
    assert_eq!(
        (&gone["tokens"], gone["deactivated_at"].is_string()),
        (&json!(0), true)
    );
    assert_eq!(ann.get("/v1/me").await.problem(401).code, "invalid_token");
    let ended = adam.get("/v1/audit?action=token.revoked").await.json();
    let ended = ended["audit"].as_array().unwrap();
    assert_eq!(
        (
            ended.len(),
            &ended[0]["actor"],
            &ended[0]["subject"],
            &ended[0]["details"]["name"]
        ),
        (1, &json!("adam"), &json!("anna"), &json!("test")),
        "each token that ended so is written down"
    );
    let back = call(
        &adam,
        Method::PATCH,
        "/v1/members/anna",
        json!({ "active": true }),
    )
    .await
    .json();
    assert_eq!(back["deactivated_at"], Value::Null);
    assert_eq!(
        ann.get("/v1/me").await.problem(401).code,
        "invalid_token",
        "old tokens stay dead"
    );
}

#[tokio::test]
async fn members_administer_only_up_to_their_own_role() {
    let (hub, acme, olga, adam) = team().await;
    hub.member(&acme, "ann").await;
    for (method, path, body) in [
        (
            Method::POST,
            "/v1/members",
            json!({ "handle": "x", "role": "owner" }),
        ),
        (Method::PATCH, "/v1/members/ann", json!({ "role": "owner" })),
        (Method::PATCH, "/v1/members/olga", json!({ "role": "member" })),
        (Method::PATCH, "/v1/members/olga", json!({ "active": false })),
        (Method::PATCH, "/v1/members/adam", json!({ "role": "owner" })),
        (
            Method::POST,
            "/v1/tokens",
            json!({ "name": "x", "member": "olga" }),
        ),
        (Method::DELETE, "/v1/members/olga/data?confirm=olga", json!({})),
    ] {
        let refused = call(&adam, method.clone(), path, body.clone()).await.problem(403);
        assert_eq!(refused.code, "not_allowed", "{method} {path} {body}");
    }
    let promoted = call(
        &olga,
        Method::PATCH,
        "/v1/members/adam",
        json!({ "role": "owner" }),
    )
    .await;
    assert_eq!(promoted.json()["role"], "owner");
}

#[tokio::test]
async fn a_demotion_counts_from_the_next_request_on() {
    let (_hub, _, olga, adam) = team().await;
    adam.get("/v1/members").await.json();
    call(
        &olga,
        Method::PATCH,
        "/v1/members/adam",
        json!({ "role": "viewer" }),
    )
    .await
    .json();
    assert_eq!(adam.get("/v1/members").await.problem(403).code, "missing_scope");
    let me = adam.get("/v1/me").await.json();
    assert_eq!(
        me["scopes"],
        json!(["read"]),
        "a token never has more than the role allows"
    );
}

#[tokio::test]
async fn the_last_owner_cannot_go_however_many_try_at_once() {
    let (hub, acme, olga, _) = team().await;
    for body in [json!({ "role": "admin" }), json!({ "active": false })] {
        let refused = call(&olga, Method::PATCH, "/v1/members/olga", body)
            .await
            .problem(409);
        assert!(refused.detail.contains("owner"), "{refused:?}");
    }
    for round in 0..5 {
        let mut owners = vec![olga.clone()];
        for number in 0..3 {
            let handle = format!("owner-{round}-{number}");
            owners.push(hub.member_with(&acme, &handle, Role::Owner, Scope::ALL).await);
        }
        // Each demotes the next, all at once: the first succeeds, and one owner is left.
        let tries = owners.iter().enumerate().map(|(number, owner)| {
            let path = format!("/v1/members/{}", owners[(number + 1) % owners.len()].handle);
            async move {
                call(owner, Method::PATCH, &path, json!({ "role": "admin" }))
                    .await
                    .status
            }
        });
        futures_util::future::join_all(tries).await;
        let members = hub
            .store
            .member_list(
                acme.id,
                &MembersQuery::default().with_page(Some(500), None),
                crate::harness::sample::now(),
            )
            .await
            .unwrap();
        let left = members
            .rows
            .iter()
            .filter(|member| member.role == Role::Owner)
            .count();
        assert!(left >= 1, "round {round}");
        let olga_again = model::administration::MemberChange {
            role: Some(Role::Owner),
            ..Default::default()
        };
        let act = store::audit::Act::by_operator(acme.id, crate::harness::sample::now());
        hub.store.member_change(&act, "olga", &olga_again).await.unwrap();
        for number in 0..3 {
            let demoted = model::administration::MemberChange {
                role: Some(Role::Member),
                ..Default::default()
            };
            hub.store
                .member_change(&act, &format!("owner-{round}-{number}"), &demoted)
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_list_is_paged_and_a_mistyped_wish_is_refused() {
    let (hub, acme, _, adam) = team().await;
    for number in 0..5 {
        hub.member(&acme, &format!("m{number}")).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = adam.get(&format!("/v1/members?limit=2{cursor}")).await.json();
        seen.extend(
            page["members"]
                .as_array()
                .unwrap()
                .iter()
                .map(|m| m["handle"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["adam", "m0", "m1", "m2", "m3", "m4", "olga"]);
    let typo = call(&adam, Method::PATCH, "/v1/members/m0", json!({ "rol": "admin" })).await;
    assert_eq!(typo.problem(400).code, "invalid_body");
    for handle in ["=cmd|'/c calc'!A1", "<script>", "a\u{1b}[31m", "a\nb", ""] {
        let refused = call(&adam, Method::POST, "/v1/members", json!({ "handle": handle })).await;
        assert_eq!(refused.problem(400).code, "invalid_body", "{handle:?}");
    }
}
