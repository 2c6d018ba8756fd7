//! The verdict on a call of Claude Code. The log marks errors, but not their cause: a person's refusal, a cancelled
//! sibling and a failed command all carry `is_error`. Newer versions state in fields of the record who decided; in
//! older ones only the beginning of the text shows it, where Claude Code writes its own messages.

use model::{CallResult, Reason};

/// The record's data about the result, apart from its text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ResultFlags {
    /// `is_error` of the block.
    pub(crate) is_error: bool,
    /// `toolUseResult.success` is false.
    pub(crate) unsuccessful: bool,
    /// `toolUseResult.interrupted` is true.
    pub(crate) interrupted: bool,
    /// `toolUseResult` is the text that Claude Code writes for a refusal by a person.
    pub(crate) refused: bool,
    /// `permissionDecision`.
    pub(crate) decision: Decision,
    /// `toolDenialKind`.
    pub(crate) denial: Denial,
    /// `toolDenialBeforeRun` is true.
    pub(crate) before_run: bool,
}

/// Who decided whether the call may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The record does not state it.
    #[default]
    Unknown,
    /// It is allowed.
    Accepted,
    /// A rule, a mode, a hook or a classifier refused.
    Denied,
    /// A person refused.
    Rejected,
}

/// The kind of a refusal. `user-rejected` alone does not mean a person: it is also written in runs without a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Denial {
    /// The record does not state it.
    #[default]
    Unknown,
    /// `permission-rule`, or any other kind but the next.
    Rule,
    /// `user-rejected`.
    User,
}

/// A verdict, and whether the message behind it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Classified {
    pub(crate) verdict: CallResult,
    pub(crate) known: bool,
}

/// Classifies a result. `text` is the text of the result, or enough of its beginning.
pub(crate) fn classify(flags: ResultFlags, text: &str) -> Classified {
    let text = text.trim_start();
    let known = |verdict| Classified { verdict, known: true };
    match flags.decision {
        Decision::Denied => return known(CallResult::because(Reason::Denied)),
        Decision::Rejected => return known(CallResult::because(Reason::Rejected)),
        Decision::Accepted | Decision::Unknown => {}
    }
    if !flags.is_error {
        return match () {
            () if flags.interrupted => known(CallResult::because(Reason::Interrupted)),
            // MCP servers that report an error as an ordinary text begin it with this heading.
            () if flags.unsuccessful || text.starts_with("### Error") => {
                known(CallResult::because(Reason::Error))
            }
            () => known(CallResult::SUCCESS),
        };
    }
    let bare = bare(text);
    // A call that was allowed to run can be stopped and can fail, but not be refused any more.
    let words = match told_by_words(text, bare) {
        Some(Reason::Denied | Reason::Rejected) if flags.decision == Decision::Accepted => {
            Some(Reason::Error)
        }
        words => words,
    };
    match (flags.denial, words) {
        (_, Some(reason @ (Reason::Interrupted | Reason::Denied))) => known(CallResult::because(reason)),
        (Denial::Rule, _) => known(CallResult::because(Reason::Denied)),
        (Denial::User, _) if flags.before_run => known(CallResult::because(Reason::Rejected)),
        (Denial::User, Some(Reason::Error)) if text.starts_with("Exit code ") => {
            known(CallResult::because(Reason::Interrupted))
        }
        (Denial::User, Some(Reason::Error)) => known(CallResult::because(Reason::Rejected)),
        (_, Some(reason)) => known(CallResult::because(reason)),
        (Denial::User, None) => known(CallResult::because(Reason::Rejected)),
        (Denial::Unknown, None) if flags.refused => known(CallResult::because(Reason::Rejected)),
        (Denial::Unknown, None) => Classified {
            verdict: CallResult::because(Reason::Error),
            known: false,
        },
    }
}

/// The reason given by Claude Code's own message at the beginning of an error; `None` when it is not known.
fn told_by_words(text: &str, bare: &str) -> Option<Reason> {
    let begins = |with: &[&str]| with.iter().any(|prefix| bare.starts_with(prefix));
    if begins(&REFUSED) {
        // A call that was running when its person stopped the turn has the same sentence, followed by a remark.
        return Some(if text.contains("this call was stopped while running") {
            Reason::Interrupted
        } else {
            Reason::Rejected
        });
    }
    if begins(&["[Request interrupted"]) || stopped_command(text) {
        return Some(Reason::Interrupted);
    }
    if begins(&CANCELLED) {
        return Some(Reason::Cancelled);
    }
    if begins(&DENIED) || denied_by_form(bare) {
        return Some(Reason::Denied);
    }
    if begins(&["No such tool available", "Unknown skill"]) || names_no_agent(bare) {
        return Some(Reason::UnknownTool);
    }
    if bare.starts_with("InputValidationError") {
        return Some(Reason::InvalidInput);
    }
    // Errors of the tools themselves: of a command, of those that Claude Code marks, and of its files and servers.
    let of_tool = bare.len() < text.len() || text.is_empty() || begins(&FAILED);
    of_tool.then_some(Reason::Error)
}

