//! The end of work in the background: the notifications about tasks from Claude Code to the model, and the results of
//! tools that query a task.
//!
//! A notification comes as a `user` record, as a `queued_command` attachment, or both, with a copy in
//! `queue-operation` records. It names the task and, in newer versions, the call that launched it.

use std::borrow::Cow;

use model::{CallResult, Reason};

use crate::json::{Cursor, Malformed, Raw, Str};

const OPENING: &str = "<task-notification>";

/// Length of the beginning of a notification, which contains its identification and status, and of its end with the
/// usage, in bytes.
const HEAD_BYTES: usize = 4 * 1024;
const TAIL_BYTES: usize = 512;

/// The end of a task.
#[derive(Debug, PartialEq)]
pub(crate) struct Ended<'a> {
    pub(crate) task: Option<Cow<'a, str>>,
    /// The call that started it.
    pub(crate) call: Option<Cow<'a, str>>,
    pub(crate) verdict: CallResult,
    pub(crate) duration_ms: Option<f64>,
    /// It is reported when it happens, not on a query.
    pub(crate) exact: bool,
}

/// True when a text begins like a notification, without building it.
pub(crate) fn is_notification(text: Str<'_>) -> bool {
    text.begins_with(OPENING)
}

/// The end that a notification reports; `None` when it reports something else (a line of a monitor, progress).
pub(crate) fn notified(text: Str<'_>) -> Option<Ended<'static>> {
    if !is_notification(text) {
        return None;
    }
    let head = text.head(HEAD_BYTES);
    // The summary and the result contain text that is not Claude Code's own.
    let own = head.split("<summary>").next().unwrap_or(&head);
    let status =
        tag(own, "status").or_else(|| tag(head.split("<result>").next().unwrap_or(&head), "status"))?;
    let summary = tag(&head, "summary").unwrap_or_default();
    let exit_code = summary
        .rsplit_once("exit code ")
        .and_then(|(_, code)| code.trim_end_matches([')', '.']).parse::<i64>().ok());
    let tail = Str(&text.0[text.0.len().saturating_sub(TAIL_BYTES)..]).text();
    let duration_ms = tail
        .rsplit_once("<duration_ms>")
        .and_then(|(_, rest)| rest.split('<').next())
        .and_then(|ms| ms.trim().parse().ok());
    let owned = |name| {
        tag(own, name)
            .filter(|id| !id.is_empty())
            .map(|id| Cow::Owned(id.to_owned()))
    };
    Some(Ended {
        task: owned("task-id"),
        call: owned("tool-use-id"),
        verdict: verdict(status, exit_code)?,
        duration_ms,
        exact: true,
    })
}

/// The notification of a `queued_command` attachment, with the time at which it was queued.
pub(crate) fn queued(attachment: Raw<'_>) -> Option<(Ended<'static>, Option<Str<'_>>)> {
    let (mut kind, mut prompt, mut time, mut duration_ms) = (None, None, None, None);
    let walked = attachment.cursor().object(|cursor, key| {
        match key {
            b"type" => kind = cursor.string()?,
            b"prompt" if cursor.peek()? == b'[' => cursor.array(|cursor| {
                cursor.object(|cursor, key| {
                    if key == b"text" {
                        prompt = cursor.string()?;
                        return Ok(());
                    }
                    cursor.skip()
                })
            })?,
            b"prompt" => prompt = cursor.string()?,
            b"timestamp" => time = cursor.string()?,
            b"usage" => cursor.object(|cursor, key| {
                if key == b"durationMs" {
                    duration_ms = cursor.number()?;
                    return Ok(());
                }
                cursor.skip()
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    });
    if walked.is_err() || kind != Some(Str(b"queued_command")) {
        return None;
    }
    let mut ended = notified(prompt?)?;
    ended.duration_ms = ended.duration_ms.or(duration_ms);
    Some((ended, time))
}

/// The state of a task in the result of a tool that queries or stops one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked<'a> {
    task: Option<Str<'a>>,
    status: Option<Str<'a>>,
    exit_code: Option<f64>,
    stopped: bool,
}

impl<'a> Asked<'a> {
    /// Takes the fields of `toolUseResult.task` (TaskOutput).
    pub(crate) fn read_task(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        cursor.object(|cursor, key| {
            match key {
                b"task_id" => self.task = cursor.string()?,
                b"status" => self.status = cursor.string()?,
                b"exitCode" => self.exit_code = cursor.number()?,
                _ => cursor.skip()?,
            }
            Ok(())
        })
    }

    /// The shell that BashOutput queried.
    pub(crate) fn shell(&mut self, id: Option<Str<'a>>, status: Option<Str<'a>>, exit_code: Option<f64>) {
        if self.task.is_none() {
            (self.task, self.status, self.exit_code) = (id, status, exit_code);
        }
    }

    /// The shell that was stopped.
    pub(crate) fn stop(&mut self, id: Option<Str<'a>>) {
        (self.task, self.stopped) = (id, true);
    }

    /// The end of the task, if it has ended.
    pub(crate) fn ended(self) -> Option<Ended<'a>> {
        // A process that the model stops has mostly served its purpose (a server for a test): whether it had failed is
        // not stated.
        let status = self.status.map(Str::text).unwrap_or_default();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "an exit code is small; any other is not 0 either"
        )]
        let exit_code = self.exit_code.map(|code| code as i64);
        Some(Ended {
            task: Some(self.task?.text()),
            call: None,
            verdict: if self.stopped {
                CallResult::UNKNOWN
            } else {
                verdict(&status, exit_code)?
            },
            duration_ms: None,
            exact: self.stopped,
        })
    }
}

