//! The files with which an admin installs the uploader on the machines of a whole company.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{Error, address, hooks};

/// What the files say.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// The server of the company.
    pub url: String,
    /// Where the program will be installed on each machine.
    pub program: String,
    /// For how many days Claude Code keeps its logs, so that a machine that was off loses none.
    pub cleanup_days: u32,
    /// A git repository with the plugin of `deploy/plugin`. The plugin then brings the hooks.
    pub marketplace: Option<String>,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub path: PathBuf,
    /// Where it goes on each machine.
    pub goes_to: &'static str,
}

const SETTINGS: &str = "claude-code/managed-settings.d/50-toolhub.json";
const SERVICE: &str = "systemd/toolhub-upload.service";
const TIMER: &str = "systemd/toolhub-upload.timer";
const AGENT: &str = "launchd/dev.toolhub.upload.plist";
const SCRIPT: &str = "install.sh";
const GUIDE: &str = "README.md";

/// Writes the files below `out`, and replaces those of an earlier run.
pub fn write(rollout: &Rollout, out: &Path) -> Result<Vec<Written>, Error> {
    let url = address::normalize_url(&rollout.url)?;
    let program = &rollout.program;
    let safe = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if !program.starts_with('/') || !program.chars().all(safe) {
        return Err(Error::Usage(format!(
            "`{program}` is not a program: name its absolute path, of letters, digits and / . _ - +"
        )));
    }
    let files = [
        (
            SETTINGS,
            claude_settings(rollout, &url)?,
            "Linux: /etc/claude-code/managed-settings.d; macOS: /Library/Application Support/ClaudeCode/managed-settings.d; Windows: C:\\Program Files\\ClaudeCode\\managed-settings.d",
        ),
        (SERVICE, service(program, &url), "Linux: /etc/systemd/user"),
        (TIMER, TIMER_UNIT.to_owned(), "Linux: /etc/systemd/user"),
        (AGENT, agent(program, &url), "macOS: /Library/LaunchAgents"),
        (
            SCRIPT,
            INSTALL.replace("@PROGRAM@", program),
            "run as root by the MDM, beside the other files",
        ),
        (GUIDE, GUIDE_TEXT.replace("@URL@", &url), "for the admin"),
    ];
    let mut written = Vec::new();
    for (name, content, goes_to) in files {
        let path = out.join(name);
        let folder = path.parent().unwrap_or(out);
        fs::create_dir_all(folder).map_err(Error::file(folder))?;
        fs::write(&path, content).map_err(Error::file(&path))?;
        #[cfg(unix)]
        if name == SCRIPT {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(Error::file(&path))?;
        }
        written.push(Written { path, goes_to });
    }
    Ok(written)
}

/// Format: <https://code.claude.com/docs/en/settings>. Files of the folder are merged, so that those of others stay.
fn claude_settings(rollout: &Rollout, url: &str) -> Result<String, Error> {
    let mut settings = json!({
        "cleanupPeriodDays": rollout.cleanup_days,
        "env": { "TOOLHUB_URL": url },
    });
    if let Some(repository) = &rollout.marketplace {
        let source = if repository.contains("://") || repository.contains('@') {
            json!({ "source": "git", "url": repository })
        } else {
            json!({ "source": "github", "repo": repository })
        };
        settings["extraKnownMarketplaces"] = json!({ "toolhub": { "source": source } });
        settings["enabledPlugins"] = json!({ "toolhub@toolhub": true });
    } else {
        let group = hooks::group(&hooks::command(Path::new(&rollout.program)));
        for event in hooks::EVENTS {
            settings["hooks"][event] = json!([group]);
        }
    }
    serde_json::to_string_pretty(&settings)
        .map(|text| text + "\n")
        .map_err(|error| Error::Output(error.into()))
}

fn service(program: &str, url: &str) -> String {
    // systemd replaces what begins with a per cent sign.
    let url = url.replace('%', "%%");
    format!(
        "[Unit]\nDescription=Upload the tool calls of coding agents\n\n[Service]\nType=oneshot\nEnvironment=\"TOOLHUB_URL={url}\"\nExecStart={program} upload --changed\n# No log has been found yet, or the server is away: the next run sends what this one did not.\nSuccessExitStatus=1 75\nNice=10\n"
    )
}

const TIMER_UNIT: &str = "[Unit]\nDescription=Upload the tool calls of coding agents every 30 minutes\n\n[Timer]\nOnStartupSec=5min\nOnUnitActiveSec=30min\nRandomizedDelaySec=5min\n\n[Install]\nWantedBy=timers.target\n";

fn agent(program: &str, url: &str) -> String {
    let url = url.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>dev.toolhub.upload</string>
  <key>ProgramArguments</key>
  <array><string>{program}</string><string>upload</string><string>--changed</string></array>
  <key>EnvironmentVariables</key>
  <dict><key>TOOLHUB_URL</key><string>{url}</string></dict>
  <key>StartInterval</key><integer>1800</integer>
  <key>ProcessType</key><string>Background</string>
</dict>
</plist>
"#
    )
}

