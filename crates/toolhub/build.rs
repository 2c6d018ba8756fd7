//! Tells the program the commit that it is built from, for `--version`. Only for a release: a development build is linked
//! again for every commit otherwise.

use std::{env, process::Command};

fn main() {
    println!("cargo::rerun-if-env-changed=TOOLHUB_COMMIT");
    let commit = env::var("TOOLHUB_COMMIT")
        .ok()
        .filter(|commit| !commit.is_empty());
    let commit = commit.or_else(|| {
        if env::var("PROFILE").as_deref() != Ok("release") {
            return None;
        }
        // This file changes with every commit, checkout and reset.
        if let Some(log) = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]) {
            println!("cargo::rerun-if-changed={log}");
        }
        git(&["log", "--max-count=1", "--format=%h, %cs"])
    });
    let version = env!("CARGO_PKG_VERSION");
    let version = commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({commit})"));
    println!("cargo::rustc-env=VERSION_AND_COMMIT={version}");
}

/// What git answers; `None` without git, or outside a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !answer.is_empty()).then_some(answer)
}
