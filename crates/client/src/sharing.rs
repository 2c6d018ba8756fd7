//! Project rules: which projects may be shared.
//!
//! Rules come from the user's settings file, from `--project` and from the `.toolhub.toml` of a project. Each source is a
//! layer, and a project is shared only if every layer allows it: no layer can widen another one.

mod patterns;

use std::path::Path;

use model::text::hex;
use sha2::{Digest, Sha256};
use toml::Value;

pub(crate) use self::patterns::Candidate;
use self::patterns::Patterns;

use crate::Error;

/// Rules that decide which projects are shared. The default shares all projects.
#[derive(Clone, Debug, Default)]
pub struct ProjectRules {
    layers: Vec<Layer>,
    /// `--project` was given: the upload covers only a part of the projects that the settings allow.
    selected: bool,
}

/// The rules of one source.
#[derive(Clone, Debug)]
struct Layer {
    /// Only these projects; `None` for all.
    include: Option<Patterns>,
    exclude: Patterns,
}

/// Where the paths in patterns start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// The home directory, for `~`.
    pub(crate) home: Option<&'a Path>,
    /// The folder of the settings file, or the working directory, for `.` and `./`.
    pub(crate) folder: &'a Path,
}

impl ProjectRules {
    /// Restricts the rules to the projects that match one of the patterns of `--project`. No patterns: no restriction.
    ///
    /// # Errors
    /// [`Error::Usage`] for an invalid pattern.
    pub fn select(&mut self, patterns: &[String], environment: &crate::Environment) -> Result<(), Error> {
        if patterns.is_empty() {
            return Ok(());
        }
        let origin = Origin {
            home: environment.home(),
            folder: environment.directory(),
        };
        let include = Patterns::parse(patterns, origin)
            .map_err(|detail| Error::Usage(format!("--project: {detail}")))?;
        self.layers.push(Layer {
            include: Some(include),
            exclude: Patterns::default(),
        });
        self.selected = true;
        Ok(())
    }

    /// Adds the table `[projects]` of a settings file. An error describes what is wrong with it: a rule that is not
    /// understood must not be ignored.
    pub(crate) fn add_table(&mut self, table: &Value, origin: Origin<'_>) -> Result<(), String> {
        let table = table
            .as_table()
            .ok_or("`projects` must be a table with `include` and `exclude`")?;
        let mut layer = Layer {
            include: None,
            exclude: Patterns::default(),
        };
        for (key, value) in table {
            let patterns = || {
                let patterns =
                    strings(value).ok_or_else(|| format!("`projects.{key}` must be a list of strings"))?;
                Patterns::parse(&patterns, origin).map_err(|detail| format!("`projects.{key}`: {detail}"))
            };
            match key.as_str() {
                "include" => layer.include = Some(patterns()?),
                "exclude" => layer.exclude = patterns()?,
                _ => {
                    return Err(format!(
                        "unknown key `projects.{key}`: use `include` and `exclude`"
                    ));
                }
            }
        }
        self.layers.push(layer);
        Ok(())
    }

    /// True when the rules allow all projects.
    pub(crate) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// True when `--project` selects a part of the projects.
    pub(crate) fn is_selection(&self) -> bool {
        self.selected
    }

    /// True when a project may be shared.
    pub(crate) fn allow(&self, project: &Candidate) -> bool {
        self.layers.iter().all(|layer| {
            !layer.exclude.match_any(project)
                && layer
                    .include
                    .as_ref()
                    .is_none_or(|include| include.match_any(project))
        })
    }

    /// A hash of the rules; empty without rules. A log that did not change has new events to send when the rules change.
    pub(crate) fn fingerprint(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let mut digest = Sha256::new();
        for layer in &self.layers {
            for patterns in [layer.include.as_ref(), Some(&layer.exclude)] {
                let texts: &[String] = patterns.map_or(&[], Patterns::texts);
                digest.update([u8::from(patterns.is_some())]);
                for text in texts {
                    digest.update(text.as_bytes());
                    digest.update([0]);
                }
                digest.update([0]);
            }
        }
        hex(&digest.finalize()[..16])
    }
}

impl PartialEq for ProjectRules {
    fn eq(&self, other: &ProjectRules) -> bool {
        self.fingerprint() == other.fingerprint()
    }
}

impl Eq for ProjectRules {}

fn strings(value: &Value) -> Option<Vec<String>> {
    let items = value.as_array()?.iter();
    items.map(|item| item.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(toml: &str) -> Result<ProjectRules, String> {
        let table: toml::Table = toml.parse().unwrap();
        let mut rules = ProjectRules::default();
        let origin = Origin {
            home: Some(Path::new("/home/ann")),
            folder: Path::new("/home/ann"),
        };
        rules.add_table(&Value::Table(table), origin)?;
        Ok(rules)
    }

    fn allows(rules: &ProjectRules, path: &str) -> bool {
        let name = path.rsplit('/').next().filter(|name| !name.is_empty());
        rules.allow(&Candidate::new(name, [Path::new(path)]))
    }

    #[test]
    fn without_rules_every_project_is_shared() {
        assert!(allows(&ProjectRules::default(), "/home/ann/api"));
        assert!(allows(&rules("").unwrap(), "/home/ann/api"));
    }

    #[test]
    fn exclude_takes_precedence_over_include() {
        let rules = rules("include = ['~/work', 'api']\nexclude = ['*-private']").unwrap();
        assert!(allows(&rules, "/home/ann/work/web"));
        assert!(allows(&rules, "/srv/api"));
        assert!(!allows(&rules, "/home/ann/work/web-private"));
        assert!(!allows(&rules, "/srv/web"), "not included");
        assert!(!allows(&rules, ""), "a project that is not known is not included");
    }

    #[test]
    fn an_empty_list_includes_nothing() {
        assert!(!allows(&rules("include = []").unwrap(), "/home/ann/api"));
        assert!(allows(&rules("exclude = []").unwrap(), "/home/ann/api"));
    }

    #[test]
    fn a_further_layer_only_narrows() {
        let mut both = rules("include = ['api', 'web']\nexclude = ['secret']").unwrap();
        both.layers
            .extend(rules("include = ['*']\nexclude = ['web']").unwrap().layers);
        assert!(allows(&both, "/home/ann/api"));
        for path in ["/home/ann/web", "/home/ann/secret", "/home/ann/other"] {
            assert!(!allows(&both, path), "{path}");
        }
        assert_ne!(
            both.fingerprint(),
            rules("include = ['api', 'web']\nexclude = ['secret']")
                .unwrap()
                .fingerprint()
        );
    }

    #[test]
    fn a_rule_that_is_not_understood_is_an_error() {
        for (toml, expected) in [
            ("exclud = ['a']", "unknown key `projects.exclud`"),
            ("exclude = 'a'", "`projects.exclude` must be a list of strings"),
            ("exclude = [1]", "`projects.exclude` must be a list of strings"),
            ("exclude = ['[']", "`projects.exclude`: `[`"),
            ("exclude = ['']", "empty"),
        ] {
            let error = rules(toml).unwrap_err();
            assert!(error.contains(expected), "{toml}: {error}");
        }
    }
}
