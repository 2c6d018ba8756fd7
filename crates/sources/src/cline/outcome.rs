//! The verdict on a call of Cline, by the program's own messages. A tool's output may be at the same place, so only
//! complete known prefixes count.

use model::{CallResult, Reason};

use crate::{
    api_messages::{Block, Ended},
    json::{Index, Str},
};

/// Length of the beginning of a result in which the program's messages are searched, in bytes.
const HEAD: usize = 4_096;

/// Parts of an error message that may indicate a refusal in words that are not known.
const REFUSALS: [&str; 7] = [
    "declin",
    "denied by",
    "not allowed",
    "not approved",
    "rejected",
    "cancelled by",
    "canceled by",
];

/// The kind of a call, as far as the meaning of its result depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CalledAs {
    /// A command in a terminal of the editor.
    Command,
    Mcp,
    Other,
}

impl CalledAs {
    pub(super) fn of(name: &str) -> CalledAs {
        match name {
            "execute_command" => CalledAs::Command,
            "use_mcp_tool" => CalledAs::Mcp,
            name if name.contains(super::SERVER_KEY) || name.contains("__") => CalledAs::Mcp,
            _ => CalledAs::Other,
        }
    }
}

/// The verdict on a call by its result.
pub(super) fn of(result: &Block<'_>, called_as: CalledAs) -> Ended {
    if result.is_error == Some(true) {
        return error(&error_text(result.output));
    }
    let text = result.output.map_or(Str(b""), after_description);
    let head = text.head(HEAD);
    if head == "The user denied this operation." {
        return Ended::because(Reason::Rejected);
    }
    if let Some(error) = head.strip_prefix("The tool execution failed with the following error:\n<error>\n") {
        return Ended::because(failure(error));
    }
    match called_as {
        CalledAs::Command => command(&head),
        CalledAs::Mcp if head.starts_with("Error:\n") || head.starts_with("Error executing MCP tool: ") => {
            Ended::because(Reason::Error)
        }
        CalledAs::Other if result.has_failed_operation || is_failed_operation(text) => {
            Ended::because(Reason::Error)
        }
        CalledAs::Mcp | CalledAs::Other => Ended::known(CallResult::SUCCESS),
    }
}

/// The older store has a description of the call before the result.
fn after_description(text: Str<'_>) -> Str<'_> {
    const END: &[u8] = br"] Result:\n";
    if !text.0.starts_with(b"[") {
        return text;
    }
    memchr::memmem::find(text.0, END).map_or(text, |at| Str(&text.0[at + END.len()..]))
}

/// Why the tool itself, or the program before it, failed.
fn failure(error: &str) -> Reason {
    const INVALID: [&str; 5] = [
        "Missing value for required parameter '",
        "Failed to write to '",
        "Failed to edit '",
        "The 'command' parameter was empty.",
        "Invalid JSON argument used with ",
    ];
    let is_denied = error.starts_with("Access to ") && error.contains(" is blocked by the .clineignore file")
        || error.starts_with("Command execution blocked by CLINE_COMMAND_PERMISSIONS: ")
        || error.starts_with("Tool '") && error.contains("' is not available in PLAN MODE.");
    let is_invalid = INVALID.iter().any(|words| error.starts_with(words))
        && (!error.starts_with("Failed to ") || error.contains("' parameter was empty."));
    if is_denied {
        Reason::Denied
    } else if is_invalid {
        Reason::InvalidInput
    } else {
        Reason::Error
    }
}

/// The state of a command comes before its output.
fn command(text: &str) -> Ended {
    let begins = |words: &[&str]| words.iter().any(|words| text.starts_with(words));
    if begins(&[
        "Command is still running in the user's terminal.",
        "Command timed out after ",
    ]) {
        return Ended {
            goes_on: true,
            ..Ended::known(CallResult::SUCCESS)
        };
    }
    if begins(&["Command cancelled."]) {
        return Ended::because(Reason::Interrupted);
    }
    if begins(&[
        "Command failed with exit code ",
        "Command terminated by signal ",
        "Command execution timed out after ",
    ]) {
        return Ended::because(Reason::Error);
    }
    // The editor does not know the exit code of every terminal.
    if text.starts_with("Command executed.") {
        return Ended::known(CallResult::UNKNOWN);
    }
    Ended::known(CallResult::SUCCESS)
}

/// True for the JSON of one operation that failed.
fn is_failed_operation(text: Str<'_>) -> bool {
    if !text.begins_with("{\"query\":") {
        return false;
    }
    let (text, mut has_failed, mut index) = (text.text(), false, Index::default());
    let walked = index.of(text.as_bytes()).object(|cursor, key| {
        if key == b"success" {
            has_failed = cursor.boolean()? == Some(false);
            return Ok(());
        }
        cursor.skip()
    });
    walked.is_ok() && has_failed
}

/// The message of a result that is an error: the newest store has it in an object.
fn error_text(output: Option<Str<'_>>) -> String {
    let Some(output) = output else {
        return String::new();
    };
    if !output.begins_with("{\"error\":") {
        return output.head(HEAD).into_owned();
    }
    let (text, mut error, mut index) = (output.text(), None, Index::default());
    let walked = index.of(text.as_bytes()).object(|cursor, key| {
        if key == b"error" {
            error = cursor.string()?.map(|error| error.head(HEAD).into_owned());
            return Ok(());
        }
        cursor.skip()
    });
    walked.ok().and(error).unwrap_or_default()
}

/// The verdict on a call that ended with an error, by its message.
fn error(error: &str) -> Ended {
    let begins = |words: &[&str]| words.iter().any(|words| error.starts_with(words));
    let of_tool = |words: &[&str]| {
        let is_tool = error.starts_with("Tool \"") || error.starts_with("Tool ");
        is_tool && words.iter().any(|words| error.contains(words))
    };
    let is_denied_by_user =
        error.starts_with("Denied by ") && error.ends_with(" user") || error == "Denied by user";
    if is_denied_by_user
        || begins(&[
            "User denied the tool execution",
            "The user denied this edit.",
            "User rejected the tool call",
        ])
        || of_tool(&["\" was denied by user", "\" was not approved"])
    {
        return Ended::because(Reason::Rejected);
    }
    if begins(&[
        "Tool execution was cancelled because the user sent a follow-up message.",
        "Permission request was cancelled",
    ]) {
        return Ended::because(Reason::Cancelled);
    }
    if of_tool(&[
        "\" is disabled by policy",
        "\" requires approval ",
        " was blocked by a runtime hook",
        "\" approval request failed: ",
    ]) || begins(&["Tool execution is disabled for provider "])
    {
        return Ended::because(Reason::Denied);
    }
    if begins(&["Unknown tool: "]) {
        return Ended::because(Reason::UnknownTool);
    }
    let is_aborted = [
        "Run aborted",
        "Command was aborted",
        "File read was aborted",
        "Search operation aborted",
    ];
    if is_aborted.contains(&error) || begins(&["This operation was aborted", "The operation was aborted"]) {
        return Ended::because(Reason::Interrupted);
    }
    // What the check of the input against its schema prints, or the parser of the arguments.
    if error.starts_with('\u{2716}')
        || begins(&["Tool call arguments "])
        || error.starts_with("Tool call ") && error.contains(" emitted invalid JSON arguments: ")
    {
        return Ended::because(Reason::InvalidInput);
    }
    let lower = error.to_ascii_lowercase();
    Ended {
        is_known: !REFUSALS.iter().any(|word| lower.contains(word)),
        ..Ended::because(Reason::Error)
    }
}
