//! What `deploy/` asks of a server is what a server has.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use crate::harness::{
    Deployment,
    process::{self, until},
    sample::event,
};

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metrics of ours that a text names, histograms without the end of their series.
fn named(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("toolhub_"))
        .map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned())
        .collect()
}

/// The metrics of an answer of `/metrics`.
fn declared(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, _)| name.to_owned())
        .collect()
}

#[tokio::test]
async fn alerts_and_dashboard_name_metrics_that_a_server_has_and_the_dashboard_all_of_them() {
    let deployment = Deployment::start().await;
    let ann = deployment.member("ann").await;
    let http = process::http();
    let url = deployment.server.url();
    let body = serde_json::json!({ "events": [event("call_1", "skill:x")] });
    let sent = http
        .post(format!("{url}/v1/events"))
        .bearer_auth(&ann.token)
        .json(&body);
    assert_eq!(sent.send().await.expect("an answer").status(), 200);
    let metrics = async || {
        let answer = http.get(format!("{url}/metrics")).send().await;
        answer.expect("an answer").text().await.expect("text")
    };
    until("the boards are refreshed", async || {
        metrics()
            .await
            .contains("toolhub_refresh_age_seconds{view=\"board_scores\"}")
    })
    .await;
    until("rows are counted", async || {
        metrics().await.contains("toolhub_refresh_rows_total{")
    })
    .await;
    let has = declared(&metrics().await);
    assert!(has.len() > 25, "{has:?}");

    let rules = named(&read("prometheus/alerts.yml"));
    assert!(rules.len() > 8, "{rules:?}");
    let unknown: Vec<_> = rules.difference(&has).collect();
    assert!(unknown.is_empty(), "alerts.yml names {unknown:?}");
    let dashboard: Value =
        serde_json::from_str(&read("grafana/toolhub.json")).expect("the dashboard is JSON");
    let shown: BTreeSet<String> = dashboard["panels"]
        .as_array()
        .expect("panels")
        .iter()
        .flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default())
        .flat_map(|target| named(target["expr"].as_str().expect("an expression")))
        .collect();
    assert_eq!(shown, has, "the dashboard against /metrics");
}

#[tokio::test]
async fn the_probes_of_kubernetes_are_answered() {
    let deployment = Deployment::start().await;
    let manifest = read("kubernetes/deployment.yaml");
    assert_eq!(manifest.matches("path: /livez").count(), 2);
    let alive = process::http()
        .get(format!("{}/livez", deployment.server.url()))
        .send()
        .await;
    assert_eq!(alive.expect("an answer").status(), 200);
    // The command of the manifest, at the port of this server.
    let command = manifest
        .split_once("command: [toolhub, healthcheck, --url, \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(url, _)| url);
    assert_eq!(command, Some("http://127.0.0.1:7700"));
    let home = tempfile::tempdir().expect("a folder");
    let url = deployment.server.url();
    let ready = process::toolhub(home.path(), &["healthcheck", "--url", &url])
        .output()
        .await;
    assert!(ready.expect("it runs").status.success());
}
