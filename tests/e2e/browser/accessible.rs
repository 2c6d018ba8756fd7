//! Every page, light and dark, on a phone, a tablet and a desk: nothing for axe to find, and nothing beside the window.

use std::{env, fs, path::PathBuf};

use super::{
    Stage,
    webdriver::{Driver, skip},
};

const WIDTHS: [u32; 3] = [360, 768, 1_440];

const PAGES: [(&str, &str); 17] = [
    ("overview", "/"),
    ("tools", "/tools?kind=all"),
    ("tool", "/tools/mcp:linear"),
    ("uncalled-tool", "/tools/mcp:analytics"),
    ("members", "/members"),
    ("member", "/members/bob"),
    ("projects", "/projects"),
    ("project", "/projects/web-shop"),
    ("dead-weight", "/dead-weight"),
    ("adoption", "/adoption"),
    ("uploads", "/uploads"),
    ("events", "/events"),
    ("api", "/docs/api"),
    ("api-bodies", "/docs/api?part=bodies"),
    ("me", "/me"),
    ("settings", "/settings"),
    ("audit", "/settings/audit"),
];

/// The checker: `TOOLHUB_AXE`, or where `.ci/run` has installed it.
fn axe() -> Option<String> {
    let installed = || {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("axe");
        target.join("node_modules/axe-core/axe.min.js")
    };
    let path = env::var_os("TOOLHUB_AXE").map_or_else(installed, PathBuf::from);
    let found = fs::read_to_string(&path).ok();
    if found.is_none() {
        skip(&format!(
            "axe-core is not at {}; install it with npm, or name it in TOOLHUB_AXE",
            path.display()
        ));
    }
    found
}

/// What axe finds on the page.
async fn violations(driver: &Driver, axe: &str) -> Vec<String> {
    driver.run(axe).await;
    let script = "const done = arguments[arguments.length - 1];
        axe.run().then(
            found => done(found.violations.map(one => `${one.id}: ${one.nodes[0].html}`)),
            error => done([String(error)]));";
    let found = driver.run_later(script).await;
    let found = found.as_array().cloned().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn every_page_is_accessible_and_fits_in_light_and_dark_at_three_widths() {
    let Some(stage) = Stage::set().await else { return };
    let driver = &stage.driver;
    let axe = axe();
    let mut wrong = Vec::new();
    let mut pages = vec![("sign-in", "/sign-in?next=/tools")];
    pages.extend(PAGES);
    for (number, (name, path)) in pages.into_iter().enumerate() {
        if number == 1 {
            stage.sign_in().await;
        }
        for scheme in ["light", "dark"] {
            driver.prefer(scheme).await;
            for width in WIDTHS {
                driver.resize(width, 900).await;
                stage.open(path).await;
                let what = format!("{name}-{width}-{scheme}");
                let size = driver
                    .run("const page = document.documentElement; return [page.scrollWidth, page.scrollHeight];")
                    .await;
                if size[0].as_u64() > Some(u64::from(width)) {
                    wrong.push(format!("{what} is {} wide", size[0]));
                }
                let ground = driver
                    .run("return getComputedStyle(document.body).backgroundColor;")
                    .await;
                let is_dark = ground.as_str().is_some_and(|color| color.starts_with("rgb(1"));
                if is_dark != (scheme == "dark") {
                    wrong.push(format!("{what} is {ground}"));
                }
                if let Some(axe) = &axe {
                    let found = violations(driver, axe).await;
                    wrong.extend(found.iter().map(|one| format!("{what}: {one}")));
                }
                wrong.extend(
                    driver
                        .console()
                        .await
                        .iter()
                        .map(|said| format!("{what}: {said}")),
                );
                let height = u32::try_from(size[1].as_u64().unwrap_or(900)).unwrap_or(900);
                driver.resize(width, height.clamp(900, 4_000)).await;
                driver.screenshot(&what).await;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
