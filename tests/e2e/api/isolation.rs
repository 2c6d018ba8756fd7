//! Every route of the API as every kind of caller (`pages/access.rs` has those of the pages): the table says what each gets, and a route that is not in it fails the test.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use crate::harness::{
    Caller, Hub, Org,
    sample::{event, now, text},
};
use model::team::{Role, Scope};
use reqwest::Method;
use serde_json::{Value, json};
use server::{Config, router::routes};

/// Anonymous (no token), the owner of another org, then of the org itself: a viewer, a member with a token that only
/// uploads, a member, an admin, the owner.
type Statuses = [u16; 7];

/// Parameters stand for something that belongs to the org and to none of the callers.
const TABLE: &[(&str, Statuses)] = &[
    ("POST /v1/events", [401, 200, 403, 200, 200, 200, 200]),
    ("GET /v1/events", [401, 200, 200, 403, 200, 200, 200]),
    ("PUT /v1/inventory", [401, 200, 403, 200, 200, 200, 200]),
    ("PUT /v1/usage", [401, 200, 403, 200, 200, 200, 200]),
    ("GET /v1/usage", [401, 200, 200, 403, 200, 200, 200]),
    ("POST /v1/gates", [401, 200, 403, 200, 200, 200, 200]),
    ("POST /otlp/v1/logs", [401, 200, 403, 200, 200, 200, 200]),
    ("POST /otlp/v1/traces", [401, 200, 403, 200, 200, 200, 200]),
    ("POST /otlp/v1/metrics", [401, 200, 403, 200, 200, 200, 200]),
    ("POST /mcp", [401, 200, 200, 403, 200, 200, 200]),
    ("GET /v1/limits", [200, 200, 200, 200, 200, 200, 200]),
    ("GET /v1/scores", [401, 200, 200, 403, 200, 200, 200]),
    ("GET /v1/scores/{tool_id}", [401, 404, 200, 403, 200, 200, 200]),
    (
        "GET /v1/leaderboards/{board}",
        [401, 200, 200, 403, 200, 200, 200],
    ),
    ("GET /v1/dead-weight", [401, 200, 200, 403, 200, 200, 200]),
    ("GET /v1/decisions", [401, 200, 200, 403, 200, 200, 200]),
    ("GET /v1/savings", [401, 200, 200, 403, 200, 200, 200]),
    ("PUT /v1/decisions/{tool_id}", [401, 404, 403, 403, 403, 200, 200]),
    (
        "DELETE /v1/decisions/{tool_id}",
        [401, 404, 403, 403, 403, 204, 404],
    ),
    ("GET /v1/uploads", [401, 200, 200, 403, 200, 200, 200]),
    ("GET /v1/refresh", [401, 200, 200, 200, 200, 200, 200]),
    ("GET /v1/me", [401, 200, 200, 200, 200, 200, 200]),
    ("GET /v1/me/settings", [401, 200, 200, 403, 200, 200, 200]),
    ("PATCH /v1/me/settings", [401, 200, 200, 403, 200, 200, 200]),
    ("GET /v1/me/data", [401, 200, 200, 403, 200, 200, 200]),
    ("DELETE /v1/me/data", [401, 200, 200, 403, 200, 200, 200]),
    ("GET /v1/org", [401, 200, 200, 403, 200, 200, 200]),
    ("PATCH /v1/org", [401, 200, 403, 403, 403, 403, 200]),
    ("GET /v1/prices", [401, 200, 200, 200, 200, 200, 200]),
    ("PUT /v1/prices", [401, 200, 403, 403, 403, 200, 200]),
    ("GET /v1/members", [401, 200, 403, 403, 403, 200, 200]),
    ("POST /v1/members", [401, 201, 403, 403, 403, 201, 201]),
    ("GET /v1/members/{handle}", [401, 404, 403, 403, 403, 200, 200]),
    ("PATCH /v1/members/{handle}", [401, 404, 403, 403, 403, 200, 200]),
    (
        "DELETE /v1/members/{handle}/data",
        [401, 404, 403, 403, 403, 200, 200],
    ),
    (
        "POST /v1/members/{handle}/invitation",
        [401, 404, 403, 403, 403, 201, 201],
    ),
    ("GET /v1/tokens", [401, 200, 200, 403, 200, 200, 200]),
    ("POST /v1/tokens", [401, 201, 201, 403, 201, 201, 201]),
    (
        "POST /v1/tokens/current/rotate",
        [401, 201, 201, 201, 201, 201, 201],
    ),
    ("DELETE /v1/tokens/current", [401, 204, 204, 204, 204, 204, 204]),
    (
        "POST /v1/tokens/{token_id}/rotate",
        [401, 404, 404, 403, 404, 201, 201],
    ),
    (
        "DELETE /v1/tokens/{token_id}",
        [401, 404, 404, 403, 404, 204, 204],
    ),
    ("GET /v1/audit", [401, 200, 403, 403, 403, 200, 200]),
    ("GET /v1/trusted-publishers", [401, 200, 403, 403, 403, 200, 200]),
    ("POST /v1/trusted-publishers", [401, 201, 403, 403, 403, 201, 201]),
    (
        "DELETE /v1/trusted-publishers/{publisher_id}",
        [401, 404, 403, 403, 403, 204, 204],
    ),
    // Needs no token but an identity, and this server exchanges none.
    ("POST /v1/oidc/exchange", [401, 401, 401, 401, 401, 401, 401]),
    ("GET /v1/overview", [401, 200, 200, 403, 200, 200, 200]),
    ("POST /v1/device-logins", [201, 201, 201, 201, 201, 201, 201]),
    // With a code that was never made.
    (
        "POST /v1/device-logins/token",
        [400, 400, 400, 400, 400, 400, 400],
    ),
    ("POST /v1/page-links", [401, 201, 201, 403, 201, 201, 201]),
    ("GET /assets/{name}", [404, 404, 404, 404, 404, 404, 404]),
    ("GET /livez", [200, 200, 200, 200, 200, 200, 200]),
    ("GET /metrics", [200, 200, 200, 200, 200, 200, 200]),
    ("GET /openapi.json", [200, 200, 200, 200, 200, 200, 200]),
    ("GET /readyz", [200, 200, 200, 200, 200, 200, 200]),
];

