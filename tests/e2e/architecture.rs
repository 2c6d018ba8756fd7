//! The rules of `ARCHITECTURE.md`: which crate may depend on what, what its code must not contain, and that the modules
//! of a crate do not use each other in a circle.
//!
//! Dependencies are those that cargo resolves. The source text is searched for what dependencies cannot show, because
//! the standard library opens files too. Each rule is also tested with violations that it must find.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the workspace fails")]

mod circles;
mod graph;
mod rules;
pub(crate) mod text;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use circles::Modules;
use graph::Graph;
use text::Source;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Every file below `dir` with this extension.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The folder of a package.
fn folder(package: &str) -> PathBuf {
    match package {
        "toolhub-e2e" => root().join("tests"),
        package => root().join("crates").join(package.trim_start_matches("toolhub-")),
    }
}

/// The source files of the library or binary of a package, each with its path below `src` without the extension.
fn sources(package: &str) -> Vec<(String, Source)> {
    let src = folder(package).join("src");
    files(&src, "rs")
        .into_iter()
        .map(|path| {
            let module = path.strip_prefix(&src).unwrap().with_extension("");
            (module.to_str().unwrap().to_owned(), path)
        })
        .filter(|(module, _)| !module.split('/').any(|part| part == "tests"))
        .map(|(module, path)| {
            let text = fs::read_to_string(&path).unwrap();
            (module, Source::read(package, &path.display().to_string(), &text))
        })
        .collect()
}

fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn no_crate_depends_on_what_it_must_not() {
    let graph = Graph::of_workspace();
    let known: Vec<&str> = rules::CRATES.iter().map(|package| package.name).collect();
    assert_eq!(
        graph.packages().collect::<Vec<_>>(),
        known,
        "a new package needs its rules in rules.rs"
    );
    assert_none(&rules::violations(&graph));
}

#[test]
fn every_planted_dependency_is_caught() {
    let plant = |from: &str, to: &str| {
        let mut graph = Graph::of_workspace();
        graph.add(from, to);
        rules::violations(&graph)
    };
    for owned in rules::RESTRICTED {
        for name in owned.crates {
            for package in rules::CRATES
                .iter()
                .filter(|package| !owned.packages.contains(&package.name))
            {
                let found = plant(package.name, name);
                assert!(
                    found.iter().any(|violation| violation.contains(name)),
                    "{} -> {name}",
                    package.name
                );
            }
        }
    }
    for package in rules::CRATES {
        for name in package.must_not_reach {
            // Indirectly, through external crates.
            let mut graph = Graph::of_workspace();
            graph.add(package.name, "some-crate");
            graph.add("some-crate", "another-crate");
            graph.add("another-crate", name);
            let found = rules::violations(&graph);
            assert!(
                found.iter().any(|violation| violation.contains("another-crate")),
                "{} ->> {name}",
                package.name
            );
        }
        for other in rules::CRATES.iter().filter(|other| other.name != package.name) {
            if !package.may_use.contains(&other.name) {
                assert!(
                    !plant(package.name, other.name).is_empty(),
                    "{} -> {}",
                    package.name,
                    other.name
                );
            }
        }
    }
}

#[test]
fn the_uploader_alone_has_no_server_in_it() {
    let tree = graph::tree_of(&["-p", "toolhub", "--no-default-features"]);
    assert!(tree.contains("toolhub-client"), "{tree:?}");
    for name in ["toolhub-server", "toolhub-store", "axum", "tokio-postgres"] {
        assert!(!tree.contains(name), "{name}");
    }
}

#[test]
fn the_binary_has_no_test_support_in_it() {
    let tree = graph::tree_of(&["-p", "toolhub"]);
    assert!(tree.contains("toolhub-server"), "{tree:?}");
    for name in ["toolhub-testing", "testcontainers"] {
        assert!(!tree.contains(name), "{name}");
    }
}

