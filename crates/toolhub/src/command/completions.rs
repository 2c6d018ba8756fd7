use clap::{Args, CommandFactory};
use client::{Error, Exit};

use crate::{args::Cli, talk};

/// Print the completions for a shell
///
/// For example: toolhub completions bash > ~/.local/share/bash-completion/completions/toolhub
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<Exit, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "toolhub", &mut script);
        talk::answer(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
