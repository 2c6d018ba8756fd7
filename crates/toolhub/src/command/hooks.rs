use std::{
    env,
    process::{Command, Stdio},
};

use clap::{Args, Subcommand};
use client::{Error, Exit, hooks};

use crate::{context::Context, talk};

/// Manage the Claude Code hook that uploads each session when it ends
#[derive(Debug, Args)]
pub(crate) struct Hooks {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add the hook to the user settings of Claude Code
    Install,
    /// Show whether the hook is installed
    Status,
    /// Remove the hook
    Uninstall,
    /// Start an upload in the background; run by the hook
    #[command(hide = true)]
    Run,
}

impl Hooks {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        if matches!(self.action, Action::Run) {
            start_upload();
            return Ok(Exit::Done);
        }
        let mut hooks = hooks::Hooks::load(&context.environment)?;
        let place = hooks.path().display().to_string();
        match self.action {
            Action::Install => {
                let program = env::current_exe().map_err(Error::Output)?;
                let changed = hooks.install(&program)?;
                talk::note(&if changed {
                    format!("Installed in {place}: sessions are uploaded when they end")
                } else {
                    format!("Already installed in {place}")
                });
            }
            Action::Uninstall => {
                let changed = hooks.uninstall()?;
                talk::note(&if changed {
                    format!("Removed from {place}")
                } else {
                    format!("No hook in {place}")
                });
            }
            Action::Status => return status(&hooks, context.json),
            Action::Run => {}
        }
        Ok(Exit::Done)
    }
}

fn status(hooks: &hooks::Hooks, json: bool) -> Result<Exit, Error> {
    let installed = hooks.installed();
    let place = hooks.path().display().to_string();
    if json {
        let commands: serde_json::Map<_, _> = installed
            .iter()
            .map(|(event, command)| ((*event).to_owned(), command.as_str().into()))
            .collect();
        talk::answer_json(&serde_json::json!({ "settings": place, "hooks": commands }).to_string())?;
    } else if installed.is_empty() {
        talk::answer_line(&format!("not installed in {place}"))?;
        talk::note("Run `toolhub hooks install` to upload sessions as they end");
    } else {
        for (event, command) in &installed {
            talk::answer_line(&format!("{event}: {command}"))?;
        }
    }
    Ok(if installed.is_empty() {
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// Starts an uploader in its own process group: Claude Code may kill a hook and its group when it exits.
fn start_upload() {
    let Ok(program) = env::current_exe() else { return };
    let mut upload = Command::new(program);
    upload
        .args(["upload", "--best-effort", "--changed", "--hook"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Not in the project's folder, whose settings file is not the user's.
    if let Some(home) = env::home_dir() {
        upload.current_dir(home);
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut upload, 0);
    // An error message would disturb the session; the next upload sends what this one did not.
    let _ = upload.spawn();
}
