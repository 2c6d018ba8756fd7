//! What a person typed: commands, skills and prompts.

use model::limits;
use sha2::{Digest, Sha256};

use super::{Reader, command, record::Record, response::stated, task};
use crate::{
    facts::{Body, Command, FileFacts, Millis},
    json::Str,
    redact, time,
    tool_name::ToolName,
};

impl Reader {
    /// The texts of a user record: a command, the text of a skill, the end of a task, or a prompt.
    pub(super) fn texts(&mut self, record: &Record<'_>, at: Option<Millis>, facts: &mut FileFacts) {
        let texts = || record.message.text.iter().chain(&record.message.texts).copied();
        let Some(first) = texts().next() else {
            return;
        };
        if let Some(ended) = texts().find_map(task::notified) {
            self.ended(record, &ended, at, facts);
        } else if let Some(text) = texts().find(|text| is_command(*text)) {
            if let Some(name) = command::typed(text) {
                let command = (!command::is_built_in(&name)).then(|| ToolName::command(&name));
                self.command(record, &name, command.as_ref(), facts);
            }
        } else if record.is_meta {
            self.loaded_text(record, texts().map(|text| text.text().len() as u64).sum(), facts);
            skill_text(record, first, facts);
        } else if let Some(name) = command::plain(first) {
            // A skill that runs in a fork leaves the command that the person typed; any other path or word is no skill.
            self.command(record, &name, None, facts);
        }
        if self.task_text
            && !record.is_meta
            && !(record.is_sidechain || record.is_compact_summary)
            && record.message.results.is_empty()
            && let Some(task) = texts().find_map(redact::prompt)
        {
            self.task = Some(facts.strings.intern(&task));
        }
    }

    /// The text that a call of a skill loads.
    fn loaded_text(&self, record: &Record<'_>, bytes: u64, facts: &mut FileFacts) {
        if let Some(call) = record.of_call.filter(|call| !self.positions.is_position(call.0))
            && let Some(call) = facts.call_id(Some(call))
        {
            facts.bodies.push(Body { call, bytes });
        }
    }

    /// A slash command has no id of its own: the line's uuid, which copies of the line share, becomes it.
    /// `command` is what it is as a tool when it is no skill.
    fn command(
        &mut self,
        record: &Record<'_>,
        name: &str,
        command: Option<&ToolName>,
        facts: &mut FileFacts,
    ) {
        let id = command_id(record.uuid).unwrap_or_else(|| {
            let text = |part: Option<Str<'_>>| part.map(Str::text).unwrap_or_default().into_owned();
            let key = [
                text(record.uuid),
                text(record.session),
                text(record.timestamp),
                name.to_owned(),
            ];
            let digest = Sha256::digest(key.join("\n").as_bytes());
            format!("command:{}", model::text::hex(&digest[..16]))
        });
        let Some(id) = facts.call_id(Some(Str(id.as_bytes()))) else {
            return;
        };
        let command = command.map(|command| facts.tool(command).0);
        let (skill, _) = facts.tool(&ToolName::skill(name));
        let context = self.context(record, facts);
        facts.commands.push(Command {
            id,
            at: time::parse(record.timestamp),
            context,
            command,
            skill,
        });
    }
}

/// The id of a command by the uuid of its record.
fn command_id(uuid: Option<Str<'_>>) -> Option<String> {
    let uuid = stated(uuid)?.text();
    (uuid.len() + 8 <= limits::UUID_BYTES).then(|| format!("command:{uuid}"))
}

/// The text that a typed skill brings names the record of its command as the one before it.
fn skill_text(record: &Record<'_>, text: Str<'_>, facts: &mut FileFacts) {
    if record.of_call.is_none()
        && command::is_skill_text(text)
        && let Some(command) = command_id(record.parent)
    {
        let command = facts.strings.intern(&command);
        facts.skill_texts.push(command);
    }
}

fn is_command(text: Str<'_>) -> bool {
    let head = &text.0[..text.0.len().min(64)];
    memchr::memmem::find(head, b"<command-").is_some()
        || memchr::memchr(b'\\', head).is_some() && text.head(64).contains("<command-")
}