const CALLERS: [&str; 7] = [
    "anonymous",
    "another org's owner",
    "viewer",
    "upload only",
    "member",
    "admin",
    "owner",
];

/// Whether a route changes something about the team, or exports a member's data: the audit log records each.
/// Uploads have receipts.
fn is_an_act(route: &str) -> bool {
    let (method, path) = route.split_once(' ').unwrap();
    match path {
        "/v1/events" | "/v1/inventory" | "/v1/usage" | "/v1/gates" | "/mcp" | "/v1/device-logins" => false,
        path if path.starts_with("/otlp/") => false,
        "/v1/me/data" => true,
        _ => method != "GET",
    }
}

/// The parts that each call needs fresh, because calls destroy them.
struct Stage {
    hub: Hub,
    acme: Org,
    rival: Org,
    owner: Caller,
    count: u32,
}

impl Stage {
    async fn set() -> Stage {
        let hub = Hub::start().await;
        let (acme, rival) = (hub.org("acme").await, hub.org("rival").await);
        let owner = hub
            .member_with(&acme, "acme-owner", Role::Owner, Scope::ALL)
            .await;
        let other = hub
            .member_with(&rival, "rival-owner", Role::Owner, Scope::ALL)
            .await;
        for (handle, role) in [
            ("viewer", Role::Viewer),
            ("member", Role::Member),
            ("admin", Role::Admin),
        ] {
            hub.member_with(&acme, handle, role, role.scopes()).await;
        }
        owner.upload(&[event("call_1", "skill:acme-secret")]).await;
        owner.refreshed().await;
        other.refreshed().await;
        Stage {
            hub,
            acme,
            rival,
            owner,
            count: 0,
        }
    }

    /// A caller with a token that no call has spent yet.
    async fn caller(&self, number: usize) -> Option<Caller> {
        let (org, handle, scopes): (_, _, &[Scope]) = match number {
            0 => return None,
            1 => (&self.rival, "rival-owner", Scope::ALL),
            2 => (&self.acme, "viewer", &[Scope::Read]),
            3 => (&self.acme, "member", &[Scope::Upload]),
            4 => (&self.acme, "member", &[Scope::Upload, Scope::Read]),
            5 => (&self.acme, "admin", Scope::ALL),
            _ => (&self.acme, "acme-owner", Scope::ALL),
        };
        let member = self.hub.store.member_find(org.id, handle).await.unwrap();
        Some(self.hub.token(org, member, handle, scopes, None).await)
    }

