//! How a call of Claude Code ended. The log marks errors, but not whose they were: a person's refusal, a cancelled
//! sibling and a failed command all carry `is_error`. Their texts tell them apart.

use model::{Reason, Verdict};

/// What stands in the record beside the text of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ResultFlags {
    /// `is_error` of the block.
    pub(crate) is_error: bool,
    /// `toolUseResult.success` is false.
    pub(crate) unsuccessful: bool,
    /// `toolUseResult.interrupted` is true.
    pub(crate) interrupted: bool,
}

/// Classifies a result. `text` is the text of the result, or enough of its beginning.
pub(crate) fn classify(flags: ResultFlags, text: &str) -> Verdict {
    let text = text.trim_start();
    if !flags.is_error {
        return match () {
            () if flags.interrupted => Verdict::because(Reason::Interrupted),
            // MCP servers that report an error as an ordinary text begin it with this heading.
            () if flags.unsuccessful || text.starts_with("### Error") => Verdict::because(Reason::Error),
            () => Verdict::SUCCESS,
        };
    }
    Verdict::because(reason(text))
}

fn reason(text: &str) -> Reason {
    let refused = [
        "The user doesn't want to proceed with this tool use",
        "The user doesn't want to take this action right now",
    ];
    if refused.iter().any(|phrase| text.contains(phrase)) {
        return Reason::Rejected;
    }
    if after_exit_code(text).starts_with("[Request interrupted") {
        return Reason::Interrupted;
    }
    let bare = text.strip_prefix("<tool_use_error>").unwrap_or(text);
    let bare = bare.strip_prefix("Error: ").unwrap_or(bare);
    let begins = |text: &str, with: &[&str]| with.iter().any(|prefix| text.starts_with(prefix));
    if begins(
        bare,
        &["Sibling tool call errored", "Cancelled: parallel tool call"],
    ) {
        return Reason::Cancelled;
    }
    if begins(
        text,
        &[
            "Permission to use ",
            "Permission for this tool use was denied",
            "PreToolUse:",
        ],
    ) || text
        .chars()
        .take(200)
        .collect::<String>()
        .contains("auto mode cannot determine")
    {
        return Reason::Denied;
    }
    if begins(bare, &["No such tool available", "Unknown skill"]) || names_no_agent(bare) {
        return Reason::UnknownTool;
    }
    if bare.starts_with("InputValidationError") {
        return Reason::InvalidInput;
    }
    Reason::Error
}

/// The text below a first line `Exit code <n>`; the whole text when it does not begin so.
fn after_exit_code(text: &str) -> &str {
    let Some((code, below)) = text
        .strip_prefix("Exit code ")
        .and_then(|rest| rest.split_once('\n'))
    else {
        return text;
    };
    let digits = code.strip_prefix('-').unwrap_or(code);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        below
    } else {
        text
    }
}

/// `Agent type '<x>' not found`.
fn names_no_agent(text: &str) -> bool {
    text.strip_prefix("Agent type '")
        .is_some_and(|rest| rest.contains("' not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_error_tells_whose_it_was() {
        let error = ResultFlags {
            is_error: true,
            ..ResultFlags::default()
        };
        for (text, reason) in [
            (
                "The user doesn't want to proceed with this tool use. The tool use was rejected",
                Reason::Rejected,
            ),
            (
                "Error: The user doesn't want to take this action right now. STOP",
                Reason::Rejected,
            ),
            ("[Request interrupted by user for tool use]", Reason::Interrupted),
            (
                "Exit code 137\n[Request interrupted by user for tool use]",
                Reason::Interrupted,
            ),
            ("Exit code 137\nfoo\n[Request interrupted by user]", Reason::Error),
            (
                "<tool_use_error>Sibling tool call errored</tool_use_error>",
                Reason::Cancelled,
            ),
            (
                "<tool_use_error>Cancelled: parallel tool call Bash(x) errored</tool_use_error>",
                Reason::Cancelled,
            ),
            (
                "Permission to use Bash with command rm has been denied.",
                Reason::Denied,
            ),
            ("PreToolUse:Bash hook error: [x]: blocked", Reason::Denied),
            ("PreToolUse:Bash [x]: blocked", Reason::Denied),
            (
                "The action was blocked: auto mode cannot determine its safety",
                Reason::Denied,
            ),
            (
                "<tool_use_error>Error: No such tool available: Foo</tool_use_error>",
                Reason::UnknownTool,
            ),
            (
                "<tool_use_error>Unknown skill: commit</tool_use_error>",
                Reason::UnknownTool,
            ),
            (
                "Agent type 'nobody' not found. Available agents: a",
                Reason::UnknownTool,
            ),
            (
                "<tool_use_error>InputValidationError: Read failed",
                Reason::InvalidInput,
            ),
            ("  Exit code 1\nboom", Reason::Error),
            ("", Reason::Error),
        ] {
            assert_eq!(classify(error, text), Verdict::because(reason), "{text}");
        }
    }

    #[test]
    fn failures_without_an_error_flag_are_failures() {
        let flags = ResultFlags::default();
        assert_eq!(
            classify(flags, "The user doesn't want to proceed with this tool use"),
            Verdict::SUCCESS
        );
        assert_eq!(
            classify(flags, "### Error\nno page"),
            Verdict::because(Reason::Error)
        );
        let unsuccessful = ResultFlags {
            unsuccessful: true,
            ..flags
        };
        assert_eq!(classify(unsuccessful, "x"), Verdict::because(Reason::Error));
        let interrupted = ResultFlags {
            interrupted: true,
            ..flags
        };
        assert_eq!(classify(interrupted, "x"), Verdict::because(Reason::Interrupted));
    }
}
