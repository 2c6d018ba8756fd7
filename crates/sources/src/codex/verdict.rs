//! The verdict on a call of Codex where only the text shows it. Codex's own messages count only at the beginning of a
//! result that Codex wrote itself; the output of a command or of a server is below a report and is ignored.
//!
//! The messages are those of `codex-rs/core/src/tools`, of several versions.

use model::{CallResult, Reason};

use crate::codex::output::Output;

/// The author of a result that is no report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// A tool of Codex itself: every text that is no report is a message of Codex.
    Codex,
    /// An MCP server.
    Server,
    /// A tool that was added by the user, or a call without an earlier record.
    #[default]
    Other,
}

/// A verdict, and whether the message is known. Unknown ones that look like an error are reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Judged {
    pub(crate) verdict: CallResult,
    pub(crate) known: bool,
}

/// Tools of Codex whose results are either reports or messages of Codex.
const OWN: [&str; 33] = [
    "apply_patch",
    "close_agent",
    "container.exec",
    "create_goal",
    "exec",
    "exec_command",
    "followup_task",
    "get_goal",
    "image_gen",
    "interrupt_agent",
    "list_agents",
    "list_mcp_resource_templates",
    "list_mcp_resources",
    "local_shell",
    "read_mcp_resource",
    "request_permissions",
    "request_user_input",
    "resume_agent",
    "send_input",
    "send_message",
    "shell",
    "shell_command",
    "spawn_agent",
    "spawn_agents_on_csv",
    "tool_search",
    "tool_suggest",
    "unified_exec",
    "update_goal",
    "update_plan",
    "view_image",
    "wait",
    "wait_agent",
    "write_stdin",
];

impl Speaker {
    /// The author of the results of a tool that is not a server's.
    pub(crate) fn of(name: &str) -> Speaker {
        if OWN.contains(&name) {
            Speaker::Codex
        } else {
            Speaker::Other
        }
    }
}

/// Classifies a result. `attended`: a person could have been asked for approval.
pub(crate) fn classify(output: &Output, speaker: Speaker, attended: bool) -> Judged {
    let known = |verdict| Judged { verdict, known: true };
    if output.body == "aborted" {
        return known(CallResult::because(Reason::Interrupted));
    }
    let inner = output.inner_exit_code.filter(|_| speaker == Speaker::Codex);
    let exit_code = output.exit_code.or(inner);
    if output.script_failed || exit_code.is_some_and(|code| code != 0) {
        return known(CallResult::because(Reason::Error));
    }
    if exit_code.is_some() || output.runs_on {
        return known(CallResult::SUCCESS);
    }
    let text = output.body.trim_start();
    if output.reported {
        // Where a server was not reached, Codex writes a message of its own instead of the answer.
        let reason = (speaker == Speaker::Server)
            .then(|| refusal(text, attended).or_else(|| of_server(text)))
            .flatten();
        return known(reason.map_or(CallResult::SUCCESS, CallResult::because));
    }
    let reason = refusal(text, attended).or_else(|| failure(text));
    let reason = match speaker {
        Speaker::Codex => reason.or_else(|| loose_refusal(text)).or_else(|| error(text)),
        Speaker::Server => reason.or_else(|| of_server(text)),
        Speaker::Other => reason,
    };
    match reason {
        Some(reason) => known(CallResult::because(reason)),
        None if speaker == Speaker::Codex && looks_like_an_error(text) => Judged {
            verdict: CallResult::because(Reason::Error),
            known: false,
        },
        None => known(CallResult::SUCCESS),
    }
}

/// The reason why a call of an MCP server failed, from the error that was reported with its end.
pub(crate) fn server_error(message: &str, attended: bool) -> Reason {
    refusal(message.trim_start(), attended)
        .or_else(|| of_server(message))
        .unwrap_or(Reason::Error)
}

/// The reason of a refusal without a message: a person rejects; without a person the call was denied.
pub(crate) fn by_whom(attended: bool) -> Reason {
    if attended {
        Reason::Rejected
    } else {
        Reason::Denied
    }
}

/// Who refused, by Codex's own message.
pub(crate) fn refusal(text: &str, attended: bool) -> Option<Reason> {
    let by_person = by_whom(attended);
    let begins = |with: &[&str]| with.iter().any(|words| text.starts_with(words));
    if let Some(reason) = rejected_command(text) {
        return Some(said_no(reason));
    }
    if let Some(why) = text.strip_prefix("patch rejected: ") {
        return Some(match said_no(why) {
            _ if why.starts_with("empty patch") => Reason::InvalidInput,
            reason => reason,
        });
    }
    let (line, _) = text.split_once('\n').unwrap_or((text, ""));
    match () {
        () if begins(&[
            "exec command rejected by user",
            "patch rejected by user",
            "command rejected by user",
            "rejected by user",
        ]) =>
        {
            Some(said_no(&text[text.find("rejected").unwrap_or(0)..]))
        }
        () if begins(&["user cancelled MCP tool call", "user rejected MCP tool call"]) => Some(by_person),
        () if begins(&["aborted by user", "command aborted by user"]) => Some(Reason::Interrupted),
        () if begins(&["MCP tool call cancelled before approval"]) => Some(Reason::Cancelled),
        () if begins(&[
            "This action was rejected",
            "approval required by policy",
            "MCP tool call requires approval",
            "MCP tool call cancelled: interactive approval is unavailable",
            "MCP tool call blocked",
            "Command blocked by",
            "Tool call blocked by",
        ]) || (line.starts_with("approval policy is ") && line.contains("; reject command"))
            || (line.starts_with("Network access") && line.contains("blocked by policy")) =>
        {
            Some(Reason::Denied)
        }
        () => None,
    }
}