/// The text without the markup that Claude Code adds around its own errors.
fn bare(text: &str) -> &str {
    let bare = text.strip_prefix("<tool_use_error>").unwrap_or(text);
    bare.strip_prefix("Error: ").unwrap_or(bare)
}

/// Prefixes of errors for a refusal by a person.
const REFUSED: [&str; 8] = [
    "The user doesn't want to proceed with this tool use",
    "The user doesn't want to take this action right now",
    "The user rejected",
    "The agent proposed a plan that was rejected by the user",
    "User rejected",
    "User declined",
    "The user declined",
    "The user wants to clarify these questions",
];

/// Prefixes of errors for calls that were discarded because of something else.
const CANCELLED: [&str; 4] = [
    "Sibling tool call errored",
    "Cancelled: parallel tool call",
    "Streaming fallback",
    "Conversation ended by model",
];

/// Prefixes of errors for a refusal by rules, modes, hooks and the classifier of auto mode.
const DENIED: [&str; 19] = [
    "Permission to use ",
    "Permission for this ",
    "Permission denied by hook",
    "PreToolUse:",
    "PermissionRequest:",
    "Hook PreToolUse:",
    "Hook PermissionRequest",
    "Claude requested permissions to ",
    "This command requires approval",
    "This Bash command contains multiple operations. The following part",
    "Your organization requires approval for this tool",
    "File is in a directory that is denied by your permission settings",
    "Skill execution blocked by permission rules",
    "Agent aborted: auto mode classifier",
    "Blocked by auto mode",
    "Refused: auto mode",
    "Tool permission request failed",
    "Tool permission stream closed",
    "Tool use was denied",
];

/// Prefixes of errors of the tools.
const FAILED: [&str; 22] = [
    "Exit code ",
    "### Error",
    "API Error",
    "Command failed",
    "Command timed out",
    "EACCES",
    "EISDIR",
    "ENOENT",
    "ENOTDIR",
    "Error",
    "Failed to ",
    "File ",
    "HTTP ",
    "Invalid ",
    "MCP ",
    "No task found",
    "Path ",
    "Request failed",
    "String to replace not found",
    "Unable to ",
    "maxBuffer ",
    "ripgrep ",
];

/// Refusals that begin with what they refuse: `<Tool> operation blocked by hook`, `touch in '…' needs approval.`,
/// `Cannot write to … while in plan mode.`, `<model> is unavailable, so auto mode cannot determine the safety of …`.
fn denied_by_form(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    let sentence = line.split_once(". ").map_or(line, |(sentence, _)| sentence);
    let sentence: &str = sentence
        .char_indices()
        .nth(300)
        .map_or(sentence, |(at, _)| &sentence[..at]);
    // The output of the command is below the exit code.
    if text.starts_with("Exit code ") {
        return false;
    }
    let bare = sentence.trim_end_matches('.');
    let needs_approval = bare.ends_with(" needs approval")
        || bare.ends_with(" requires approval")
        || bare.ends_with(" require approval");
    let by_mode = sentence.starts_with("Cannot ") && bare.ends_with(" while in plan mode");
    let by_hook =
        sentence.contains(" operation blocked by hook") || sentence.contains(" was blocked by a hook");
    let by_rule = sentence.contains(" was blocked by a deny rule")
        || sentence.contains(" has been denied by permission rule")
        || sentence.contains(" blocked by your organization")
        || sentence.contains(" is blocked by enterprise policy");
    let by_classifier = sentence.contains("auto mode cannot determine")
        || sentence.contains("auto mode could not evaluate")
        || sentence.contains("the auto mode classifier")
        || sentence.contains(" was not run: auto mode")
        || sentence.contains(" not run: its permission check failed")
        || sentence.contains("too long for auto mode");
    needs_approval || by_mode || by_hook || by_rule || by_classifier
}

/// True for a command that was stopped by its person: the marker alone is on the line below the exit code of a signal.
/// Below any other exit code it is output of the command.
fn stopped_command(text: &str) -> bool {
    let Some((code, below)) = text
        .strip_prefix("Exit code ")
        .and_then(|rest| rest.split_once('\n'))
    else {
        return false;
    };
    let by_signal = code.parse::<i64>().is_ok_and(|code| !(0..=128).contains(&code));
    let marker = below.lines().next().unwrap_or_default();
    by_signal && marker.starts_with("[Request interrupted by user") && marker.trim_end().ends_with(']')
}

