//! A Rust source file as the rules see it: its paths and its string literals, without comments and tests.

/// Stands for a string literal in the code.
const LITERAL: char = '\u{E000}';

/// Words before the name of an item.
const DECLARES: &[&str] = &[
    "const", "enum", "fn", "mod", "static", "struct", "trait", "type", "union",
];

/// What a file says about names.
pub(crate) enum Use {
    /// An item is declared.
    Declared(String),
    /// `use path::*`
    Glob(Vec<String>),
    /// `use path as name`
    Named { name: String, path: Vec<String> },
    /// A path elsewhere.
    Path(Vec<String>),
}

/// A file, taken apart.
pub(crate) struct Source {
    /// The package that contains it.
    pub(crate) package: String,
    /// Its path.
    pub(crate) file: String,
    code: String,
    literals: Vec<String>,
}

impl Source {
    /// Takes a file apart.
    pub(crate) fn read(package: &str, file: &str, text: &str) -> Source {
        let (code, literals) = without_tests(&split(text));
        Source {
            package: package.to_owned(),
            file: file.to_owned(),
            code,
            literals,
        }
    }

    /// Takes a file apart and keeps its tests.
    pub(crate) fn whole(file: &str, text: &str) -> Source {
        let (code, literals) = split(text);
        Source {
            package: String::new(),
            file: file.to_owned(),
            code,
            literals,
        }
    }

    /// The code, without comments and string literals.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The string literals.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.literals.iter().map(String::as_str)
    }

    /// Every path that the code names, every `use`, and every item that is declared, each with the inline modules that
    /// it is in.
    pub(crate) fn uses(&self) -> Vec<(Vec<String>, Use)> {
        let parts = |path: &str| -> Vec<String> {
            let parts = path.split("::").map(str::to_owned);
            // A path from the root of all crates begins with an empty part.
            parts.collect()
        };
        let mut found = Vec::new();
        // The inline modules that are open, and how deep in braces each began.
        let mut inline: Vec<(String, usize)> = Vec::new();
        let mut depth = 0;
        let mut before = String::new();
        let mut rest = self.code.as_str();
        while let Some(c) = rest.chars().next() {
            let word: String = rest.chars().take_while(|&c| is_path(c)).collect();
            let at = || inline.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            if word.is_empty() {
                rest = &rest[c.len_utf8()..];
                match c {
                    '{' => depth += 1,
                    '}' => {
                        depth -= 1;
                        inline.pop_if(|(_, opened)| *opened == depth);
                    }
                    _ => {}
                }
                continue;
            }
            rest = &rest[word.len()..];
            if word == "use" {
                let (tree, after) = rest.split_once(';').unwrap_or((rest, ""));
                let mut written = Vec::new();
                write_out("", tree, &mut |path, name| {
                    written.push((parts(path), name.to_owned()))
                });
                for (mut path, name) in written {
                    let used = if path.last().is_some_and(|last| last == "*") {
                        path.pop();
                        Use::Glob(path)
                    } else {
                        Use::Named { name, path }
                    };
                    found.push((at(), used));
                }
                rest = after;
                before.clear();
                continue;
            }
            if word.contains("::") {
                found.push((at(), Use::Path(parts(word.trim_end_matches(':')))));
            } else if DECLARES.contains(&before.as_str()) {
                found.push((at(), Use::Declared(word.clone())));
                if before == "mod" && rest.trim_start().starts_with('{') {
                    inline.push((word.clone(), depth));
                }
            }
            before = word;
        }
        found
    }

    /// Every path that the code names; those of a `use` are written out.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        let mut rest = self.code.as_str();
        while !rest.is_empty() {
            let word: String = rest.chars().take_while(|&c| is_path(c)).collect();
            if word.is_empty() {
                rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
                continue;
            }
            rest = &rest[word.len()..];
            if word == "use" {
                let (tree, after) = rest.split_once(';').unwrap_or((rest, ""));
                write_out("", tree, &mut |path, _| paths.push(path.to_owned()));
                rest = after;
            } else if word.contains("::") {
                paths.push(word);
            }
        }
        paths
    }
}

fn is_path(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}

