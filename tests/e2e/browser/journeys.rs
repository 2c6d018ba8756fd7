//! What a person does on the pages.

use model::{
    administration::{DeviceLogin, IssuedToken},
    api::Me,
};
use reqwest::Method;
use serde_json::json;

use super::Stage;

#[tokio::test]
async fn a_person_signs_in_and_finds_from_a_board_the_one_call() {
    let Some(stage) = Stage::set().await else { return };
    let driver = &stage.driver;
    stage.open("/tools?kind=all").await;
    assert_eq!(stage.path().await, "/sign-in?next=%2Ftools%3Fkind%3Dall");
    driver.type_into("#token", &stage.olga.token).await;
    driver.follow("button.primary").await;
    assert_eq!(
        stage.path().await,
        "/tools?kind=all",
        "back where the person wanted to go"
    );

    driver.type_into("select[name=kind]", "mcp").await;
    driver.type_into("select[name=window]", "7").await;
    driver.follow(".filters button").await;
    assert_eq!(driver.text("tbody").await.lines().count(), 1, "one MCP server");
    driver.follow(".actions a").await;
    assert_eq!(stage.path().await, "/tools");

    driver.follow("thead th:nth-child(4) a").await;
    let sorted = driver
        .run("return document.querySelector('[aria-sort=descending]').innerText;")
        .await;
    assert!(
        sorted.as_str().is_some_and(|text| text.starts_with("calls")),
        "{sorted}"
    );

    driver.follow("a[href='/tools/mcp:linear']").await;
    assert_eq!(driver.text("h1").await, "mcp:linear");
    driver.follow("a[href$='outcome=failure']").await;
    assert_eq!(stage.path().await, "/events?tool_id=mcp%3Alinear&outcome=failure");
    let outcomes = driver
        .run("return [...document.querySelectorAll('tbody td:nth-child(4)')].map(cell => cell.innerText);")
        .await;
    let outcomes = outcomes.as_array().cloned().unwrap_or_default();
    assert!(
        !outcomes.is_empty() && outcomes.iter().all(|one| one == "failure"),
        "{outcomes:?}"
    );
    driver.follow("a[href^='/events?session=']").await;
    assert!(driver.text("tbody").await.contains("session-"));
    assert_eq!(driver.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_person_works_with_the_keyboard_alone() {
    let Some(stage) = Stage::set().await else { return };
    let driver = &stage.driver;
    let (enter, tab) = ("\u{E007}", "\u{E004}");
    stage.open("/sign-in").await;
    driver
        .type_and_follow("#token", &format!("{}{enter}", stage.olga.token))
        .await;
    assert_eq!(driver.text("h1").await, "Overview");
    driver.type_into("body", tab).await;
    let focused = "return document.activeElement.innerText;";
    assert_eq!(driver.run(focused).await, "Skip to the content");
    let outline = "return getComputedStyle(document.activeElement).outlineStyle;";
    assert_eq!(driver.run(outline).await, "solid", "the focus is visible");
    driver.type_and_follow("a[href='/dead-weight']", enter).await;
    assert_eq!(driver.text("h1").await, "Dead weight");
    let reachable = "return [...document.querySelectorAll('.scroll')].every(region => region.tabIndex === 0 && region.ariaLabel);";
    assert_eq!(
        driver.run(reachable).await,
        true,
        "a table that scrolls can be focused"
    );
}

#[tokio::test]
async fn a_person_chooses_dark_makes_a_token_invites_and_signs_out() {
    let Some(stage) = Stage::set().await else { return };
    let driver = &stage.driver;
    stage.sign_in().await;
    driver.prefer("light").await;
    driver.follow("button[value=dark]").await;
    let ground = driver
        .run("return getComputedStyle(document.body).backgroundColor;")
        .await;
    assert!(
        ground.as_str().is_some_and(|color| color.starts_with("rgb(1")),
        "{ground}"
    );

    stage.open("/settings").await;
    driver.type_into("#token-name", "notebook").await;
    driver.follow("form[action='/settings/tokens'] button").await;
    let token = driver.text("pre code").await;
    let made = stage.hub.stranger(&token);
    let me: Me = made.get("/v1/me").await.ok();
    assert_eq!((me.member.as_str(), me.token_name.as_str()), ("olga", "notebook"));
    stage.open("/settings").await;
    driver
        .follow("button[aria-label='Revoke the token notebook of olga']")
        .await;
    assert_eq!(driver.text("h1").await, "Settings");
    assert_eq!(made.get("/v1/me").await.problem(401).code, "invalid_token");

    driver.type_into("#handle", "carla").await;
    driver.follow("form[action='/settings/members'] button").await;
    assert_eq!(driver.text("h1").await, "carla is invited");
    assert!(driver.text("pre code").await.contains("toolhub login"));

    stage.open("/me").await;
    driver.follow("button[value=hide]").await;
    assert!(
        driver
            .text("main")
            .await
            .contains("You are hidden on the board of members.")
    );

    driver.follow(".who button").await;
    assert_eq!(stage.path().await, "/sign-in");
    stage.open("/me").await;
    assert_eq!(stage.path().await, "/sign-in?next=%2Fme", "the session is over");
    assert_eq!(driver.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_person_confirms_the_login_of_a_machine() {
    let Some(stage) = Stage::set().await else { return };
    let driver = &stage.driver;
    let post = async |path: &str, body: serde_json::Value| {
        let request = stage.hub.request(Method::POST, path).json(&body);
        stage.olga.send(request).await
    };
    let begun = post("/v1/device-logins", json!({ "machine": "notebook" })).await;
    let login: DeviceLogin = serde_json::from_str(&begun.text).expect("the codes");
    stage.open(&login.path).await;
    driver.type_into("#token", &stage.olga.token).await;
    driver.follow("button.primary").await;
    assert_eq!(driver.text("h1").await, "Log in a machine");
    let shown = driver.text("main").await;
    assert!(
        shown.contains(&login.user_code) && shown.contains("notebook"),
        "{shown}"
    );
    driver.screenshot("device").await;
    driver.follow("button[value=confirm]").await;
    assert_eq!(driver.text("h1").await, "The machine is logged in");
    let body = json!({ "device_code": login.device_code });
    let issued: IssuedToken = post("/v1/device-logins/token", body).await.ok();
    assert_eq!(issued.info.member, "olga");
    assert_eq!(driver.console().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_report_of_dead_weight_fits_on_paper_and_is_only_the_report() {
    let Some(stage) = Stage::set().await else { return };
    let driver = &stage.driver;
    stage.sign_in().await;
    // The width of A4 between margins of 1 cm.
    driver.resize(718, 1_000).await;
    driver.prefer("dark").await;
    driver.print().await;
    stage.open("/dead-weight?days=1").await;
    assert!(driver.text("tbody").await.contains("mcp:analytics"));
    let width = driver.run("return document.documentElement.scrollWidth;").await;
    assert!(width.as_u64() <= Some(718), "{width}");
    let script = "return ['nav', '.filters', 'footer', '.downloads'].filter(
        one => [...document.querySelectorAll(one)].some(found => found.offsetParent !== null));";
    assert_eq!(
        driver.run(script).await,
        serde_json::json!([]),
        "what only a screen needs is left out"
    );
    let ground = driver
        .run("return getComputedStyle(document.body).backgroundColor;")
        .await;
    assert_eq!(ground, "rgb(255, 255, 255)", "paper is white");
    driver.screenshot("dead-weight-paper").await;
}
