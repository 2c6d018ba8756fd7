//! The document of the API is true: it has the router's routes and no others, the parameters that the routes take, and the
//! answers that they give.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use model::{
    CallResult, Event, MicroUsd, Reason, ToolId,
    team::{Role, Scope},
    wire::EventV1,
};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use server::access::{Access, Route};

use super::every_route::named;
use crate::harness::{
    Caller, Hub,
    sample::{event, now, with},
};

fn routes(hub: &Hub) -> Vec<Route> {
    let mut routes = server::router::routes(hub.store.clone(), server::Config::default());
    routes.retain(|route| !route.access.is_page() && !route.path.starts_with("/assets/"));
    routes
}

async fn document(hub: &Hub) -> Value {
    let answer = hub.get("/openapi.json").await;
    assert_eq!(answer.status, 200);
    answer.json()
}

/// Method and path of each operation.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap();
            methods
                .keys()
                .map(|method| (method.to_ascii_uppercase(), path.clone()))
        })
        .collect()
}

fn operation<'d>(document: &'d Value, route: &Route) -> &'d Value {
    &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()]
}

#[tokio::test]
async fn the_document_has_the_routes_of_the_router_and_who_may_call_them() {
    let hub = Hub::start().await;
    let document = document(&hub).await;
    assert_eq!(document["openapi"], "3.1.0");
    let routes = routes(&hub);
    let expected: BTreeSet<(String, String)> = routes
        .iter()
        .map(|route| (route.method.to_string(), route.path.to_owned()))
        .collect();
    assert_eq!(operations(&document), expected);
    let mut ids = BTreeSet::new();
    for route in &routes {
        let described = operation(&document, route);
        let is_open = matches!(route.access, Access::Probe | Access::Public);
        let security = if is_open {
            json!([])
        } else {
            json!([{ "token": [] }])
        };
        assert_eq!(described["security"], security, "{route:?}");
        assert!(ids.insert(described["operationId"].to_string()), "{route:?}");
        let in_path = route.path.matches('{').count();
        let described = described["parameters"].as_array().unwrap();
        assert_eq!(
            described.iter().filter(|one| one["in"] == "path").count(),
            in_path
        );
    }
}

#[tokio::test]
async fn the_document_is_public_and_cached_by_its_tag() {
    let hub = Hub::start().await;
    let first = hub.get("/openapi.json").await;
    let tag = first.headers[header::ETAG].clone();
    let shared = first.headers[header::CACHE_CONTROL].to_str().unwrap();
    assert!(shared.starts_with("public, max-age="), "{shared}");
    let again = hub.request(Method::GET, "/openapi.json");
    let again = again.header(header::IF_NONE_MATCH, tag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.text().await.unwrap(), "");
}

#[tokio::test]
async fn each_query_parameter_of_the_document_is_one_that_its_route_takes() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let document = document(&hub).await;
    let mut compared = 0;
    for route in routes(&hub).iter().filter(|route| route.path.starts_with("/v1/")) {
        let described: BTreeSet<String> = operation(&document, route)["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["in"] == "query")
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect();
        let path = route
            .path
            .replace("{board}", "tools")
            .replace("{handle}", "olga")
            .replace("{tool_id}", "mcp:x");
        if path.contains('{') || described.is_empty() {
            continue;
        }
        let request = olga.request(route.method.clone(), &format!("{path}?no_such_parameter=1"));
        let refused = olga.send(request).await;
        assert_eq!(Some(&described), named(&refused).as_ref(), "{route:?}");
        compared += described.len();
    }
    assert!(compared > 50, "{compared} parameters were compared");
}

/// Where what a route answered differs from what the document says.
fn differences(document: &Value, described: &Value, status: StatusCode, answer: &Value) -> Vec<String> {
    let responses = &described["responses"];
    let response = &responses[status.as_str()];
    assert!(response.is_object(), "{status} is not described: {described}");
    let content = response["content"].as_object().unwrap();
    let schema = &content.values().next().unwrap()["schema"];
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&whole)
        .unwrap();
    validator
        .iter_errors(answer)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

