use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use client::{
    Error, Exit, Server, environment,
    find::{self, LogFile},
    status::Trigger,
    upload::{self, Request},
};

use model::api::Me;

use crate::{args::duration, context::Context, talk};

/// Upload logs whenever they change, until Ctrl-C
#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Folders of logs [default: the folders of the agents]
    paths: Vec<PathBuf>,
    /// Only upload projects whose name or path matches GLOB (repeatable); narrows the rules of the settings
    #[arg(long = "project", value_name = "GLOB")]
    projects: Vec<String>,
    /// Interval between two checks
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30s")]
    every: Duration,
}

impl Watch {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let server = context.uploading_server(None).await?;
        let member = check_token(&server).await?;
        let settings = &context.settings;
        let mut request = Request {
            paths: self.paths.clone(),
            projects: context.project_rules(&self.projects)?,
            changed: true,
            trigger: Trigger::Watch,
            task_text: settings.task_text.unwrap_or(false),
            prices: settings.prices.clone(),
            inventory: settings.inventory.unwrap_or(true),
            ..Request::default()
        };
        talk::note(&format!(
            "Looking for changed logs every {} s, and uploading them to {}{member}; press Ctrl-C to stop",
            self.every.as_secs(),
            server.url()
        ));
        let mut known = HashMap::new();
        let mut first = true;
        loop {
            // Logs that change from now on belong to the next round.
            let changed = self.changed(context, &mut known)?;
            if !changed.is_empty() {
                if !first {
                    // The first round is for what changed before; later ones upload the logs that changed since then.
                    request.paths.clone_from(&changed);
                    request.changed = false;
                    request.all_changed = self.paths.is_empty() && self.projects.is_empty();
                }
                first = false;
                if !upload_once(&request, context, &server).await? {
                    for path in &changed {
                        known.remove(path);
                    }
                }
            }
            tokio::time::sleep(self.every).await;
        }
    }

    /// The logs that are new or have changed since the last round.
    fn changed(
        &self,
        context: &Context,
        known: &mut HashMap<PathBuf, LogFile>,
    ) -> Result<Vec<PathBuf>, Error> {
        let files = match find::find(&self.paths, &[], &context.environment) {
            Ok(found) => found.files,
            Err(Error::NoLogs { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let changed: Vec<LogFile> = files
            .into_iter()
            .filter(|file| known.get(&file.path) != Some(file))
            .collect();
        let paths = changed.iter().map(|file| file.path.clone()).collect();
        known.extend(changed.into_iter().map(|file| (file.path.clone(), file)));
        Ok(paths)
    }
}

/// Checks the token before the first log changes. Returns who uploads; a server that is down may be up later.
async fn check_token(server: &Server) -> Result<String, Error> {
    server.token()?;
    match server.get_as::<Me>("/v1/me", &[]).await {
        Ok(me) => Ok(model::text::clean(&format!(" as {} of {}", me.member, me.org)).into_owned()),
        Err(error) if error.exit() == Exit::TryAgain => {
            talk::warn(&error.to_string());
            Ok(String::new())
        }
        Err(error) => Err(error),
    }
}

/// Uploads once. Returns false after a temporary error, which is printed.
async fn upload_once(request: &Request, context: &Context, server: &Server) -> Result<bool, Error> {
    let observer: upload::Observer = Arc::new(|_| {});
    let server = Some(server.clone());
    let finished = upload::upload(request, &context.environment, server, &observer, None).await;
    let report = finished.report;
    if let Some(note) = super::upload::excluded(&report) {
        talk::note(&note);
    }
    for note in &report.notes {
        talk::warn(note);
    }
    if finished.error.is_none() && report.files > 0 {
        let logs = if report.files == 1 { "log" } else { "logs" };
        talk::note(&format!(
            "{}: {} changed {logs}: {} inserted, {} upgraded, {} duplicate, {} rejected",
            environment::now().format("%H:%M:%SZ"),
            report.files,
            report.inserted,
            report.upgraded,
            report.duplicate,
            report.rejected
        ));
    }
    match finished.error {
        None => Ok(true),
        Some(error) if matches!(error.exit(), Exit::NotAllowed | Exit::Usage) => Err(error),
        // A server that is down, or a log that was deleted meanwhile.
        Some(error) => {
            talk::warn(&error.to_string());
            Ok(false)
        }
    }
}