/// The verdict on a task with this status; `None` while it continues.
fn verdict(status: &str, exit_code: Option<i64>) -> Option<CallResult> {
    Some(match status.trim() {
        "completed" | "success" | "succeeded" | "done" => match exit_code {
            Some(code) if code != 0 => CallResult::because(Reason::Error),
            _ => CallResult::SUCCESS,
        },
        "failed" | "error" | "errored" | "timeout" | "timed_out" => CallResult::because(Reason::Error),
        "killed" | "stopped" | "aborted" | "cancelled" | "canceled" | "interrupted" => {
            CallResult::because(Reason::Interrupted)
        }
        _ => return None,
    })
}

/// The text between the first tags of this name.
fn tag<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, after) = text.split_once(&format!("<{name}>"))?;
    let (inside, _) = after.split_once(&format!("</{name}>"))?;
    Some(inside.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;

    /// Task, call, verdict and duration.
    type Parts = (Option<String>, Option<String>, CallResult, Option<f64>);

    fn of(text: &str) -> Option<Parts> {
        let ended = notified(Str(text.as_bytes()))?;
        let owned = |id: Option<Cow<'_, str>>| id.map(Cow::into_owned);
        Some((
            owned(ended.task),
            owned(ended.call),
            ended.verdict,
            ended.duration_ms,
        ))
    }

    #[test]
    fn a_notification_says_which_task_ended_and_how() {
        let text = |status: &str, summary: &str| {
            format!(
                r"<task-notification>\n<task-id>b1</task-id>\n<tool-use-id>toolu_1</tool-use-id>\n<status>{status}</status>\n<summary>{summary}</summary>\n</task-notification>"
            )
        };
        let expected = |verdict| Some((Some("b1".into()), Some("toolu_1".into()), verdict, None));
        let error = CallResult::because(Reason::Error);
        for (status, summary, verdict) in [
            (
                "completed",
                "Background command \\\"make\\\" completed (exit code 0)",
                CallResult::SUCCESS,
            ),
            (
                "completed",
                "Agent \\\"exit code 7\\\" finished",
                CallResult::SUCCESS,
            ),
            ("completed", "Command completed (exit code 3)", error),
            ("failed", "Command failed with exit code 1", error),
            (
                "killed",
                "Command was stopped",
                CallResult::because(Reason::Interrupted),
            ),
        ] {
            assert_eq!(
                of(&text(status, summary)),
                expected(verdict),
                "{status} {summary}"
            );
        }
        assert_eq!(of(&text("running", "x")), None);
        assert_eq!(of("about <task-notification><status>failed</status>"), None);
    }

    #[test]
    fn an_older_notification_names_only_the_task_and_a_result_proves_nothing() {
        let text = r"<task-notification>\n<task-id>a1</task-id>\n<status>completed</status>\n<summary>Agent done</summary>\n<result><status>failed</status> <duration_ms>9</duration_ms></result>\n<usage><total_tokens>3</total_tokens><duration_ms>42000</duration_ms></usage>\n</task-notification>";
        assert_eq!(
            of(text),
            Some((Some("a1".into()), None, CallResult::SUCCESS, Some(42_000.0)))
        );
    }

    #[test]
    fn a_queued_notification_has_its_own_time_and_duration() {
        let attachment = r#"{"type":"queued_command","prompt":"<task-notification><task-id>a</task-id><status>completed</status></task-notification>","timestamp":"t","usage":{"durationMs":72}}"#;
        let mut index = Index::default();
        let (ended, time) = queued(index.of(attachment.as_bytes()).raw().unwrap()).unwrap();
        assert_eq!((ended.duration_ms, time), (Some(72.0), Some(Str(b"t"))));
        let prompt = r#"{"type":"queued_command","prompt":"what a person typed"}"#;
        assert_eq!(queued(index.of(prompt.as_bytes()).raw().unwrap()), None);
    }
}
