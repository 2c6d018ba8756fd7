//! What holds for every page: its parts, its headers, and that no name breaks it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use model::team::{Role, Scope};
use reqwest::{Method, header};
use serde_json::json;
use server::{Config, access::Access, router::routes};

use crate::harness::{
    Answer, Browser, Caller, Hub,
    sample::{event, event_at, now, text, with},
};

async fn stage() -> (Hub, Caller, Browser) {
    let hub = Hub::start_with(Config {
        refresh_debounce: std::time::Duration::from_millis(5),
        ..Config::default()
    })
    .await;
    let acme = hub.org("acme").await;
    let olga = hub.member_with(&acme, "olga", Role::Owner, Scope::ALL).await;
    let browser = Browser::signed_in(&hub, &olga).await;
    (hub, olga, browser)
}

/// The paths of all pages for a tool, a member and a project, as segments of a path.
fn pages(hub: &Hub, tool: &str, member: &str, project: &str) -> Vec<String> {
    let found: Vec<String> = routes(hub.store.clone(), Config::default())
        .into_iter()
        .filter(|route| {
            route.access == Access::Page && route.method == Method::GET && route.path != "/me/data"
        })
        .map(|route| {
            route
                .path
                .replace("{tool_id}", tool)
                .replace("{handle}", member)
                .replace("{name}", project)
        })
        .collect();
    assert!(found.len() >= 12, "{found:?}");
    found
        .into_iter()
        .chain(["/docs/api?part=bodies".to_owned()])
        .collect()
}

fn encode(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

/// What every page has, whatever it shows.
fn check(answer: &Answer, path: &str) {
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    let html = &answer.text;
    assert_eq!(count(html, "<h1"), 1, "{path}");
    assert_eq!(count(html, "<main"), 1, "{path}");
    let title = html
        .split_once("<title>")
        .unwrap()
        .1
        .split_once("</title>")
        .unwrap()
        .0;
    assert!(
        title.ends_with(" · toolhub") && title.len() > 12,
        "{path}: {title}"
    );
    for absent in [
        "<script",
        " style=",
        " onclick=",
        "javascript:",
        "src=\"http",
        "href=\"http",
        "url(",
    ] {
        assert!(!html.contains(absent), "{path} has {absent}");
    }
    let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{path}: {policy}");
    assert_eq!(
        answer.headers[header::X_CONTENT_TYPE_OPTIONS],
        "nosniff",
        "{path}"
    );
    let is_personal =
        path.starts_with("/me") && !path.starts_with("/members") || path.starts_with("/settings");
    let kept = if is_personal {
        "no-store"
    } else {
        "private, no-cache"
    };
    assert_eq!(answer.headers[header::CACHE_CONTROL], kept, "{path}");
    assert_eq!(answer.headers.contains_key(header::ETAG), !is_personal, "{path}");
    let assets = include_bytes!("../../../crates/server/assets/pages.css").len();
    assert!(html.len() + assets < 100_000, "{path} is {} bytes", html.len());
    assert_eq!(answer.headers[header::REFERRER_POLICY], "same-origin", "{path}");
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "text/html; charset=utf-8",
        "{path}"
    );
}

