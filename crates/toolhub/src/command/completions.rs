use clap::Args;
use client::{Error, Exit};

use super::BuildCli;
use crate::talk;

/// Print a completion script for a shell
///
/// For example: toolhub completions bash > ~/.local/share/bash-completion/completions/toolhub
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Shell to print the script for
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self, build_cli: BuildCli) -> Result<Exit, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut build_cli(), "toolhub", &mut script);
        talk::answer(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
