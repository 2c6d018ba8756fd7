//! The process environment: variables, home and working directory, read once and passed as a value.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};

use crate::Error;

/// The current time. Only this function of the client reads the clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the only function of the client that reads the clock"
)]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Variables, home and working directory of the process.
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
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The home directory.
    pub(crate) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// The working directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// A variable with an absolute path. A relative one is ignored, as the XDG specification demands.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.var(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    }

    /// The directory of settings and credentials: `$XDG_CONFIG_HOME/toolhub`, else `~/.config/toolhub`.
    pub(crate) fn config_dir(&self) -> Result<PathBuf, Error> {
        self.base("XDG_CONFIG_HOME", ".config")
    }

    /// The directory of journals: `$XDG_STATE_HOME/toolhub`, else `~/.local/state/toolhub`.
    pub(crate) fn state_dir(&self) -> Result<PathBuf, Error> {
        self.base("XDG_STATE_HOME", ".local/state")
    }

    /// The cache directory: `$XDG_CACHE_HOME/toolhub`, else `~/.cache/toolhub`.
    pub(crate) fn cache_dir(&self) -> Result<PathBuf, Error> {
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
    fn xdg_directories_take_precedence_over_the_home_and_must_be_absolute() {
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
