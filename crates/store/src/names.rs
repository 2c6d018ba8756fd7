//! Names that a request asks for: whether the org has them, and which ones were probably meant where it does not.
//!
//! Suggestions are names of the same org that the caller can list anyway. A handle is suggested neither where the org
//! hides names nor of a member who hides from boards, except to callers who administer the org.

use std::cmp::Ordering;

use model::OrgId;
use tokio_postgres::{
    GenericClient,
    types::{ToSql, Type},
};

use crate::{Store, StoreError, row};

/// Most names that are suggested.
const MAX_SUGGESTIONS: usize = 3;
/// How similar a name must be to be suggested, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.8;

/// A name that a request asks for.
#[derive(Clone, Copy, Debug)]
pub enum Name<'a> {
    /// A member, by handle.
    Member(&'a str),
    /// A tool, by id.
    Tool(&'a str),
    /// A project with events.
    Project(&'a str),
    /// A session with events.
    Session(&'a str),
    /// An actor of the audit log.
    Actor(&'a str),
}

impl Name<'_> {
    fn text(&self) -> &str {
        match self {
            Name::Member(text)
            | Name::Tool(text)
            | Name::Project(text)
            | Name::Session(text)
            | Name::Actor(text) => text,
        }
    }

    fn unknown(&self) -> String {
        let name = model::text::clean(self.text());
        match self {
            Name::Member(_) => format!("no member `{name}`"),
            Name::Tool(_) => format!("no tool `{name}`"),
            Name::Project(_) => format!("no events in a project `{name}`"),
            Name::Session(_) => format!("no events of a session `{name}`"),
            Name::Actor(_) => format!("no actions of `{name}`"),
        }
    }

    /// How to list the names, where one is too different from all of them.
    fn hint(&self, administers: bool) -> &'static str {
        match self {
            Name::Member(_) if administers => "; `toolhub members list` lists the members",
            Name::Tool(_) => "; `toolhub scores` lists the tools",
            Name::Project(_) => "; `toolhub leaderboard projects --window all` lists the projects",
            Name::Member(_) | Name::Session(_) | Name::Actor(_) => "",
        }
    }
}

impl Store {
    /// Checks that the org has these names. `administers`: the caller may list the members of the org.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for the first one that it does not have, with the names that were probably meant.
    pub async fn check_names(
        &self,
        org: OrgId,
        names: &[Name<'_>],
        administers: bool,
    ) -> Result<(), StoreError> {
        if names.is_empty() {
            return Ok(());
        }
        let client = self.client().await?;
        for name in names {
            check(&**client, org, *name, administers).await?;
        }
        Ok(())
    }
}

/// Checks that the org has a name, in the caller's transaction.
pub(crate) async fn check(
    client: &impl GenericClient,
    org: OrgId,
    name: Name<'_>,
    administers: bool,
) -> Result<(), StoreError> {
    let wanted = name.text();
    let candidates = candidates(client, org, name, administers).await?;
    if candidates.iter().any(|candidate| candidate == wanted) {
        return Ok(());
    }
    let unknown = name.unknown();
    let nearest = match name {
        // What begins with the text.
        Name::Session(_) => candidates
            .iter()
            .map(String::as_str)
            .take(MAX_SUGGESTIONS)
            .collect(),
        _ => nearest(wanted, candidates.iter().map(String::as_str)),
    };
    Err(StoreError::NotFound(if nearest.is_empty() {
        format!("{unknown}{}", name.hint(administers))
    } else {
        format!("{unknown}; {}", did_you_mean(&nearest))
    }))
}

async fn candidates(
    client: &impl GenericClient,
    org: OrgId,
    name: Name<'_>,
    administers: bool,
) -> Result<Vec<String>, StoreError> {
    let wanted = name.text();
    let mut asked: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&org.0, Type::INT8), (&wanted, Type::TEXT)];
    let statement = match name {
        Name::Member(_) => {
            asked.push((&administers, Type::BOOL));
            include_str!("names/members.sql")
        }
        Name::Tool(_) => include_str!("names/tools.sql"),
        Name::Project(_) => include_str!("names/projects.sql"),
        Name::Session(_) => include_str!("names/sessions.sql"),
        Name::Actor(_) => include_str!("names/actors.sql"),
    };
    let rows = client.query_typed(statement, &asked).await?;
    rows.iter().map(row::only).collect()
}

/// "did you mean `a`, `b` or `c`?"
pub(crate) fn did_you_mean(names: &[&str]) -> String {
    let mut quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", model::text::clean(name)))
        .collect();
    let last = quoted.pop().unwrap_or_default();
    if quoted.is_empty() {
        format!("did you mean {last}?")
    } else {
        format!("did you mean {} or {last}?", quoted.join(", "))
    }
}

/// The names most similar to `wanted`, the best first. The kind of a tool and the plugin before `@` count little: what
/// people remember is the last part.
pub(crate) fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let wanted = wanted.to_lowercase();
    let mut scored: Vec<(f64, &str)> = names
        .map(|name| (similarity(&wanted, &name.to_lowercase()), name))
        .filter(|(score, _)| *score >= MIN_SIMILARITY)
        .collect();
    scored.sort_by(|a, b| {
        b.0.partial_cmp(&a.0)
            .unwrap_or(Ordering::Equal)
            .then(a.1.cmp(b.1))
    });
    scored.truncate(MAX_SUGGESTIONS);
    scored.into_iter().map(|(_, name)| name).collect()
}