/// `Agent type '<x>' not found`.
fn names_no_agent(text: &str) -> bool {
    text.strip_prefix("Agent type '")
        .is_some_and(|rest| rest.contains("' not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERROR: ResultFlags = ResultFlags {
        is_error: true,
        unsuccessful: false,
        interrupted: false,
        refused: false,
        decision: Decision::Unknown,
        denial: Denial::Unknown,
        before_run: false,
    };

    fn verdict(flags: ResultFlags, text: &str) -> CallResult {
        classify(flags, text).verdict
    }

    #[test]
    fn the_beginning_of_an_error_tells_whose_it_was() {
        for (text, reason) in [
            (
                "The user doesn't want to proceed with this tool use. The tool use was rejected",
                Reason::Rejected,
            ),
            (
                "Error: The user doesn't want to take this action right now. STOP",
                Reason::Rejected,
            ),
            (
                "The user doesn't want to proceed with this tool use. Correction to the text above: this call was stopped while running",
                Reason::Interrupted,
            ),
            ("[Request interrupted by user for tool use]", Reason::Interrupted),
            (
                "Exit code 137\n[Request interrupted by user for tool use]",
                Reason::Interrupted,
            ),
            ("Exit code 137\nfoo\n[Request interrupted by user]", Reason::Error),
            ("Exit code 1\n[Request interrupted by user]", Reason::Error),
            (
                "<tool_use_error>Sibling tool call errored</tool_use_error>",
                Reason::Cancelled,
            ),
            (
                "<tool_use_error>Cancelled: parallel tool call Bash(x) errored</tool_use_error>",
                Reason::Cancelled,
            ),
            (
                "<tool_use_error>Error: Streaming fallback - tool execution discarded</tool_use_error>",
                Reason::Cancelled,
            ),
            (
                "Permission to use Bash with command rm has been denied.",
                Reason::Denied,
            ),
            (
                "Permission for this action was denied by the Claude Code auto mode classifier. Reason: x",
                Reason::Denied,
            ),
            ("PreToolUse:Bash hook error: [x]: blocked", Reason::Denied),
            ("PreToolUse:Bash [x]: blocked", Reason::Denied),
            ("Hook PreToolUse:Edit denied this tool", Reason::Denied),
            ("Edit operation blocked by hook: no", Reason::Denied),
            ("This command requires approval", Reason::Denied),
            (
                "Claude requested permissions to edit /x/.env which is a sensitive file.",
                Reason::Denied,
            ),
            (
                "mkdir in '/home/ada/x' needs approval. The path is inside the working directories",
                Reason::Denied,
            ),
            ("Cannot edit /x while in plan mode.", Reason::Denied),
            (
                "<tool_use_error>File is in a directory that is denied by your permission settings.</tool_use_error>",
                Reason::Denied,
            ),
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
            let classified = classify(ERROR, text);
            assert_eq!(classified.verdict, CallResult::because(reason), "{text}");
            assert!(classified.known, "{text}");
        }
    }

    #[test]
    fn what_a_command_prints_decides_nothing() {
        for text in [
            "Exit code 1\nThe user doesn't want to proceed with this tool use",
            "Exit code 1\nsaid \"The user doesn't want to take this action right now\"",
            "Exit code 2\nPreToolUse:Bash hook error: x",
            "Exit code 1\nThis command requires approval",
            "Exit code 1\nx needs approval.",
            "Exit code 1\n<tool_use_error>Sibling tool call errored</tool_use_error>",
            "Exit code 1\nError: No such tool available: x",
        ] {
            assert_eq!(verdict(ERROR, text), CallResult::because(Reason::Error), "{text}");
        }
    }

    #[test]
    fn the_fields_of_the_record_come_before_the_words() {
        let decided = |decision| ResultFlags { decision, ..ERROR };
        let words = "The user doesn't want to proceed with this tool use";
        for (flags, text, reason) in [
            (decided(Decision::Denied), words, Reason::Denied),
            (decided(Decision::Rejected), "not like this", Reason::Rejected),
            (
                decided(Decision::Accepted),
                "Permission to use the table x is missing",
                Reason::Error,
            ),
            (
                ResultFlags {
                    denial: Denial::Rule,
                    ..ERROR
                },
                "words of a later version",
                Reason::Denied,
            ),
            (
                ResultFlags {
                    denial: Denial::User,
                    before_run: true,
                    ..ERROR
                },
                words,
                Reason::Rejected,
            ),
            (
                ResultFlags {
                    denial: Denial::User,
                    ..ERROR
                },
                "This command requires approval",
                Reason::Denied,
            ),
            (
                ResultFlags {
                    refused: true,
                    ..ERROR
                },
                "rather use make",
                Reason::Rejected,
            ),
        ] {
            assert_eq!(
                verdict(flags, text),
                CallResult::because(reason),
                "{flags:?} {text}"
            );
        }
    }

    #[test]
    fn unknown_words_are_a_failure_and_reported_as_unknown() {
        let classified = classify(ERROR, "The safety board has vetoed this call");
        assert_eq!(classified.verdict, CallResult::because(Reason::Error));
        assert!(!classified.known);
    }

    #[test]
    fn failures_without_an_error_flag_are_failures() {
        let flags = ResultFlags::default();
        assert_eq!(
            verdict(flags, "The user doesn't want to proceed with this tool use"),
            CallResult::SUCCESS
        );
        assert_eq!(
            verdict(flags, "### Error\nno page"),
            CallResult::because(Reason::Error)
        );
        let unsuccessful = ResultFlags {
            unsuccessful: true,
            ..flags
        };
        assert_eq!(verdict(unsuccessful, "x"), CallResult::because(Reason::Error));
        let interrupted = ResultFlags {
            interrupted: true,
            ..flags
        };
        assert_eq!(
            verdict(interrupted, "x"),
            CallResult::because(Reason::Interrupted)
        );
    }
}
