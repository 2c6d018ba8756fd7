//! Finding PostgreSQL's programs on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::MIN_POSTGRES_MAJOR;
use crate::error::EmbeddedError;

/// A directory that holds `postgres` and `initdb`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binaries {
    pub(crate) directory: PathBuf,
    pub(crate) major: u32,
}

impl Binaries {
    /// Looks into `directory` (or, if it is a program, beside it).
    ///
    /// # Errors
    /// What is missing there, in words.
    pub(crate) fn at(directory: &Path) -> Result<Self, String> {
        let directory = match directory.parent() {
            Some(parent) if directory.is_file() => parent,
            _ => directory,
        };
        // `postgres` in PATH is often a link into the directory where `initdb` lies, too.
        let postgres = directory
            .join("postgres")
            .canonicalize()
            .map_err(|error| format!("{}: {error}", directory.join("postgres").display()))?;
        let directory = postgres.parent().unwrap_or(directory).to_owned();
        if !directory.join("initdb").is_file() {
            return Err(format!("there is no `initdb` in {}", directory.display()));
        }
        let answer = Command::new(&postgres)
            .arg("--version")
            .env("LC_ALL", "C")
            .output()
            .map_err(|error| format!("{} cannot be run: {error}", postgres.display()))?;
        let words = String::from_utf8_lossy(&answer.stdout).into_owned();
        let major = major_version(&words)
            .ok_or_else(|| format!("{} --version answered {:?}", postgres.display(), words.trim()))?;
        Ok(Self { directory, major })
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// The version in `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, also of `17devel` and `18beta1`.
pub(crate) fn major_version(answer: &str) -> Option<u32> {
    let version = answer.split_whitespace().nth(2)?;
    let digits = version
        .find(|c: char| !c.is_ascii_digit())
        .map_or(version, |end| &version[..end]);
    digits.parse().ok()
}

/// The result of searching the machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Binaries that can serve the data.
    Fit(Binaries),
    /// Only binaries of another major version than the data's; the newest of them.
    Unfit(Binaries),
    /// None that toolhub supports.
    None,
}

/// The binaries to use: the ones the operator named, else the best of [`usual_directories`]. A data directory asks
/// for its own `major`; without one the newest wins.
///
/// # Errors
/// [`EmbeddedError::BadBinaries`] if the named directory is not usable.
pub(crate) fn find(named: Option<&Path>, major: Option<u32>) -> Result<Found, EmbeddedError> {
    let Some(path) = named else {
        return Ok(choose(
            usual_directories()
                .iter()
                .filter_map(|path| Binaries::at(path).ok()),
            major,
        ));
    };
    let bad = |reason| EmbeddedError::BadBinaries {
        path: path.to_owned(),
        reason,
    };
    let found = Binaries::at(path).map_err(bad)?;
    match major {
        Some(major) if major != found.major => Ok(Found::Unfit(found)),
        _ if found.major < MIN_POSTGRES_MAJOR => Err(bad(format!(
            "it is PostgreSQL {}, toolhub needs {MIN_POSTGRES_MAJOR} or newer",
            found.major
        ))),
        _ => Ok(Found::Fit(found)),
    }
}

fn choose(candidates: impl Iterator<Item = Binaries>, major: Option<u32>) -> Found {
    let supported: Vec<Binaries> = candidates
        .filter(|found| found.major >= MIN_POSTGRES_MAJOR)
        .collect();
    // The first of equals wins: what the operator put into PATH.
    let newest = |fits: &dyn Fn(&Binaries) -> bool| {
        supported
            .iter()
            .rev()
            .filter(|found| fits(found))
            .max_by_key(|found| found.major)
            .cloned()
    };
    match (
        newest(&|found| major.is_none_or(|major| major == found.major)),
        newest(&|_| true),
    ) {
        (Some(fit), _) => Found::Fit(fit),
        (None, Some(unfit)) => Found::Unfit(unfit),
        (None, None) => Found::None,
    }
}

/// `PATH`, Debian's and Red Hat's versioned directories, Homebrew's.
pub(crate) fn usual_directories() -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    for (parent, prefix, below) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/opt/homebrew/opt", "postgresql", "bin"),
        ("/usr/local/opt", "postgresql", "bin"),
    ] {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let names = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        directories.extend(names.map(|entry| entry.path().join(below)));
    }
    directories.push(PathBuf::from("/usr/local/pgsql/bin"));
    directories
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binaries(major: u32, directory: &str) -> Binaries {
        Binaries {
            directory: directory.into(),
            major,
        }
    }

    #[test]
    fn versions_are_read_from_what_postgres_says_of_itself() {
        for (answer, major) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 18beta1", Some(18)),
            ("postgres (PostgreSQL) 19devel", Some(19)),
            ("command not found", None),
            ("", None),
        ] {
            assert_eq!(major_version(answer), major, "{answer}");
        }
    }

    #[test]
    fn the_newest_wins_unless_the_data_asks_for_its_own() {
        let all = || {
            [
                binaries(14, "a"),
                binaries(17, "b"),
                binaries(15, "c"),
                binaries(17, "d"),
            ]
            .into_iter()
        };
        assert_eq!(choose(all(), None), Found::Fit(binaries(17, "b")));
        assert_eq!(choose(all(), Some(15)), Found::Fit(binaries(15, "c")));
        assert_eq!(choose(all(), Some(16)), Found::Unfit(binaries(17, "b")));
        assert_eq!(
            choose(all(), Some(14)),
            Found::Unfit(binaries(17, "b")),
            "too old to be run at all"
        );
        assert_eq!(choose([binaries(14, "a")].into_iter(), None), Found::None);
    }

    #[test]
    fn a_named_directory_without_postgres_is_refused_with_its_path() {
        let empty = tempfile::tempdir().unwrap();
        let error = find(Some(empty.path()), None)
            .expect_err("nothing there")
            .to_string();
        assert!(
            error.contains("TOOLHUB_PG_BIN") && error.contains(&*empty.path().to_string_lossy()),
            "{error}"
        );
    }
}
