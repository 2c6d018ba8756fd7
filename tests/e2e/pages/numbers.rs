//! The numbers of a page are those of the API, and its table can be sorted, paged and downloaded.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::TimeDelta;
use model::{
    api::{Leaderboard, Overview},
    team::{Role, Scope},
};
use serde_json::json;
use server::Config;

use crate::harness::{
    Browser, Caller, Hub,
    sample::{event_at, now, text, with},
};

async fn stage(calls: usize) -> (Hub, Caller, Browser) {
    let hub = Hub::start_with(Config {
        refresh_debounce: std::time::Duration::from_millis(5),
        ..Config::default()
    })
    .await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let bob = hub.member(&acme, "bob").await;
    for (member, caller) in [&olga, &bob].into_iter().enumerate() {
        let events: Vec<_> = (0..calls)
            .map(|call| {
                let days = i64::try_from(call % 40).unwrap();
                let tool = [
                    "mcp:linear",
                    "mcp:linear",
                    "mcp:linear",
                    "skill:review",
                    "skill:review",
                    "builtin:Bash",
                ][call % 6];
                let outcome = if call % 5 == member { "failure" } else { "success" };
                let at = now() - TimeDelta::days(days) - TimeDelta::minutes(5);
                with(
                    event_at(&format!("call_{call}"), tool, at),
                    &json!({ "outcome": outcome, "cost_usd": 0.25, "project": "shop" }),
                )
            })
            .collect();
        caller.upload(&events).await;
    }
    olga.refreshed().await;
    let browser = Browser::signed_in(&hub, &olga).await;
    (hub, olga, browser)
}

#[tokio::test]
async fn the_overview_counts_what_the_boards_count() {
    let (_hub, olga, browser) = stage(120).await;
    for window in ["7d", "30d", "90d", "all"] {
        let overview: Overview = olga.get(&format!("/v1/overview?window={window}")).await.ok();
        let board: Leaderboard = olga
            .get(&format!("/v1/leaderboards/tools?window={window}&kind=all"))
            .await
            .ok();
        let sum = |value: fn(&model::api::Tally) -> i64| -> i64 {
            board.leaderboard.iter().map(|row| value(&row.tally)).sum()
        };
        let totals = &overview.totals;
        assert_eq!(totals.events, sum(|tally| tally.events), "{window}");
        assert_eq!(totals.successes, sum(|tally| tally.successes), "{window}");
        assert_eq!(totals.failures, sum(|tally| tally.failures), "{window}");
        assert_eq!(totals.members, 2, "{window}");
        assert_eq!(
            totals.events,
            overview.daily.iter().map(|day| day.events).sum::<i64>()
        );
        assert_eq!(
            totals.cost_usd,
            Some(f64::from(i32::try_from(totals.events).unwrap()) * 0.25)
        );
        assert!(totals.own_events < totals.events && totals.own_events > 0);
        assert_eq!(overview.previous.is_none(), window == "all");
        assert_eq!(
            (overview.first_day, Some(overview.last_day)),
            (board.first_day, board.last_day)
        );
        let page = browser.get(&format!("/?window={window}")).await.text;
        assert!(
            page.contains(&format!("<span class=\"value\">{}</span>", totals.events)),
            "{window}: {page}"
        );
    }
    let month: Overview = olga.get("/v1/overview").await.ok();
    let before: Overview = olga.get("/v1/overview?window=90d").await.ok();
    assert_eq!(
        month.previous.unwrap().events + month.totals.events,
        before.totals.events,
        "40 days of calls are in two windows of 30"
    );
}

#[tokio::test]
async fn a_board_can_be_sorted_by_its_columns_and_says_so() {
    let (_hub, _, browser) = stage(60).await;
    let order = async |query: &str| {
        let page = browser.get(&format!("/tools?kind=all&{query}")).await.text;
        let body = page.split_once("<tbody>").unwrap().1.to_owned();
        let tools: Vec<String> = body
            .split("href=\"/tools/")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect();
        (tools, page)
    };
    let (down, page) = order("sort=failures&order=desc").await;
    let (up, turned) = order("sort=failures&order=asc").await;
    assert_eq!(down.len(), 3, "{page}");
    assert_eq!(down.iter().rev().cloned().collect::<Vec<_>>(), up);
    assert!(page.contains("aria-sort=\"descending\"") && turned.contains("aria-sort=\"ascending\""));
    assert!(page.contains("aria-sort=\"none\""));
    assert!(
        page.contains("/tools?kind=all&amp;sort=failures&amp;order=asc"),
        "{page}"
    );
}

