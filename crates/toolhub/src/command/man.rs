use std::{fs, path::PathBuf};

use clap::Args;
use client::{Error, Exit};

use super::BuildCli;
use crate::talk;

/// Print the manual page of toolhub, or write the pages of all commands
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write toolhub.1, toolhub-upload.1, … into FOLDER [default: print the page of toolhub]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, build_cli: BuildCli) -> Result<Exit, Error> {
        if let Some(folder) = self.out {
            let file = |source| Error::File {
                path: folder.clone(),
                source,
            };
            fs::create_dir_all(&folder).map_err(file)?;
            clap_mangen::generate_to(build_cli(), &folder).map_err(file)?;
        } else {
            let mut page = Vec::new();
            clap_mangen::Man::new(build_cli())
                .render(&mut page)
                .map_err(Error::Output)?;
            talk::answer(&String::from_utf8_lossy(&page))?;
        }
        Ok(Exit::Done)
    }
}
