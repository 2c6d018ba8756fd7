//! `toolhub open`.

use crate::harness::{Browser, Hub, process};

#[tokio::test]
async fn open_prints_a_link_that_signs_a_browser_in_once() {
    let hub = Hub::start_with(server::Config::default()).await;
    let acme = hub.org("acme").await;
    let ann = hub.member(&acme, "ann").await;
    let home = tempfile::tempdir().unwrap();
    let output = process::toolhub(home.path(), &["open", "/tools?window=7d", "--print"])
        .env("TOOLHUB_URL", &hub.url)
        .env("TOOLHUB_TOKEN", &ann.token)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let link = printed.trim_end().lines().next_back().unwrap();
    let path = link.strip_prefix(&hub.url).unwrap();
    let browser = Browser::new(&hub);
    let answer = browser.get(path).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["location"]),
        (303, &"/tools?window=7d".parse().unwrap())
    );
    let page = browser.get("/tools?window=7d").await;
    assert!(page.status == 200 && page.text.contains(">ann<"), "{}", page.text);
    assert_eq!(Browser::new(&hub).get(path).await.status, 403);
}
