//! Slash commands. They leave no tool call, only their markup in the text of the person's message.

use crate::json::Str;

/// Commands that Claude Code itself handles, and its own prompts: switching a model, clearing the conversation or
/// writing a CLAUDE.md is not the use of a tool. Bundled skills are not included. From the table of
/// code.claude.com/docs/en/commands, with earlier names and the aliases.
const BUILT_IN: [&str; 141] = [
    "add-dir",
    "advisor",
    "agents",
    "allowed-tools",
    "android",
    "app",
    "approved-tools",
    "artifacts",
    "auto-mode-setup",
    "autocompact",
    "autofix-pr",
    "background",
    "bashes",
    "bg",
    "branch",
    "break-reminder",
    "brief",
    "btw",
    "bug",
    "cd",
    "checkpoint",
    "checkup",
    "chrome",
    "clear",
    "cloud-plugins",
    "cls",
    "color",
    "compact",
    "config",
    "context",
    "continue",
    "copy",
    "cost",
    "daemon",
    "design-consent",
    "design-login",
    "design-revoke",
    "desktop",
    "diff",
    "doctor",
    "downtime",
    "effort",
    "exit",
    "export",
    "extra-usage",
    "fast",
    "feedback",
    "files",
    "focus",
    "fork",
    "goal",
    "heapdump",
    "help",
    "hooks",
    "ide",
    "init",
    "insights",
    "install",
    "install-github-app",
    "install-slack-app",
    "ios",
    "keybindings",
    "list-agents",
    "login",
    "logout",
    "marketplace",
    "mcp",
    "memory",
    "memory-pause",
    "migrate-installer",
    "mobile",
    "model",
    "new",
    "output-style",
    "output-style:new",
    "passes",
    "pause-memory",
    "peers",
    "permissions",
    "plan",
    "plugin",
    "plugins",
    "powerup",
    "pr-comments",
    "pr_comments",
    "privacy-settings",
    "pro-trial-expired",
    "quit",
    "radio",
    "rate-limit-options",
    "rc",
    "recap",
    "release-notes",
    "reload-plugins",
    "reload-skills",
    "remote-control",
    "remote-env",
    "rename",
    "reset",
    "resume",
    "review",
    "rewind",
    "routines",
    "sandbox",
    "scroll-speed",
    "security-review",
    "session",
    "settings",
    "setup-bedrock",
    "setup-cowork",
    "setup-vertex",
    "skill-doctor",
    "skills",
    "stats",
    "status",
    "statusline",
    "stickers",
    "stop",
    "subtask",
    "tag",
    "tasks",
    "team-onboarding",
    "teleport",
    "terminal-setup",
    "theme",
    "think-back",
    "todos",
    "toggle-memory",
    "tp",
    "tui",
    "ultraplan",
    "ultrareview",
    "undo",
    "upgrade",
    "usage",
    "usage-credits",
    "vim",
    "voice",
    "web-setup",
    "wellbeing",
    "workflows",
];

/// True for a command, without its slash, that Claude Code handles itself.
pub(crate) fn is_built_in(name: &str) -> bool {
    BUILT_IN.contains(&name)
}

/// The command that a person typed and that became a prompt, without its slash: the text begins with its markup,
/// the message before the name.
///
/// With the name first Claude Code answers the command itself. A name without a slash is the echo of a skill that the
/// model called.
pub(crate) fn typed(text: Str<'_>) -> Option<String> {
    // A long paste does not have to be built to see that it has no markup.
    if !text.head(64).trim_start().starts_with("<command-message>") {
        return None;
    }
    let text = text.head(8_192);
    let (_, after) = text.split_once("<command-name>")?;
    let (name, _) = after.split_once("</command-name>")?;
    let name = name.trim().strip_prefix('/')?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// The first word of a text that begins with a slash, without it, when it may be the name of a skill.
pub(crate) fn plain(text: Str<'_>) -> Option<String> {
    const NAME_BYTES: usize = 128;
    let rest = text.0.strip_prefix(b"/")?;
    let length = rest
        .iter()
        .take(NAME_BYTES + 1)
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':')))
        .unwrap_or(rest.len());
    // An escape is a line break here.
    let ends = matches!(rest.get(length), None | Some(b' ' | b'\\'));
    (ends && (1..=NAME_BYTES).contains(&length)).then(|| Str(&rest[..length]).text().into_owned())
}

/// True for the text that a skill brings into the conversation.
pub(crate) fn is_skill_text(text: Str<'_>) -> bool {
    text.head(64)
        .trim_start()
        .starts_with("Base directory for this skill:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        typed(Str(text.as_bytes()))
    }

    #[test]
    fn a_command_that_became_a_prompt_has_its_message_first() {
        for text in [
            "<command-message>review-pr</command-message>\\n<command-name>/review-pr</command-name>",
            "<command-message>review-pr is running…</command-message>\\n<command-name>/review-pr</command-name>\\n<command-args>12</command-args>",
            "\\n  <command-message>x</command-message><command-name> /review-pr </command-name>",
        ] {
            assert_eq!(name(text).as_deref(), Some("review-pr"), "{text}");
        }
        let plugin = "<command-message>a:b:c</command-message><command-name>/a:b:c</command-name>";
        assert_eq!(name(plugin).as_deref(), Some("a:b:c"));
    }

    #[test]
    fn answers_echoes_and_other_texts_are_no_commands() {
        for text in [
            "<command-name>/clear</command-name>\\n<command-message>clear</command-message>",
            "<command-name>/a-later-one</command-name>\\n<command-message>a-later-one</command-message>",
            "<command-message>The \\\"pdf\\\" skill is loading</command-message>\\n<command-name>pdf</command-name>",
            "<command-message>The \\\"pdf\\\" skill is running</command-message>\\n<command-name>pdf</command-name>",
            "<command-message>x</command-message><command-name>/</command-name>",
            "<command-message>x</command-message><command-name>/cut",
            "<command-message>x</command-message>",
            "Please run <command-message>x</command-message><command-name>/x</command-name>",
            "",
        ] {
            assert_eq!(name(text), None, "{text}");
        }
    }

    #[test]
    fn what_begins_with_a_slash_may_be_a_skill_and_a_path_is_none() {
        let name = |text: &str| plain(Str(text.as_bytes()));
        assert_eq!(name("/forked-skill").as_deref(), Some("forked-skill"));
        assert_eq!(name("/p:skill with words").as_deref(), Some("p:skill"));
        for text in ["/home/ada/x is gone", "/", "skill", "/a.b", ""] {
            assert_eq!(name(text), None, "{text}");
        }
    }

    #[test]
    fn the_built_in_commands_are_sorted_and_stand_once() {
        assert!(BUILT_IN.is_sorted_by(|a, b| a < b));
    }
}
