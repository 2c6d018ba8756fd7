//! What is public is used: every public item of this crate is named by another crate or by a test outside `src`.
//!
//! The compiler finds unused private items, but not unused public ones.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The folders of the crates that may use this one.
const USERS: [&str; 4] = ["../toolhub", "../bench", "../../tests", "tests"];

/// Keywords that introduce an item.
const KINDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "const", "static", "mod"];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_entry(|entry| entry.file_name() != "target")
        .flatten()
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The code of a file up to its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// The public items of a file: kind and name.
fn public_items(code: &str) -> Vec<(&str, &str)> {
    code.lines()
        .filter_map(|line| line.trim_start().strip_prefix("pub "))
        .filter_map(|item| {
            let mut words = words(item).skip_while(|word| ["async", "unsafe"].contains(word));
            let (first, second, third) = (words.next()?, words.next()?, words.next());
            if first == "const" && second == "fn" {
                return Some((second, third?));
            }
            KINDS.contains(&first).then_some((first, second))
        })
        .collect()
}

/// The words in the signatures of public items: a type in one of them must be public although no user names it.
fn signature_words(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("pub ") {
        let signature = code[at..].split(['{', ';']).next().unwrap_or_default();
        found.extend(words(signature).skip(3).map(str::to_owned));
    }
    found
}

#[test]
fn every_public_item_is_used_outside_of_this_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut used = BTreeSet::new();
    for user in USERS {
        for path in rust_files(&root.join(user)) {
            let text = fs::read_to_string(&path).unwrap();
            used.extend(words(&text).map(str::to_owned));
        }
    }
    assert!(
        used.contains("run_checks"),
        "the crates that use this one were not read"
    );
    let files: Vec<String> = rust_files(&root.join("src"))
        .iter()
        .map(|path| code(path))
        .collect();
    let signatures: BTreeSet<String> = files.iter().flat_map(|code| signature_words(code)).collect();
    let unused: Vec<(&str, &str)> = files
        .iter()
        .flat_map(|code| public_items(code))
        .filter(|(kind, name)| {
            let in_signature =
                ["struct", "enum", "trait", "type"].contains(kind) && signatures.contains(*name);
            !used.contains(*name) && !in_signature
        })
        .collect();
    assert_eq!(unused, [], "make these `pub(crate)`, or remove them");
}

#[test]
fn an_unused_public_item_is_found() {
    let code = "    pub const fn one() {}\npub async fn two() {}\npub(crate) fn three() {}\npub struct Four;\npub use a::B;\n";
    assert_eq!(
        public_items(code),
        [("fn", "one"), ("fn", "two"), ("struct", "Four")]
    );
}
