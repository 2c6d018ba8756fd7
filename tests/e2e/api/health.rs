//! `/livez`, `/readyz`, `/v1/limits`, and what the server says to what it does not know.

use crate::harness::Hub;
use model::limits::Limits;
use reqwest::Method;

#[tokio::test]
async fn the_server_is_alive_and_ready() {
    let hub = Hub::start().await;
    assert_eq!(hub.get("/livez").await.status, 200);
    let ready = hub.get("/readyz").await.json();
    assert_eq!(
        (&ready["ready"], &ready["durable"]),
        (&true.into(), &true.into()),
        "{ready}"
    );
}

#[tokio::test]
async fn the_limits_are_answered_as_data() {
    let hub = Hub::start().await;
    let limits: Limits = hub.get("/v1/limits").await.ok();
    assert_eq!(limits, Limits::default());
}

#[tokio::test]
async fn an_unknown_route_or_method_gets_a_problem_too() {
    let hub = Hub::start().await;
    assert_eq!(hub.get("/v1/nothing").await.problem(404).code, "no_such_route");
    assert_eq!(hub.get("/no-such-route").await.problem(404).code, "no_such_route");
    let ann = hub.member(&hub.org("acme").await, "ann").await;
    let wrong = ann.send(ann.request(Method::DELETE, "/v1/events")).await;
    assert!(
        wrong
            .headers
            .get("allow")
            .is_some_and(|allow| allow.to_str().is_ok_and(|allow| allow.contains("POST")))
    );
    assert_eq!(wrong.problem(405).code, "method_not_allowed");
}
