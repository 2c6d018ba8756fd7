use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use client::{
    Error, Exit,
    find::{self, LogFile},
    upload::{self, Request},
};

use crate::{args::duration, context::Context, talk};

/// Upload logs as they grow, until Ctrl-C
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Folders of logs. Default: the agents' own folders
    paths: Vec<PathBuf>,
    /// Pause between two looks
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    every: Duration,
}

impl Watch {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let server = context.server()?;
        let settings = &context.settings;
        let mut request = Request {
            paths: self.paths.clone(),
            changed: true,
            task_text: settings.task_text.unwrap_or(false),
            prices: settings.prices.clone(),
            inventory: settings.inventory.unwrap_or(true),
            ..Request::default()
        };
        let mut known = HashMap::new();
        let mut first = true;
        loop {
            // What changes from now on belongs to the next round.
            let grown = self.grown(context, &mut known)?;
            if !grown.is_empty() {
                if !first {
                    // The first round is for what happened while nobody watched; later ones name what grew.
                    request.paths.clone_from(&grown);
                    request.changed = false;
                }
                first = false;
                let observer: upload::Observer = Arc::new(|_| {});
                let finished = upload::upload(
                    &request,
                    &context.environment,
                    Some(server.clone()),
                    &observer,
                    None,
                )
                .await;
                let report = finished.report;
                if report.inserted + report.upgraded + report.rejected > 0 {
                    talk::note(&format!(
                        "{} new, {} upgraded, {} rejected",
                        report.inserted, report.upgraded, report.rejected
                    ));
                }
                match finished.error {
                    None => {}
                    Some(error) if matches!(error.exit(), Exit::NotAllowed | Exit::Usage) => {
                        return Err(error);
                    }
                    // It may pass: a server that is down, a log that was deleted meanwhile.
                    Some(error) => {
                        talk::warn(&error.to_string());
                        grown.iter().for_each(|path| drop(known.remove(path)));
                    }
                }
            }
            tokio::time::sleep(self.every).await;
        }
    }

    /// The logs that are new or have changed since the last look.
    fn grown(&self, context: &Context, known: &mut HashMap<PathBuf, LogFile>) -> Result<Vec<PathBuf>, Error> {
        let files = match find::find(&self.paths, &[], &context.environment) {
            Ok(found) => found.files,
            Err(Error::NoLogs { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let grown: Vec<LogFile> = files
            .into_iter()
            .filter(|file| known.get(&file.path) != Some(file))
            .collect();
        let paths = grown.iter().map(|file| file.path.clone()).collect();
        known.extend(grown.into_iter().map(|file| (file.path.clone(), file)));
        Ok(paths)
    }
}