#[tokio::test]
async fn pages_of_events_lead_on_and_back_and_miss_none() {
    let (_hub, _, browser) = stage(30).await;
    let link = |page: &str, rel: &str| {
        let (_, rest) = page.split_once(&format!("rel=\"{rel}\" href=\""))?;
        Some(rest.split('"').next()?.replace("&amp;", "&"))
    };
    let mut path = "/events?member=bob&limit=7".to_owned();
    let (mut pages, mut seen) = (vec![path.clone()], 0);
    loop {
        let page = browser.get(&path).await.text;
        seen += page.split_once("<tbody>").unwrap().1.matches("<tr>").count();
        let Some(next) = link(&page, "next") else { break };
        path = next;
        pages.push(path.clone());
    }
    assert_eq!((seen, pages.len()), (30, 5));
    for at in (1..pages.len()).rev() {
        let page = browser.get(&pages[at]).await.text;
        let before = browser.get(&link(&page, "prev").unwrap()).await.text;
        let expected = browser.get(&pages[at - 1]).await.text;
        let rows = |page: &str| {
            page.split_once("<tbody>")
                .unwrap()
                .1
                .split_once("</tbody>")
                .unwrap()
                .0
                .to_owned()
        };
        assert_eq!(rows(&before), rows(&expected), "page {at}");
    }
}

#[tokio::test]
async fn every_table_can_be_had_as_csv_and_as_markdown() {
    let (_hub, olga, browser) = stage(30).await;
    let board: Leaderboard = olga.get("/v1/leaderboards/tools?window=all&kind=all").await.ok();
    let csv = browser.get("/tools?window=all&kind=all&format=csv").await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert!(
        csv.headers["content-disposition"]
            .to_str()
            .unwrap()
            .contains("toolhub-tools.csv")
    );
    let mut reader = csv::Reader::from_reader(csv.text.as_bytes());
    let keys = reader.headers().unwrap().clone();
    let at = |key: &str| keys.iter().position(|other| other == key).unwrap();
    let rows: Vec<(String, i64)> = reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            (row[at("tool_id")].to_owned(), row[at("events")].parse().unwrap())
        })
        .collect();
    let expected: Vec<(String, i64)> = board
        .leaderboard
        .iter()
        .map(|row| (row.tool_id.clone().unwrap(), row.tally.events))
        .collect();
    assert_eq!(rows, expected);
    for path in [
        "/members",
        "/projects",
        "/dead-weight",
        "/uploads",
        "/events",
        "/adoption",
        "/me",
        "/tools/mcp:linear",
        "/members/bob",
        "/projects/shop",
    ] {
        let markdown = browser.get(&format!("{path}?format=markdown")).await;
        assert_eq!(markdown.status, 200, "{path}: {}", markdown.text);
        assert!(
            markdown.text.starts_with("| ") && markdown.text.contains(" | "),
            "{path}: {}",
            markdown.text
        );
        let csv = browser.get(&format!("{path}?format=csv")).await;
        assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8", "{path}");
    }
}

#[tokio::test]
async fn the_overview_calls_dead_weight_what_was_loaded_in_vain_and_nothing_else() {
    let (_hub, olga, browser) = stage(30).await;
    let old = event_at("old", "skill:once", now() - TimeDelta::days(100));
    olga.upload(&[old]).await;
    let sessions: Vec<_> = (0..5)
        .map(|session| {
            json!({
                "session_id": format!("s-{session}"), "observed_at": text(now() - TimeDelta::days(40 - session * 8)),
                "tools": [{ "tool_id": "mcp:analytics", "context_bytes": 900 }],
            })
        })
        .collect();
    let put = olga
        .request(reqwest::Method::PUT, "/v1/inventory")
        .body(json!({ "sessions": sessions }).to_string());
    assert_eq!(olga.send(put).await.status, 200);
    olga.refreshed().await;
    let all: model::api::DeadWeight = olga.get("/v1/dead-weight").await.ok();
    let found: Vec<&str> = all.dead_weight.iter().map(|row| row.tool_id.as_str()).collect();
    assert_eq!(
        found,
        ["mcp:analytics", "skill:once"],
        "one is loaded, and one is not"
    );
    let page = browser.get("/").await.text;
    let (_, part) = page.split_once("Heaviest dead weight").unwrap();
    let (part, _) = part.split_once("</section>").unwrap();
    assert!(
        part.contains("mcp:analytics") && !part.contains("skill:once"),
        "{part}"
    );
}
