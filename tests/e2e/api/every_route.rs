//! What holds for every route, tried on each of the router's table: which texts it refuses, and which headers it sends.

use std::collections::BTreeSet;

use model::team::{Role, Scope};
use reqwest::{Method, header};
use serde_json::json;
use server::access::{Access, Route};

use crate::harness::{Answer, Caller, Hub, Org};

/// The routes of the API; those of the pages are tried in `pages`.
fn routes(hub: &Hub) -> Vec<Route> {
    let mut routes = server::router::routes(hub.store.clone(), server::Config::default());
    routes.retain(|route| !route.access.is_page());
    assert!(routes.len() > 30, "{routes:?}");
    routes
}

/// An owner with a token of their own, because some routes end the token.
async fn owner(hub: &Hub, org: &Org, olga: &Caller) -> Caller {
    hub.token(org, olga.member, "olga", Scope::ALL, None).await
}

async fn ask(caller: &Caller, method: &Method, path: &str, body: Option<String>) -> Answer {
    let mut request = caller.request(method.clone(), path);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body);
    }
    caller.send(request).await
}

/// The parameters that a route names when it is asked for one that it does not have. `None`: it takes none, or ignores
/// the one that it does not have.
pub(super) fn named(answer: &Answer) -> Option<BTreeSet<String>> {
    if answer.status != 400 {
        return None;
    }
    let (_, expected) = answer.text.split_once("unknown field `no_such_parameter`")?;
    let names: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    Some(names.into_iter().map(str::to_owned).collect())
}

#[tokio::test]
async fn the_character_nul_is_refused_in_every_parameter_of_every_route() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let (mut in_paths, mut in_queries, mut in_bodies) = (0, 0, 0);
    for route in routes(&hub) {
        let Route { method, path, .. } = &route;
        let refused = async |path: &str, body: Option<String>| {
            let caller = owner(&hub, &acme, &olga).await;
            let answer = ask(&caller, method, path, body.clone()).await;
            let problem = answer.problem(400);
            assert_eq!(problem.code, "invalid_parameter", "{method} {path} {body:?}");
        };
        if let Some((before, rest)) = path.split_once('{') {
            let after = rest.split_once('}').map_or("", |(_, after)| after);
            refused(&format!("{before}a%00b{after}"), None).await;
            in_paths += 1;
        }
        let plain = path.replace(['{', '}'], "");
        let caller = owner(&hub, &acme, &olga).await;
        let answer = ask(&caller, method, &format!("{plain}?no_such_parameter=1"), None).await;
        for parameter in named(&answer).unwrap_or_default() {
            refused(&format!("{plain}?{parameter}=a%00b"), None).await;
            in_queries += 1;
        }
        // The bodies of uploads have their own rules: there a name loses the character, and the rest is stored.
        if matches!(*method, Method::GET | Method::DELETE)
            || matches!(*path, "/v1/events" | "/v1/inventory" | "/v1/usage")
        {
            continue;
        }
        let caller = owner(&hub, &acme, &olga).await;
        let unknown = json!({ "no_such_parameter": 1 }).to_string();
        let answer = ask(&caller, method, &plain, Some(unknown)).await;
        for field in named(&answer).unwrap_or_default() {
            for value in [json!("a\0b"), json!(["a", "a\0b"]), json!([{ "a": "a\0b" }])] {
                refused(&plain, Some(json!({ &*field: value }).to_string())).await;
            }
            in_bodies += 1;
        }
    }
    // The search finds what there is.
    assert!(in_paths >= 8, "{in_paths}");
    assert!(in_queries >= 40, "{in_queries}");
    assert!(in_bodies >= 15, "{in_bodies}");
}

#[tokio::test]
async fn a_time_or_a_cursor_beyond_the_database_is_refused() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    // ["a\u0000b"], [1,"a\u0000b"], -1, and ["+262000-01-01T00:00:00Z",1,"a"]
    let cursors = [
        "WyJhXHUwMDAwYiJd",
        "WzEsImFcdTAwMDBiIl0",
        "LTE",
        "WyIrMjYyMDAwLTAxLTAxVDAwOjAwOjAwWiIsMSwiYSJd",
    ];
    let mut paths = vec![
        "/v1/events?since=%2B262000-01-01T00:00:00Z".to_owned(),
        "/v1/events?until=-200000-01-01T00:00:00Z".to_owned(),
    ];
    for list in [
        "events",
        "scores",
        "uploads",
        "dead-weight",
        "usage",
        "members",
        "tokens",
        "audit",
        "trusted-publishers",
        "leaderboards/tools",
    ] {
        paths.extend(cursors.iter().map(|cursor| format!("/v1/{list}?cursor={cursor}")));
    }
    for path in paths {
        assert_eq!(
            olga.get(&path).await.problem(400).code,
            "invalid_parameter",
            "{path}"
        );
    }
}

fn header<'a>(answer: &'a Answer, name: &header::HeaderName) -> &'a str {
    answer
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[tokio::test]
async fn no_answer_may_be_cached_by_others_or_read_as_another_type() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let mut answers = vec![
        hub.get("/").await,
        hub.get("/v1/me").await,
        hub.get("/v1/no-such-route").await,
        ask(&olga, &Method::PUT, "/v1/me", None).await,
    ];
    for route in routes(&hub) {
        let Route { method, path, access } = &route;
        let path = path
            .replace("{board}", "tools")
            .replace("{handle}", "olga")
            .replace(['{', '}'], "");
        let caller = owner(&hub, &acme, &olga).await;
        let answer = ask(&caller, method, &path, None).await;
        assert_ne!(answer.status, 500, "{answer:?}");
        if *method == Method::GET && *access != Access::Public && *access != Access::Probe {
            assert!(matches!(answer.status.as_u16(), 200 | 404), "{answer:?}");
        }
        answers.push(answer);
    }
    for answer in answers {
        assert_eq!(
            header(&answer, &header::X_CONTENT_TYPE_OPTIONS),
            "nosniff",
            "{answer:?}"
        );
        let kept = header(&answer, &header::CACHE_CONTROL);
        let private = kept == "private, no-cache" && answer.headers.contains_key(header::ETAG);
        // The document of the API is the same for all.
        let document = kept == "public, max-age=300" && answer.text.starts_with("{\"components\"");
        assert!(kept == "no-store" || private || document, "{answer:?}");
    }
}
