//! Sessions: how they begin, what they are worth, and how they end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::TimeDelta;
use model::{
    administration::{MemberChange, PageLink},
    team::{Role, Scope},
};
use reqwest::Method;
use serde_json::json;
use server::Config;
use store::audit::Act;

use crate::harness::{Answer, Browser, Caller, Hub, sample::now};

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers["location"].to_str().unwrap()
}

async fn is_signed_in(browser: &Browser) -> bool {
    browser.get("/me").await.status == 200
}

async fn link(caller: &Caller, path: &str) -> PageLink {
    let request = caller
        .request(Method::POST, "/v1/page-links")
        .body(json!({ "path": path }).to_string());
    let answer = caller.send(request).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    serde_json::from_str(&answer.text).unwrap()
}

/// A hub that browsers reach without TLS.
async fn plain_hub() -> Hub {
    Hub::start_with(Config::default()).await
}

#[tokio::test]
async fn a_browser_without_a_session_is_led_to_the_sign_in_and_back() {
    let hub = plain_hub().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let browser = Browser::new(&hub);
    let asked = browser.get("/tools?window=7d&kind=mcp").await;
    assert_eq!(
        location(&asked),
        "/sign-in?next=%2Ftools%3Fwindow%3D7d%26kind%3Dmcp"
    );
    let form = browser
        .get("/sign-in?next=%2Ftools%3Fwindow%3D7d%26kind%3Dmcp")
        .await;
    assert!(
        form.text.contains("value=\"/tools?window=7d&amp;kind=mcp\""),
        "{}",
        form.text
    );
    let signed_in = browser.sign_in(&ann.token, "/tools?window=7d&kind=mcp").await;
    assert_eq!(location(&signed_in), "/tools?window=7d&kind=mcp");
    assert_eq!(browser.get("/tools?window=7d&kind=mcp").await.status, 200);
    assert_eq!(location(&browser.get("/sign-in?next=/events").await), "/events");
}

#[tokio::test]
async fn no_sign_in_leads_to_another_host() {
    let hub = plain_hub().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "evil",
        "/sign-in",
    ] {
        let browser = Browser::new(&hub);
        assert_eq!(location(&browser.sign_in(&ann.token, next).await), "/", "{next}");
        let encoded = next.replace('/', "%2F").replace('\\', "%5C");
        let asked = browser.get(&format!("/sign-in?next={encoded}")).await;
        assert_eq!(location(&asked), "/", "{next}");
    }
    let refused = ann
        .request(Method::POST, "/v1/page-links")
        .body(json!({ "path": "//evil.example" }).to_string());
    assert_eq!(ann.send(refused).await.problem(400).code, "invalid_body");
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_for_scripts_and_other_sites_and_holds_no_token() {
    let hub = plain_hub().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let browser = Browser::new(&hub);
    let answer = browser.sign_in(&ann.token, "/").await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    for part in [
        "toolhub_session=",
        "; Path=/;",
        "HttpOnly",
        "SameSite=Lax",
        "Max-Age=25",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains("thb_") && !cookie.contains(&ann.token[4..]));
    let secret = browser.cookie("toolhub_session").unwrap();
    for text in [secret.clone(), format!("thb_{secret}")] {
        let caller = hub.stranger(&text);
        assert_eq!(caller.get("/v1/me").await.problem(401).code, "invalid_token");
    }
    let dump = hub
        .beside()
        .await
        .ask("select encode(secret_hash, 'escape') || page_sessions::text from page_sessions")
        .await;
    assert!(
        !dump.is_empty() && !format!("{dump:?}").contains(&secret),
        "only a hash is stored"
    );
    let behind_tls = Hub::start().await;
    let org = behind_tls.org("acme").await;
    let eve = behind_tls.member(&org, "eve").await;
    let answer = Browser::new(&behind_tls).sign_in(&eve.token, "/").await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Host-toolhub_session=") && cookie.contains("; Secure"),
        "{cookie}"
    );
}

#[tokio::test]
async fn a_wrong_token_or_one_that_may_not_read_begins_no_session() {
    let hub = plain_hub().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let uploader = hub.token(&acme, ann.member, "ann", &[Scope::Upload], None).await;
    let expired = now() - TimeDelta::hours(1);
    let expired = hub
        .token(&acme, ann.member, "ann", &[Scope::Read], Some(expired))
        .await;
    for token in [
        "",
        "x",
        &ann.token.replace("thb_", "thc_"),
        &uploader.token,
        &expired.token,
    ] {
        let browser = Browser::new(&hub);
        let answer = browser.sign_in(token, "/").await;
        assert_eq!(answer.status, 403, "{token}");
        assert!(answer.text.contains("role=\"alert\"") && !answer.headers.contains_key("set-cookie"));
        assert!(token.is_empty() || token == "x" || !answer.text.contains(token));
        assert!(!is_signed_in(&browser).await);
    }
}

