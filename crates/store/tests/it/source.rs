//! What the source of the store keeps to, because the compiler cannot check it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
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

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The module of a file: `team::orgs` for `src/team/orgs.rs`.
fn module(file: &Path) -> String {
    let relative = file.strip_prefix(source()).unwrap().with_extension("");
    let parts: Vec<&str> = relative.iter().map(|part| part.to_str().unwrap()).collect();
    parts.join("::")
}

/// What follows each `start` in a text, to the next `end`.
fn between<'t>(text: &'t str, start: &str, end: char) -> Vec<&'t str> {
    let pieces = text.split(start).skip(1);
    pieces
        .filter_map(|piece| Some(piece.split_once(end)?.0))
        .collect()
}

/// Reads of a row by a number, or by something that is not the name itself.
fn positional_reads(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for method in [".try_get", ".get_ref", ".get"] {
        for (at, _) in text.match_indices(method) {
            let (before, rest) = (&text[..at], &text[at + method.len()..]);
            let (types, argument) = match rest.strip_prefix("::<") {
                Some(rest) => match rest.split_once(">(") {
                    Some((types, argument)) => (types, argument),
                    None => continue,
                },
                None => match rest.strip_prefix('(') {
                    Some(argument) => ("", argument),
                    None => continue,
                },
            };
            let argument = argument.trim_start();
            let after = argument.trim_start_matches(|c: char| c.is_ascii_digit());
            let is_number = after.len() < argument.len() && !after.starts_with("..");
            // Two type parameters are those of the driver's row.
            let of_row = method == ".try_get" || types.contains(',') || before.trim_end().ends_with("row");
            if is_number || (of_row && !argument.starts_with('"')) {
                let line = argument.lines().next().unwrap_or_default();
                found.push(format!("{method}({line}"));
            }
        }
    }
    found
}

#[test]
fn columns_are_read_by_name_outside_the_reader_module() {
    let root = source().join("../../..");
    let reader = source().join("row.rs");
    let mut folders = vec![root.join("tests")];
    for entry in fs::read_dir(root.join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        // It has no database, and reads lists in JSON by position.
        if !folder.ends_with("sources") {
            folders.push(folder);
        }
    }
    assert!(folders.len() >= 9, "{folders:?}");
    let mut breaches = Vec::new();
    for file in folders.iter().flat_map(|folder| files(folder, "rs")) {
        // The last holds examples of what it forbids; the second turns every row of any statement into text.
        if ["store/src/row.rs", "testing/src/lib.rs", "it/source.rs"]
            .iter()
            .any(|exempt| file.ends_with(exempt))
        {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let reads = positional_reads(&text);
        breaches.extend(reads.iter().map(|read| format!("{}: {read}", file.display())));
    }
    assert!(reader.is_file(), "the reader module has another name");
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn every_planted_positional_read_is_found() {
    for text in [
        "row.try_get(0)?",
        "row.try_get::<_, Option<i64>>(2)?",
        "row.try_get(at + 1)?",
        "row.get(3)",
        "rows[0].get(3)",
        "row.get(index)",
        "row\n    .get(index)",
        "row.get_ref(2)?",
        "row.get::<_, Vec<String>>(at)",
        "row\n    .try_get::<_, i64>(\n        0,\n    )",
    ] {
        assert_eq!(positional_reads(text).len(), 1, "{text}");
    }
    for text in [
        "row.try_get(\"tool_id\")?",
        "row.get::<_, i64>(\"count\")",
        "row.get_ref(\"data\")?",
        "decoder.get_ref().len()",
        "map.get(key)",
        "list.get(..2)",
        "text.get(1..3)",
    ] {
        assert!(positional_reads(text).is_empty(), "{text}");
    }
}

#[test]
fn a_statement_lies_beside_the_module_that_runs_it() {
    let mut used = BTreeSet::new();
    for file in files(&source(), "rs") {
        let text = fs::read_to_string(&file).unwrap();
        let beside = format!("{}/", file.file_stem().unwrap().to_str().unwrap());
        for path in between(&text, "include_str!(\"", '"') {
            assert!(
                path.strip_prefix(&beside).is_some_and(|name| !name.contains('/')),
                "{} includes {path}, which is not in {beside}",
                file.display()
            );
            used.insert(file.parent().unwrap().join(path));
        }
    }
    let all: BTreeSet<PathBuf> = files(&source(), "sql").into_iter().collect();
    assert_eq!(used, all, "every statement is run, by its own module alone");
}

/// The labels of the statements in a file: of those that it includes, and of those that it holds.
fn labels(file: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for path in between(text, "include_str!(\"", '"') {
        let sql = fs::read_to_string(file.parent().unwrap().join(path)).unwrap();
        let first = sql.lines().next().unwrap_or_default();
        found.push(first.strip_prefix("-- ").unwrap_or_default().to_owned());
    }
    let words = |label: &&str| label.contains("::") && !label.contains(['\n', '"']);
    let after_dashes = between(text, "\"-- ", '\\');
    let in_comments = between(text, "\"/* ", '*');
    found.extend(after_dashes.into_iter().filter(words).map(str::to_owned));
    found.extend(
        in_comments
            .into_iter()
            .filter(words)
            .map(|label| label.trim().to_owned()),
    );
    found
}

#[test]
fn the_label_of_a_statement_is_the_function_that_runs_it() {
    let mut count = 0;
    for file in files(&source(), "rs") {
        let text = fs::read_to_string(&file).unwrap();
        for label in labels(&file, &text) {
            count += 1;
            let path = label.split(" (").next().unwrap();
            let (of, function) = path
                .rsplit_once("::")
                .unwrap_or_else(|| panic!("{}: {label:?} is no label", file.display()));
            assert_eq!(of, module(&file), "{}: {label}", file.display());
            assert!(
                text.contains(&format!("fn {function}(")) || text.contains(&format!("fn {function}<")),
                "{} has no function `{function}`, which is the label of a statement",
                file.display()
            );
        }
    }
    assert!(
        count > 90,
        "the labels were looked for in the wrong place: {count}"
    );
}
