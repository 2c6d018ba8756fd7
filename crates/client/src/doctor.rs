//! Checks everything that an upload needs, and says how to fix what is wrong.

use std::collections::BTreeMap;

use model::{api::Me, limits::Limits, team::Scope};
use reqwest::Method;
use serde::Serialize;

use crate::{
    Environment, Error, Server,
    credentials::Credentials,
    environment,
    find::{self, Found},
    hooks::Hooks,
    identity, prices,
    server::Request,
    status::{Uploads, stamp},
};

/// Largest difference between the clocks of client and server. The server rejects events of more than a day ahead.
const MAX_CLOCK_SKEW_SECONDS: i64 = 60;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// No problem.
    Ok,
    /// Uploads work, but something is missing or unusual.
    Warning,
    /// Uploads fail.
    Broken,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// The result.
    pub health: Health,
    /// What was found.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Check {
        Check {
            name,
            health: Health::Ok,
            found: found.into(),
            fix: None,
        }
    }

    fn warning(name: &'static str, found: impl Into<String>, fix: &str) -> Check {
        Check {
            name,
            health: Health::Warning,
            found: found.into(),
            fix: Some(fix.to_owned()),
        }
    }

    fn broken(name: &'static str, found: impl Into<String>, fix: &str) -> Check {
        Check {
            name,
            health: Health::Broken,
            found: found.into(),
            fix: Some(fix.to_owned()),
        }
    }
}

/// Runs every check. `server` is the server that the other commands use, or the error that they report.
pub async fn run_checks(environment: &Environment, server: Result<Server, Error>) -> Vec<Check> {
    let mut checks = vec![logs(environment), hooks(environment)];
    if let Ok(server) = &server {
        checks.extend(uploads(environment, server.url()));
    }
    match server {
        Ok(server) if server.token().is_err() && identity::is_possible(environment) => {
            match identity::sign_in(server.clone(), environment).await {
                Ok(signed_in) => {
                    checks.push(Check::ok(
                        "identity",
                        format!(
                            "{} exchanged the identity of this CI run for a token",
                            server.url()
                        ),
                    ));
                    checks.extend(server_checks(&signed_in).await);
                }
                Err(error) => {
                    checks.push(from_error("identity", &error));
                    checks.extend(server_checks(&server).await);
                }
            }
        }
        Ok(server) => {
            checks.push(credentials(environment, &server));
            checks.extend(server_checks(&server).await);
        }
        Err(error) => checks.push(from_error("credentials", &error)),
    }
    checks
}

/// An error as a check: its message already says what to do.
fn from_error(name: &'static str, error: &Error) -> Check {
    let text = error.to_string();
    let (found, fix) = text.split_once(". ").unwrap_or((&text, ""));
    Check {
        name,
        health: Health::Broken,
        found: found.to_owned(),
        fix: (!fix.is_empty()).then(|| fix.to_owned()),
    }
}

fn credentials(environment: &Environment, server: &Server) -> Check {
    let name = "credentials";
    if let Err(error) = server.token() {
        return from_error(name, &error);
    }
    match Credentials::load(environment) {
        Ok(kept) if kept.contains(server.url()) => Check::ok(
            name,
            format!("a token for {} in {}", server.url(), kept.path().display()),
        ),
        _ => Check::ok(
            name,
            format!(
                "a token for {}, from an argument or the environment",
                server.url()
            ),
        ),
    }
}

fn logs(environment: &Environment) -> Check {
    match find::find(&[], &[], environment) {
        Ok(Found { files, problems, .. }) => {
            let mut by_agent: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
            for file in &files {
                let count = by_agent
                    .entry(file.agent.map_or("unknown", sources::Agent::as_str))
                    .or_default();
                count.0 += 1;
                count.1 += file.bytes;
            }
            let mut found: Vec<String> = by_agent
                .iter()
                .map(|(agent, (files, bytes))| {
                    let logs = if *files == 1 { "log" } else { "logs" };
                    format!("{agent}: {files} {logs}, {} kB", bytes / 1_000)
                })
                .collect();
            if !problems.is_empty() {
                found.push(format!("{} skipped", problems.len()));
            }
            Check::ok("logs", found.join("; "))
        }
        Err(error) => Check {
            health: Health::Warning,
            ..from_error("logs", &error)
        },
    }
}

fn hooks(environment: &Environment) -> Check {
    match Hooks::load(environment) {
        Ok(hooks) if hooks.installed().is_empty() => Check::warning(
            "hooks",
            format!("none in {}", hooks.path().display()),
            "run `toolhub hooks install` to upload sessions as they end",
        ),
        Ok(hooks) => Check::ok("hooks", format!("installed in {}", hooks.path().display())),
        Err(error) => Check::warning(
            "hooks",
            error.to_string(),
            "fix the file, then run `toolhub hooks install`",
        ),
    }
}

