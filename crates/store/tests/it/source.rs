//! What the source of the store keeps to, because the compiler cannot check it.

use std::{
    collections::{BTreeMap, BTreeSet},
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
    for (method, strict) in [(".try_get", true), (".get", false)] {
        for piece in text.split(method).skip(1) {
            let (types, argument) = match piece.strip_prefix("::<") {
                Some(rest) => match rest.split_once(">(") {
                    Some((types, argument)) => (types, argument),
                    None => continue,
                },
                None => match piece.strip_prefix('(') {
                    Some(argument) => ("", argument),
                    None => continue,
                },
            };
            let argument = argument.trim_start();
            let is_number = argument.starts_with(|c: char| c.is_ascii_digit());
            // Two type parameters are those of the driver's row.
            let of_row = strict || types.contains(',');
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
    let crates = source().join("../..");
    let reader = source().join("row.rs");
    let mut breaches = Vec::new();
    for folder in ["store", "testing", "embedded"] {
        for file in files(&crates.join(folder), "rs") {
            // This file holds examples of what it forbids.
            if file.ends_with("store/src/row.rs") || file.ends_with("it/source.rs") {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            let reads = positional_reads(&text);
            breaches.extend(reads.iter().map(|read| format!("{}: {read}", file.display())));
        }
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
        "row.get::<_, Vec<String>>(at)",
        "row\n    .try_get::<_, i64>(\n        0,\n    )",
    ] {
        assert_eq!(positional_reads(text).len(), 1, "{text}");
    }
    for text in [
        "row.try_get(\"tool_id\")?",
        "row.get::<_, i64>(\"count\")",
        "map.get(key)",
        "list.get(..2)",
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

/// The modules at the top of the crate that a file names, by `crate::<module>`.
fn used_modules(text: &str) -> BTreeSet<String> {
    let code: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let code = code.split("#[cfg(test)]").next().unwrap();
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(rest.to_owned());
            continue;
        };
        // The parts of `use crate::{a::b, c::{d, e}};`, at its outermost level.
        let (mut depth, mut part) = (1, String::new());
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if depth == 1 && c == ',' {
                found.insert(std::mem::take(&mut part));
            } else if depth == 1 {
                part.push(c);
            }
        }
        found.insert(part);
    }
    let word = |path: String| {
        let path = path.trim_start().to_owned();
        path.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let exported = |word: String| match word.as_str() {
        "Store" | "Durability" | "PoolStatus" => "pool".to_owned(),
        "StoreError" => "error".to_owned(),
        "PoolOptions" => "options".to_owned(),
        _ => word,
    };
    found.into_iter().map(word).map(exported).collect()
}

/// A way through the uses that ends where it begins.
fn circle(uses: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    // Modules that use none, or only such ones, are in no circle: what is left over when they are taken away is.
    let mut left = uses.clone();
    loop {
        let free: Vec<String> = left
            .iter()
            .filter(|(_, used)| used.iter().all(|used| !left.contains_key(used)))
            .map(|(module, _)| module.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        for module in free {
            left.remove(&module);
        }
    }
    let mut way = vec![left.keys().next()?.clone()];
    loop {
        let next = left[way.last()?].iter().find(|used| left.contains_key(*used))?;
        if let Some(at) = way.iter().position(|module| module == next) {
            way.drain(..at);
            way.push(next.clone());
            return Some(way);
        }
        way.push(next.clone());
    }
}

#[test]
fn no_module_uses_another_that_uses_it() {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files(&source(), "rs") {
        let module = module(&file).split("::").next().unwrap().to_owned();
        if module == "lib" || file.ends_with("tests.rs") {
            continue;
        }
        let mut used = used_modules(&fs::read_to_string(&file).unwrap());
        used.remove(&module);
        uses.entry(module).or_default().extend(used);
    }
    assert!(uses["ingest"].contains("policy") && uses["audit"].contains("identity"));
    assert_eq!(circle(&uses), None);

    let planted = |from: &str, to: &str| {
        let mut uses = uses.clone();
        uses.get_mut(from).unwrap().insert(to.to_owned());
        circle(&uses)
    };
    for (from, to) in [("policy", "ingest"), ("identity", "team"), ("error", "pool")] {
        let found = planted(from, to).unwrap_or_default();
        assert!(found.contains(&from.to_owned()), "{from} -> {to}: {found:?}");
    }
}