    /// How many acts of all orgs were written down.
    async fn acts(&self) -> u64 {
        let count = self
            .hub
            .beside()
            .await
            .ask("select count(*) from audit_log")
            .await;
        count[0][0].parse().unwrap()
    }

    /// The path, with something of the org in the place of its parameter, and the body.
    async fn request(&mut self, route: &str, caller: &str) -> (String, Value) {
        self.count += 1;
        let (count, path) = (self.count, route.split_once(' ').unwrap().1.to_owned());
        let owner = self.owner.clone();
        let create = |path: &'static str, body: Value| {
            let request = owner.request(Method::POST, path).body(body.to_string());
            async {
                let answer = owner.send(request).await;
                assert_eq!(answer.status, 201, "{}", answer.text);
                serde_json::from_str::<Value>(&answer.text).unwrap()
            }
        };
        let publisher =
            json!({ "provider": "github", "repository": format!("acme/r{count}"), "owner_id": "7" });
        let target = format!("acme-target-{count}");
        let mut path = path
            .replace("{tool_id}", "skill:acme-secret")
            .replace("{board}", "members");
        if path.contains("{handle}") {
            create("/v1/members", json!({ "handle": target })).await;
            path = path.replace("{handle}", &target);
        }
        if path.contains("{token_id}") {
            create("/v1/members", json!({ "handle": target })).await;
            let token = create("/v1/tokens", json!({ "name": "t", "member": target })).await;
            path = path.replace("{token_id}", token["token_id"].as_str().unwrap());
        }
        if path.contains("{publisher_id}") {
            let added = create("/v1/trusted-publishers", publisher.clone()).await;
            path = path.replace("{publisher_id}", added["publisher_id"].as_str().unwrap());
        }
        let body = match route {
            "POST /v1/events" => json!({ "events": [] }),
            "PUT /v1/prices" => json!({ "overrides": [] }),
            "PUT /v1/inventory" => json!({ "sessions": [{
                "session_id": "s", "observed_at": text(now()), "tools": [{ "tool_id": "cli:make" }],
            }] }),
            "PUT /v1/usage" => json!({ "responses": [{
                "response_id": format!("r{count}"), "occurred_at": text(now()), "model": "m",
            }] }),
            "POST /v1/members" => json!({ "handle": format!("new-{count}") }),
            "PATCH /v1/members/{handle}" => json!({ "active": false }),
            "POST /v1/tokens" => json!({ "name": "new" }),
            "POST /v1/trusted-publishers" => json!({
                "provider": "github", "repository": format!("new/r{count}"), "owner_id": "7",
            }),
            "POST /v1/device-logins/token" => json!({ "device_code": "x" }),
            "POST /v1/oidc/exchange" => json!({ "token": "a.b.c" }),
            "PATCH /v1/org" => json!({ "show_names": true }),
            "PUT /v1/decisions/{tool_id}" => json!({ "decision": "keep" }),
            _ => json!({}),
        };
        if route.ends_with("/data") && route.starts_with("DELETE") {
            let whose = if route.contains("/me/") { caller } else { &target };
            path.push_str(&format!("?confirm={whose}"));
        }
        (path, body)
    }
}

