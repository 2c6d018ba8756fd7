//! A PostgreSQL that belongs to one test: to be killed and started again.

use std::{fs::Permissions, os::unix::fs::PermissionsExt};

use embedded::{EmbeddedOptions, EmbeddedServer};
use rustix::process::Signal;
use tempfile::TempDir;

use super::process::send;

/// A PostgreSQL with a data directory of its own. The address stays the same over restarts.
pub(crate) struct OwnPostgres {
    place: TempDir,
    server: Option<EmbeddedServer>,
    settings: Vec<(String, String)>,
    url: String,
}

impl OwnPostgres {
    /// Starts one with an empty database.
    ///
    /// # Panics
    /// When this machine has no PostgreSQL.
    pub(crate) async fn start() -> OwnPostgres {
        OwnPostgres::start_with(&[]).await
    }

    /// Starts one with an empty database and these settings, name and value.
    ///
    /// # Panics
    /// When this machine has no PostgreSQL.
    pub(crate) async fn start_with(settings: &[(&str, &str)]) -> OwnPostgres {
        // A short path, because a Unix socket lives in it, which PostgreSQL's account can get to.
        let place = tempfile::Builder::new()
            .prefix("th")
            .tempdir()
            .expect("a folder for the test");
        std::fs::set_permissions(place.path(), Permissions::from_mode(0o755)).expect("it is ours");
        let mut postgres = OwnPostgres {
            place,
            server: None,
            settings: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            url: String::new(),
        };
        postgres.start_again().await;
        postgres
    }

    /// The address of its database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Starts it again after [`OwnPostgres::kill`] or [`OwnPostgres::stop`].
    ///
    /// # Panics
    /// When it does not start.
    pub(crate) async fn start_again(&mut self) {
        let options = EmbeddedOptions {
            settings: self.settings.clone(),
            ..EmbeddedOptions::from_env(self.place.path())
        };
        let server = EmbeddedServer::start(options)
            .await
            .unwrap_or_else(|error| panic!("PostgreSQL does not start: {error}"));
        self.url = server.url();
        self.server = Some(server);
    }

    /// Kills all its processes at once: nothing is written any more.
    pub(crate) fn kill(&mut self) {
        let Some(server) = self.server.take() else { return };
        let parent = server.pid().unsigned_abs();
        let children = children_of(parent);
        for pid in std::iter::once(parent).chain(children) {
            // One that has noticed the end of the others is gone already.
            if std::path::Path::new(&format!("/proc/{pid}")).exists() {
                let _ = std::panic::catch_unwind(|| send(pid, Signal::KILL));
            }
        }
    }

    /// Stops it as an operator does.
    ///
    /// # Panics
    /// When it does not stop.
    pub(crate) async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await.expect("PostgreSQL stops");
        }
    }
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            // pid (name) state parent …, and the name may hold anything.
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
            after
                .split_whitespace()
                .nth(1)
                .is_some_and(|found| found == parent.to_string())
        })
        .collect()
}
