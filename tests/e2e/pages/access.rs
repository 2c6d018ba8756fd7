//! Every page as every kind of visitor: the table says what each gets, and a page that is not in it fails the test.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use model::team::{Role, Scope};
use serde_json::json;
use server::{Config, router::routes};

use crate::harness::{
    Browser, Caller, Hub, Org, form,
    sample::{event, with},
};

/// Anonymous, the owner of another org, then of the org itself: a viewer, a member with a token that only uploads, a
/// member, an admin, the owner. A token that only uploads has no session.
type Statuses = [u16; 7];

const TABLE: &[(&str, Statuses)] = &[
    ("GET /", [303, 200, 200, 303, 200, 200, 200]),
    ("GET /tools", [303, 200, 200, 303, 200, 200, 200]),
    ("GET /tools/{tool_id}", [303, 404, 200, 303, 200, 200, 200]),
    ("GET /members", [303, 200, 200, 303, 200, 200, 200]),
    ("GET /members/{handle}", [303, 404, 200, 303, 200, 200, 200]),
    ("GET /projects", [303, 200, 200, 303, 200, 200, 200]),
    ("GET /projects/{name}", [303, 404, 200, 303, 200, 200, 200]),
    ("GET /dead-weight", [303, 200, 200, 303, 200, 200, 200]),
    ("GET /adoption", [303, 200, 200, 303, 200, 200, 200]),
    ("GET /uploads", [303, 200, 200, 303, 200, 200, 200]),
    ("GET /events", [303, 200, 200, 303, 200, 200, 200]),
    ("GET /docs/api", [303, 200, 200, 303, 200, 200, 200]),
    ("GET /me", [303, 200, 200, 303, 200, 200, 200]),
    ("GET /me/device", [303, 200, 200, 303, 200, 200, 200]),
    // With a code under which no login waits.
    ("POST /me/device", [303, 404, 404, 303, 404, 404, 404]),
    ("GET /me/data", [303, 200, 200, 303, 200, 200, 200]),
    ("POST /me/settings", [303, 303, 303, 303, 303, 303, 303]),
    ("POST /me/erase", [303, 303, 303, 303, 303, 303, 303]),
    ("GET /settings", [303, 200, 200, 303, 200, 200, 200]),
    ("GET /settings/audit", [303, 200, 403, 303, 403, 200, 200]),
    ("POST /settings/org", [303, 303, 403, 303, 403, 403, 303]),
    ("POST /settings/members", [303, 200, 403, 303, 403, 200, 200]),
    (
        "POST /settings/members/{handle}",
        [303, 404, 403, 303, 403, 303, 303],
    ),
    (
        "POST /settings/members/{handle}/invitation",
        [303, 404, 403, 303, 403, 200, 200],
    ),
    ("POST /settings/tokens", [303, 200, 200, 303, 200, 200, 200]),
    (
        "POST /settings/tokens/{token_id}/revoke",
        [303, 404, 404, 303, 404, 303, 303],
    ),
    ("POST /settings/publishers", [303, 303, 403, 303, 403, 303, 303]),
    (
        "POST /settings/publishers/{publisher_id}/remove",
        [303, 404, 403, 303, 403, 303, 303],
    ),
    ("GET /sign-in", [200, 303, 303, 200, 303, 303, 303]),
    ("POST /sign-in", [403, 303, 303, 403, 303, 303, 303]),
    // With a link that was never made.
    ("GET /sign-in/link", [403, 303, 303, 403, 303, 303, 303]),
    ("POST /sign-out", [303, 303, 303, 303, 303, 303, 303]),
    ("POST /sign-out/everywhere", [303, 303, 303, 303, 303, 303, 303]),
    ("POST /theme", [303, 303, 303, 303, 303, 303, 303]),
];

const VISITORS: [&str; 7] = [
    "anonymous",
    "another org's owner",
    "viewer",
    "upload only",
    "member",
    "admin",
    "owner",
];

/// Whether a page writes to the audit log when it does what it is for.
fn is_an_act(route: &str) -> bool {
    match route {
        "GET /me/data" => true,
        "POST /theme" => false,
        _ => route.starts_with("POST "),
    }
}

struct Stage {
    hub: Hub,
    acme: Org,
    rival: Org,
    owner: Caller,
}

