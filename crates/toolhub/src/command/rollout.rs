use std::path::PathBuf;

use clap::Args;
use client::{Error, Exit, rollout};

use crate::{context::Context, talk};

/// Write the files that install the uploader for a whole company, and say where each goes
#[derive(Debug, Args)]
pub(crate) struct Rollout {
    /// Write the files below DIR
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Absolute path of the program on the machines
    #[arg(long, value_name = "PATH", default_value = "/usr/local/bin/toolhub")]
    program: String,
    /// Let Claude Code keep its logs for so many days
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    cleanup_days: u32,
    /// Git repository, or OWNER/NAME on GitHub, with the plugin of deploy/plugin, which brings the hooks [default: none]
    #[arg(long, value_name = "REPOSITORY")]
    marketplace: Option<String>,
}

impl Rollout {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Error> {
        let rollout = rollout::Rollout {
            url: context.url()?,
            program: self.program,
            cleanup_days: self.cleanup_days,
            marketplace: self.marketplace,
        };
        let written = rollout::write(&rollout, &self.out)?;
        if context.json {
            let files: Vec<_> = written
                .iter()
                .map(|file| serde_json::json!({ "path": file.path, "goes_to": file.goes_to }))
                .collect();
            talk::answer_json(&serde_json::json!({ "url": rollout.url, "files": files }).to_string())?;
        } else {
            for file in &written {
                talk::answer_line(&format!("{}\n    {}", file.path.display(), file.goes_to))?;
            }
            talk::note(&format!(
                "Uploads will go to {}. README.md in the folder says what to do next",
                rollout.url
            ));
        }
        Ok(Exit::Done)
    }
}
