//! The hook of Claude Code that uploads sessions when they end.
//!
//! The hook starts a separate uploader and returns at once, because Claude Code may kill a hook when it exits. A lost run
//! loses nothing: the logs are the queue, and the next upload sends them. Format of the settings: <https://code.claude.com/docs/en/hooks>.

use std::{
    fs,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;

use crate::{Environment, Error, error::is_absent, ordered_json::Node, replace::replace};

/// The hook runs at the end of a session, and at the start of the next one in case the end was missed.
pub(crate) const EVENTS: [&str; 2] = ["SessionStart", "SessionEnd"];
/// The arguments that identify the hook of toolhub.
const ARGUMENTS: &str = "hooks run";

/// The user's settings file.
#[derive(Debug)]
pub struct Hooks {
    path: PathBuf,
    settings: Node,
}

/// The command of toolhub in a group of hooks.
fn toolhub_command(group: &Node) -> Option<String> {
    let hooks = group.get("hooks")?;
    hooks
        .items()
        .iter()
        .filter_map(|hook| hook.get("command")?.text())
        .find(|command| is_toolhub_command(command))
}

fn is_toolhub_command(command: &str) -> bool {
    command.trim_end().ends_with(ARGUMENTS) && command.contains("toolhub")
}

impl Hooks {
    /// Reads the settings file; a missing file is an empty one.
    pub fn load(environment: &Environment) -> Result<Hooks, Error> {
        let folder = environment
            .path("CLAUDE_CONFIG_DIR")
            .or_else(|| Some(environment.home()?.join(".claude")))
            .ok_or(Error::NoHome)?;
        let path = folder.join("settings.json");
        // The file may be a symbolic link, which must be preserved.
        let path = path.canonicalize().unwrap_or(path);
        let text = match fs::read_to_string(&path) {
            Ok(text) if text.trim().is_empty() => "{}".to_owned(),
            Ok(text) => text,
            Err(error) if is_absent(&error) => "{}".to_owned(),
            Err(source) => return Err(Error::File { path, source }),
        };
        match serde_json::from_str(&text) {
            Ok(settings @ Node::Object(_)) => Ok(Hooks { path, settings }),
            Ok(_) => Err(Error::BadFile {
                path,
                detail: "the settings are not a JSON object".into(),
            }),
            Err(error) => Err(Error::BadFile {
                path,
                detail: format!("not valid JSON, so it was not changed: {error}"),
            }),
        }
    }

    /// The installed commands, by event.
    pub fn installed(&self) -> Vec<(&'static str, String)> {
        let groups = |event: &str| self.settings.get("hooks")?.get(event).map(Node::items);
        EVENTS
            .into_iter()
            .flat_map(|event| {
                let groups = groups(event).unwrap_or_default();
                groups
                    .iter()
                    .filter_map(toolhub_command)
                    .map(move |command| (event, command))
            })
            .collect()
    }

    /// Installs the hook for a program and replaces an older hook of toolhub. Returns false when it is installed already.
    pub fn install(&mut self, program: &Path) -> Result<bool, Error> {
        let command = command(program);
        if self.installed() == EVENTS.map(|event| (event, command.clone())) {
            return Ok(false);
        }
        self.remove()?;
        let group = group(&command);
        for event in EVENTS {
            let path = self.path.clone();
            let wrong = || Error::BadFile {
                path,
                detail: format!("`hooks.{event}` is not a list"),
            };
            let settings = self
                .settings
                .object()
                .expect("load refuses anything but an object");
            let hooks = settings
                .entry("hooks".to_owned())
                .or_insert_with(|| Node::Object(IndexMap::new()));
            let groups = hooks
                .object()
                .map(|hooks| hooks.entry(event.to_owned()).or_insert(Node::Array(Vec::new())));
            groups
                .and_then(Node::array)
                .ok_or_else(wrong)?
                .push(Node::of(&group));
        }
        self.write()?;
        Ok(true)
    }

    /// Removes the hook of toolhub and nothing else. Returns false when there is none.
    pub fn uninstall(&mut self) -> Result<bool, Error> {
        if self.installed().is_empty() {
            return Ok(false);
        }
        self.remove()?;
        self.write()?;
        Ok(true)
    }

    fn remove(&mut self) -> Result<(), Error> {
        let settings = self
            .settings
            .object()
            .expect("load refuses anything but an object");
        let Some(hooks) = settings.get_mut("hooks") else {
            return Ok(());
        };
        let Some(hooks) = hooks.object() else {
            return Err(Error::BadFile {
                path: self.path.clone(),
                detail: "`hooks` is not an object".into(),
            });
        };
        for event in EVENTS {
            if let Some(groups) = hooks.get_mut(event).and_then(Node::array) {
                groups.retain_mut(|group| {
                    let Some(_) = toolhub_command(group) else {
                        return true;
                    };
                    let Some(list) = group
                        .object()
                        .and_then(|group| group.get_mut("hooks"))
                        .and_then(Node::array)
                    else {
                        return true;
                    };
                    list.retain(|hook| {
                        !hook
                            .get("command")
                            .and_then(Node::text)
                            .is_some_and(|c| is_toolhub_command(&c))
                    });
                    !list.is_empty()
                });
                if groups.is_empty() {
                    hooks.shift_remove(event);
                }
            }
        }
        if hooks.is_empty() {
            settings.shift_remove("hooks");
        }
        Ok(())
    }

    fn write(&self) -> Result<(), Error> {
        let mut text =
            serde_json::to_string_pretty(&self.settings).map_err(|error| Error::Output(error.into()))?;
        text.push('\n');
        let permissions = fs::metadata(&self.path)
            .ok()
            .map(|metadata| metadata.permissions());
        replace(&self.path, text.as_bytes(), permissions).map_err(Error::file(&self.path))
    }

    /// The program that an installed hook starts, if it is not there any more.
    pub(crate) fn missing_program(&self) -> Option<PathBuf> {
        let (_, command) = self.installed().into_iter().next()?;
        let program = PathBuf::from(shell_unquote(command.strip_suffix(ARGUMENTS)?.trim()));
        (program.is_absolute() && !program.exists()).then_some(program)
    }

    /// For how many days Claude Code keeps its logs, where the settings say so.
    pub(crate) fn cleanup_days(&self) -> Option<i64> {
        match self.settings.get("cleanupPeriodDays")? {
            Node::Scalar(raw) => serde_json::from_str(raw.get()).ok(),
            _ => None,
        }
    }

    /// The path of the settings file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The command of a hook that starts this program.
pub(crate) fn command(program: &Path) -> String {
    format!("{} {ARGUMENTS}", shell_quote(program))
}

/// A group of hooks with a command, as the settings of Claude Code have it.
pub(crate) fn group(command: &str) -> serde_json::Value {
    serde_json::json!({ "hooks": [{ "type": "command", "command": command, "timeout": 10 }] })
}

/// The text that [`shell_quote`] has quoted.
fn shell_unquote(quoted: &str) -> String {
    match quoted.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        Some(text) => text.replace(r"'\''", "'"),
        None => quoted.to_owned(),
    }
}

/// Quotes a path for a shell.
fn shell_quote(program: &Path) -> String {
    let text = program.display().to_string();
    let plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/._-+:\\".contains(c));
    if plain {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(settings: &str) -> (tempfile::TempDir, Environment) {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".claude")).unwrap();
        fs::write(home.path().join(".claude/settings.json"), settings).unwrap();
        let environment = Environment::new(home.path(), home.path(), []);
        (home, environment)
    }

    const OTHERS: &str = r#"{
  "zeta": 1.50,
  "hooks": {
    "SessionEnd": [
      {
        "hooks": [
          {
            "type": "command",
            "command": "say bye"
          }
        ]
      }
    ]
  },
  "alpha": "a"
}
"#;

    #[test]
    fn a_quoted_path_is_read_back() {
        for path in [
            "/usr/bin/toolhub",
            "/opt/my tools/toolhub",
            "/opt/o'brien's/toolhub",
        ] {
            assert_eq!(shell_unquote(&shell_quote(Path::new(path))), path);
        }
    }

    #[test]
    fn installing_and_uninstalling_leaves_everything_else_as_it_was() {
        let (home, environment) = home(OTHERS);
        let file = home.path().join(".claude/settings.json");
        let program = Path::new("/opt/my tools/toolhub");
        let mut hooks = Hooks::load(&environment).unwrap();
        assert!(hooks.installed().is_empty());
        assert!(hooks.install(program).unwrap());
        let mut again = Hooks::load(&environment).unwrap();
        let command = "'/opt/my tools/toolhub' hooks run".to_owned();
        assert_eq!(
            again.installed(),
            [("SessionStart", command.clone()), ("SessionEnd", command)]
        );
        assert!(!again.install(program).unwrap(), "a second time changes nothing");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.find("zeta").unwrap() < text.find("alpha").unwrap(), "{text}");
        assert!(text.contains("1.50") && text.contains("say bye"), "{text}");
        assert!(
            again.install(Path::new("/usr/bin/toolhub")).unwrap(),
            "a moved program replaces the old one"
        );
        assert_eq!(again.installed().len(), 2);
        assert!(again.uninstall().unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), OTHERS);
        assert!(!Hooks::load(&environment).unwrap().uninstall().unwrap());
    }

    #[test]
    fn a_missing_file_is_created_and_an_invalid_one_is_not_changed() {
        let (home, environment) = home("");
        fs::remove_dir_all(home.path().join(".claude")).unwrap();
        assert!(
            Hooks::load(&environment)
                .unwrap()
                .install(Path::new("/usr/bin/toolhub"))
                .unwrap()
        );
        assert_eq!(Hooks::load(&environment).unwrap().installed().len(), 2);
        for broken in [
            "{ // comment\n}",
            "[]",
            r#"{"hooks":[]}"#,
            r#"{"hooks":{"SessionEnd":{}}}"#,
        ] {
            let file = home.path().join(".claude/settings.json");
            fs::write(&file, broken).unwrap();
            let result =
                Hooks::load(&environment).and_then(|mut hooks| hooks.install(Path::new("/usr/bin/toolhub")));
            assert!(matches!(result, Err(Error::BadFile { .. })), "{broken}");
            assert_eq!(fs::read_to_string(&file).unwrap(), broken);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_linked_settings_file_stays_a_link() {
        let (home, environment) = home("{}");
        let dotfiles = home.path().join("dotfiles.json");
        let file = home.path().join(".claude/settings.json");
        fs::rename(&file, &dotfiles).unwrap();
        std::os::unix::fs::symlink(&dotfiles, &file).unwrap();
        assert!(
            Hooks::load(&environment)
                .unwrap()
                .install(Path::new("/usr/bin/toolhub"))
                .unwrap()
        );
        assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
        assert!(fs::read_to_string(&dotfiles).unwrap().contains("hooks run"));
    }
}
