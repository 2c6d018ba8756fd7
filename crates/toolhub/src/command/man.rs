use std::{fs, path::PathBuf};

use clap::{Args, CommandFactory};
use client::{Error, Exit};

use crate::{args::Cli, talk};

/// Print the manual page, or write one page per command
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write toolhub.1, toolhub-upload.1, … into this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self) -> Result<Exit, Error> {
        if let Some(folder) = self.out {
            let file = |source| Error::File {
                path: folder.clone(),
                source,
            };
            fs::create_dir_all(&folder).map_err(file)?;
            clap_mangen::generate_to(Cli::command(), &folder).map_err(file)?;
        } else {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .map_err(Error::Output)?;
            talk::answer(&String::from_utf8_lossy(&page))?;
        }
        Ok(Exit::Done)
    }
}