#[test]
fn no_crate_contains_what_it_must_not_depend_on() {
    let mut violations = Vec::new();
    for package in rules::CRATES
        .iter()
        .filter(|package| package.name != "toolhub-e2e")
    {
        let sources = sources(package.name);
        assert!(!sources.is_empty(), "{}", package.name);
        violations.extend(
            sources
                .iter()
                .flat_map(|(_, source)| rules::violations_in(source)),
        );
    }
    assert_none(&violations);
}

#[test]
fn every_planted_line_is_caught() {
    let caught = |package: &str, text: &str| {
        !rules::violations_in(&Source::read(package, "planted.rs", text)).is_empty()
    };
    for pure in ["toolhub-model", "toolhub-sources"] {
        for line in [
            "let text = std::fs::read_to_string(path)?;",
            "use std::fs;",
            "use std::{collections::BTreeMap, fs::File};",
            "use std::{io::{self, Read}, net::{IpAddr, TcpStream}};",
            "let home = std::env::var(\"HOME\");",
            "let now = Utc::now();",
            "let began = std::time::Instant::now();",
            "use std::time::{Duration, SystemTime};",
            "std::process::Command::new(\"git\");",
            "std::io::stdin().read_line(&mut line);",
        ] {
            assert!(caught(pure, line), "{pure}: {line}");
        }
        for line in [
            "// std::fs in a comment",
            "let text = \"std::fs::read\";",
            "use std::{io::Read, time::Duration};",
            "#[cfg(test)]\nmod tests {\n    use std::fs;\n    fn read() { fs::read(\"}\").unwrap(); }\n}",
            "let offset = offsets::read();",
        ] {
            assert!(!caught(pure, line), "{pure}: {line}");
        }
    }
    for dry in ["toolhub-server", "toolhub-model", "toolhub-sources", "toolhub"] {
        for line in [
            "query(\"select count(*) from usage_events\")",
            "query(\"-- event::count\\nselect event_id\\n  from usage_events\")",
            "query(r#\"INSERT INTO orgs (slug) VALUES ($1)\"#)",
            "query(\"update members set role = 'owner'\")",
            "query(\"DELETE FROM uploads\")",
            "query(\"refresh materialized view concurrently tool_scores\")",
            "query(\"with seen as (select 1) table seen\")",
            "query(\"select 1\")",
            "query(\"select pg_advisory_lock(1)\")",
            "include_str!(\"count.sql\")",
        ] {
            assert!(caught(dry, line), "{dry}: {line}");
        }
        for line in [
            "/// Use select count(*) from usage_events in psql.",
            "\"selected\"",
            "\"update the client, then try again\"",
            "\"with the token of a member\"",
            "\"create an org first\"",
        ] {
            assert!(!caught(dry, line), "{dry}: {line}");
        }
    }
    assert!(!caught("toolhub-store", "query(\"select 1\")"));
}

