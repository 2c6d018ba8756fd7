//! The verdict on a call, by the program's own messages. A tool's output may be at the same place, so only complete
//! known prefixes count.

use model::{CallResult, Reason};

use crate::{api_messages::Ended, json::Str};

/// Length of the beginning of a result in which the program's messages are searched, in bytes.
const HEAD: usize = 8_192;

/// The kind of a call, as far as the messages of results depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CalledAs {
    Command,
    Mcp,
    Other,
}

impl CalledAs {
    pub(super) fn of(name: &str) -> CalledAs {
        match name {
            "execute_command" => CalledAs::Command,
            "use_mcp_tool" => CalledAs::Mcp,
            name if name.starts_with("mcp--") || name.starts_with("mcp__") => CalledAs::Mcp,
            _ => CalledAs::Other,
        }
    }
}

/// The verdict on a call whose result is `output`.
pub(super) fn of(output: Option<Str<'_>>, is_error: bool, called_as: CalledAs) -> Ended {
    let head = output.map(|text| text.head(HEAD)).unwrap_or_default();
    // The person's comment on an approval comes before the result.
    let text = if head.starts_with(r#"{"status":"approved","#) {
        head.split_once("\n\n").map_or("", |(_, result)| result)
    } else {
        &head
    };
    if let Some(reason) = refusal(text).or_else(|| failure(text)) {
        return Ended::because(reason);
    }
    if is_error {
        let skipped =
            text.starts_with("Skipping ") || text.contains(" was interrupted and not executed due to ");
        let is_cancelled = skipped && text.ends_with(" due to user rejecting a previous tool.");
        return Ended::because(if is_cancelled {
            Reason::Cancelled
        } else {
            Reason::Error
        });
    }
    match called_as {
        CalledAs::Command => command(text),
        CalledAs::Mcp if text.starts_with("Error:\n") => Ended::because(Reason::Error),
        CalledAs::Other if text.starts_with(r#"{"status":"error","#) => Ended {
            is_known: false,
            ..Ended::because(Reason::Error)
        },
        CalledAs::Other if text.starts_with(r#"{"status":"#) => Ended {
            is_known: false,
            ..Ended::known(CallResult::UNKNOWN)
        },
        _ => Ended {
            goes_on: text.starts_with("Delegated to child task "),
            ..Ended::known(CallResult::SUCCESS)
        },
    }
}

/// A refusal. Kilo Code has a `message` where Roo Code has none.
fn refusal(text: &str) -> Option<Reason> {
    const REJECTED: [&str; 2] = [
        r#"{"status":"denied","feedback":"#,
        r#"{"status":"denied","message":"The user denied this operation"#,
    ];
    const IGNORED: [&str; 2] = [
        r#"{"status":"error","type":"access_denied","message":"Access blocked by .rooignore""#,
        r#"{"status":"error","type":"access_denied","message":"Access blocked by .kilocodeignore""#,
    ];
    let begins = |words: &[&str]| words.iter().any(|words| text.starts_with(words));
    if begins(&REJECTED) || text == r#"{"status":"denied"}"# {
        Some(Reason::Rejected)
    } else if begins(&IGNORED) {
        Some(Reason::Denied)
    } else if text == "Task was interrupted before this tool call could be completed." {
        Some(Reason::Interrupted)
    } else {
        None
    }
}

fn failure(text: &str) -> Option<Reason> {
    const FAILED: &str = r#"{"status":"error","message":"The tool execution failed""#;
    const INVALID: [&str; 2] = [
        r#"{"status":"error","type":"invalid_argument","message":"Invalid JSON argument""#,
        "Missing value for required parameter '",
    ];
    const UNKNOWN: [&str; 2] = [
        r#"{"status":"error","type":"unknown_tool","message":"Tool does not exist on server""#,
        r#"{"status":"error","type":"unknown_server","message":"Server is not configured""#,
    ];
    let begins = |words: &[&str]| words.iter().any(|words| text.starts_with(words));
    if begins(&INVALID) {
        return Some(Reason::InvalidInput);
    }
    if begins(&UNKNOWN) {
        return Some(Reason::UnknownTool);
    }
    let error = text.strip_prefix(FAILED)?.strip_prefix(r#","error":""#);
    Some(match error {
        Some(error) if error.starts_with(r#"Unknown tool \""#) => Reason::UnknownTool,
        Some(error) if error.starts_with("Invalid tool call for '") => Reason::InvalidInput,
        _ => Reason::Error,
    })
}

/// The state of a command comes before its output.
fn command(text: &str) -> Ended {
    if text.starts_with("Command is still running in terminal") {
        return Ended {
            goes_on: true,
            ..Ended::known(CallResult::SUCCESS)
        };
    }
    let failed = [
        "The command was terminated after exceeding ",
        "Command failed to execute in terminal due to ",
    ];
    if failed.iter().any(|words| text.starts_with(words)) {
        return Ended::because(Reason::Error);
    }
    let state = text
        .strip_prefix("Command executed in terminal")
        .map(|rest| rest.split_once("\nOutput:").map_or(rest, |(state, _)| state));
    match state {
        Some(state) if state.contains("Process terminated by signal ") => Ended::because(Reason::Error),
        Some(state) => match state.rsplit_once("Exit code: ") {
            Some((_, "0")) => Ended::known(CallResult::SUCCESS),
            Some((_, code)) if code.parse::<i64>().is_ok() => Ended::because(Reason::Error),
            // The editor does not know the exit code either.
            _ => Ended::known(CallResult::UNKNOWN),
        },
        None => Ended::known(CallResult::SUCCESS),
    }
}
