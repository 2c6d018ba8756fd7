//! Translates the symbols of a file's facts to those of all files.

use super::{Context, FileFacts};
use crate::strings::Renaming;

impl FileFacts {
    /// Translates all symbols to those of another set.
    pub(crate) fn rename(&mut self, names: &Renaming) {
        self.rename_calls(names);
        self.rename_positions(names);
        self.rename_commands(names);
        self.rename_records(names);
    }

    fn rename_calls(&mut self, names: &Renaming) {
        for call in self.calls.iter_mut().chain(&mut self.implied) {
            names.rename(&mut call.id);
            names.rename(&mut call.tool);
            names.rename_option(&mut call.operation);
            names.rename_option(&mut call.model);
            names.rename_option(&mut call.group);
            names.rename_option(&mut call.task);
            call.context.rename(names);
        }
        for answer in &mut self.answers {
            names.rename(&mut answer.id);
        }
        for (made_up, stated) in &mut self.aliases {
            names.rename(made_up);
            names.rename(stated);
        }
        for note in &mut self.notes {
            names.rename(&mut note.id);
            if let Some((tool, operation)) = &mut note.tool {
                names.rename(tool);
                names.rename_option(operation);
            }
        }
        for usage in &mut self.usage {
            names.rename(&mut usage.group);
            names.rename_option(&mut usage.model);
            names.rename_option(&mut usage.within);
            names.rename_option(&mut usage.run);
            names.rename_option(&mut usage.carrier);
            names.rename_option(&mut usage.request_id);
            usage.context.rename(names);
        }
        for run in &mut self.runs {
            names.rename(&mut run.call);
            names.rename(&mut run.run);
        }
        for searches in &mut self.searches {
            names.rename(&mut searches.id);
        }
        for requested in &mut self.requested {
            names.rename(&mut requested.call);
            names.rename(&mut requested.group);
        }
    }

    fn rename_positions(&mut self, names: &Renaming) {
        for made in &mut self.numbered {
            names.rename_option(&mut made.record);
            names.rename(&mut made.number);
            names.rename(&mut made.call);
        }
        for result in &mut self.numbered_results {
            names.rename(&mut result.result);
            names.rename(&mut result.number);
            names.rename_option(&mut result.session);
            names.rename_option(&mut result.last);
            for record in &mut result.named {
                names.rename_option(record);
            }
        }
    }

    fn rename_commands(&mut self, names: &Renaming) {
        for command in &mut self.commands {
            names.rename(&mut command.id);
            names.rename_option(&mut command.command);
            names.rename(&mut command.skill);
            command.context.rename(names);
        }
        for command in &mut self.skill_texts {
            names.rename(command);
        }
        for launch in &mut self.launches {
            names.rename(&mut launch.call);
            names.rename(&mut launch.task);
            names.rename_option(&mut launch.session);
        }
        for ending in &mut self.endings {
            names.rename_option(&mut ending.call);
            names.rename_option(&mut ending.task);
            names.rename_option(&mut ending.session);
        }
    }

    fn rename_records(&mut self, names: &Renaming) {
        for ((kind, part), _) in &mut self.ignored {
            names.rename_option(kind);
            names.rename_option(part);
        }
        for frame in &mut self.frames {
            for name in [
                &mut frame.message,
                &mut frame.session,
                &mut frame.cwd,
                &mut frame.version,
                &mut frame.model,
                &mut frame.task,
            ] {
                names.rename_option(name);
            }
        }
        for load in &mut self.loads {
            names.rename(&mut load.record);
            names.rename(&mut load.tool);
            load.context.rename(names);
        }
        for body in &mut self.bodies {
            names.rename(&mut body.call);
        }
    }
}

impl Context {
    fn rename(&mut self, names: &Renaming) {
        names.rename_option(&mut self.session);
        names.rename_option(&mut self.cwd);
        names.rename_option(&mut self.branch);
        names.rename_option(&mut self.version);
    }
}
