//! Globs that match the name or the path of a project.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::Origin;

/// A project with everything that a pattern may match.
#[derive(Debug, Default)]
pub(crate) struct Candidate {
    name: Option<String>,
    /// Its paths with all their parents, `/` as separator.
    paths: Vec<String>,
}

impl Candidate {
    /// A project by its name and the paths that lead to it.
    pub(crate) fn new<'a>(name: Option<&str>, paths: impl IntoIterator<Item = &'a Path>) -> Candidate {
        let mut all = Vec::new();
        for path in paths {
            // Logs of other machines have paths of other systems.
            let text = path.to_string_lossy().replace('\\', "/");
            let mut rest = text.trim_end_matches('/');
            while !rest.is_empty() {
                all.push(rest.to_owned());
                rest = rest.rfind('/').map_or("", |at| &rest[..at]);
            }
        }
        Candidate {
            name: name.map(str::to_owned),
            paths: all,
        }
    }
}

/// A list of globs.
#[derive(Clone, Debug, Default)]
pub(super) struct Patterns {
    texts: Vec<String>,
    names: GlobSet,
    paths: GlobSet,
}

impl Patterns {
    /// Compiles patterns. One without `/` matches names; one with `/`, or `~` or `.`, matches paths and all that is below
    /// them. Letter case does not matter, as on many file systems.
    pub(super) fn parse(patterns: &[String], origin: Origin<'_>) -> Result<Patterns, String> {
        let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            let invalid = |detail: &str| format!("`{pattern}` is not a valid pattern: {detail}");
            if pattern.trim().is_empty() {
                return Err(invalid("it is empty"));
            }
            let globs = path_globs(pattern, origin).map_err(&invalid)?;
            let target = if globs.is_some() { &mut paths } else { &mut names };
            for glob in globs.unwrap_or_else(|| vec![pattern.clone()]) {
                let glob = GlobBuilder::new(&glob)
                    .literal_separator(true)
                    .case_insensitive(true)
                    .build()
                    .map_err(|error| invalid(&error.kind().to_string()))?;
                target.add(glob);
            }
        }
        let build = |set: &GlobSetBuilder| set.build().map_err(|error| error.to_string());
        Ok(Patterns {
            texts: patterns.to_vec(),
            names: build(&names)?,
            paths: build(&paths)?,
        })
    }

    pub(super) fn texts(&self) -> &[String] {
        &self.texts
    }

    pub(super) fn match_any(&self, project: &Candidate) -> bool {
        let name = project.name.as_ref();
        name.is_some_and(|name| self.names.is_match(name))
            || project.paths.iter().any(|path| self.paths.is_match(path))
    }
}

/// The globs of a pattern for paths: for a path in a folder that is a symbolic link, with and without it. `None` for a
/// pattern for names.
fn path_globs(pattern: &str, origin: Origin<'_>) -> Result<Option<Vec<String>>, &'static str> {
    let trimmed = pattern.trim_end_matches('/');
    if trimmed.is_empty() {
        return Err("it matches every path");
    }
    let below = |marker: &str| {
        let rest = trimmed.strip_prefix(marker)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    };
    if let Some(rest) = below("~") {
        let home = origin.home.ok_or("there is no home directory")?;
        return Ok(Some(in_folder(home, rest)));
    }
    if let Some(rest) = below("..") {
        let parent = origin.folder.parent().unwrap_or(origin.folder);
        return Ok(Some(in_folder(parent, rest)));
    }
    if let Some(rest) = below(".") {
        return Ok(Some(in_folder(origin.folder, rest)));
    }
    if !trimmed.contains('/') {
        // `name/` is a name, too.
        return Ok((trimmed != pattern).then(|| vec![format!("**/{trimmed}")]));
    }
    let is_absolute =
        trimmed.starts_with('/') || trimmed.starts_with("**/") || trimmed.get(1..3) == Some(":/");
    Ok(Some(vec![if is_absolute {
        trimmed.to_owned()
    } else {
        format!("**/{trimmed}")
    }]))
}

fn in_folder(folder: &Path, rest: &str) -> Vec<String> {
    let real: Option<PathBuf> = folder.canonicalize().ok();
    let mut globs: Vec<String> = [Some(folder.to_owned()), real]
        .into_iter()
        .flatten()
        .map(|folder| {
            let folder = folder.to_string_lossy().replace('\\', "/");
            format!("{}{rest}", globset::escape(folder.trim_end_matches('/')))
        })
        .collect();
    globs.dedup();
    globs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str, path: &str) -> bool {
        let origin = Origin {
            home: Some(Path::new("/home/ann")),
            folder: Path::new("/home/ann/work/api"),
        };
        Patterns::parse(&[pattern.to_owned()], origin)
            .unwrap()
            .match_any(&Candidate::new(Some(name), [Path::new(path)]))
    }

    #[test]
    fn a_pattern_matches_a_name_or_a_path_and_what_is_below_it() {
        for (pattern, path, expected) in [
            ("api", "/home/ann/work/api", true),
            ("API", "/home/ann/work/api", true),
            ("a?i", "/home/ann/work/api", true),
            ("{web,api}", "/home/ann/work/api", true),
            ("ap", "/home/ann/work/api", false),
            ("work", "/home/ann/work/api", false),
            ("~/work", "/home/ann/work/api", true),
            ("~/work/", "/home/ann/work/api", true),
            ("~/work/*", "/home/ann/work/api/src/deep", true),
            ("~/work/**", "/home/ann/work/api/src", true),
            ("~/*", "/home/ann/work/api", true),
            ("~", "/home/ann/work/api", true),
            ("~/wor", "/home/ann/work/api", false),
            ("~/work/web", "/home/ann/work/api", false),
            ("/home/*/work", "/home/bob/work/api", true),
            ("/home/work", "/home/ann/work/api", false),
            ("work/api", "/home/ann/work/api", true),
            ("work/", "/home/ann/work/api", true),
            ("ork/api", "/home/ann/work/api", false),
            (".", "/home/ann/work/api/src", true),
            ("./src", "/home/ann/work/api/src", true),
            ("./src", "/home/ann/work/api/tests", false),
            ("..", "/home/ann/work/web", true),
            ("C:/Users/*/web", r"C:\Users\ann\web", true),
            ("**/clients/**", "/srv/clients/acme/api", true),
        ] {
            let name = path.rsplit(['/', '\\']).next().unwrap();
            assert_eq!(matches(pattern, name, path), expected, "{pattern} and {path}");
        }
    }

    #[test]
    fn the_home_directory_in_a_pattern_is_no_glob() {
        let origin = Origin {
            home: Some(Path::new("/home/a[n]n")),
            folder: Path::new("/"),
        };
        let patterns = Patterns::parse(&["~/api".to_owned()], origin).unwrap();
        assert!(patterns.match_any(&Candidate::new(None, [Path::new("/home/a[n]n/api")])));
        assert!(!patterns.match_any(&Candidate::new(None, [Path::new("/home/ann/api")])));
    }
}
