//! The verdict on a call of Copilot CLI. A flag shows whether it succeeded, a code who refused it, and the message the
//! rest.

use model::{CallResult, Reason};

use super::record::Record;

/// A verdict, and whether the message behind it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) verdict: CallResult,
    pub(super) known: bool,
}

/// Classifies the end of a call. `runs_commands`: it is one of the tools that start a command.
pub(super) fn classify(record: &Record<'_>, runs_commands: bool) -> Judged {
    let known = |verdict| Judged { verdict, known: true };
    let because = |reason| known(CallResult::because(reason));
    if record.success == Some(true) {
        let by_text = || exit_code_below(&record.answer?.text());
        let older = || record.measured_exit_code.map(|code| code != 0.0).or_else(by_text);
        let failed = record.exit_code.map(|code| code != 0.0);
        let failed = failed.or_else(|| runs_commands.then(older).flatten());
        return match failed {
            Some(true) => because(Reason::Error),
            _ => known(CallResult::SUCCESS),
        };
    }
    let message = record.error_message.or(record.answer);
    let message = message.map(|text| text.head(1_024)).unwrap_or_default();
    let code = record.error_code.map_or(&b""[..], |code| code.0);
    if let Some(reason) = by_message(&message, record.syntax_error) {
        return because(reason);
    }
    match code {
        b"denied" => because(Reason::Denied),
        b"rejected" => because(Reason::Rejected),
        b"cancelled" | b"canceled" => because(Reason::Cancelled),
        b"aborted" | b"interrupted" => because(Reason::Interrupted),
        b"failure" | b"error" | b"timeout" => because(Reason::Error),
        _ => Judged {
            verdict: CallResult::because(Reason::Error),
            known: false,
        },
    }
}

fn by_message(message: &str, syntax_error: bool) -> Option<Reason> {
    let begins = |with: &[&str]| with.iter().any(|words| message.starts_with(words));
    match () {
        () if (message.starts_with("Tool '") && message.contains("' does not exist"))
            || begins(&["Skill not found: ", "Unknown agent_type: ", "Unknown agent type"]) =>
        {
            Some(Reason::UnknownTool)
        }
        () if syntax_error
            || begins(&["Invalid input: ", "Unrecognized key"])
            || message.contains(" in JSON at position ")
            || names_a_field(message) =>
        {
            Some(Reason::InvalidInput)
        }
        () if begins(&["The user rejected", "The user declined", "The user denied"]) => {
            Some(Reason::Rejected)
        }
        () if begins(&[
            "Permission to run this tool was denied",
            "Permission denied because",
        ]) =>
        {
            Some(Reason::Denied)
        }
        () => None,
    }
}

/// `"path": Required`: the input has an invalid field.
fn names_a_field(message: &str) -> bool {
    message
        .strip_prefix('"')
        .and_then(|rest| rest.split_once("\": "))
        .is_some_and(|(field, _)| !field.is_empty() && !field.contains(['"', '\n']))
}

/// Whether the last line reports that the command ended with another exit code than 0: `<… exit code 3>`.
fn exit_code_below(answer: &str) -> Option<bool> {
    let line = answer.trim_end().rsplit('\n').next()?;
    let inner = line.strip_prefix('<')?.strip_suffix('>')?;
    let (_, code) = inner.rsplit_once("exit code ")?;
    Some(code.parse::<i64>().ok()? != 0)
}

/// The command that an answer says is still running, by the shell's id: `<command started in background with
/// shellId: 2>`, `<command with shellId: 3 is still running after 30 seconds…`.
pub(super) fn still_running(answer: &str) -> Option<&str> {
    let line = answer.trim_end().rsplit('\n').next()?;
    let rest = [
        "<command started in background with shellId: ",
        "<command with shellId: ",
    ]
    .iter()
    .find_map(|words| line.strip_prefix(words))?;
    let end = rest.find([' ', '>'])?;
    let goes_on = rest[end..].starts_with('>') || rest[end..].starts_with(" is still running");
    goes_on.then_some(&rest[..end])
}

/// The command that an answer says has ended, by the shell's id, and whether it failed: `<shellId: 2 completed with
/// exit code 4>`.
pub(super) fn ended_command(answer: &str) -> Option<(&str, bool)> {
    let line = answer.trim_end().rsplit('\n').next()?;
    let (shell, _) = line.strip_prefix("<shellId: ")?.split_once(' ')?;
    Some((shell, exit_code_below(line)?))
}

/// Who refused a request for permission; `None` when it was not refused. A person rejects; rules, hooks and policies
/// deny, and so does the absence of a person.
pub(super) fn refusal(decision: &str, decided_by: &str) -> Option<Reason> {
    let by_person = decision.ends_with("by-user") || decided_by == "user";
    match () {
        () if decision.starts_with("rejected") => Some(Reason::Rejected),
        () if decision.starts_with("denied") && by_person => Some(Reason::Rejected),
        () if decision.starts_with("denied") => Some(Reason::Denied),
        () if decision.starts_with("cancelled") => Some(Reason::Interrupted),
        () => None,
    }
}