#[tokio::test]
async fn a_page_without_anything_to_show_says_which_command_changes_that() {
    let (hub, _, browser) = stage().await;
    for path in pages(&hub, "none", "olga", "none") {
        if path.ends_with("/none") {
            assert_eq!(browser.get(&path).await.status, 404, "{path}");
            continue;
        }
        let answer = browser.get(&path).await;
        check(&answer, &path);
        if !matches!(
            path.as_str(),
            "/docs/api" | "/docs/api?part=bodies" | "/me" | "/members/olga" | "/settings" | "/settings/audit"
        ) {
            assert!(
                answer.text.contains("<pre><code>toolhub "),
                "{path}: {}",
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn every_page_has_its_parts_and_needs_nothing_from_elsewhere() {
    let (hub, olga, browser) = stage().await;
    let call = with(
        event("call_1", "mcp:linear"),
        &json!({ "project": "web/shop", "session_id": "s-1" }),
    );
    olga.upload(&[call]).await;
    olga.refreshed().await;
    for path in pages(&hub, "mcp:linear", "olga", "web%2Fshop") {
        let answer = browser.get(&path).await;
        check(&answer, &path);
        // The document is no figure.
        let has_figures = !path.starts_with("/docs/api");
        assert_eq!(answer.text.contains("As of <time"), has_figures, "{path}");
        let current = count(&answer.text, "aria-current=\"page\"");
        assert_eq!(current, 1, "{path} is at one place of the navigation");
    }
    for (path, links) in [
        ("/tools", "href=\"/tools/mcp:linear\""),
        ("/projects", "href=\"/projects/web%2Fshop\""),
        ("/members", "href=\"/members/olga\""),
        ("/tools/mcp:linear", "href=\"/events?tool_id=mcp%3Alinear\""),
        ("/events", "href=\"/events?session=s-1\""),
        ("/", "href=\"/dead-weight\""),
    ] {
        let page = browser.get(path).await.text;
        assert!(page.contains(links), "{path} leads to {links}: {page}");
    }
}

#[tokio::test]
async fn every_body_that_the_document_of_the_api_names_is_described() {
    let (_hub, _, browser) = stage().await;
    let bodies = browser.get("/docs/api?part=bodies").await.text;
    let routes = browser.get("/docs/api").await.text;
    for page in [&routes, &bodies] {
        let named: Vec<&str> = page
            .split("href=\"?part=bodies#")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert!(named.len() > 20, "{named:?}");
        for name in named {
            assert!(
                bodies.contains(&format!("id=\"{name}\"")),
                "{name} is not described"
            );
        }
    }
    assert_eq!(browser.get("/docs/api?part=nothing").await.status, 400);
}

#[tokio::test]
async fn no_name_becomes_markup_or_changes_the_text_around_it() {
    let (hub, olga, browser) = stage().await;
    let names = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'\"&<>`",
        "\u{202E}gnp.exe",
        "a\u{1b}[31mb",
        "=cmd|' /C calc'!A0",
        "../../etc/passwd?a=b#c",
        &"very-long-".repeat(25),
    ];
    for (number, name) in names.iter().enumerate() {
        let short: String = name.chars().take(200).collect();
        let call = with(
            event(&format!("call_{number}"), &format!("skill:{short}")),
            &json!({
                "project": short, "session_id": short, "operation": short, "model": short, "agent": short,
                "agent_version": short, "outcome": "failure", "reason": "error",
            }),
        );
        assert_eq!(olga.upload(&[call]).await.inserted, 1, "{name:?}");
        let inventory = json!({ "sessions": [{
            "session_id": format!("loaded-{number}"), "observed_at": text(now()), "project": short,
            "tools": [{ "tool_id": format!("mcp:{short}"), "context_bytes": 100 }],
        }] });
        let put = olga
            .request(Method::PUT, "/v1/inventory")
            .body(inventory.to_string());
        assert_eq!(olga.send(put).await.status, 200, "{name:?}");
    }
    olga.refreshed().await;
    let stored = browser.get("/events?limit=500").await.text;
    assert!(
        stored.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{stored}"
    );
    for name in names {
        let short: String = name.chars().take(200).collect();
        let clean = model::text::clean(&short).into_owned();
        let tool = encode(&format!("skill:{clean}"));
        for page in pages(&hub, &tool, "olga", &encode(&clean)) {
            for path in [
                page.clone(),
                format!("{page}?window=all"),
                format!("{page}?kind=all"),
            ] {
                let answer = browser.get(&path).await;
                if answer.status == 400 && path.contains('?') {
                    continue;
                }
                check(&answer, &path);
                let bad = |c: char| model::text::is_unsafe(c) && c != '\n';
                assert!(!answer.text.contains(bad), "{path}");
                assert!(
                    !answer.text.contains("<img") && !answer.text.contains("onerror=alert(1)>\""),
                    "{path}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_error_is_a_page_for_a_browser_and_a_problem_for_a_program() {
    let (hub, olga, browser) = stage().await;
    for (path, status) in [
        ("/tools/skill:never-heard-of", 404),
        ("/members/unknown", 404),
        ("/no-such-page", 404),
        ("/tools?window=8d", 400),
        ("/tools?no_such_parameter=1", 400),
        ("/tools?sort=nothing", 400),
        ("/tools?format=yaml", 400),
        ("/events?cursor=x", 400),
        ("/events?tool_id=a%00b", 400),
        ("/tools/a%00b", 400),
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        assert_eq!(
            answer.headers[header::CONTENT_TYPE],
            "text/html; charset=utf-8",
            "{path}"
        );
        assert!(
            answer.headers.contains_key(header::CONTENT_SECURITY_POLICY),
            "{path}"
        );
        assert_eq!(count(&answer.text, "<h1"), 1, "{path}");
        let request_id = answer.headers["x-request-id"].to_str().unwrap();
        assert!(answer.text.contains(request_id), "{path}: {}", answer.text);
    }
    assert_eq!(hub.get("/no-such-page").await.problem(404).code, "no_such_route");
    let api = olga
        .request(Method::GET, "/v1/nothing")
        .header("accept", "text/html");
    assert_eq!(olga.send(api).await.problem(404).code, "no_such_route");
}

#[tokio::test]
async fn assets_are_public_and_kept_by_their_hash() {
    let (hub, _, browser) = stage().await;
    let page = browser.get("/").await.text;
    let mut found = 0;
    for part in page.split("href=\"/assets/").skip(1) {
        let name = part.split('"').next().unwrap();
        let answer = hub.get(&format!("/assets/{name}")).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(
            answer.headers[header::CACHE_CONTROL],
            "public, max-age=31536000, immutable"
        );
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(
            !answer.text.contains("http") || name.starts_with("icon"),
            "{name}"
        );
        found += 1;
    }
    assert_eq!(found, 2);
    assert_eq!(hub.get("/assets/pages-000000000000.css").await.status, 404);
}

#[tokio::test]
async fn light_and_dark_are_the_choice_of_the_browser_and_need_no_script() {
    let (_hub, _, browser) = stage().await;
    assert!(browser.get("/").await.text.contains("<html lang=\"en\">"));
    for choice in ["dark", "light"] {
        let answer = browser
            .post("/theme", &[("appearance", choice), ("next", "/tools?window=7d")])
            .await;
        assert_eq!(
            (answer.status.as_u16(), &answer.headers["location"]),
            (303, &"/tools?window=7d".parse().unwrap())
        );
        for path in ["/", "/no-such-page"] {
            let page = browser.get(path).await.text;
            assert!(
                page.contains(&format!("data-theme=\"{choice}\"")),
                "{path}: {page}"
            );
        }
    }
    browser.post("/theme", &[("appearance", "system")]).await;
    assert!(browser.get("/").await.text.contains("<html lang=\"en\">"));
    assert_eq!(browser.post("/theme", &[("appearance", "x")]).await.status, 400);
}

#[tokio::test]
async fn a_page_is_sent_again_only_if_it_has_changed() {
    let (hub, olga, browser) = stage().await;
    let old = event_at("call_1", "mcp:linear", now() - chrono::TimeDelta::days(3));
    olga.upload(&[old]).await;
    olga.refreshed().await;
    let first = browser.get("/tools").await;
    let tag = first.headers[header::ETAG].clone();
    let again = async || {
        browser
            .send(
                browser
                    .request(Method::GET, "/tools")
                    .header("if-none-match", tag.clone()),
            )
            .await
    };
    let same = again().await;
    assert_eq!((same.status.as_u16(), same.text.as_str()), (304, ""));
    assert_eq!(same.headers[header::ETAG], tag);
    olga.upload(&[event("call_2", "mcp:linear")]).await;
    olga.refreshed().await;
    let changed = again().await;
    assert_eq!(changed.status, 200);
    assert!(changed.headers[header::ETAG] != tag);
    browser.post("/theme", &[("appearance", "dark")]).await;
    assert_eq!(again().await.status, 200, "dark is another page");
    let other = Browser::new(&hub);
    let request = other
        .request(Method::GET, "/tools")
        .header("if-none-match", tag.clone());
    assert_eq!(other.send(request).await.status, 303, "a tag opens nothing");
}
