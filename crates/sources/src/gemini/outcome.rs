//! The verdict on a call of Gemini CLI, or of Qwen Code, which is derived from it: a status, and texts where the status
//! is not sufficient.

use model::{CallResult, Reason};

use crate::json::Str;

/// Number of bytes that are read of an error, and of the end of a command's output.
const LOOKED_AT: usize = 1_024;

/// The text of a result, for the model and as displayed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told<'a> {
    pub(crate) status: Option<Str<'a>>,
    pub(crate) output: Option<Str<'a>>,
    pub(crate) error: Option<Str<'a>>,
    pub(crate) display: Option<Str<'a>>,
    /// The tool is the one that runs commands.
    pub(crate) is_shell: bool,
}

/// A verdict, and whether the message behind it is known.
pub(crate) type Known = (Option<CallResult>, bool);

impl Told<'_> {
    pub(crate) fn verdict(&self) -> Known {
        let Some(Str(status)) = self.status else {
            return (None, true);
        };
        match status {
            b"success" if self.is_shell => (Some(self.command()), true),
            b"success" => (Some(CallResult::SUCCESS), true),
            b"error" => {
                let error = self.error.or(self.output).or(self.display);
                let error = error.map(|error| error.head(LOOKED_AT)).unwrap_or_default();
                let (reason, is_known) = failed(&error);
                (Some(CallResult::because(reason)), is_known)
            }
            b"cancelled" | b"canceled" => {
                let error = self.error.or(self.output);
                let error = error.map(|error| error.head(LOOKED_AT)).unwrap_or_default();
                let (reason, is_known) = cancelled(&error);
                (Some(CallResult::because(reason)), is_known)
            }
            b"validating" | b"scheduled" | b"executing" | b"awaiting_approval" => (None, true),
            _ => (None, false),
        }
    }

    /// The end of a command that was run: its status is `success` whatever its exit code.
    fn command(&self) -> CallResult {
        let display = self
            .display
            .map(|display| display.head(LOOKED_AT))
            .unwrap_or_default();
        if display.starts_with("Command exited with code: ")
            || display.starts_with("Command terminated by signal: ")
        {
            return CallResult::because(Reason::Error);
        }
        let Some(output) = self.output else {
            return CallResult::SUCCESS;
        };
        let begins = output.head(LOOKED_AT);
        let begins = begins.trim_start_matches("<untrusted_context>").trim_start();
        if begins.starts_with("Command was automatically cancelled because it exceeded the timeout")
            || begins.starts_with("Command timed out after")
        {
            return CallResult::because(Reason::Error);
        }
        if begins.starts_with("Command was cancelled by user") {
            return CallResult::because(Reason::Interrupted);
        }
        let Str(raw) = output;
        let end = Str(&raw[raw.len().saturating_sub(LOOKED_AT)..]).text();
        let shown = self
            .display
            .map(|Str(raw)| Str(&raw[raw.len().saturating_sub(LOOKED_AT)..]).text());
        if ended_badly(&end, shown.as_deref().unwrap_or_default()) {
            CallResult::because(Reason::Error)
        } else {
            CallResult::SUCCESS
        }
    }
}

/// True when the lines that the agent adds after a command's output report an exit code other than 0, or a signal.
/// `shown` is the output alone: a command may print lines that look the same.
fn ended_badly(text: &str, shown: &str) -> bool {
    let text = text
        .trim_end()
        .trim_end_matches("</untrusted_context>")
        .trim_end();
    let printed = shown.trim_end().lines().next_back().unwrap_or_default();
    let mut lines = text.lines().rev().peekable();
    while let Some(line) = lines.next() {
        let Some((key, value)) = line.split_once(": ") else {
            return false;
        };
        let value = value.trim();
        match key {
            "Process Group PGID" | "Background PIDs" => {}
            "Signal" if value == "(none)" || value == "0" => {}
            "Exit Code" if matches!(value, "0" | "(none)") => return false,
            // The command itself printed it as its last line, and the agent did not repeat it.
            "Signal" | "Exit Code" if line == printed && lines.peek() != Some(&line) => return false,
            "Signal" => return true,
            "Exit Code" => return value.parse::<i64>().is_ok(),
            _ => return false,
        }
    }
    false
}

/// The reason of a failed call, by the agent's message at the beginning of the error.
fn failed(error: &str) -> (Reason, bool) {
    let error = error.trim_start();
    let error = error.strip_prefix("Error: ").unwrap_or(error);
    let begins = |start: &str| error.starts_with(start);
    if let Some((_, rest)) = error
        .strip_prefix("Tool \"")
        .and_then(|rest| rest.split_once("\" "))
        && (rest.starts_with("not found")
            || rest.starts_with("is not available")
            || rest.starts_with("is not registered"))
    {
        return (Reason::UnknownTool, true);
    }
    if begins("params must ")
        || begins("params/")
        || begins("params ")
        || begins("Value of params must be")
        || begins("must have required property")
        || begins("Invalid parameters")
        || begins("Invalid tool parameters")
    {
        return (Reason::InvalidInput, true);
    }
    if begins("Tool execution denied by policy")
        || begins("Tool execution blocked")
        || begins("Agent execution blocked")
        || begins("Tool execution for \"") && error.contains("requires user confirmation")
        || begins("Qwen Code requires permission to use ")
        || begins("Permission denied") && error.contains("permission rule")
        || error.contains("denied by policy.") && begins("Tool execution for \"")
    {
        return (Reason::Denied, true);
    }
    if begins("User cancelled sandbox expansion")
        || begins("User denied")
        || begins("User rejected")
        || begins("The user rejected")
    {
        return (Reason::Rejected, true);
    }
    if begins("Operation cancelled by user")
        || begins("User cancelled tool execution")
        || begins("Tool call cancelled by user")
    {
        return (Reason::Interrupted, true);
    }
    let looks_like_the_agents_own = begins("Tool execution ") || begins("User ") || begins("The user ");
    (Reason::Error, !looks_like_the_agents_own)
}

