//! The documents say what is there: codes, limits, links, and the commands that a newcomer types.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the documents fails")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use model::{NoticeCode, limits};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every document of the project.
fn documents() -> Vec<PathBuf> {
    let markdown = |folder: &str| {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|end| end == "md"))
    };
    ["", "docs", "migrations"]
        .into_iter()
        .flat_map(markdown)
        .collect()
}

/// The word in backticks that begins each row of the tables of a section.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let section = text
        .split_once(heading)
        .unwrap_or_else(|| panic!("no {heading:?}"))
        .1;
    let section = section
        .split_once("\n## ")
        .map_or(section, |(section, _)| section);
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(word, _)| word))
        .collect()
}

#[test]
fn the_api_lists_every_code_in_order_and_no_other() {
    let api = read("docs/api.md");
    let codes: Vec<&str> = NoticeCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(rows(&api, "### Codes of rejections and warnings"), codes);
}

#[test]
fn the_api_states_the_limits_that_the_code_has() {
    let api = read("docs/api.md")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let mib = |bytes: usize| format!("| {} MiB |", bytes / 1024 / 1024);
    for stated in [
        format!("body on the wire {}", mib(limits::WIRE_BYTES)),
        format!("body after decompression {}", mib(limits::DECODED_BYTES)),
        format!("one event | {} KiB |", limits::EVENT_BYTES / 1024),
        "events in a batch | 5,000 |".to_owned(),
        format!("at most {} bytes | the agent's own id", limits::UUID_BYTES),
        format!("at most {} characters each", limits::NAME_CHARS),
        format!("more than {} characters", limits::NAME_CHARS),
        format!("deeper than {} levels", limits::NESTING),
        format!("Both lists stop at {} entries", limits::LISTED_REJECTIONS),
        format!("`limit` is {} unless", limits::DEFAULT_PAGE_ROWS),
        format!("and at most {}.", limits::PAGE_ROWS),
        format!("{} hours ahead of the server's clock", limits::FUTURE_HOURS),
    ] {
        assert!(api.contains(&stated), "{stated}");
    }
    assert_eq!(
        (limits::BATCH_EVENTS, limits::EVENT_BYTES, limits::TASK_TEXT_BYTES),
        (5_000, 65_536, 8_192)
    );
}

