//! What was and was not uploaded: each upload leaves when it succeeded, or why it failed, by server and by what
//! started it. Losing this file loses nothing but the answer.

use std::{collections::BTreeMap, fs, path::PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use model::api::Me;
use serde::{Deserialize, Serialize};

use crate::{
    Environment, Error, Server, environment,
    find::{self, LogFile},
    hooks::Hooks,
    replace::replace,
};

/// Days without an upload after which it is said, if logs have changed.
const MAX_SILENT_DAYS: i64 = 3;
/// Days before the end of a token, or of a log, from which on it is said.
const NOTICE_DAYS: i64 = 14;
/// Days for which Claude Code keeps its logs unless `cleanupPeriodDays` says otherwise:
/// <https://code.claude.com/docs/en/settings>.
const DEFAULT_CLEANUP_DAYS: i64 = 30;
/// Days before Claude Code deletes a log from which on it counts as endangered.
const CLEANUP_NOTICE_DAYS: i64 = 5;
/// Longest error that is kept, in characters.
const MAX_ERROR_CHARS: usize = 500;

/// What starts an upload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A person, a timer or a script.
    #[default]
    Command,
    /// The hook of an agent.
    Hook,
    /// `toolhub watch`.
    Watch,
}

impl Trigger {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Trigger::Command => "command",
            Trigger::Hook => "hook",
            Trigger::Watch => "watch",
        }
    }
}

/// An upload that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When.
    pub at: DateTime<Utc>,
    /// Why, and what to do.
    pub detail: String,
}

/// The latest uploads of one trigger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latest {
    /// When the latest successful upload began.
    pub last_success: Option<DateTime<Utc>>,
    /// The latest upload that failed.
    pub last_error: Option<Failure>,
    /// Logs that were written before this time are uploaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub everything_until: Option<DateTime<Utc>>,
}

/// The latest uploads to one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Uploads(BTreeMap<Trigger, Latest>);

impl Uploads {
    /// What this machine remembers of uploads to a server.
    pub(crate) fn load(environment: &Environment, url: &str) -> Uploads {
        read(environment).remove(url).unwrap_or_default()
    }

    /// When the latest upload succeeded, and what had started it.
    pub(crate) fn last_success(&self) -> Option<(DateTime<Utc>, Trigger)> {
        let successes = self.0.iter();
        successes
            .filter_map(|(trigger, latest)| Some((latest.last_success?, *trigger)))
            .max_by_key(|(at, _)| *at)
    }

    /// The latest failure, and what had started it.
    pub(crate) fn last_error(&self) -> Option<(&Failure, Trigger)> {
        let failures = self.0.iter();
        failures
            .filter_map(|(trigger, latest)| Some((latest.last_error.as_ref()?, *trigger)))
            .max_by_key(|(failure, _)| failure.at)
    }

    /// True for a failure that no success has followed.
    pub(crate) fn stands(&self, failure: &Failure) -> bool {
        self.last_success()
            .is_none_or(|(success, _)| failure.at > success)
    }
}

/// A time as `status` and `doctor` show it.
pub fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

type Servers = BTreeMap<String, Uploads>;

fn path(environment: &Environment) -> Result<PathBuf, Error> {
    Ok(environment.state_dir()?.join("status.json"))
}