/// When logs were uploaded to this server, and why they were not.
fn uploads(environment: &Environment, url: &str) -> Vec<Check> {
    let uploads = Uploads::load(environment, url);
    let last_upload = match uploads.last_success() {
        Some((at, trigger)) => Check::ok("last upload", format!("{} ({})", stamp(at), trigger.as_str())),
        None => Check::warning("last upload", "never", "run `toolhub upload`"),
    };
    let last_error = match uploads.last_error() {
        Some((failure, trigger)) => {
            let found = format!("{} ({}): {}", stamp(failure.at), trigger.as_str(), failure.detail);
            if uploads.stands(failure) {
                Check::warning(
                    "last error",
                    found,
                    "run `toolhub upload`, which prints what is wrong",
                )
            } else {
                Check::ok("last error", found)
            }
        }
        None => Check::ok("last error", "none"),
    };
    vec![last_upload, last_error]
}

/// The checks of the server: its address, readiness and clock, and the token.
async fn server_checks(server: &Server) -> Vec<Check> {
    let request = Request {
        method: Method::GET,
        path: "/v1/limits",
        query: &[],
        headers: reqwest::header::HeaderMap::new(),
        body: bytes::Bytes::new(),
    };
    let response = match server.execute(&request).await {
        Ok(response) => response,
        Err(error) => return vec![from_error("server", &error.into_error(server.url()))],
    };
    let date = response.date;
    let limits = match server.classify(response) {
        Ok(body) => server.read::<Limits>(&body),
        Err(error) => Err(error.into_error(server.url())),
    };
    let mut checks = Vec::new();
    match limits {
        Ok(limits) => checks.push(Check::ok(
            "server",
            format!("{} accepts {} events a batch", server.url(), limits.batch_events),
        )),
        Err(error) => return vec![from_error("server", &error)],
    }
    checks.push(match server.ready().await {
        Ok(()) => Check::ok("ready", "the server can reach its database"),
        Err(error) => Check::broken("ready", error.to_string(), "see the server's log and `/readyz`"),
    });
    if let Some(date) = date {
        let skew = (environment::now() - date).num_seconds();
        checks.push(if skew.abs() <= MAX_CLOCK_SKEW_SECONDS {
            Check::ok("clock", format!("{skew} s from the server's"))
        } else {
            Check::warning(
                "clock",
                format!("{skew} s from the server's"),
                "set this machine's clock",
            )
        });
    }
    if server.token().is_ok() {
        checks.push(match server.get_as::<Me>("/v1/me", &[]).await {
            Ok(me) => token_check(&me),
            Err(error) => from_error("token", &error),
        });
        checks.push(prices(server).await);
    }
    checks
}

/// Whether models are used that have no price.
async fn prices(server: &Server) -> Check {
    const SHOWN: usize = 10;
    match prices::unpriced(server).await {
        Ok(Some(models)) if !models.is_empty() => {
            let mut names: Vec<String> = models
                .iter()
                .take(SHOWN)
                .map(|model| {
                    let calls = if model.calls == 1 { "call" } else { "calls" };
                    let more = if model.more { "more than " } else { "" };
                    format!("{} ({more}{} {calls})", model.model, model.calls)
                })
                .collect();
            if let Some(more) = models.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                names.push(format!("{more} more"));
            }
            Check::warning(
                "prices",
                format!("without a price, so without a cost: {}", names.join(", ")),
                "let an admin run `toolhub prices set FILE`, then upload again",
            )
        }
        Ok(Some(_)) => Check::ok("prices", "every model that is used has a price"),
        Ok(None) => Check::ok("prices", "the token may not see which models have none"),
        Err(error) => Check::warning(
            "prices",
            error.to_string(),
            "uploads use the prices of this program meanwhile",
        ),
    }
}

fn token_check(me: &Me) -> Check {
    let scopes: Vec<&str> = me.scopes.iter().map(|scope| scope.as_str()).collect();
    let found =
        model::text::clean(&format!("{} of {}, may {}", me.member, me.org, scopes.join(", "))).into_owned();
    if !me.scopes.contains(&Scope::Upload) {
        return Check::warning(
            "token",
            found,
            "get a token with the scope `upload`, or only read with this one",
        );
    }
    if !me.scopes.contains(&Scope::Read) {
        return Check::warning(
            "token",
            found,
            "get a token with the scope `read` to see scores and boards",
        );
    }
    Check::ok("token", found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn on_a_fresh_machine_every_problem_comes_with_a_fix() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::new(home.path(), home.path(), []);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let checks = run_checks(&environment, Server::new(&address, None)).await;
        let of = |name: &str| checks.iter().find(|check| check.name == name).unwrap();
        assert_eq!(of("logs").health, Health::Warning);
        assert!(of("hooks").fix.as_ref().unwrap().contains("hooks install"));
        assert!(
            of("credentials")
                .fix
                .as_ref()
                .unwrap()
                .contains("toolhub login http")
        );
        assert_eq!(of("server").health, Health::Broken);
        assert!(
            of("server").found.contains("connection refused"),
            "{:?}",
            of("server")
        );
        assert!(of("server").fix.as_ref().unwrap().contains("toolhub serve"));
    }
}