#[tokio::test]
async fn a_link_signs_one_browser_in_once_and_for_minutes() {
    let hub = plain_hub().await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let issued = link(&ann, "/tools?window=7d").await;
    assert!(issued.expires_at - now() < TimeDelta::minutes(11), "{issued:?}");
    let (first, second) = (Browser::new(&hub), Browser::new(&hub));
    assert_eq!(location(&first.get(&issued.path).await), "/tools?window=7d");
    assert!(is_signed_in(&first).await);
    let again = second.get(&issued.path).await;
    assert_eq!(again.status, 403, "{}", again.text);
    assert!(again.text.contains("toolhub open") && !is_signed_in(&second).await);
    assert_eq!(
        location(&first.get(&issued.path).await),
        "/tools?window=7d",
        "who is in stays in"
    );
    let issued = link(&ann, "/").await;
    let followed = futures_util::future::join_all((0..8).map(async |_| {
        let browser = Browser::new(&hub);
        browser.get(&issued.path).await.status.as_u16()
    }))
    .await;
    assert_eq!(
        followed.iter().filter(|status| **status == 303).count(),
        1,
        "{followed:?}"
    );
    let late = link(&ann, "/").await;
    hub.beside()
        .await
        .ask("update page_links set expires_at = now() - interval '1 second'")
        .await;
    assert_eq!(Browser::new(&hub).get(&late.path).await.status, 403);
}

#[tokio::test]
async fn a_session_ends_with_its_token_with_its_member_and_with_its_time() {
    let hub = plain_hub().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let member = hub.member(&acme, "ann").await;
    let token = async || {
        hub.token(&acme, member.member, "ann", &[Scope::Upload, Scope::Read], None)
            .await
    };
    let revoked = token().await;
    let browser = Browser::signed_in(&hub, &revoked).await;
    assert!(is_signed_in(&browser).await);
    assert_eq!(
        revoked
            .send(revoked.request(Method::DELETE, "/v1/tokens/current"))
            .await
            .status,
        204
    );
    assert!(!is_signed_in(&browser).await, "its token was revoked");

    let expiring = Browser::signed_in(&hub, &token().await).await;
    hub.beside()
        .await
        .ask("update page_sessions set expires_at = now() - interval '1 second'")
        .await;
    assert!(!is_signed_in(&expiring).await, "its time is over");

    let deactivated = Browser::signed_in(&hub, &token().await).await;
    let act = Act::by_operator(acme.id, now());
    let change = MemberChange {
        active: Some(false),
        ..MemberChange::default()
    };
    hub.store.member_change(&act, "ann", &change).await.unwrap();
    assert!(!is_signed_in(&deactivated).await, "its member was deactivated");
    assert!(is_signed_in(&Browser::signed_in(&hub, &olga).await).await);
}

#[tokio::test]
async fn a_session_allows_no_more_than_its_token() {
    let hub = plain_hub().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let reader = hub.token(&acme, olga.member, "olga", &[Scope::Read], None).await;
    let silent = "Not seen for a while";
    hub.member(&acme, "carl").await;
    hub.member(&acme, "ann")
        .await
        .upload(&[crate::harness::sample::event("a", "cli:make")])
        .await;
    olga.refreshed().await;
    let page = Browser::signed_in(&hub, &olga).await.get("/").await;
    assert!(page.text.contains(silent), "{}", page.text);
    let page = Browser::signed_in(&hub, &reader).await.get("/").await;
    assert!(!page.text.contains(silent), "{}", page.text);
}

#[tokio::test]
async fn signing_out_ends_this_session_or_all_of_the_member_and_none_of_others() {
    let hub = plain_hub().await;
    let acme = hub.org("acme").await;
    let (ann, bob) = (hub.member(&acme, "ann").await, hub.member(&acme, "bob").await);
    let browser = async |caller: &Caller| Browser::signed_in(&hub, caller).await;
    let (here, there, third, bobs) = (
        browser(&ann).await,
        browser(&ann).await,
        browser(&ann).await,
        browser(&bob).await,
    );
    let kept = here.cookie("toolhub_session").unwrap();
    assert_eq!(location(&here.post("/sign-out", &[]).await), "/sign-in");
    assert!(!is_signed_in(&here).await && here.cookie("toolhub_session").is_none());
    let copied = here
        .request(Method::GET, "/me")
        .header("cookie", format!("toolhub_session={kept}"));
    assert_eq!(
        here.send(copied).await.status,
        303,
        "a copy of the cookie is worth nothing"
    );
    assert!(is_signed_in(&there).await);
    assert_eq!(
        location(&there.post("/sign-out/everywhere", &[]).await),
        "/sign-in"
    );
    assert!(!is_signed_in(&there).await && !is_signed_in(&third).await);
    assert!(is_signed_in(&bobs).await);
}
