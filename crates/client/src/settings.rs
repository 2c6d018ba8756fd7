//! Settings files: the project's file takes precedence over the user's file.
//!
//! A project's file comes from a repository and is not trusted: it chooses how results are shown and may narrow what is
//! shared, but never names a server, a token or a command to run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Environment, Error,
    credentials::Credentials,
    error::is_absent,
    sharing::{Origin as RuleOrigin, ProjectRules},
};

/// The default server: `toolhub serve` on the same machine.
const DEFAULT_URL: &str = "http://127.0.0.1:7700";
/// Name of a project's file, in the working directory or above it.
pub(crate) const PROJECT_FILE: &str = ".toolhub.toml";
/// Name of the user's file in the configuration directory.
const USER_FILE: &str = "config.toml";

/// The settings. All of them are optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The server. User file only.
    pub url: Option<String>,
    /// A price file. User file only.
    pub prices: Option<PathBuf>,
    /// Send the beginning of the prompts with the events. User file only.
    pub task_text: Option<bool>,
    /// Send the inventory of loaded and installed tools. User file only.
    pub inventory: Option<bool>,
    /// Which projects are shared: the rules of the user's file, narrowed by those of the project's file.
    pub projects: ProjectRules,
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
    /// Fewest calls of a ranked tool.
    pub min_sample: Option<i64>,
}

/// The settings, and warnings about keys that were ignored.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// One sentence per key that was ignored.
    pub warnings: Vec<String>,
}

/// Settings that a project's file cannot set.
const USER_FILE_ONLY: [&str; 7] = [
    "url",
    "token",
    "command",
    "hooks",
    "prices",
    "task_text",
    "inventory",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    User,
    Project,
}

/// Reads the project's and the user's file.
pub fn load(environment: &Environment) -> Result<Loaded, Error> {
    let mut loaded = Loaded::default();
    if let Some(path) = project_file(environment) {
        read(&path, Origin::Project, environment.home(), &mut loaded)?;
    }
    if let Ok(folder) = environment.config_dir() {
        read(
            &folder.join(USER_FILE),
            Origin::User,
            environment.home(),
            &mut loaded,
        )?;
    }
    Ok(loaded)
}

/// The server to use: the user's setting, else the server of the last login, else [`DEFAULT_URL`].
pub fn url(settings: &Settings, credentials: &Credentials) -> String {
    settings
        .url
        .as_deref()
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

/// The project rules of a project's file.
pub(crate) fn project_rules(path: &Path, home: Option<&Path>) -> Result<ProjectRules, Error> {
    let mut rules = ProjectRules::default();
    if let Some(table) = parse(path)?.and_then(|mut table| table.remove("projects")) {
        add_project_rules(&mut rules, &table, path, home)?;
    }
    Ok(rules)
}

fn add_project_rules(
    rules: &mut ProjectRules,
    table: &toml::Value,
    path: &Path,
    home: Option<&Path>,
) -> Result<(), Error> {
    let origin = RuleOrigin {
        home,
        folder: path.parent().unwrap_or(path),
    };
    rules.add_table(table, origin).map_err(|detail| Error::BadFile {
        path: path.to_owned(),
        detail,
    })
}

/// Parses a settings file; `None` when there is none.
fn parse(path: &Path) -> Result<Option<toml::Table>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(source) => {
            return Err(Error::File {
                path: path.to_owned(),
                source,
            });
        }
    };
    match text.parse() {
        Ok(table) => Ok(Some(table)),
        Err(error) => Err(Error::BadFile {
            path: path.to_owned(),
            detail: toml::de::Error::message(&error).to_owned(),
        }),
    }
}

/// Takes the settings of a file that no earlier file has set. Project rules of all files apply.
fn read(path: &Path, origin: Origin, home: Option<&Path>, loaded: &mut Loaded) -> Result<(), Error> {
    for (key, value) in parse(path)?.into_iter().flatten() {
        if origin == Origin::Project && USER_FILE_ONLY.contains(&key.as_str()) {
            loaded.warnings.push(format!(
                "ignored `{key}` in {}: a project's file cannot set it",
                path.display()
            ));
        } else if key == "projects" {
            add_project_rules(&mut loaded.settings.projects, &value, path, home)?;
        } else if !set(&mut loaded.settings, &key, &value, path)? {
            loaded
                .warnings
                .push(format!("ignored `{key}` in {}: no such setting", path.display()));
        }
    }
    Ok(())
}

/// Sets a setting that is not set yet. Returns false for an unknown one.
fn set(settings: &mut Settings, key: &str, value: &toml::Value, path: &Path) -> Result<bool, Error> {
    let expect = |what: &str| Error::BadFile {
        path: path.to_owned(),
        detail: format!("`{key}` must be {what}"),
    };
    let text = || {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| expect("a string"))
    };
    let number = || {
        value
            .as_integer()
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| expect("a whole number"))
    };
    let switch = || value.as_bool().ok_or_else(|| expect("true or false"));
    match key {
        "url" => set_if_unset(&mut settings.url, text()?),
        "prices" => set_if_unset(&mut settings.prices, path.with_file_name(text()?)),
        "task_text" => set_if_unset(&mut settings.task_text, switch()?),
        "inventory" => set_if_unset(&mut settings.inventory, switch()?),
        "format" => set_if_unset(&mut settings.format, text()?),
        "window" => set_if_unset(&mut settings.window, text()?),
        "kind" => set_if_unset(&mut settings.kind, text()?),
        "days" => set_if_unset(&mut settings.days, number()?),
        "limit" => set_if_unset(&mut settings.limit, number()?),
        "min_sample" => set_if_unset(&mut settings.min_sample, number()?.into()),
        // Ignoring a misspelt rule would share what it excludes.
        "project" | "include" | "exclude" => {
            return Err(expect(
                "in a table: write `[projects]` with `include` and `exclude`",
            ));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn set_if_unset<T>(slot: &mut Option<T>, value: T) {
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
        assert_eq!(url(&loaded.settings, &Credentials::default()), DEFAULT_URL);
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
