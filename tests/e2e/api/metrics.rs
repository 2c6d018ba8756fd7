//! `/metrics`, and the log of requests.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Deployment,
    process::{self, Server, until},
    sample::event,
};

/// The series of an answer of `/metrics`: names with their labels.
fn series(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' ').map(|(series, _)| series.to_owned()))
        .collect()
}

fn value(text: &str, series: &str) -> f64 {
    text.lines()
        .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {series} in {text}"))
}

async fn metrics(server: &Server) -> String {
    let answer = process::http()
        .get(format!("{}/metrics", server.url()))
        .send()
        .await;
    let answer = answer.expect("the server answers");
    answer.text().await.expect("metrics are text")
}

#[tokio::test]
async fn uploads_refreshes_and_refusals_are_counted() {
    let deployment = Deployment::start_with(&["--token-rate", "1/2"]).await;
    let ann = deployment.member("ann").await;
    let http = process::http();
    let url = deployment.server.url();
    let first =
        json!({ "events": [event("call_1", "skill:x"), event("call_2", "skill:x"), {"tool_id": "?"}] });
    let send = async |body: &Value| {
        let request = http
            .post(format!("{url}/v1/events"))
            .bearer_auth(&ann.token)
            .json(body);
        request
            .send()
            .await
            .expect("the server answers")
            .status()
            .as_u16()
    };
    assert_eq!(send(&first).await, 200);
    assert_eq!(send(&first).await, 200);
    until("the rate is limited", async || send(&first).await == 429).await;
    until("the boards are refreshed", async || {
        let text = metrics(&deployment.server).await;
        text.contains("toolhub_refresh_seconds_count{view=\"tool_scores\"}")
            && value(&text, "toolhub_boards_waiting_seconds") == 0.0
    })
    .await;
    let text = metrics(&deployment.server).await;
    for (series, at_least) in [
        ("toolhub_events_total{result=\"inserted\"}", 2.0),
        ("toolhub_events_total{result=\"duplicate\"}", 2.0),
        ("toolhub_events_total{result=\"rejected\"}", 2.0),
        ("toolhub_batch_events_count", 2.0),
        ("toolhub_commit_batches_count", 2.0),
        ("toolhub_commit_seconds_count{result=\"ok\"}", 2.0),
        ("toolhub_refresh_seconds_count{view=\"board_scores\"}", 1.0),
        ("toolhub_rate_limited_total{limit=\"token\"}", 1.0),
        ("toolhub_database_up", 1.0),
        ("toolhub_durable", 1.0),
        ("toolhub_database_bytes", 1_000_000.0),
        ("toolhub_pool_connections_max", 2.0),
    ] {
        assert!(value(&text, series) >= at_least, "{series}: {text}");
    }
    for series in [
        "toolhub_shed_total{reason=\"queue\"}",
        "toolhub_rate_limited_total{limit=\"address\"}",
        "toolhub_panics_total",
        "toolhub_refresh_failures_total",
        "toolhub_draining",
    ] {
        assert!(value(&text, series) == 0.0, "{series}: {text}");
    }
    assert!(
        text.contains("toolhub_database_info{kind=\"external\",version=\""),
        "{text}"
    );
}

#[tokio::test]
async fn what_a_client_invents_makes_no_series() {
    let deployment = Deployment::start().await;
    let http = process::http();
    let url = deployment.server.url();
    let ask = async |method: &str, path: &str| {
        let method = Method::from_bytes(method.as_bytes()).expect("a token");
        http.request(method, format!("{url}{path}"))
            .send()
            .await
            .expect("the server answers")
            .status()
    };
    let both = async |name: &str| {
        ask("GET", &format!("/{name}")).await;
        ask("GET", &format!("/v1/scores/{name}")).await;
        ask("GET", &format!("/v1/members/{name}")).await;
        ask(name, "/v1/events").await;
        ask(name, &format!("/{name}")).await;
    };
    both("FIRST").await;
    metrics(&deployment.server).await;
    let before = series(&metrics(&deployment.server).await);
    for number in 0..50 {
        both(&format!("INVENTED{number}")).await;
    }
    let after = series(&metrics(&deployment.server).await);
    let new: Vec<&String> = after.difference(&before).collect();
    assert!(new.is_empty(), "{new:?}");
}

#[tokio::test]
async fn a_json_log_names_the_request_that_a_problem_names() {
    let database = testing::TestDatabase::new().await;
    let server = Server::try_start_with(database.url(), &["--json"], Some("info,server=debug"))
        .await
        .unwrap_or_else(|log| panic!("{log}"));
    server.ready().await;
    let answer = process::http()
        .get(format!("{}/v1/scores", server.url()))
        .send()
        .await;
    let answer = answer.expect("the server answers");
    let id = answer.headers()["x-request-id"]
        .to_str()
        .expect("text")
        .to_owned();
    let problem: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    assert_eq!(problem["request_id"], id);
    until("the log has the request", async || server.log().contains(&id)).await;
    for line in server.log().lines().filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(
            line["timestamp"].is_string() && line["level"].is_string(),
            "{line}"
        );
        if line["span"]["request_id"] == id.as_str() {
            assert_eq!(line["span"]["route"], "/v1/scores", "{line}");
            assert_eq!(line["fields"]["status"], 401, "{line}");
            return;
        }
    }
    panic!("no line has the id in its span: {}", server.log());
}