const INSTALL: &str = r#"#!/bin/sh
# Puts the files beside this script where they belong. Run it as root; running it again changes nothing.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
program=@PROGRAM@
[ -x "$program" ] || { echo "install.sh: install toolhub as $program first" >&2; exit 1; }
put() {
    mkdir -p "$2"
    install -m 0644 "$here/$1" "$2/"
    echo "$2/$(basename "$1")"
}
case $(uname -s) in
Linux)
    put claude-code/managed-settings.d/50-toolhub.json /etc/claude-code/managed-settings.d
    put systemd/toolhub-upload.service /etc/systemd/user
    put systemd/toolhub-upload.timer /etc/systemd/user
    if command -v systemctl >/dev/null; then systemctl --global enable toolhub-upload.timer; fi
    ;;
Darwin)
    put claude-code/managed-settings.d/50-toolhub.json "/Library/Application Support/ClaudeCode/managed-settings.d"
    put launchd/dev.toolhub.upload.plist /Library/LaunchAgents
    ;;
*)
    echo "install.sh: unknown system; README.md says where the files go" >&2
    exit 1
    ;;
esac
"#;

const GUIDE_TEXT: &str = r"# Rollout of toolhub

Uploads go to @URL@.

| file | goes to | does |
|---|---|---|
| `claude-code/managed-settings.d/50-toolhub.json` | Linux: `/etc/claude-code/managed-settings.d`, macOS: `/Library/Application Support/ClaudeCode/managed-settings.d`, Windows: `C:\Program Files\ClaudeCode\managed-settings.d` | Claude Code uploads when a session ends, and keeps its logs long enough |
| `systemd/toolhub-upload.service`, `.timer` | Linux: `/etc/systemd/user` | uploads every 30 minutes what Codex, Copilot CLI and other agents have logged |
| `launchd/dev.toolhub.upload.plist` | macOS: `/Library/LaunchAgents` | the same |
| `install.sh` | run as root by the MDM | puts the files there |

1. Install the program `toolhub` on each machine.
2. Run `install.sh` as root.
3. Each person runs once the line that `toolhub members invite` printed for them. Until then uploads fail, and nothing leaves
   the machine.
4. `toolhub status` on a machine says what was uploaded, and what needs attention.

To undo it, delete the files; on Linux first `systemctl --global disable toolhub-upload.timer`.
";

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn rollout() -> Rollout {
        Rollout {
            url: "https://toolhub.example.org/".into(),
            program: "/usr/local/bin/toolhub".into(),
            cleanup_days: 90,
            marketplace: None,
        }
    }

    #[test]
    fn the_files_name_the_server_and_are_written_again_unchanged() {
        let out = tempfile::tempdir().unwrap();
        let written = write(&rollout(), out.path()).unwrap();
        assert_eq!(written, write(&rollout(), out.path()).unwrap());
        let read = |name: &str| fs::read_to_string(out.path().join(name)).unwrap();
        let settings: Value = serde_json::from_str(&read(SETTINGS)).unwrap();
        assert_eq!(settings["env"]["TOOLHUB_URL"], "https://toolhub.example.org");
        assert_eq!(settings["cleanupPeriodDays"], 90);
        assert_eq!(
            settings["hooks"]["SessionEnd"][0]["hooks"][0]["command"],
            "/usr/local/bin/toolhub hooks run"
        );
        for name in [SERVICE, AGENT, GUIDE] {
            assert!(read(name).contains("https://toolhub.example.org"), "{name}");
        }
        assert!(read(SCRIPT).contains("program=/usr/local/bin/toolhub\n"));
    }

    #[test]
    fn a_marketplace_brings_the_plugin_in_the_place_of_the_hooks() {
        let mut rollout = rollout();
        for (repository, key) in [
            ("acme/toolhub-plugin", "repo"),
            ("https://git.example.org/p.git", "url"),
        ] {
            rollout.marketplace = Some(repository.into());
            let text = claude_settings(&rollout, "https://t.example").unwrap();
            let settings: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                settings["extraKnownMarketplaces"]["toolhub"]["source"][key],
                repository
            );
            assert_eq!(settings["enabledPlugins"]["toolhub@toolhub"], true);
            assert!(
                settings.get("hooks").is_none(),
                "no call is uploaded by two hooks"
            );
        }
    }

    #[test]
    fn a_program_that_a_shell_would_read_otherwise_is_refused() {
        let out = tempfile::tempdir().unwrap();
        for program in ["toolhub", "/opt/my tools/toolhub", "/bin/$(id)", "/bin/a;b"] {
            let rollout = Rollout {
                program: program.into(),
                ..rollout()
            };
            assert!(
                matches!(write(&rollout, out.path()), Err(Error::Usage(_))),
                "{program}"
            );
        }
    }
}