#[test]
fn statements_are_only_in_crates_that_may_contain_sql() {
    let root = root();
    let may_contain = |path: &Path| {
        let folders = rules::CRATES
            .iter()
            .filter(|package| package.may_contain_sql)
            .map(|package| folder(package.name));
        folders.into_iter().any(|folder| path.starts_with(folder))
    };
    let strays: Vec<PathBuf> = ["crates", "tests"]
        .iter()
        .flat_map(|folder| files(&root.join(folder), "sql"))
        .filter(|path| !may_contain(path))
        .collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[test]
fn no_file_is_too_long() {
    const LINES: usize = 600;
    let root = root();
    let long: Vec<(usize, PathBuf)> = ["crates", "tests"]
        .iter()
        .flat_map(|folder| files(&root.join(folder), "rs"))
        .map(|path| (fs::read_to_string(&path).unwrap().lines().count(), path))
        .filter(|(lines, _)| *lines > LINES)
        .collect();
    assert!(
        long.is_empty(),
        "split what has more than {LINES} lines: {long:?}"
    );
}

#[test]
fn there_are_no_tests_where_cargo_does_not_look_for_them() {
    // Starting rustdoc for every library costs seconds, so it is off where there are no examples to run.
    let mut found = Vec::new();
    for package in rules::CRATES {
        let manifest = fs::read_to_string(folder(package.name).join("Cargo.toml")).unwrap();
        let src = folder(package.name).join("src");
        for path in if src.is_dir() {
            files(&src, "rs")
        } else {
            Vec::new()
        } {
            let text = fs::read_to_string(&path).unwrap();
            let fences = text
                .lines()
                .map(str::trim_start)
                .filter_map(|line| line.strip_prefix("/// ```").or(line.strip_prefix("//! ```")));
            // Every second one ends a block.
            let example = fences.step_by(2).any(|language| {
                language.is_empty() || language.starts_with("rust") || language.contains("no_run")
            });
            if example && manifest.contains("doctest = false") {
                found.push(format!("{}: an example, and doctest = false", path.display()));
            }
            if manifest.contains("\ntest = false") && text.contains("#[test]") {
                found.push(format!("{}: a test, and test = false", path.display()));
            }
        }
    }
    assert_none(&found);
}

/// The modules of a package.
fn modules(package: &str) -> Modules {
    let mut modules = Modules::default();
    for (module, source) in sources(package) {
        modules.add(&module, &source);
    }
    modules
}

#[test]
fn the_modules_of_a_crate_do_not_use_each_other_in_a_circle() {
    let mut found = Vec::new();
    for package in rules::CRATES
        .iter()
        .filter(|package| package.name != "toolhub-e2e")
    {
        let circles = modules(package.name).circles();
        for circle in &circles {
            let modules: Vec<&str> = circle.modules.iter().map(String::as_str).collect();
            found.push(format!("{}: {}", package.name, modules.join(", ")));
            found.extend(circle.uses.iter().map(|why| format!("    {why}")));
        }
    }
    assert_none(&found);
}

#[test]
fn every_circle_that_is_planted_in_a_crate_is_found() {
    let mut planted = 0;
    for package in rules::CRATES
        .iter()
        .filter(|package| package.name != "toolhub-e2e")
    {
        let unchanged = modules(package.name);
        let pairs = unchanged.pairs();
        for (user, used) in &pairs {
            let mut modules = unchanged.clone();
            let line = format!("use crate::{user}::Planted;");
            modules.add(used, &Source::read(package.name, used, &line));
            let circles = modules.circles();
            let both =
                |circle: &circles::Circle| circle.modules.contains(user) && circle.modules.contains(used);
            assert!(circles.iter().any(both), "{}: {user} and {used}", package.name);
            planted += 1;
        }
    }
    assert!(planted > 100, "{planted}");
}

/// The packages of the workspace that a list in `deny.toml` names for a crate.
fn allowed_by_deny(deny: &str, name: &str) -> Option<BTreeSet<String>> {
    let line = deny
        .lines()
        .find(|line| line.contains(&format!("{{ crate = \"{name}\",")))?;
    let list = line.split_once("wrappers = [")?.1.split_once(']')?.0;
    let names = list
        .split(',')
        .map(|name| name.trim().trim_matches('"').to_owned());
    Some(names.filter(|name| name.starts_with("toolhub")).collect())
}

#[test]
fn deny_toml_states_the_same_rules() {
    let deny = fs::read_to_string(root().join("deny.toml")).unwrap();
    let mut seen = 0;
    for restricted in rules::RESTRICTED {
        for name in restricted.crates {
            if let Some(allowed) = allowed_by_deny(&deny, name) {
                let expected: BTreeSet<String> =
                    restricted.packages.iter().map(|&name| name.to_owned()).collect();
                assert_eq!(allowed, expected, "{name}");
                seen += 1;
            }
        }
    }
    let stated = deny.lines().filter(|line| line.contains("wrappers = [")).count();
    assert_eq!(
        seen, stated,
        "each crate with wrappers in deny.toml has a rule in rules.rs"
    );
    // One rule for each crate, so that no two contradict each other.
    let all: Vec<&str> = rules::RESTRICTED
        .iter()
        .flat_map(|rule| rule.crates.iter().copied())
        .collect();
    let different: BTreeSet<&str> = all.iter().copied().collect();
    assert_eq!(all.len(), different.len(), "{all:?}");
}