async fn check(document: &Value, caller: &Caller, path: &str, template: &str, status: u16) {
    let answer = caller.get(path).await;
    assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
    let described = &document["paths"][template]["get"];
    let wrong = differences(
        document,
        described,
        answer.status,
        &serde_json::from_str(&answer.text).unwrap(),
    );
    assert!(wrong.is_empty(), "{path}: {wrong:#?}");
}

#[tokio::test]
async fn what_the_routes_answer_is_what_the_document_says() {
    let hub = Hub::start().await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let document = document(&hub).await;
    let events = [
        event("toolu_1", "mcp:linear"),
        with(
            event("toolu_2", "skill:ours"),
            &json!({ "outcome": "failure", "reason": "error", "cost_usd": 0.25 }),
        ),
        with(
            event("toolu_3", "builtin:Bash"),
            &json!({ "project": "web", "session_id": "s1", "duration_ms": 12 }),
        ),
    ];
    olga.upload(&events).await;
    olga.refreshed().await;
    for (path, template) in [
        ("/v1/events", "/v1/events"),
        ("/v1/limits", "/v1/limits"),
        ("/v1/scores", "/v1/scores"),
        ("/v1/scores/mcp:linear?window=all", "/v1/scores/{tool_id}"),
        ("/v1/leaderboards/tools?kind=all", "/v1/leaderboards/{board}"),
        ("/v1/leaderboards/members?window=all", "/v1/leaderboards/{board}"),
        (
            "/v1/leaderboards/projects?project=web&kind=all",
            "/v1/leaderboards/{board}",
        ),
        ("/v1/dead-weight?verdict=all&kind=all", "/v1/dead-weight"),
        ("/v1/overview", "/v1/overview"),
        ("/v1/uploads", "/v1/uploads"),
        ("/v1/usage?by=day", "/v1/usage"),
        ("/v1/refresh", "/v1/refresh"),
        ("/v1/me", "/v1/me"),
        ("/v1/me/settings", "/v1/me/settings"),
        ("/v1/org", "/v1/org"),
        ("/v1/prices", "/v1/prices"),
        ("/v1/members", "/v1/members"),
        ("/v1/members/olga", "/v1/members/{handle}"),
        ("/v1/tokens", "/v1/tokens"),
        ("/v1/audit", "/v1/audit"),
        ("/v1/trusted-publishers", "/v1/trusted-publishers"),
    ] {
        check(&document, &olga, path, template, 200).await;
    }
    check(
        &document,
        &olga,
        "/v1/scores/mcp:nothing",
        "/v1/scores/{tool_id}",
        404,
    )
    .await;
    check(&document, &olga, "/v1/events?limit=x", "/v1/events", 400).await;
    check(&document, &hub.stranger("thb_x"), "/v1/events", "/v1/events", 401).await;

    let batch = json!({ "events": [event("toolu_4", "mcp:linear"), { "tool_id": 3 }] });
    let request = olga.request(Method::POST, "/v1/events").json(&batch);
    let receipt = olga.send(request).await;
    let described = &document["paths"]["/v1/events"]["post"];
    let wrong = differences(&document, described, receipt.status, &receipt.json());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn an_event_of_the_document_has_the_keys_that_an_uploader_writes() {
    let hub = Hub::start().await;
    let document = document(&hub).await;
    let text = || Some("x".to_owned());
    let event = Event {
        uuid: text(),
        operation: text(),
        session: text(),
        project: text(),
        task_text: text(),
        duration_ms: Some(1),
        cost: Some(MicroUsd(1)),
        run_cost: Some(MicroUsd(1)),
        model: text(),
        agent: text(),
        agent_version: text(),
        git_branch: text(),
        ..Event::new(
            ToolId::parse("cli:make").unwrap(),
            CallResult::because(Reason::Error),
            now(),
        )
    };
    let written = serde_json::to_value(EventV1(&event)).unwrap();
    let keys = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    let described = &document["components"]["schemas"]["EventRequest"]["properties"];
    assert_eq!(keys(described), keys(&written));
}
