//! Words that the project does not use, because there is a standard term: `docs/glossary.md` and the code style of
//! `CONTRIBUTING.md`. Only what a program can decide: names in code, and prose in documents.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the project fails")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::architecture::text::Source;

/// A word that names in code must not contain, and what to write instead.
const NOT_IN_NAMES: &[(&str, &str)] = &[
    ("believe", "verify"),
    ("dear", "expensive"),
    ("everybody", "all"),
    ("fate", "result"),
    ("lessened", "warned"),
    ("nobody", "none, unknown or anonymous"),
    ("patience", "timeout or retry policy"),
    ("somebody", "member, client or caller"),
    ("weaker", "outdated"),
    ("weather", "fault"),
    ("whoever", "member, client or caller"),
];

/// How the names of constants must not begin, and what to write instead.
const NOT_BEFORE_CONSTANTS: &[(&str, &str)] = &[("GREATEST_", "MAX_"), ("LEAST_", "MIN_"), ("MOST_", "MAX_")];

/// A word or phrase that documents must not contain, and what to write instead.
const NOT_IN_DOCUMENTS: &[(&str, &str)] = &[
    ("as it stands", "unchanged"),
    ("dear", "expensive"),
    ("everybody", "all members"),
    ("fate", "result"),
    ("nobody", "no member, no one"),
    ("somebody", "a person, a member"),
    ("stands in", "is in"),
    ("what became of", "the result of"),
    ("whoever", "anyone who, a member who"),
];

/// The words of a name: `MAX_ROWS`, `max_rows` and `MaxRows` are `max` and `rows`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && before.is_lowercase()) {
            words.push(String::new());
        }
        if c != '_' {
            words.last_mut().unwrap().extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn wrong_names(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in code.split(|c: char| !c.is_alphanumeric() && c != '_') {
        let words = words(name);
        for (word, instead) in NOT_IN_NAMES {
            if words.iter().any(|found| found == word) {
                found.push(format!("{name}: {instead} instead of {word}"));
            }
        }
        for (start, instead) in NOT_BEFORE_CONSTANTS {
            if name.starts_with(start) {
                found.push(format!("{name}: {instead} instead of {start}"));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Code in a document is quoted from elsewhere, and no prose.
fn prose(document: &str) -> String {
    let blocks = document.split("```").step_by(2).collect::<String>();
    let text = blocks.split('`').step_by(2).collect::<String>();
    format!(
        " {} ",
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    )
}

fn wrong_phrases(document: &str) -> Vec<String> {
    let prose = prose(document);
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '_');
    NOT_IN_DOCUMENTS
        .iter()
        .filter(|(phrase, _)| {
            prose.match_indices(phrase).any(|(at, _)| {
                !is_word(prose[..at].chars().next_back())
                    && !is_word(prose[at + phrase.len()..].chars().next())
            })
        })
        .map(|(phrase, instead)| format!("{instead} instead of {phrase}"))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file of the project with this extension.
fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = ["crates", "tests", "docs", "deploy", "migrations"]
        .iter()
        .map(|folder| root().join(folder))
        .collect();
    let top = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    found.extend(top.filter(|path| path.is_file()));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.retain(|path| path.extension().is_some_and(|found| found == extension));
    found.sort();
    found
}

#[test]
fn names_in_code_are_standard_terms() {
    let files = files("rs");
    assert!(files.len() > 100, "{files:?}");
    let mut found = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let source = Source::whole(&path.display().to_string(), &text);
        for wrong in wrong_names(source.code()) {
            found.push(format!("{}: {wrong}", path.display()));
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn documents_are_in_plain_english() {
    let files = files("md");
    assert!(files.len() > 8, "{files:?}");
    let mut found = Vec::new();
    for path in files {
        for wrong in wrong_phrases(&fs::read_to_string(&path).unwrap()) {
            found.push(format!("{}: {wrong}", path.display()));
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_wrong_word_is_found_in_every_spelling_and_no_other_word_is() {
    for code in [
        "enum Fate {}",
        "let upload_fate = 1;",
        "struct UploadFate;",
        "const FATE: u8 = 1;",
        "fn nobody_waits() {}",
        "const GREATEST_WAIT: u8 = 1;",
        "const MOST_ROWS: u8 = 1;",
    ] {
        assert_eq!(wrong_names(code).len(), 1, "{code}");
    }
    for code in [
        "fn most_recent() {}",
        "let fated = 1;",
        "struct Mostly;",
        "const ALMOST_DEAREST: u8 = 1;",
    ] {
        assert_eq!(wrong_names(code), [""; 0], "{code}");
    }
    for document in [
        "Nobody reads it.",
        "For whoever sends,\nit waits.",
        "It (somebody) came.",
        "It stands\nin the log.",
    ] {
        assert_eq!(wrong_phrases(document).len(), 1, "{document}");
    }
    for document in [
        "The account `nobody` has it.",
        "```\nnobody\n```",
        "nobody-at-all",
        "Dearth.",
        "It withstands inspection.",
    ] {
        assert_eq!(wrong_phrases(document), [""; 0], "{document}");
    }
}