/// The reason behind `` `<command>` rejected: … `` or `` <tool> failed for `<command>`: … Rejected("…") ``. The
/// command may hold anything, so the last of the words count.
fn rejected_command(text: &str) -> Option<&str> {
    if text.starts_with('`') {
        return Some(text.rsplit_once("` rejected: ")?.1);
    }
    let (_, rest) = text.split_once(' ')?;
    let (_, error) = rest.strip_prefix("failed for `")?.rsplit_once("`: ")?;
    let (_, reason) = error.split_once("Rejected(")?;
    Some(reason.trim_start_matches(['\\', '"']))
}

/// A person rejects; rules, hooks and reviews deny.
fn said_no(why: &str) -> Reason {
    let by_person = ["rejected by user", "declined by user", "denied by user"];
    let by_settings = why.contains("by user approval settings");
    match () {
        () if why.starts_with("approval request aborted") => Reason::Interrupted,
        () if !by_settings && by_person.iter().any(|words| why.contains(words)) => Reason::Rejected,
        () => Reason::Denied,
    }
}

/// A refusal with another message, classified by its first line.
fn loose_refusal(text: &str) -> Option<Reason> {
    let (line, _) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| line.contains(words));
    match () {
        () if says(&["by user approval settings"]) => Some(Reason::Denied),
        () if says(&[
            "rejected by user",
            "rejected by the user",
            "declined by user",
            "declined by the user",
            "denied by user",
            "denied by the user",
            "user rejected",
            "user declined",
            "user denied",
        ]) =>
        {
            Some(Reason::Rejected)
        }
        () if says(&[
            "approval policy",
            "by policy",
            "policy forbids",
            "requires approval",
            "blocked by",
            "denied by",
            "rejected by",
            "rejected: ",
        ]) =>
        {
            Some(Reason::Denied)
        }
        () => None,
    }
}

/// Codex's messages about a call that it could not make, for any tool.
fn failure(text: &str) -> Option<Reason> {
    let begins = |with: &[&str]| with.iter().any(|words| text.starts_with(words));
    match () {
        () if begins(&[
            "unsupported call: ",
            "unsupported custom tool call: ",
            "unsupported tool call: ",
            "unknown agent_type ",
        ]) =>
        {
            Some(Reason::UnknownTool)
        }
        () if begins(&["failed to parse function arguments", "failed to parse arguments"]) => {
            Some(Reason::InvalidInput)
        }
        () if begins(&["collab spawn failed", "execution error: "]) => Some(Reason::Error),
        // `<tool> failed…`, `<tool> verification failed…`
        () => {
            let (tool, rest) = text.split_once(' ')?;
            let failed = ["failed", "verification failed"]
                .iter()
                .any(|words| rest.starts_with(words));
            (failed && OWN.contains(&tool)).then_some(Reason::Error)
        }
    }
}

/// Other errors of Codex's own tools.
fn error(text: &str) -> Option<Reason> {
    let begins = |with: &[&str]| with.iter().any(|words| text.starts_with(words));
    let (line, _) = text.split_once('\n').unwrap_or((text, ""));
    match () {
        () if begins(&[
            "missing field",
            "invalid type",
            "invalid arguments",
            "invalid value",
        ]) || line.contains("received unsupported payload")
            || line.contains("invoked with incompatible payload") =>
        {
            Some(Reason::InvalidInput)
        }
        () if begins(&[
            "Agent depth limit reached",
            "agent thread limit reached",
            "agent with id ",
            "invalid agent id ",
            "collab manager unavailable",
            "command timed out after ",
            "err: ",
            "unable to locate ",
            "unable to read ",
            "Unknown process id ",
            "unknown MCP server ",
        ]) || line.contains(" is unavailable in ")
            || line.contains(" could not be parsed") =>
        {
            Some(Reason::Error)
        }
        () => None,
    }
}

/// Codex's messages instead of a server's answer when the call did not reach it, or returned an error.
fn of_server(text: &str) -> Option<Reason> {
    if let Some(error) = text.strip_prefix("err: ") {
        let unreadable = error.contains(" at line ") && error.contains(" column ");
        return Some(if unreadable {
            Reason::InvalidInput
        } else {
            Reason::Error
        });
    }
    text.starts_with("tool call error: ").then_some(Reason::Error)
}

/// True for a text that begins like an error.
fn looks_like_an_error(text: &str) -> bool {
    let (line, _) = text.split_once('\n').unwrap_or((text, ""));
    let line: String = line.chars().take(300).collect::<String>().to_ascii_lowercase();
    if line.starts_with(['{', '[']) {
        return false;
    }
    let first: String = line.chars().take_while(char::is_ascii_alphabetic).collect();
    let begins = [
        "error",
        "err",
        "fatal",
        "failed",
        "failure",
        "cannot",
        "unable",
        "invalid",
        "unknown",
        "unsupported",
        "missing",
        "denied",
        "rejected",
        "blocked",
        "aborted",
        "cancelled",
        "canceled",
        "exception",
        "panic",
    ];
    let says = [
        " failed",
        " error:",
        "not found",
        "not allowed",
        "not permitted",
        "not supported",
        " denied",
        " rejected",
        " unavailable",
        "not available",
        " is required",
        "must be ",
        "must not ",
        "does not exist",
        "timed out",
        "could not ",
        "no such ",
    ];
    begins.contains(&&*first) || says.iter().any(|words| line.contains(words))
}
