//! `/settings`: what its forms do is what the API says afterwards.

use model::{
    administration::{Member, OrgSettings, Publishers, Tokens},
    api::Me,
    team::{Role, Scope},
};
use server::Config;

use crate::harness::{Browser, Caller, Hub};

async fn stage() -> (Hub, Caller, Browser) {
    let hub = Hub::start_with(Config {
        public_url: Some("http://toolhub.example".to_owned()),
        ..Config::default()
    })
    .await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let browser = Browser::signed_in(&hub, &olga).await;
    (hub, olga, browser)
}

/// The token that a page shows once.
fn shown_token(page: &str) -> String {
    let (_, rest) = page.split_once("thb_").expect("the page shows a token");
    format!(
        "thb_{}",
        rest.chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect::<String>()
    )
}

#[tokio::test]
async fn a_member_is_added_invited_changed_and_deactivated() {
    let (hub, olga, browser) = stage().await;
    let answer = browser
        .post(
            "/settings/members",
            &[("handle", "bob"), ("role", "member"), ("kind", "person")],
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(
        answer
            .text
            .contains("toolhub login http://toolhub.example --with-token"),
        "{}",
        answer.text
    );
    let first = hub.stranger(&shown_token(&answer.text));
    let me: Me = first.get("/v1/me").await.ok();
    assert_eq!((me.member.as_str(), me.role), ("bob", Role::Member));
    let again = browser.post("/settings/members/bob/invitation", &[]).await;
    let second = hub.stranger(&shown_token(&again.text));
    assert_eq!(second.get("/v1/me").await.status, 200);
    assert_eq!(
        first.get("/v1/me").await.problem(401).code,
        "invalid_token",
        "one invitation at a time"
    );
    for (field, value) in [("role", "admin"), ("active", "false")] {
        assert_eq!(
            browser
                .post("/settings/members/bob", &[(field, value)])
                .await
                .status,
            303
        );
    }
    let bob: Member = olga.get("/v1/members/bob").await.ok();
    assert!(bob.role == Role::Admin && bob.deactivated_at.is_some(), "{bob:?}");
    let page = browser.get("/settings").await.text;
    assert!(
        page.contains("Reactivate bob") && !page.contains("Invite again: bob"),
        "{page}"
    );
    let exists = browser.post("/settings/members", &[("handle", "bob")]).await;
    assert_eq!(exists.status, 409);
    assert!(exists.text.contains("<h1"), "{}", exists.text);
}

#[tokio::test]
async fn a_token_is_made_shown_once_and_revoked() {
    let (hub, olga, browser) = stage().await;
    let fields = [("name", "notebook"), ("read", "true"), ("expires_in_days", "7")];
    let page = browser.post("/settings/tokens", &fields).await.text;
    let made = hub.stranger(&shown_token(&page));
    let me: Me = made.get("/v1/me").await.ok();
    assert_eq!((me.member.as_str(), me.scopes), ("olga", vec![Scope::Read]));
    let settings = browser.get("/settings").await.text;
    assert!(
        settings.contains("notebook") && !settings.contains(&made.token),
        "{settings}"
    );
    let tokens: Tokens = olga.get("/v1/tokens").await.ok();
    let id = &tokens
        .tokens
        .iter()
        .find(|token| token.name == "notebook")
        .unwrap()
        .token_id;
    let revoked = browser.post(&format!("/settings/tokens/{id}/revoke"), &[]).await;
    assert_eq!(revoked.status, 303);
    assert_eq!(made.get("/v1/me").await.problem(401).code, "invalid_token");
    let without_scope = browser
        .post("/settings/tokens", &[("name", "x"), ("expires_in_days", "7")])
        .await;
    assert_eq!(without_scope.status, 400);
}

#[tokio::test]
async fn the_org_and_its_trusted_publishers_are_changed() {
    let (_hub, olga, browser) = stage().await;
    let saved = browser
        .post(
            "/settings/org",
            &[
                ("org", "acme"),
                ("retention_days", "365"),
                ("task_text_allowed", "true"),
            ],
        )
        .await;
    assert_eq!(saved.status, 303, "{}", saved.text);
    let settings: OrgSettings = olga.get("/v1/org").await.ok();
    assert_eq!(settings.retention_days, Some(365));
    assert!(
        settings.task_text_allowed && !settings.show_names,
        "a box that is not ticked is off"
    );
    let fields = [
        ("provider", "github"),
        ("repository", "acme/web"),
        ("owner_id", "583231"),
        ("workflow", ""),
    ];
    assert_eq!(browser.post("/settings/publishers", &fields).await.status, 303);
    let found: Publishers = olga.get("/v1/trusted-publishers").await.ok();
    let publisher = &found.trusted_publishers[0];
    assert_eq!(
        (publisher.repository.as_str(), &publisher.workflow),
        ("acme/web", &None)
    );
    let path = format!("/settings/publishers/{}/remove", publisher.publisher_id);
    assert_eq!(browser.post(&path, &[]).await.status, 303);
    let left: Publishers = olga.get("/v1/trusted-publishers").await.ok();
    assert!(left.trusted_publishers.is_empty());
    let log = browser.get("/settings/audit").await.text;
    for action in [
        "org.changed",
        "publisher.added",
        "publisher.removed",
        "page.signed_in",
    ] {
        assert!(log.contains(action), "{action}: {log}");
    }
}

#[tokio::test]
async fn me_hides_exports_and_deletes() {
    let (hub, _, _) = stage().await;
    let org = hub.org("rival").await;
    let ann = hub.member(&org, "ann").await;
    ann.upload(&[crate::harness::sample::event("call_1", "cli:make")])
        .await;
    let browser = Browser::signed_in(&hub, &ann).await;
    assert_eq!(
        browser.post("/me/settings", &[("board", "hide")]).await.status,
        303
    );
    assert!(browser.get("/me").await.text.contains("You are hidden"));
    let export = browser.get("/me/data").await;
    assert!(export.text.contains("\"call_1\"") && export.text.contains("\"page_sessions\""));
    assert!(
        export.headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    let unconfirmed = browser.post("/me/erase", &[("confirm", "bob")]).await;
    assert_eq!(unconfirmed.status, 400, "{}", unconfirmed.text);
    assert_eq!(browser.post("/me/erase", &[("confirm", "ann")]).await.status, 303);
    let page = browser.get("/me").await.text;
    assert!(page.contains("You have deleted your data"), "{page}");
    assert_eq!(
        ann.get("/v1/events").await.json()["events"],
        serde_json::json!([])
    );
}