/// What is remembered; nothing when the file is missing or damaged.
fn read(environment: &Environment) -> Servers {
    let text = path(environment).ok().and_then(|path| fs::read(path).ok());
    text.and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

/// Records how an upload that began at `started` ended. `everything`: it covered all logs of this machine. An upload
/// needs no memory, so that a home that cannot be written is no error.
pub fn record(
    environment: &Environment,
    url: &str,
    trigger: Trigger,
    started: DateTime<Utc>,
    everything: bool,
    error: Option<&Error>,
) {
    let mut servers = read(environment);
    let latest = servers
        .entry(url.to_owned())
        .or_default()
        .0
        .entry(trigger)
        .or_default();
    match error {
        Some(error) => {
            latest.last_error = Some(Failure {
                at: started,
                detail: error.to_string().chars().take(MAX_ERROR_CHARS).collect(),
            });
        }
        None => {
            latest.last_success = Some(started);
            if everything {
                latest.everything_until = Some(started);
            }
        }
    }
    let write = || {
        replace(
            &path(environment).ok()?,
            &serde_json::to_vec_pretty(&servers).ok()?,
            None,
        )
        .ok()
    };
    let _ = write();
}

/// The answer of `toolhub status`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// The server.
    pub url: String,
    /// The latest uploads by what started them: `command`, `hook`, `watch`.
    pub uploads: BTreeMap<&'static str, Latest>,
    /// Logs that are new or have changed since they were uploaded.
    pub waiting_logs: u64,
    /// Their size in bytes.
    pub waiting_bytes: u64,
    /// Of these, logs that the agent will soon delete.
    pub endangered_logs: u64,
    /// When the token ends; null for never, or when the server was not asked.
    pub token_expires_at: Option<DateTime<Utc>>,
    /// What needs attention, and what to do.
    pub warnings: Vec<String>,
}

/// What was uploaded to a server from this machine, and what was not. Asks the server about the token alone.
pub async fn status(environment: &Environment, server: &Server) -> Status {
    let now = environment::now();
    let mut status = local(environment, server.url(), now);
    match server.get_as::<Me>("/v1/me", &[]).await {
        Ok(me) => status.token(me.token_expires_at, now),
        Err(error) => status.warnings.push(error.to_string()),
    }
    status
}

/// The part that this machine knows.
fn local(environment: &Environment, url: &str, now: DateTime<Utc>) -> Status {
    let uploads = Uploads::load(environment, url);
    let until = uploads
        .0
        .values()
        .filter_map(|latest| latest.everything_until)
        .max();
    let success = uploads.last_success().map(|(at, _)| at);
    let mut status = Status {
        url: url.to_owned(),
        ..Status::default()
    };
    let files = find::find(&[], &[], environment).map_or_else(|_| Vec::new(), |found| found.files);
    let hooks = Hooks::load(environment).ok();
    let cleanup = TimeDelta::days(
        hooks
            .as_ref()
            .and_then(Hooks::cleanup_days)
            .unwrap_or(DEFAULT_CLEANUP_DAYS)
            .saturating_sub(CLEANUP_NOTICE_DAYS)
            .clamp(0, 36_500),
    );
    for file in &files {
        let modified = file.modified.map(DateTime::<Utc>::from);
        if until.is_some_and(|until| modified.is_some_and(|modified| modified < until)) {
            continue;
        }
        status.waiting_logs += 1;
        status.waiting_bytes += file.bytes;
        if is_claude(file) && modified.is_some_and(|modified| now - modified > cleanup) {
            status.endangered_logs += 1;
        }
    }
    if let Some((failure, trigger)) = uploads.last_error()
        && uploads.stands(failure)
    {
        status.warnings.push(format!(
            "the latest upload ({}, {}) failed: {}",
            trigger.as_str(),
            stamp(failure.at),
            failure.detail
        ));
    }
    match success {
        None => status
            .warnings
            .push("nothing was uploaded yet: run `toolhub upload`".to_owned()),
        Some(success) if status.waiting_logs > 0 && (now - success).num_days() >= MAX_SILENT_DAYS => {
            status.warnings.push(format!(
                "not uploaded for {} days: run `toolhub upload`, and `toolhub hooks install` to upload sessions as they end",
                (now - success).num_days()
            ));
        }
        Some(_) => {}
    }
    if status.endangered_logs > 0 {
        status.warnings.push(format!(
            "{} sessions are about to be deleted by Claude Code before they are uploaded: run `toolhub upload`, or raise `cleanupPeriodDays` in its settings",
            status.endangered_logs
        ));
    }
    // Such a hook uploads nothing, and says nothing.
    if let Some(program) = hooks.and_then(|hooks| hooks.missing_program()) {
        status.warnings.push(format!(
            "the hook's program {} is gone: run `toolhub hooks install`",
            program.display()
        ));
    }
    status.uploads = uploads
        .0
        .into_iter()
        .map(|(trigger, latest)| (trigger.as_str(), latest))
        .collect();
    status
}

