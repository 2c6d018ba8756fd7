//! Slash commands. They leave no tool call, only their markup in what the person is said to have written.

use crate::json::Str;

/// Commands that Claude Code itself answers: switching a model or clearing the conversation is not the use of a tool.
const BUILT_IN: [&str; 84] = [
    "add-dir",
    "agents",
    "allowed-tools",
    "bashes",
    "branch",
    "btw",
    "bug",
    "checkpoint",
    "chrome",
    "clear",
    "color",
    "compact",
    "config",
    "context",
    "continue",
    "copy",
    "cost",
    "desktop",
    "diff",
    "doctor",
    "effort",
    "exit",
    "export",
    "extra-usage",
    "fast",
    "feedback",
    "files",
    "fork",
    "help",
    "hooks",
    "ide",
    "init",
    "insights",
    "install-github-app",
    "install-slack-app",
    "keybindings",
    "login",
    "logout",
    "mcp",
    "memory",
    "migrate-installer",
    "mobile",
    "model",
    "new",
    "output-style",
    "output-style:new",
    "passes",
    "permissions",
    "plan",
    "plugin",
    "plugins",
    "pr-comments",
    "privacy-settings",
    "quit",
    "rate-limit-options",
    "release-notes",
    "reload-plugins",
    "remote-control",
    "remote-env",
    "rename",
    "reset",
    "resume",
    "review",
    "rewind",
    "sandbox",
    "security-review",
    "session",
    "settings",
    "skills",
    "stats",
    "status",
    "statusline",
    "stickers",
    "tag",
    "tasks",
    "teleport",
    "terminal-setup",
    "theme",
    "think-back",
    "todos",
    "upgrade",
    "usage",
    "vim",
    "voice",
];

/// The command that a text invokes, without its slash: the text begins with the markup, the name comes in either
/// order of the tags. `None` when it invokes none, or one of Claude Code's own.
pub(crate) fn custom_command(text: Str<'_>) -> Option<String> {
    const TAGS: [&str; 2] = ["<command-name>", "<command-message>"];
    // The markup stands at the beginning; a long paste does not have to be built to see that it has none.
    let head = text.head(64);
    if !TAGS.iter().any(|tag| head.trim_start().starts_with(tag)) {
        return None;
    }
    let text = text.head(8_192);
    let (_, after) = text.split_once(TAGS[0])?;
    let (name, _) = after.split_once("</command-name>")?;
    let name = name.trim();
    let name = name.strip_prefix('/').unwrap_or(name);
    (!name.is_empty() && !BUILT_IN.contains(&name)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(text: &str) -> Option<String> {
        custom_command(Str(text.as_bytes()))
    }

    #[test]
    fn the_name_is_found_in_either_order_of_the_tags() {
        let name = "<command-name>/review-pr</command-name>";
        let message = "<command-message>review-pr is running…</command-message>";
        for text in [
            format!("{name}\\n            {message}\\n<command-args></command-args>"),
            format!("{message}\\n{name}"),
            format!("\\n  {name}"),
        ] {
            assert_eq!(custom(&text).as_deref(), Some("review-pr"), "{text}");
        }
    }

    #[test]
    fn commands_of_claude_code_and_other_texts_are_none() {
        for text in [
            "<command-name>/clear</command-name>",
            "<command-name>clear</command-name>",
            "<command-name>/</command-name>",
            "<command-name>/cut",
            "<command-message>x</command-message>",
            "Please run <command-name>/review-pr</command-name>",
            "",
        ] {
            assert_eq!(custom(text), None, "{text}");
        }
    }

    #[test]
    fn a_plugin_command_keeps_its_colon() {
        let text = "<command-name>/workflows:review</command-name>";
        assert_eq!(custom(text).as_deref(), Some("workflows:review"));
    }
}
