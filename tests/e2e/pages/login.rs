//! `toolhub login URL`: the real program waits for a person who confirms it in a browser.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Stdio;

use model::team::Scope;
use server::Config;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::harness::{Browser, Hub, process};

/// Runs the program, decides in the browser of a member, and answers the exit code and what it said.
async fn login(decision: &str) -> (Option<i32>, String, tempfile::TempDir) {
    let hub = Hub::start_with(Config::default()).await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let browser = Browser::signed_in(&hub, &ann).await;
    let home = tempfile::tempdir().unwrap();
    let mut child = process::toolhub(home.path(), &["login", &hub.url, "--scope", "read"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).await.unwrap();
    let start = line.find(&hub.url).unwrap_or_else(|| panic!("{line}"));
    let page = line[start + hub.url.len()..].split(' ').next().unwrap();
    let code = page.split_once("code=").unwrap().1;
    assert!(line.trim_end().ends_with(code), "{line}");
    assert_eq!(browser.get(page).await.status, 200);
    let fields = [("code", code), ("decision", decision)];
    assert_eq!(browser.post("/me/device", &fields).await.status, 200);
    let mut rest = String::new();
    said.read_to_string(&mut rest).await.unwrap();
    let code = child.wait().await.unwrap().code();
    if code == Some(0) {
        let whoami = process::toolhub(home.path(), &["whoami", "--json"])
            .output()
            .await
            .unwrap();
        let me: model::api::Me = serde_json::from_slice(&whoami.stdout).unwrap();
        assert_eq!(
            (me.member.as_str(), me.scopes.as_slice()),
            ("ann", [Scope::Read].as_slice())
        );
        assert!(me.token_name.starts_with("login on "), "{}", me.token_name);
    }
    (code, rest, home)
}

#[tokio::test]
async fn a_login_without_a_token_stores_the_one_that_a_person_confirms() {
    let (code, said, home) = login("confirm").await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("as ann of acme") && !said.contains("thb_"),
        "{said}"
    );
    assert!(home.path().join(".config/toolhub/credentials.toml").exists());
}

#[tokio::test]
async fn a_login_that_is_denied_stores_nothing_and_is_not_allowed() {
    let (code, said, home) = login("deny").await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("denied in the browser"), "{said}");
    assert!(!home.path().join(".config/toolhub/credentials.toml").exists());
}