impl Status {
    fn token(&mut self, ends: Option<DateTime<Utc>>, now: DateTime<Utc>) {
        self.token_expires_at = ends;
        if let Some(left) = ends.map(|ends| (ends - now).num_days())
            && left < NOTICE_DAYS
        {
            self.warnings.push(format!(
                "the token ends in {left} days: run `toolhub tokens rotate`"
            ));
        }
    }
}

fn is_claude(file: &LogFile) -> bool {
    file.agent.is_some_and(|agent| agent.as_str() == "claude-code")
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://127.0.0.1:7700";

    fn machine() -> (tempfile::TempDir, Environment) {
        let home = tempfile::tempdir().unwrap();
        let logs = home.path().join(".claude/projects/-work-api");
        fs::create_dir_all(&logs).unwrap();
        fs::write(logs.join("s1.jsonl"), "{}\n").unwrap();
        let environment = Environment::new(home.path(), home.path(), []);
        (home, environment)
    }

    #[test]
    fn a_failure_is_told_until_an_upload_succeeds_and_a_damaged_memory_is_an_empty_one() {
        let (_home, environment) = machine();
        let now = environment::now();
        let before = local(&environment, URL, now);
        assert_eq!((before.waiting_logs, before.uploads.len()), (1, 0));
        assert!(
            before.warnings[0].contains("nothing was uploaded yet"),
            "{before:?}"
        );

        let at = |minutes| now + TimeDelta::minutes(minutes);
        record(
            &environment,
            URL,
            Trigger::Hook,
            at(1),
            true,
            Some(&Error::NoHome),
        );
        let failed = local(&environment, URL, at(2));
        assert!(failed.warnings[0].contains("(hook, "), "{failed:?}");
        assert!(failed.warnings[0].contains("no home directory"), "{failed:?}");

        record(&environment, URL, Trigger::Command, at(3), true, None);
        let done = local(&environment, URL, at(4));
        assert_eq!((done.waiting_logs, done.warnings.as_slice()), (0, [].as_slice()));
        assert!(done.uploads["hook"].last_error.is_some());
        assert_eq!(done.uploads["command"].last_success, Some(at(3)));
        assert!(local(&environment, "http://other", at(4)).uploads.is_empty());

        fs::write(path(&environment).unwrap(), "{ damaged").unwrap();
        assert!(local(&environment, URL, at(5)).uploads.is_empty());
    }

    #[test]
    fn silence_and_sessions_that_the_agent_is_about_to_delete_are_told() {
        let (home, environment) = machine();
        let now = environment::now();
        let partial = now - TimeDelta::days(4);
        record(&environment, URL, Trigger::Command, partial, false, None);
        let silent = local(&environment, URL, now);
        assert!(
            silent.warnings[0].contains("not uploaded for 4 days"),
            "{silent:?}"
        );
        fs::write(
            home.path().join(".claude/settings.json"),
            r#"{"cleanupPeriodDays":3}"#,
        )
        .unwrap();
        let endangered = local(&environment, URL, now + TimeDelta::days(1));
        assert_eq!(endangered.endangered_logs, 1);
        let mut hooks = Hooks::load(&environment).unwrap();
        hooks.install(&home.path().join("gone/toolhub")).unwrap();
        let gone = local(&environment, URL, now);
        assert!(
            gone.warnings.iter().any(|text| text.contains("is gone")),
            "{gone:?}"
        );
    }
}