impl Stage {
    async fn set() -> Stage {
        let hub = Hub::start_with(Config {
            public_url: Some("http://toolhub.example".to_owned()),
            refresh_debounce: std::time::Duration::from_millis(5),
            ..Config::default()
        })
        .await;
        let (acme, rival) = (hub.org("acme").await, hub.org("rival").await);
        let owner = hub
            .member_with(&acme, "acme-owner", Role::Owner, Scope::ALL)
            .await;
        hub.member_with(&rival, "rival-owner", Role::Owner, Scope::ALL)
            .await;
        for (handle, role) in [
            ("acme-viewer", Role::Viewer),
            ("acme-member", Role::Member),
            ("acme-admin", Role::Admin),
            ("acme-target", Role::Viewer),
        ] {
            hub.member_with(&acme, handle, role, role.scopes()).await;
        }
        let call = with(
            event("call_1", "skill:acme-secret"),
            &json!({ "project": "acme-project" }),
        );
        owner.upload(&[call]).await;
        owner.refreshed().await;
        Stage {
            hub,
            acme,
            rival,
            owner,
        }
    }

    async fn visitor(&self, number: usize) -> Option<Caller> {
        let (org, handle, scopes): (_, _, &[Scope]) = match number {
            0 => return None,
            1 => (&self.rival, "rival-owner", Scope::ALL),
            2 => (&self.acme, "acme-viewer", &[Scope::Read]),
            3 => (&self.acme, "acme-member", &[Scope::Upload]),
            4 => (&self.acme, "acme-member", &[Scope::Upload, Scope::Read]),
            5 => (&self.acme, "acme-admin", Scope::ALL),
            _ => (&self.acme, "acme-owner", Scope::ALL),
        };
        let member = self.hub.store.member_find(org.id, handle).await.unwrap();
        Some(self.hub.token(org, member, handle, scopes, None).await)
    }

    async fn acts(&self) -> u64 {
        let count = self
            .hub
            .beside()
            .await
            .ask("select count(*) from audit_log")
            .await;
        count[0][0].parse().unwrap()
    }
}

impl Stage {
    /// The path, with something of acme in the place of its parameter.
    async fn path(&self, path: &str) -> String {
        let create = async |path: &str, body: serde_json::Value| {
            let request = self.owner.request(reqwest::Method::POST, path);
            let answer = self.owner.send(request.body(body.to_string())).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
            serde_json::from_str::<serde_json::Value>(&answer.text).unwrap()
        };
        let mut path = path.to_owned();
        if path.contains("{token_id}") {
            let made = create("/v1/tokens", json!({ "name": "t", "member": "acme-target" })).await;
            path = path.replace("{token_id}", made["token_id"].as_str().unwrap());
        }
        if path.contains("{publisher_id}") {
            let repository = format!("acme/r{}", self.acts().await);
            let publisher = json!({ "provider": "github", "repository": repository, "owner_id": "7" });
            let made = create("/v1/trusted-publishers", publisher).await;
            path = path.replace("{publisher_id}", made["publisher_id"].as_str().unwrap());
        }
        let handle = if path.starts_with("/settings/") {
            "acme-target"
        } else {
            "acme-owner"
        };
        path.replace("{tool_id}", "skill:acme-secret")
            .replace("{handle}", handle)
            .replace("{name}", "acme-project")
    }
}