fn similarity(wanted: &str, name: &str) -> f64 {
    let (wanted_kind, wanted_name) = split(wanted);
    let (kind, name) = split(name);
    let mut best = part_similarity(wanted_name, name);
    if let Some((_, last)) = name.rsplit_once(['@', '/', ':']) {
        let wanted_last = wanted_name
            .rsplit_once(['@', '/', ':'])
            .map_or(wanted_name, |(_, last)| last);
        best = best.max(0.98 * part_similarity(wanted_last, last));
    }
    // Of equally similar names the one of the same kind is first.
    if wanted_kind == kind { best } else { 0.97 * best }
}

/// The kind of a tool id, and its name.
fn split(text: &str) -> (&str, &str) {
    text.split_once(':').unwrap_or(("", text))
}

/// Names of which one contains the other are similar, whatever the rest of the longer one is.
fn part_similarity(wanted: &str, name: &str) -> f64 {
    const MIN_CONTAINED: usize = 3;
    let (shorter, longer) = if wanted.len() < name.len() {
        (wanted, name)
    } else {
        (name, wanted)
    };
    let contained = shorter.len() >= MIN_CONTAINED && longer.contains(shorter);
    strsim::jaro_winkler(wanted, name).max(if contained { 0.9 } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_a_part_and_a_missing_kind_are_recognized() {
        let names = [
            "mcp:linear-server",
            "mcp:slack",
            "plugin:caveman@compress",
            "skill:design-md",
            "agent:code-reviewer",
            "command:review",
        ];
        for (wanted, best) in [
            ("mcp:linear-sever", Some("mcp:linear-server")),
            ("mcp:linear", Some("mcp:linear-server")),
            ("linear-server", Some("mcp:linear-server")),
            ("mcp:design-md", Some("skill:design-md")),
            ("skill:compress", Some("plugin:caveman@compress")),
            ("SKILL:Design-MD", Some("skill:design-md")),
            ("agent:code-reviwer", Some("agent:code-reviewer")),
            ("mcp:zzz", None),
            ("", None),
        ] {
            assert_eq!(
                nearest(wanted, names.into_iter()).first().copied(),
                best,
                "{wanted}"
            );
        }
        assert_eq!(
            nearest("an", ["ann", "anna", "hans", "anne", "andy"].into_iter()).len(),
            3
        );
    }

    #[test]
    fn one_two_and_three_suggestions_are_one_sentence() {
        assert_eq!(did_you_mean(&["ann"]), "did you mean `ann`?");
        assert_eq!(did_you_mean(&["ann", "bob"]), "did you mean `ann` or `bob`?");
        assert_eq!(did_you_mean(&["a", "b", "c"]), "did you mean `a`, `b` or `c`?");
    }
}
