//! Looks at everything an upload needs, and says how to mend what is wrong.

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
    prices,
    server::Ask,
};

/// How far the two clocks may differ, in seconds. Events from more than a day ahead are rejected.
const SKEW: i64 = 60;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// All is well.
    Ok,
    /// It works, but something is missing or odd.
    Odd,
    /// Uploads fail like this.
    Broken,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub name: &'static str,
    /// How it is.
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

    fn odd(name: &'static str, found: impl Into<String>, fix: &str) -> Check {
        Check {
            name,
            health: Health::Odd,
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

/// Runs every check. `server` is what the other commands would speak to, or why they cannot.
pub async fn examine(environment: &Environment, server: Result<Server, Error>) -> Vec<Check> {
    let mut checks = vec![logs(environment), hooks(environment)];
    match server {
        Ok(server) => {
            checks.push(credentials(environment, &server));
            checks.extend(answers(&server).await);
        }
        Err(error) => checks.push(of_error("credentials", &error)),
    }
    checks
}

/// The messages of our errors already say what to do.
fn of_error(name: &'static str, error: &Error) -> Check {
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
        return of_error(name, &error);
    }
    match Credentials::load(environment) {
        Ok(kept) if kept.entry(server.url()).is_some() => Check::ok(
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
                .map(|(agent, (files, bytes))| format!("{agent}: {files} logs, {} kB", bytes / 1_000))
                .collect();
            if !problems.is_empty() {
                found.push(format!("{} passed over", problems.len()));
            }
            Check::ok("logs", found.join("; "))
        }
        Err(error) => Check::odd(
            "logs",
            error.to_string(),
            "use an agent, or name the folder: `toolhub upload PATH`",
        ),
    }
}

fn hooks(environment: &Environment) -> Check {
    match Hooks::load(environment) {
        Ok(hooks) if hooks.installed().is_empty() => Check::odd(
            "hooks",
            format!("none in {}", hooks.path().display()),
            "run `toolhub hooks install` to upload sessions as they end",
        ),
        Ok(hooks) => Check::ok("hooks", format!("installed in {}", hooks.path().display())),
        Err(error) => Check::odd(
            "hooks",
            error.to_string(),
            "mend the file, then run `toolhub hooks install`",
        ),
    }
}

/// What the server says: that it is one, that it is ready, what time it is there, and who we are to it.
async fn answers(server: &Server) -> Vec<Check> {
    let ask = Ask {
        method: Method::GET,
        path: "/v1/limits",
        query: &[],
        headers: reqwest::header::HeaderMap::new(),
        body: bytes::Bytes::new(),
    };
    let answer = match server.ask(&ask).await {
        Ok(answer) => answer,
        Err(trouble) => return vec![of_error("server", &trouble.into_error(server.url()))],
    };
    let date = answer.date;
    let limits = match server.judge(answer) {
        Ok(body) => server.read::<Limits>(&body),
        Err(trouble) => Err(trouble.into_error(server.url())),
    };
    let mut checks = Vec::new();
    match limits {
        Ok(limits) => checks.push(Check::ok(
            "server",
            format!("{} takes {} events a batch", server.url(), limits.batch_events),
        )),
        Err(error) => return vec![of_error("server", &error)],
    }
    checks.push(match server.ready().await {
        Ok(()) => Check::ok("ready", "the server can reach its database"),
        Err(error) => Check::broken(
            "ready",
            error.to_string(),
            "look at the server's log, and at `/readyz`",
        ),
    });
    if let Some(date) = date {
        let skew = (environment::now() - date).num_seconds();
        checks.push(if skew.abs() <= SKEW {
            Check::ok("clock", format!("{skew} s from the server's"))
        } else {
            Check::odd(
                "clock",
                format!("{skew} s from the server's"),
                "set this machine's clock",
            )
        });
    }
    if server.token().is_ok() {
        checks.push(match server.get_as::<Me>("/v1/me", &[]).await {
            Ok(me) => who(&me),
            Err(error) => of_error("token", &error),
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
            Check::odd(
                "prices",
                format!("without a price, so without a cost: {}", names.join(", ")),
                "let an admin run `toolhub prices set FILE`, then upload again",
            )
        }
        Ok(Some(_)) => Check::ok("prices", "every model that is used has a price"),
        Ok(None) => Check::ok("prices", "the token may not see which models have none"),
        Err(error) => Check::odd(
            "prices",
            error.to_string(),
            "uploads use the prices of this program meanwhile",
        ),
    }
}

fn who(me: &Me) -> Check {
    let scopes: Vec<&str> = me.scopes.iter().map(|scope| scope.as_str()).collect();
    let found =
        model::text::clean(&format!("{} of {}, may {}", me.member, me.org, scopes.join(", "))).into_owned();
    if !me.scopes.contains(&Scope::Upload) {
        return Check::odd(
            "token",
            found,
            "get a token with the scope `upload`, or only read with this one",
        );
    }
    if !me.scopes.contains(&Scope::Read) {
        return Check::odd(
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
    async fn a_fresh_machine_learns_what_to_do_first() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::new(home.path(), home.path(), []);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let checks = examine(&environment, Server::new(&address, None)).await;
        let of = |name: &str| checks.iter().find(|check| check.name == name).unwrap();
        assert_eq!(of("logs").health, Health::Odd);
        assert!(of("hooks").fix.as_ref().unwrap().contains("hooks install"));
        assert!(
            of("credentials")
                .fix
                .as_ref()
                .unwrap()
                .contains("login --with-token")
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