/// The fields of a form that does what the route is for.
fn fields<'f>(route: &str, number: usize, caller: Option<&'f Caller>) -> Vec<(&'static str, &'f str)> {
    let names = ["n0", "n1", "n2", "n3", "n4", "n5", "n6"];
    match route {
        "POST /settings/org" => vec![
            ("retention_days", "0"),
            ("show_names", "true"),
            ("task_text_allowed", "true"),
        ],
        "POST /settings/members" => vec![("handle", names[number]), ("role", "member")],
        "POST /settings/members/{handle}" => vec![("role", if number == 5 { "member" } else { "viewer" })],
        "POST /settings/tokens" => vec![("name", "new"), ("read", "true"), ("expires_in_days", "5")],
        "POST /settings/publishers" => {
            vec![
                ("provider", "github"),
                (
                    "repository",
                    ["a/0", "a/1", "a/2", "a/3", "a/4", "a/5", "a/6"][number],
                ),
                ("owner_id", "7"),
            ]
        }
        "POST /sign-in" => vec![("token", caller.map_or("", |caller| caller.token.as_str()))],
        "POST /me/settings" => vec![("board", "show")],
        "POST /me/device" => vec![("code", "BCDF-GHJK"), ("decision", "confirm")],
        "POST /me/erase" => vec![("confirm", caller.map_or("", |caller| caller.handle.as_str()))],
        "POST /theme" => vec![("appearance", "dark")],
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn every_page_answers_every_kind_of_visitor_as_the_table_says() {
    let stage = Stage::set().await;
    let declared: BTreeSet<String> = routes(stage.hub.store.clone(), Config::default())
        .into_iter()
        .filter(|route| route.access.is_page())
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let listed: BTreeSet<String> = TABLE.iter().map(|(route, _)| (*route).to_owned()).collect();
    assert_eq!(declared, listed, "the table has every page, and no other");
    let mut wrong = Vec::new();
    for (route, statuses) in TABLE {
        let (method, path) = route.split_once(' ').unwrap();
        for (number, expected) in statuses.iter().enumerate() {
            let path = stage.path(path).await;
            let caller = stage.visitor(number).await;
            let browser = Browser::new(&stage.hub);
            let mut fields = fields(route, number, caller.as_ref());
            let mut token = String::new();
            if let Some(caller) = &caller
                && browser.sign_in(&caller.token, "/").await.status == 303
            {
                token = browser.form_token().await;
            }
            fields.push(("form_token", &token));
            let acts = stage.acts().await;
            let request = browser.request(method.parse().unwrap(), &path);
            let answer = browser
                .send(if method == "GET" {
                    request
                } else {
                    form(request, &fields)
                })
                .await;
            let acted = stage.acts().await > acts;
            let is_signed_in = !token.is_empty();
            let is_done = matches!(answer.status.as_u16(), 200 | 303);
            if acted != (is_signed_in && is_done && is_an_act(route)) {
                wrong.push(format!("{route} as {}: acted: {acted}", VISITORS[number]));
            }
            if answer.status.as_u16() != *expected {
                wrong.push(format!(
                    "{route} as {}: {} and not {expected}: {}",
                    VISITORS[number], answer.status, answer.text
                ));
            }
            if number == 1 && answer.status != 404 {
                assert!(!answer.text.contains("acme"), "{route}: {}", answer.text);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_form_without_the_token_of_its_session_or_from_another_site_does_nothing() {
    let stage = Stage::set().await;
    let caller = stage.visitor(6).await.unwrap();
    let (browser, other) = (
        Browser::signed_in(&stage.hub, &caller).await,
        Browser::signed_in(&stage.hub, &caller).await,
    );
    let (own, foreign) = (browser.form_token().await, other.form_token().await);
    assert_ne!(own, foreign, "each session has its own");
    let acts = stage.acts().await;
    let mut tried = 0;
    for (route, _) in TABLE.iter().filter(|(route, _)| is_an_act(route)) {
        let Some(path) = route.strip_prefix("POST ") else {
            continue;
        };
        let path = &path.replace(['{', '}'], "");
        let post = |token: Option<&str>| {
            let mut all = fields(route, 6, Some(&caller));
            all.extend(token.map(|token| ("form_token", token.to_owned().leak() as &str)));
            form(browser.request(reqwest::Method::POST, path), &all)
        };
        if *route != "POST /sign-in" {
            for token in [None, Some(foreign.as_str()), Some("")] {
                let answer = browser.send(post(token)).await;
                assert_eq!(answer.status, 403, "{route} {token:?}");
            }
            let without_type = browser
                .request(reqwest::Method::POST, path)
                .body(format!("form_token={own}"));
            assert_eq!(browser.send(without_type).await.status, 403, "{route}");
        }
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let answer = browser.send(post(Some(&own)).header(name, value)).await;
            assert_eq!(answer.status, 403, "{route} {name}: {value}");
        }
        tried += 1;
    }
    assert!(tried >= 12, "{tried}");
    assert_eq!(stage.acts().await, acts, "nothing was done");
    let settings = browser
        .send(
            form(
                browser.request(reqwest::Method::POST, "/me/settings"),
                &[("form_token", &own), ("board", "hide")],
            )
            .header("origin", stage.hub.url.clone()),
        )
        .await;
    assert_eq!(settings.status, 303);
    assert_eq!(stage.acts().await, acts + 1, "and our own form does it");
}
