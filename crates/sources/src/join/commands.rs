//! Typed commands, and skills that were called by their command.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::Pool;
use crate::{facts::Call, strings::Sym};

/// The operation of a skill that a person called as a slash command, as Claude Code's own telemetry names it. A skill
/// that the model called has none.
pub(crate) const TYPED: &str = "user-slash";

type Listed = HashSet<(Option<Sym>, Sym), RandomState>;

impl Pool {
    /// Turns typed commands into calls. A command is a skill when the record after it or a listing of its session says
    /// so; otherwise it is a command, unless the agent handles it itself.
    pub(super) fn typed_calls(&mut self) {
        let commands = std::mem::take(&mut self.commands);
        if commands.is_empty() {
            return;
        }
        let listed = self.listed();
        let mut skills: HashSet<Sym, RandomState> = commands
            .iter()
            .filter(|command| listed.contains(&(command.context.session, command.skill)))
            .map(|command| command.id)
            .collect();
        skills.extend(std::mem::take(&mut self.skill_texts));
        let typed = self.strings.intern(TYPED);
        for command in commands {
            // Copies of a command in forks are the same call, whatever their sessions list.
            let is_skill = skills.contains(&command.id);
            let tool = if is_skill {
                Some(command.skill)
            } else {
                command.command
            };
            let Some(tool) = tool else {
                continue;
            };
            self.calls.push(Call {
                id: command.id,
                at: command.at,
                tool,
                operation: is_skill.then_some(typed),
                context: command.context,
                model: None,
                group: None,
                task: None,
                waits_for_person: false,
                unreported: true,
            });
        }
    }

    /// The skills that the sessions list.
    fn listed(&self) -> Listed {
        self.loads
            .iter()
            .filter(|load| {
                let tool = self.strings.get(load.tool);
                tool.starts_with("skill:") || tool.starts_with("plugin:")
            })
            .map(|load| (load.context.session, load.tool))
            .collect()
    }
}