/// The texts in quotes within a part of a source file.
fn quoted(path: &str, after: &str, until: &str) -> Vec<String> {
    let source = read(path);
    let part = source
        .split_once(after)
        .unwrap_or_else(|| panic!("no {after:?} in {path}"))
        .1;
    let part = part
        .split_once(until)
        .unwrap_or_else(|| panic!("no {until:?} in {path}"))
        .0;
    part.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_columns_of_an_export_are_listed_in_order_and_no_other() {
    let export = read("docs/export.md");
    let columns = quoted("crates/client/src/export/file.rs", "static COLUMNS", "\n];");
    assert_eq!(rows(&export, "## Parquet"), columns);
}

#[test]
fn the_api_lists_every_route_with_what_it_needs_and_no_other() {
    let router = read("crates/server/src/router.rs");
    let declared: Vec<String> = router
        .split(".add(")
        .skip(1)
        .map(|text| {
            let text = text
                .split(".add(")
                .next()
                .unwrap()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            let mut parts = text.trim_start().split(',').map(str::trim);
            let (method, path) = (parts.next().unwrap(), parts.next().unwrap().trim_matches('"'));
            let needs = match parts.next().unwrap() {
                "Probe" | "Public" | "OpenPage" => "nothing",
                "Page" | "PageForm" => "a page session",
                "RolePage(Admin)" | "RoleForm(Admin)" => "a page session, of an admin",
                "RoleForm(Owner)" => "a page session, of an owner",
                "Token" => "any token",
                "Scope(Upload)" => "upload",
                "Scope(Read)" => "read",
                "Role(Admin)" => "admin, of an admin",
                "Role(Owner)" => "admin, of an owner",
                other => panic!("{method} {path} needs {other}: say what that is"),
            };
            format!("| `{method} {path}` | {needs} |")
        })
        .collect();
    assert!(declared.len() > 30, "{declared:?}");
    let api = read("docs/api.md");
    let section = api
        .split_once("## Routes")
        .unwrap()
        .1
        .split_once("\n## ")
        .unwrap()
        .0;
    let listed: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    for route in &declared {
        assert!(
            listed.iter().any(|line| line.starts_with(route)),
            "docs/api.md lacks {route}"
        );
    }
    assert_eq!(
        listed.len(),
        declared.len(),
        "docs/api.md lists a route that is gone"
    );
}

/// The codes of all errors of a file.
fn codes(path: &str) -> Vec<String> {
    let source = read(path);
    let functions = source.split("fn code(").skip(1);
    let texts = functions.filter_map(|function| function.split_once("\n    }\n"));
    texts
        .flat_map(|(text, _)| text.split('"').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_api_lists_every_code_of_an_error() {
    let api = read("docs/api.md");
    for (path, count) in [
        ("crates/server/src/error.rs", 18),
        ("crates/server/src/oidc.rs", 10),
        ("crates/store/src/error.rs", 11),
    ] {
        let codes = codes(path);
        assert!(codes.len() >= count, "{codes:?}");
        for code in codes {
            assert!(
                api.contains(&format!(" | `{code}` | ")),
                "docs/api.md lacks {code}"
            );
        }
    }
}

/// The variables of ours that the code of the programs names. Tests and deliberate bugs have others.
fn variables_in_code() -> BTreeSet<String> {
    let mut folders: Vec<PathBuf> = ["client", "embedded", "server", "sources", "store", "toolhub"]
        .iter()
        .map(|name| root().join("crates").join(name).join("src"))
        .collect();
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("planted.rs") {
                let text = fs::read_to_string(path).unwrap();
                for rest in text.split("TOOLHUB_").skip(1) {
                    let name: String = rest
                        .chars()
                        .take_while(|c| c.is_ascii_uppercase() || *c == '_')
                        .collect();
                    if !name.is_empty() {
                        found.insert(format!("TOOLHUB_{name}"));
                    }
                }
            }
        }
    }
    found.remove("TOOLHUB_TEST_DATABASE_URL");
    found
}

#[test]
fn the_configuration_lists_every_setting_variable_and_price_key_and_no_other() {
    let page = read("docs/configuration.md");
    let set = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();

    let settings = read("crates/client/src/settings.rs");
    let arms = settings.lines().filter(|line| line.contains("=> set_if_unset("));
    let mut keys: BTreeSet<String> = arms
        .map(|line| line.split('"').nth(1).unwrap().to_owned())
        .collect();
    keys.insert("projects".to_owned());
    assert!(keys.len() > 8, "{keys:?}");
    assert_eq!(set(rows(&page, "## Settings")), keys);
    let user_only = quoted("crates/client/src/settings.rs", "const USER_FILE_ONLY", "];");
    let refused: BTreeSet<String> = user_only.into_iter().filter(|key| keys.contains(key)).collect();
    let section = page
        .split_once("## Settings")
        .unwrap()
        .1
        .split_once("\n## ")
        .unwrap()
        .0;
    let stated: BTreeSet<String> = section
        .lines()
        .filter(|line| line.starts_with("| `") && line.ends_with("| no |"))
        .map(|line| line.split('`').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(stated, refused, "what a repository must not set");

    assert_eq!(set(rows(&page, "## Environment variables")), variables_in_code());

    let price = read("crates/model/src/api/prices.rs");
    let fields = price
        .split_once("struct PriceInput {")
        .unwrap()
        .1
        .split_once("\n}")
        .unwrap()
        .0;
    let fields: BTreeSet<String> = fields
        .lines()
        .filter_map(|line| line.trim().split_once(": "))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert!(fields.len() > 10, "{fields:?}");
    assert_eq!(set(rows(&page, "## Price files")), fields);
}

#[test]
fn the_operations_list_every_metric_and_no_other() {
    let page = read("docs/operations.md");
    let listed: BTreeSet<String> = rows(&page, "## Metrics and logs")
        .into_iter()
        .map(str::to_owned)
        .collect();
    let described: BTreeSet<String> = quoted("crates/server/src/api/metrics.rs", "fn describe()", "\n}\n")
        .into_iter()
        .filter(|word| word.starts_with("toolhub_"))
        .collect();
    assert!(described.len() > 25, "{described:?}");
    assert_eq!(listed, described);
}

#[test]
fn the_first_org_has_an_owner_whose_token_manages_the_team() {
    let operations = read("docs/operations.md");
    let section = operations
        .split_once("## The first org")
        .unwrap()
        .1
        .split_once("\n## ")
        .unwrap()
        .0;
    let owner = section
        .lines()
        .find(|line| line.contains("member add") && line.contains("--role owner"));
    let token = section
        .lines()
        .find(|line| line.contains("admin token create"))
        .unwrap();
    assert!(
        owner.is_some() && token.contains("--scope upload,read,admin"),
        "{token}"
    );
}

#[test]
fn every_link_within_the_project_leads_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() {
                document.clone()
            } else {
                document.parent().unwrap().join(file)
            };
            // Images are not text.
            if anchor.is_empty() && file.is_file() {
                continue;
            }
            let Ok(linked) = fs::read_to_string(&file) else {
                broken.push((document.clone(), target.to_owned()));
                continue;
            };
            if !anchor.is_empty() && !anchors(&linked).contains(anchor) {
                broken.push((document.clone(), target.to_owned()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:?}");
}

/// The anchors that headings get.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
    headings
        .map(|heading| {
            let words = heading.trim_start_matches('#').trim().to_lowercase();
            words
                .chars()
                .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-')
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

#[test]
fn the_readme_opens_with_what_it_is_and_two_commands() {
    let readme = read("README.md");
    let opening = readme.split("\n## ").next().unwrap();
    assert!(opening.contains("cargo run --release -- demo") && opening.contains("cargo test --workspace"));
    assert!(read(".ci/run").contains("cargo test --locked --workspace"));
}

#[test]
fn the_image_is_built_with_our_compiler_and_every_crate() {
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain
        .split_once("channel = \"")
        .unwrap()
        .1
        .split('"')
        .next()
        .unwrap();
    let dockerfile = read("deploy/Dockerfile");
    assert!(dockerfile.contains(&format!("FROM rust:{channel}-")), "{channel}");
    let workspace = read("Cargo.toml");
    let members = workspace
        .split_once("members = [")
        .unwrap()
        .1
        .split_once(']')
        .unwrap()
        .0;
    for member in members
        .split(',')
        .map(|member| member.trim().trim_matches('"'))
        .filter(|member| !member.is_empty())
    {
        assert!(
            dockerfile.contains(&format!("COPY {member}/Cargo.toml {member}/\n")),
            "{member}"
        );
    }
}
