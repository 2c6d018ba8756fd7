//! Settings that are not given on the command line: the project's file, then the user's, then what is built in.
//!
//! A project's file comes with whatever repository one happens to stand in, so it chooses only how answers are shown:
//! it can never name a server, a token or a command to run.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{Environment, Error, credentials::Credentials};

/// The server when nobody names one: `toolhub serve` on the same machine.
pub const DEFAULT_URL: &str = "http://127.0.0.1:7700";
/// Name of a project's file, looked for in the working directory and above it.
pub const PROJECT_FILE: &str = ".toolhub.toml";
/// Name of the user's file within the configuration directory.
pub const USER_FILE: &str = "config.toml";

/// Settings of a file. All of them are optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The server. User file only.
    pub url: Option<String>,
    /// Prices of an org's own. User file only.
    pub prices: Option<PathBuf>,
    /// Send what people asked for along with the events. User file only.
    pub task_text: Option<bool>,
    /// Send which tools are loaded and installed. User file only.
    pub inventory: Option<bool>,
    /// `table`, `json`, `csv` or `markdown`.
    pub format: Option<String>,
    /// `7d`, `30d`, `90d` or `all`.
    pub window: Option<String>,
    /// The kind of tools to show.
    pub kind: Option<String>,
    /// Days of a dead-weight audit.
    pub days: Option<u32>,
    /// Rows to show.
    pub limit: Option<u32>,
    /// Calls that a tool needs to be ranked.
    pub min_sample: Option<i64>,
}

/// The settings in force, and what was ignored on the way.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// One sentence per key that was ignored.
    pub warnings: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    User,
    Project,
}

/// Reads the project's and the user's file.
pub fn load(environment: &Environment) -> Result<Loaded, Error> {
    let mut loaded = Loaded::default();
    if let Some(path) = project_file(environment) {
        read(&path, Whose::Project, &mut loaded)?;
    }
    if let Ok(folder) = environment.config_dir() {
        read(&folder.join(USER_FILE), Whose::User, &mut loaded)?;
    }
    Ok(loaded)
}

/// The server to speak to: the given one, else the user's setting, else the default of the credentials, else
/// [`DEFAULT_URL`].
pub fn url(given: Option<&str>, settings: &Settings, credentials: &Credentials) -> String {
    given
        .or(settings.url.as_deref())
        .or(credentials.default_url())
        .unwrap_or(DEFAULT_URL)
        .to_owned()
}

fn project_file(environment: &Environment) -> Option<PathBuf> {
    environment
        .directory()
        .ancestors()
        .take_while(|folder| Some(*folder) != environment.home())
        .map(|folder| folder.join(PROJECT_FILE))
        .find(|path| path.is_file())
}

/// Takes what the file says and no earlier file said.
fn read(path: &Path, whose: Whose, loaded: &mut Loaded) -> Result<(), Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(Error::File {
                path: path.to_owned(),
                source,
            });
        }
    };
    let bad = |detail: String| Error::BadFile {
        path: path.to_owned(),
        detail,
    };
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| bad(error.message().to_owned()))?;
    for (key, value) in table {
        if whose == Whose::Project
            && [
                "url",
                "token",
                "command",
                "hooks",
                "prices",
                "task_text",
                "inventory",
            ]
            .contains(&key.as_str())
        {
            loaded.warnings.push(format!(
                "ignored `{key}` in {}: a project's file cannot set it",
                path.display()
            ));
            continue;
        }
        let expect = |what: &str| bad(format!("`{key}` must be {what}"));
        let text = || value.as_str().map(str::to_owned).ok_or_else(|| expect("a text"));
        let whole = || {
            value
                .as_integer()
                .and_then(|n| u32::try_from(n).ok())
                .ok_or_else(|| expect("a whole number"))
        };
        let switch = || value.as_bool().ok_or_else(|| expect("true or false"));
        let settings = &mut loaded.settings;
        match key.as_str() {
            "url" => keep(&mut settings.url, text()?),
            "prices" => keep(&mut settings.prices, path.with_file_name(text()?)),
            "task_text" => keep(&mut settings.task_text, switch()?),
            "inventory" => keep(&mut settings.inventory, switch()?),
            "format" => keep(&mut settings.format, text()?),
            "window" => keep(&mut settings.window, text()?),
            "kind" => keep(&mut settings.kind, text()?),
            "days" => keep(&mut settings.days, whole()?),
            "limit" => keep(&mut settings.limit, whole()?),
            "min_sample" => keep(&mut settings.min_sample, whole()?.into()),
            _ => loaded
                .warnings
                .push(format!("ignored `{key}` in {}: no such setting", path.display())),
        }
    }
    Ok(())
}

fn keep<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(user: &str, project: &str) -> (tempfile::TempDir, Environment) {
        let home = tempfile::tempdir().unwrap();
        let work = home.path().join("work/api/src");
        fs::create_dir_all(&work).unwrap();
        fs::write(home.path().join("work/api").join(PROJECT_FILE), project).unwrap();
        let environment = Environment::new(home.path(), &work, []);
        fs::create_dir_all(environment.config_dir().unwrap()).unwrap();
        fs::write(environment.config_dir().unwrap().join(USER_FILE), user).unwrap();
        (home, environment)
    }

    #[test]
    fn the_projects_file_wins_over_the_users() {
        let (_home, environment) = files("window = '7d'\nlimit = 5\nurl = 'http://u'", "window = '90d'");
        let loaded = load(&environment).unwrap();
        assert_eq!(loaded.warnings, [""; 0]);
        assert_eq!(loaded.settings.window.as_deref(), Some("90d"));
        assert_eq!(loaded.settings.limit, Some(5));
        assert_eq!(loaded.settings.url.as_deref(), Some("http://u"));
    }

    #[test]
    fn a_projects_file_never_names_a_server_a_token_or_a_command() {
        let evil = "url = 'http://evil'\ntoken = 'thb_x'\ncommand = 'rm'\ntask_text = true\nkind = 'mcp'";
        let (_home, environment) = files("", evil);
        let loaded = load(&environment).unwrap();
        assert_eq!(
            loaded.settings,
            Settings {
                kind: Some("mcp".into()),
                ..Settings::default()
            }
        );
        for key in ["url", "token", "command", "task_text"] {
            assert!(
                loaded
                    .warnings
                    .iter()
                    .any(|text| text.contains(&format!("`{key}`"))),
                "{key}"
            );
        }
        assert_eq!(url(None, &loaded.settings, &Credentials::default()), DEFAULT_URL);
    }

    #[test]
    fn a_wrong_value_names_the_key_and_what_is_right() {
        let (_home, environment) = files("days = 'many'", "");
        let error = load(&environment).unwrap_err();
        assert!(
            error.to_string().ends_with("`days` must be a whole number"),
            "{error}"
        );
    }
}