/// And every act that was done is in the audit log, and nothing of one that was refused.
#[tokio::test]
async fn every_route_answers_every_kind_of_caller_as_the_table_says() {
    let mut stage = Stage::set().await;
    let declared: BTreeSet<String> = routes(stage.hub.store.clone(), Config::default())
        .into_iter()
        .filter(|route| !route.access.is_page())
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let listed: BTreeSet<String> = TABLE.iter().map(|(route, _)| (*route).to_owned()).collect();
    assert_eq!(declared, listed, "the table has every route, and no other");
    let mut wrong = Vec::new();
    for (route, statuses) in TABLE {
        let method: Method = route.split_once(' ').unwrap().0.parse().unwrap();
        for (number, expected) in statuses.iter().enumerate() {
            let caller = stage.caller(number).await;
            let handle = caller
                .as_ref()
                .map_or("anonymous", |caller| &caller.handle)
                .to_owned();
            let (path, body) = stage.request(route, &handle).await;
            let request = match &caller {
                Some(caller) => caller.request(method.clone(), &path),
                None => stage.hub.request(method.clone(), &path),
            };
            let request = if method == Method::GET {
                request
            } else {
                request
                    .header("content-type", "application/json")
                    .body(body.to_string())
            };
            let acts = stage.acts().await;
            let answer = stage.owner.send(request).await;
            let written = stage.acts().await - acts;
            if (written > 0) != (answer.status.is_success() && is_an_act(route)) {
                wrong.push(format!(
                    "{route} as {}: {written} acts were written down",
                    CALLERS[number]
                ));
            }
            if answer.status.as_u16() != *expected {
                wrong.push(format!(
                    "{route} as {}: {} and not {expected}: {}",
                    CALLERS[number], answer.status, answer.text
                ));
            }
            if number == 1 && !matches!(*route, "GET /metrics") {
                let told = answer.text.replace(&path, "");
                let names_what_was_asked = answer.status == 404;
                assert!(names_what_was_asked || !told.contains("acme"), "{route}: {told}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_belongs_to_another_org_and_what_does_not_exist_answer_the_same() {
    let mut stage = Stage::set().await;
    for (route, statuses) in TABLE.iter().filter(|(_, statuses)| statuses[..2] == [401, 404]) {
        let method: Method = route.split_once(' ').unwrap().0.parse().unwrap();
        let caller = stage.caller(1).await.unwrap();
        let (theirs, body) = stage.request(route, "rival-owner").await;
        let nowhere = route
            .split_once(' ')
            .unwrap()
            .1
            .replace("{handle}", "unknown-handle")
            .replace("{tool_id}", "skill:never-heard-of")
            .replace("{token_id}", "0198c0de-0000-7000-8000-000000000000")
            .replace("{publisher_id}", "0198c0de-0000-7000-8000-000000000000");
        let mut problems = Vec::new();
        for path in [theirs.split('?').next().unwrap(), nowhere.as_str()] {
            let request = caller.request(method.clone(), path).body(body.to_string());
            let answer = caller.send(request).await;
            let problem = answer.problem(statuses[1]);
            let named = path.rsplit('/').next().unwrap().to_owned();
            problems.push((
                problem.code,
                problem
                    .detail
                    .replace(&named, "")
                    .replace(path.split('/').nth(3).unwrap(), ""),
            ));
        }
        assert_eq!(problems[0], problems[1], "{route}");
    }
}

#[tokio::test]
async fn eight_members_and_a_second_org_with_the_same_logs_see_exactly_their_own_numbers() {
    let hub = Hub::start().await;
    let (acme, rival) = (hub.org("acme").await, hub.org("rival").await);
    let mut uploaded = 0;
    for number in 0..8 {
        let member = hub.member(&acme, &format!("member-{number}")).await;
        let events: Vec<Value> = (0..=number)
            .map(|call| event(&format!("toolu_{call}"), &format!("cli:tool-{}", call % 3)))
            .collect();
        uploaded += member.upload(&events).await.inserted;
    }
    let eve = hub.member(&rival, "member-0").await;
    let same: Vec<Value> = (0..8)
        .map(|call| event(&format!("toolu_{call}"), &format!("cli:tool-{}", call % 3)))
        .collect();
    assert_eq!((uploaded, eve.upload(&same).await.inserted), (36, 8));
    let ann = hub.member(&acme, "ann").await;
    ann.refreshed().await;
    eve.refreshed().await;
    let sum = |body: &Value, list: &str| -> i64 {
        body[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["events"].as_i64().unwrap())
            .sum()
    };
    // The org counts a call once, however many members upload it; a member's own number is that of their events.
    for (caller, calls, events, members) in [(&ann, 8, 36, 8), (&eve, 8, 8, 1)] {
        assert_eq!(sum(&caller.get("/v1/scores").await.json(), "scores"), calls);
        let board = caller
            .get("/v1/leaderboards/members?window=all&kind=all&fresh=true")
            .await
            .json();
        assert_eq!(board["leaderboard"].as_array().unwrap().len(), members);
        assert_eq!(sum(&board, "leaderboard"), events);
        let listed = caller.get("/v1/events?limit=500").await.json();
        assert_eq!(
            i64::try_from(listed["events"].as_array().unwrap().len()).unwrap(),
            events
        );
    }
}