/// The reason of a cancelled call. Without a reason it is the person who was asked for approval.
fn cancelled(error: &str) -> (Reason, bool) {
    let error = error.trim_start();
    let Some(reason) = error.strip_prefix("[Operation Cancelled]") else {
        let reason = if error.starts_with("Command was cancelled by user") {
            Reason::Interrupted
        } else {
            Reason::Rejected
        };
        return (reason, true);
    };
    let reason = reason.trim_start();
    let reason = reason.strip_prefix("Reason:").unwrap_or(reason).trim_start();
    let begins = |starts: &[&str]| starts.iter().any(|start| reason.starts_with(start));
    if reason.is_empty() || begins(&["User denied", "User did not allow", "User rejected"]) {
        (Reason::Rejected, true)
    } else if begins(&[
        "User cancelled operation",
        "Tool call cancelled while in queue",
        "Tool call cancelled by sibling",
    ]) {
        (Reason::Cancelled, true)
    } else if begins(&[
        "Operation cancelled",
        "User cancelled",
        "Tool call cancelled",
        "Cancelled by user",
        "Request cancelled",
    ]) {
        (Reason::Interrupted, true)
    } else {
        (Reason::Rejected, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_counts_only_where_the_agent_puts_it() {
        for (text, shown, badly) in [
            (
                "<untrusted_context>\nOutput: out\nExit Code: 3\nProcess Group PGID: 50\n</untrusted_context>",
                "out",
                true,
            ),
            ("Output: (empty)\nExit Code: 1", "", true),
            (
                "Output: out\nExit Code: 3\nall done\nProcess Group PGID: 5",
                "out\nExit Code: 3\nall done",
                false,
            ),
            (
                "Output: Exit Code: 3\nProcess Group PGID: 5",
                "Exit Code: 3",
                false,
            ),
            (
                "Output: a\nExit Code: 3\nProcess Group PGID: 5",
                "a\nExit Code: 3",
                false,
            ),
            (
                "Output: a\nExit Code: 3\nExit Code: 3\nProcess Group PGID: 5",
                "a\nExit Code: 3",
                true,
            ),
            (
                "Command: x\nDirectory: (root)\nOutput: y\nError: (none)\nExit Code: 0\nSignal: (none)\nBackground PIDs: (none)\nProcess Group PGID: 7",
                "y",
                false,
            ),
            (
                "Command: x\nDirectory: (root)\nOutput: y\nError: (none)\nExit Code: 127\nSignal: (none)\nBackground PIDs: (none)\nProcess Group PGID: 7",
                "y",
                true,
            ),
            ("Output: y\nSignal: SIGKILL\nProcess Group PGID: 7", "y", true),
            ("Output: y", "y", false),
        ] {
            assert_eq!(ended_badly(text, shown), badly, "{text}");
        }
    }

    #[test]
    fn failures_and_cancellations_are_told_apart_by_the_agents_own_words() {
        for (error, reason, known) in [
            (
                "Tool \"fly\" not found. Did you mean one of: \"a\"?",
                Reason::UnknownTool,
                true,
            ),
            ("Tool \"fly\" not found in registry.", Reason::UnknownTool, true),
            (
                "params must have required property 'path'",
                Reason::InvalidInput,
                true,
            ),
            ("params/limit must be number", Reason::InvalidInput, true),
            (
                "Tool execution denied by policy. Ask first.",
                Reason::Denied,
                true,
            ),
            (
                "Tool execution for \"Shell\" requires user confirmation, which is not supported in non-interactive mode.",
                Reason::Denied,
                true,
            ),
            ("File not found: /a", Reason::Error, true),
            ("grep: Tool execution denied by policy", Reason::Error, true),
            ("Tool execution postponed", Reason::Error, false),
        ] {
            assert_eq!(failed(error), (reason, known), "{error}");
        }
        for (error, reason, known) in [
            (
                "[Operation Cancelled] Reason: User denied execution.",
                Reason::Rejected,
                true,
            ),
            (
                "[Operation Cancelled] Reason: User did not allow tool call",
                Reason::Rejected,
                true,
            ),
            (
                "[Operation Cancelled] Reason: User cancelled operation",
                Reason::Cancelled,
                true,
            ),
            (
                "[Operation Cancelled] User cancelled tool execution.",
                Reason::Interrupted,
                true,
            ),
            (
                "[Operation Cancelled] Reason: Operation cancelled by user",
                Reason::Interrupted,
                true,
            ),
            (
                "[Operation Cancelled] Reason: the moon is full",
                Reason::Rejected,
                false,
            ),
            ("", Reason::Rejected, true),
        ] {
            assert_eq!(cancelled(error), (reason, known), "{error}");
        }
    }
}
