//! Whether a server is ready: what its `/readyz` says.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header;
use serde::Deserialize;

use crate::{
    Server,
    server::{Method, Request},
};

/// What a server says of itself.
#[derive(Clone, Debug)]
pub struct Health {
    /// True when it can serve requests.
    pub ready: bool,
    /// One line for each of its checks.
    pub lines: Vec<String>,
    /// Why it is not ready; empty when it is.
    pub reason: String,
    /// The answer as the server sent it; `None` when there is none.
    pub body: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    ready: bool,
    #[serde(default)]
    draining: bool,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    check: String,
    status: String,
    ms: f64,
    detail: String,
}

impl Check {
    fn line(&self) -> String {
        format!(
            "{}: {} ({}, {:.1} ms)",
            self.check, self.status, self.detail, self.ms
        )
    }
}

/// Asks a server once. Never fails: a server that cannot be reached is not ready.
pub async fn check(server: &Server, limit: Duration) -> Health {
    let request = Request {
        method: Method::GET,
        path: "/readyz",
        query: &[],
        headers: header::HeaderMap::new(),
        body: Bytes::new(),
    };
    let not_ready = |reason: String| Health {
        ready: false,
        lines: Vec::new(),
        reason,
        body: None,
    };
    let response = match server.execute_within(&request, limit).await {
        Ok(response) => response,
        Err(error) => return not_ready(error.cause()),
    };
    let Ok(answer) = serde_json::from_slice::<Answer>(&response.body) else {
        return not_ready(format!(
            "not the answer of a toolhub server: status {}",
            response.status
        ));
    };
    let ready = answer.ready && response.status == 200;
    let reason = if ready {
        String::new()
    } else if answer.draining {
        "it is shutting down".to_owned()
    } else {
        let failed = answer.checks.iter().find(|check| check.status == "failed");
        failed.map_or_else(|| format!("status {}", response.status), Check::line)
    };
    Health {
        ready,
        lines: answer.checks.iter().map(Check::line).collect(),
        reason,
        body: String::from_utf8(response.body).ok(),
    }
}
