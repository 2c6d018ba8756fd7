//! A member's machine: a home with session logs, and the uploader.

use std::{fmt::Write, ops::Range, path::Path, process::Output};

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::process::Child;

use super::{
    deployment::Member,
    process::{self, toolhub},
};

/// A home with session logs of Claude Code.
pub(crate) struct Laptop {
    home: TempDir,
    calls: Vec<String>,
}

impl Laptop {
    /// A home whose logs hold these calls, named after `name`, a thousand per session.
    ///
    /// # Panics
    /// When the disk is full.
    pub(crate) fn with_calls(name: &str, calls: Range<usize>) -> Laptop {
        let home = tempfile::tempdir().expect("a folder for the test");
        let folder = home.path().join(".claude/projects/-work-api");
        std::fs::create_dir_all(&folder).expect("a folder in it");
        let calls: Vec<String> = calls.map(|n| format!("toolu_{name}_{n:07}")).collect();
        for (session, calls) in calls.chunks(1_000).enumerate() {
            let file = folder.join(format!("{session:05}.jsonl"));
            std::fs::write(file, log(&format!("{name}-{session}"), calls)).expect("a file in it");
        }
        Laptop { home, calls }
    }

    /// The ids of the calls.
    pub(crate) fn calls(&self) -> &[String] {
        &self.calls
    }

    /// The calls as [`super::deployment::Deployment::stored`] names them.
    pub(crate) fn keys(&self, member: &Member) -> Vec<String> {
        self.calls
            .iter()
            .map(|call| format!("{} {call}", member.id.0))
            .collect()
    }

    /// The home folder.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Starts `toolhub upload` on all logs.
    ///
    /// # Panics
    /// When it cannot be started.
    pub(crate) fn upload(&self, url: &str, member: &Member, more: &[&str]) -> Uploader {
        let mut arguments = vec!["upload", "--json", "--no-inventory", "--url", url, "--token"];
        arguments.push(&member.token);
        arguments.extend(more);
        let child = toolhub(self.home(), &arguments)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the uploader can be started");
        Uploader { child }
    }
}

/// A running uploader. Killed when dropped.
pub(crate) struct Uploader {
    child: Child,
}

impl Uploader {
    /// Kills it with SIGKILL.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("a process can be killed");
    }

    /// True when it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        process::send(self.child.id().expect("the uploader runs"), signal);
    }

    /// Waits for its end: the exit code and its report, with what else it said as `stderr`.
    ///
    /// # Panics
    /// When a signal ended it, or it does not end.
    pub(crate) async fn end(self) -> (i32, serde_json::Value) {
        // For a million events, amid kills, in a debug build.
        let ended = tokio::time::timeout(process::DEADLINE * 30, self.child.wait_with_output()).await;
        let Output {
            status,
            stdout,
            stderr,
        } = ended.expect("the uploader ends").expect("it can be waited for");
        let Some(code) = status.code() else {
            panic!("{status}: {}", String::from_utf8_lossy(&stderr))
        };
        let mut report = serde_json::from_slice(&stdout).unwrap_or_else(|_| serde_json::json!({}));
        report["stderr"] = String::from_utf8_lossy(&stderr).into();
        (code, report)
    }
}

/// A session log in which each call succeeded.
fn log(session: &str, calls: &[String]) -> String {
    let mut log = String::new();
    for (n, id) in calls.iter().enumerate() {
        let at = format!("2026-01-02T03:{:02}:{:02}", n / 60 % 60, n % 60);
        let tool = ["Bash", "Read", "Edit", "Grep"][n % 4];
        let _ = writeln!(
            log,
            r#"{{"type":"assistant","sessionId":"{session}","cwd":"/home/ann/api","timestamp":"{at}.000Z","message":{{"id":"m{id}","role":"assistant","content":[{{"type":"tool_use","id":"{id}","name":"{tool}","input":{{}}}}]}}}}"#
        );
        let _ = writeln!(
            log,
            r#"{{"type":"user","sessionId":"{session}","cwd":"/home/ann/api","timestamp":"{at}.250Z","message":{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{id}","content":"ok"}}]}}}}"#
        );
    }
    log
}
