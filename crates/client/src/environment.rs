//! The process environment, read once: variables, home and working directory. Everything else takes it as a value, so
//! that a test gives its own.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};

use crate::Error;

/// The present. The client is an edge of the system, and this is the one place in it that reads the clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place in the client that reads the clock"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// What the client knows of the process it runs in.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    home: Option<PathBuf>,
    directory: PathBuf,
}

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Environment {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Environment {
            variables,
            home: std::env::home_dir().filter(|home| home.is_absolute()),
            directory: std::env::current_dir().unwrap_or_default(),
        }
    }

    /// An environment with a home directory, a working directory and variables.
    pub fn new<'a>(
        home: &Path,
        directory: &Path,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Environment {
        Environment {
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            home: Some(home.to_owned()),
            directory: directory.to_owned(),
        }
    }

    /// A variable; `None` when it is unset or empty.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The home directory.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The working directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A variable that holds an absolute path; the XDG specification says to ignore a relative one.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.var(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    }

    /// Where settings and credentials are: `$XDG_CONFIG_HOME/toolhub`, else `~/.config/toolhub`.
    pub fn config_dir(&self) -> Result<PathBuf, Error> {
        self.base("XDG_CONFIG_HOME", ".config")
    }

    /// Where journals are: `$XDG_STATE_HOME/toolhub`, else `~/.local/state/toolhub`.
    pub fn state_dir(&self) -> Result<PathBuf, Error> {
        self.base("XDG_STATE_HOME", ".local/state")
    }

    /// Where copies are that can be had again: `$XDG_CACHE_HOME/toolhub`, else `~/.cache/toolhub`.
    pub fn cache_dir(&self) -> Result<PathBuf, Error> {
        self.base("XDG_CACHE_HOME", ".cache")
    }

    fn base(&self, variable: &str, below_home: &str) -> Result<PathBuf, Error> {
        let base = self
            .path(variable)
            .or_else(|| Some(self.home.as_ref()?.join(below_home)));
        base.map(|base| base.join("toolhub")).ok_or(Error::NoHome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xdg_directories_win_over_the_home_and_must_be_absolute() {
        let home = Path::new("/home/ann");
        let plain = Environment::new(home, home, []);
        assert_eq!(
            plain.config_dir().unwrap(),
            Path::new("/home/ann/.config/toolhub")
        );
        let xdg = Environment::new(
            home,
            home,
            [("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "state")],
        );
        assert_eq!(xdg.config_dir().unwrap(), Path::new("/c/toolhub"));
        assert_eq!(
            xdg.state_dir().unwrap(),
            Path::new("/home/ann/.local/state/toolhub")
        );
        assert!(matches!(Environment::default().config_dir(), Err(Error::NoHome)));
    }

    #[test]
    fn an_empty_variable_is_unset() {
        let home = Path::new("/h");
        assert_eq!(Environment::new(home, home, [("CI", "")]).var("CI"), None);
    }
}
