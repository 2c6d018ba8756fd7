//! Uploads to a server with faults: no event is lost, and only a verified receipt acknowledges events.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod hub;
mod resuming;
mod sending;

use std::{fs, sync::Arc};

use client::{
    Environment, Server,
    upload::{self, Finished, Request},
};
use hub::Hub;
use model::token::Token;

/// A home with one log of `events` calls.
struct Home {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, &'static str)>,
}

impl Home {
    fn with(events: usize) -> Home {
        let ids: Vec<String> = (0..events).map(|n| format!("toolu_{n:05}")).collect();
        Home::with_ids(&ids)
    }

    fn with_ids(ids: &[String]) -> Home {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join(".claude/projects/-work-api");
        fs::create_dir_all(&project).unwrap();
        let log: String = ids.iter().map(|id| line(id)).collect();
        fs::write(project.join("session.jsonl"), log).unwrap();
        Home {
            folder,
            variables: Vec::new(),
        }
    }

    fn environment(&self) -> Environment {
        Environment::new(
            self.folder.path(),
            self.folder.path(),
            self.variables.iter().copied(),
        )
    }

    async fn upload(&self, hub: &Hub, request: Request) -> Finished {
        self.upload_to(&hub.url, request).await
    }

    async fn upload_to(&self, url: &str, request: Request) -> Finished {
        let server = Server::new(url, Some(token())).unwrap();
        upload::upload(&request, &self.environment(), Some(server), &quiet(), None).await
    }

    /// The path of a log.
    fn log(&self, name: &str) -> std::path::PathBuf {
        self.folder
            .path()
            .join(format!(".claude/projects/-work-api/{name}.jsonl"))
    }

    fn journals(&self) -> Vec<String> {
        let Ok(folder) = fs::read_dir(self.folder.path().join(".local/state/toolhub/journal")) else {
            return Vec::new();
        };
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".journal")).collect()
    }
}

fn line(id: &str) -> String {
    format!(
        r#"{{"type":"assistant","sessionId":"s","cwd":"/home/ann/api","timestamp":"2026-01-02T03:04:05.000Z","message":{{"id":"m{id}","content":[{{"type":"tool_use","id":"{id}","name":"Bash","input":{{}}}}]}}}}"#
    ) + "\n"
}

fn token() -> Token {
    Token::from_random(&[7; 64]).unwrap()
}

fn quiet() -> upload::Observer {
    Arc::new(|_| {})
}

fn small() -> Request {
    Request {
        batch_events: Some(50),
        ..Request::default()
    }
}

fn assert_done(finished: &Finished) {
    assert!(finished.error.is_none(), "{:?}", finished.error);
    let report = &finished.report;
    let sum = report.inserted + report.upgraded + report.duplicate + report.conflict + report.rejected;
    assert_eq!(sum, report.received, "{report:?}");
}
