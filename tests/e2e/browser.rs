//! The pages in a real browser: Chromium, driven through WebDriver.
//!
//! Where Chromium or its driver is missing these tests are skipped, and say so on the terminal; with
//! `TOOLHUB_TEST_BROWSER=required`, which `.ci/run` sets, they fail. Screenshots are in `target/screenshots`.

mod accessible;
mod journeys;
mod webdriver;

use std::time::Duration;

use chrono::TimeDelta;
use model::team::{Role, Scope};
use serde_json::json;
use server::Config;

use crate::harness::{
    Caller, Hub,
    sample::{event_at, now, text, with},
};
use webdriver::Driver;

/// A server with a team that has used some tools, and a browser.
struct Stage {
    hub: Hub,
    olga: Caller,
    driver: Driver,
}

impl Stage {
    /// None where there is no browser.
    async fn set() -> Option<Stage> {
        let driver = Driver::start().await?;
        let hub = Hub::start_with(Config {
            refresh_debounce: Duration::from_millis(5),
            ..Config::default()
        })
        .await;
        let acme = hub.org("acme").await;
        let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
        for caller in [&olga, &hub.member(&acme, "bob").await] {
            let events: Vec<_> = (0..120)
                .map(|call| {
                    let tool = [
                        "mcp:linear",
                        "skill:review",
                        "plugin:workflows@plan",
                        "builtin:Bash",
                    ][call % 4];
                    let at = now() - TimeDelta::hours(i64::try_from(call).expect("small") * 6 + 1);
                    with(
                        event_at(&format!("call_{call}"), tool, at),
                        &json!({
                            "outcome": if call % 7 == 0 { "failure" } else { "success" }, "cost_usd": 0.02,
                            "project": "web-shop", "session_id": format!("session-{}", call / 10),
                            "duration_ms": 100 + call * 13, "operation": "run", "model": "a-model",
                        }),
                    )
                })
                .collect();
            caller.upload(&events).await;
            let sessions: Vec<_> = (0..6)
                .map(|session| {
                    json!({
                        "session_id": format!("session-{session}"), "observed_at": text(now()),
                        "tools": [{ "tool_id": "mcp:analytics", "context_bytes": 4_000 }],
                    })
                })
                .collect();
            let put = caller
                .request(reqwest::Method::PUT, "/v1/inventory")
                .body(json!({ "sessions": sessions }).to_string());
            assert_eq!(caller.send(put).await.status, 200);
        }
        olga.refreshed().await;
        Some(Stage { hub, olga, driver })
    }

    async fn open(&self, path: &str) {
        self.driver.open(&format!("{}{path}", self.hub.url)).await;
    }

    /// Signs in with the form.
    async fn sign_in(&self) {
        self.open("/sign-in").await;
        self.driver.type_into("#token", &self.olga.token).await;
        self.driver.follow("button.primary").await;
        assert_eq!(self.driver.text("h1").await, "Overview");
    }

    /// The path and query that the browser shows.
    async fn path(&self) -> String {
        let url = self.driver.url().await;
        url.strip_prefix(&self.hub.url).unwrap_or(&url).to_owned()
    }
}
