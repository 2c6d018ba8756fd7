//! The root of the command line. The doc comments are the help.

use clap::Parser;

use crate::{command::Command, context::GlobalArgs};

/// Collect the tool calls of coding agents, and report which tools work and which are unused
///
/// `toolhub upload` reads the session logs of a team's coding agents and sends each tool call to the server, which counts
/// it exactly once. The other commands show scores, leaderboards, uploads and dead weight.
///
/// Exit codes: 0 done, 1 failed, 2 usage, 3 some events rejected, 4 not allowed, 75 try again later, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "toolhub", version = env!("VERSION_AND_COMMIT"), max_term_width = 100, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn clap_accepts_the_definition_of_every_command() {
        Cli::command().debug_assert();
    }

    /// The help is the reference of the command line: a change is seen in review.
    #[cfg(feature = "server")]
    #[test]
    fn the_help_of_every_command_is_as_reviewed() {
        let mut text = String::new();
        for_each_command(&mut |path, command| {
            text.push_str(&format!("=== {path}\n\n{}\n", command.render_long_help()));
        });
        insta::assert_snapshot!(text);
    }

    #[cfg(feature = "server")]
    #[test]
    fn help_is_in_plain_words_and_ends_without_a_full_stop() {
        let unclear = [
            "nobody",
            "whoever",
            "somebody",
            "everybody",
            "anybody",
            "stands",
            "dear",
            "became",
            "wish",
            "mend",
            "whole thing",
            "judge",
            "believe",
        ];
        for_each_command(&mut |path, command| {
            let check = |what: &str, help: Option<&clap::builder::StyledStr>| {
                let help = help
                    .unwrap_or_else(|| panic!("{path}: {what} has no help"))
                    .to_string();
                let words: Vec<String> = help
                    .split(|c: char| !c.is_alphanumeric())
                    .map(str::to_lowercase)
                    .collect();
                let found = unclear
                    .iter()
                    .find(|word| words.iter().any(|other| other == *word));
                assert_eq!(found, None, "{path}: {what}: {help}");
                assert!(!help.ends_with('.'), "{path}: {what}: {help}");
                assert!(!help.starts_with(char::is_lowercase), "{path}: {what}: {help}");
            };
            check("the command", command.get_about());
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                check(argument.get_id().as_str(), argument.get_help());
            }
        });
    }

    /// A reader of the help need not try what happens without an option. A filter that begins with "Only" has no value
    /// by itself.
    #[cfg(feature = "server")]
    #[test]
    fn the_help_of_every_option_with_a_value_says_what_the_default_is() {
        let mut without = Vec::new();
        for_each_command(&mut |path, command| {
            let options = command.get_arguments().filter(|argument| {
                argument.get_action().takes_values() && !argument.is_required_set() && !argument.is_hide_set()
            });
            for option in options {
                let help = option.get_help().map(ToString::to_string).unwrap_or_default();
                let is_stated = !option.get_default_values().is_empty()
                    || help.contains("[default: ")
                    || help.starts_with("Only ");
                if !is_stated {
                    without.push(format!("{path}: {}: {help}", option.get_id()));
                }
            }
        });
        without.sort();
        without.dedup();
        assert!(without.is_empty(), "{}", without.join("\n"));
    }

    #[cfg(feature = "server")]
    fn for_each_command(visit: &mut dyn FnMut(&str, &mut clap::Command)) {
        fn walk(command: &mut clap::Command, path: &str, visit: &mut dyn FnMut(&str, &mut clap::Command)) {
            let path = format!("{path} {}", command.get_name()).trim().to_owned();
            visit(&path, command);
            for below in command
                .get_subcommands_mut()
                .filter(|below| below.get_name() != "help")
            {
                walk(below, &path, visit);
            }
        }
        let mut command = Cli::command().term_width(100);
        command.build();
        walk(&mut command, "", visit);
    }
}