/// Writes out a tree of a `use`, such as `a::{b, c::{self, d as e}}`: each path, and the name that it gets.
fn write_out(prefix: &str, tree: &str, write: &mut impl FnMut(&str, &str)) {
    let Some((head, group)) = tree.split_once('{') else {
        let mut words = tree.split_whitespace();
        let path = words.next().unwrap_or_default();
        if !path.is_empty() {
            let path = format!("{prefix}{path}");
            let path = path.trim_end_matches("::self");
            let name = match words.next() {
                Some("as") => words.next(),
                _ => path.rsplit("::").next(),
            };
            write(path, name.unwrap_or_default());
        }
        return;
    };
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let prefix = format!("{prefix}{}", head.trim());
    let (mut depth, mut start) = (0, 0);
    for (at, c) in group.char_indices().chain([(group.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                write_out(&prefix, &group[start..at], write);
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The code with [`LITERAL`] for each string literal, and the literals. Comments are left out.
fn split(text: &str) -> (String, Vec<String>) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut literals, mut at) = (String::new(), Vec::new(), 0);
    let follows = |at: usize, part: &str| {
        part.chars()
            .enumerate()
            .all(|(i, c)| chars.get(at + i) == Some(&c))
    };
    while at < chars.len() {
        if follows(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if follows(at, "/*") {
            let mut depth = 0;
            loop {
                let step = match () {
                    () if follows(at, "/*") => Some(1),
                    () if follows(at, "*/") => Some(-1),
                    () => None,
                };
                depth += step.unwrap_or(0);
                at += if step.is_some() { 2 } else { 1 };
                if depth == 0 || at >= chars.len() {
                    break;
                }
            }
        } else if let Some(hashes) = raw_string(&chars, at, &code) {
            let end: String = format!("\"{}", "#".repeat(hashes));
            let start = at + hashes + 2;
            at = start;
            while at < chars.len() && !follows(at, &end) {
                at += 1;
            }
            literals.push(chars[start..at.min(chars.len())].iter().collect());
            code.push(LITERAL);
            at += end.len();
        } else if chars[at] == '"' {
            let mut literal = String::new();
            at += 1;
            while at < chars.len() && chars[at] != '"' {
                if chars[at] == '\\' {
                    at += 1;
                    if chars.get(at) == Some(&'n') {
                        literal.push('\n');
                    }
                } else {
                    literal.push(chars[at]);
                }
                at += 1;
            }
            literals.push(literal);
            code.push(LITERAL);
            at += 1;
        } else if follows(at, "'\\") {
            // A character that is escaped; its own quote comes third.
            at += 3;
            while at < chars.len() && chars[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else if chars[at] == '\'' && chars.get(at + 2) == Some(&'\'') {
            at += 3;
        } else {
            code.push(chars[at]);
            at += 1;
        }
    }
    (code, literals)
}

/// The number of `#` when a raw string begins here.
fn raw_string(chars: &[char], at: usize, code: &str) -> Option<usize> {
    let in_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_') && !code.ends_with('b');
    if chars[at] != 'r' || in_word {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

/// Leaves out every item that is marked `#[cfg(test)]`.
fn without_tests((code, literals): &(String, Vec<String>)) -> (String, Vec<String>) {
    let (mut kept, mut kept_literals, mut rest, mut seen) = (String::new(), Vec::new(), code.as_str(), 0);
    let mut keep = |part: &str, kept: &mut String, keeps: bool| {
        let count = part.matches(LITERAL).count();
        if keeps {
            kept.push_str(part);
            kept_literals.extend_from_slice(&literals[seen..seen + count]);
        }
        seen += count;
    };
    while let Some((before, item)) = rest.split_once("#[cfg(test)]") {
        keep(before, &mut kept, true);
        let mut depth = 0_usize;
        let end = item.char_indices().find_map(|(at, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0 && (c == '}' || c == ';')).then_some(at + 1)
        });
        let (item, after) = item.split_at(end.unwrap_or(item.len()));
        keep(item, &mut kept, false);
        rest = after;
    }
    keep(rest, &mut kept, true);
    (kept, kept_literals)
}

#[test]
fn a_file_is_taken_apart_into_paths_and_literals() {
    let text = r##"
        //! std::fs in a comment /* and "more"
        use std::{collections::{BTreeMap, self}, io::Read as _};
        /* outer /* inner */ std::env */
        const QUOTE: char = '"'; const ESCAPED: char = '\''; const UNICODE: char = '\u{7b}';
        fn first<'a>(text: &'a str) -> &'a str { a::b("one \" two", r#"raw "three""#, b"four") }
        #[cfg(test)]
        use std::net::TcpStream;
        #[cfg(test)]
        mod tests { fn x() { std::env::var("five {") } }
        fn last() { c::d("six") }
    "##;
    let source = Source::read("toolhub-model", "file.rs", text);
    assert_eq!(
        source.literals().collect::<Vec<_>>(),
        ["one  two", "raw \"three\"", "four", "six"]
    );
    assert_eq!(
        source.paths(),
        [
            "std::collections::BTreeMap",
            "std::collections",
            "std::io::Read",
            "a::b",
            "c::d"
        ]
    );
}
