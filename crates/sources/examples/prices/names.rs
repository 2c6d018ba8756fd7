//! From the data set's ways to match a model to names and patterns.

use std::collections::BTreeSet;

use serde::Deserialize;
use sources::{Price, Prices};

use crate::Model;

/// Vendors whose models OpenRouter passes on at their own prices: theirs stand already.
const PASSED_ON: [&str; 4] = ["anthropic/", "openai/", "google/", "x-ai/"];
/// Vendors whose models agents also name without the vendor.
const NAMED_ALONE: [&str; 11] = [
    "qwen/",
    "deepseek/",
    "z-ai/",
    "moonshotai/",
    "minimax/",
    "mistralai/",
    "xiaomi/",
    "meta-llama/",
    "stepfun/",
    "nvidia/",
    "tencent/",
];

/// How the data set tells a model.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Clause {
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Regex(String),
    Or(Vec<Clause>),
    And(Vec<Clause>),
}

/// The names of one model.
pub(crate) struct Names {
    id: String,
    names: Vec<String>,
}

impl Names {
    pub(crate) fn of(model: &Model, skipped: &mut BTreeSet<String>) -> Names {
        let mut names = Vec::new();
        model.names.collect(&mut names, skipped);
        let mut id = model.id.clone();
        match model.provider.as_str() {
            // Without the host these are the vendor's names, at another price.
            "aws" => names.retain(|name| has_host(name)),
            "openrouter" => {
                if PASSED_ON.iter().any(|vendor| id.starts_with(vendor)) && !id.ends_with("-fast") {
                    names.clear();
                }
                for vendor in NAMED_ALONE {
                    let alone: Vec<String> = names
                        .iter()
                        .filter_map(|name| Some(name.strip_prefix(vendor)?.to_owned()))
                        .filter(|name| !name.ends_with(":free"))
                        .collect();
                    names.extend(alone);
                }
            }
            _ => {}
        }
        if let Some(plain) = id.strip_prefix("anthropic/").map(str::to_owned) {
            names.push(plain.clone());
            id = plain;
        }
        // Claude's versions are written with dots and with dashes.
        if id.starts_with("claude-") && id.ends_with("-fast") {
            names.push(id.replace('.', "-"));
        }
        Names { id, names }
    }

    /// Without those that an earlier provider's prices stand for.
    pub(crate) fn not_in(mut self, before: &Prices) -> Names {
        let is_tier = |name: &str| name.ends_with("-fast") || name.starts_with("composer-");
        self.names.retain(|name| {
            let plain = name.trim_matches('*');
            is_tier(plain) || has_host(name) || !before.knows(plain)
        });
        self
    }

    /// The model's name and its other names; `None` when none is left.
    pub(crate) fn into_parts(self, prices: &[Price]) -> Option<(String, Vec<String>)> {
        let Names { id, names } = self;
        let taken = |name: &str| {
            prices.iter().any(|price| {
                price.model.eq_ignore_ascii_case(name) || price.aliases.iter().any(|alias| alias == name)
            })
        };
        let mut distinct: Vec<String> = Vec::new();
        for name in names {
            let name = name.to_lowercase();
            if !taken(&name) && !distinct.contains(&name) {
                distinct.push(name);
            }
        }
        if distinct.is_empty() {
            return None;
        }
        let name = if taken(&id) { distinct.remove(0) } else { id };
        distinct.retain(|other| !other.eq_ignore_ascii_case(&name) && !is_dated(other, &name));
        Some((name, distinct))
    }
}

/// True for a name that is another with a date after it, which needs no entry.
fn is_dated(name: &str, of: &str) -> bool {
    name.strip_prefix(of)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|rest| rest.len() >= 8 && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

/// True for a name with words that end in a dot before it (`us.anthropic.claude-…`).
fn has_host(name: &str) -> bool {
    let name = name.trim_start_matches('*').trim_start_matches('/');
    name.split_once('.').is_some_and(|(word, rest)| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
            && rest.starts_with(|first: char| first.is_ascii_alphabetic())
    })
}

impl Clause {
    fn collect(&self, names: &mut Vec<String>, skipped: &mut BTreeSet<String>) {
        match self {
            Clause::Equals(text) => names.push(text.clone()),
            Clause::StartsWith(text) => names.push(format!("{text}*")),
            Clause::EndsWith(text) => names.push(format!("*{text}")),
            Clause::Contains(text) => names.push(format!("*{text}*")),
            Clause::Or(clauses) | Clause::And(clauses) => {
                for clause in clauses {
                    clause.collect(names, skipped);
                }
            }
            Clause::Regex(regex) => match literal(regex) {
                Some(name) => names.push(name),
                // It excludes names, which have entries of their own.
                None if regex.starts_with("^(?!") => {}
                None => {
                    skipped.insert(format!("names like {regex}"));
                }
            },
        }
    }
}

/// The name in an expression that is a name with a date behind it, or a name alone.
fn literal(regex: &str) -> Option<String> {
    let mut rest = regex.strip_prefix('^')?;
    rest = rest.strip_suffix('$').unwrap_or(rest);
    for date in [r"[-@]\d{8}", r"-\d{8}", r"-\d{4}-\d{2}-\d{2}", r"-\d"] {
        rest = rest.strip_suffix(date).unwrap_or(rest);
    }
    let mut name = String::new();
    let mut characters = rest.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => name.push(characters.next().filter(char::is_ascii_punctuation)?),
            '.' | '[' | '(' | '+' | '*' | '?' | '|' | '{' | '^' | '$' => return None,
            plain => name.push(plain),
        }
    }
    Some(name)
}
