//! A part of a message. A tool part contains call and result in one.

use std::collections::HashMap;

use model::{CallResult, Reason};

use super::record::millis;
use crate::{
    Agent, call_id,
    facts::{Answer, Call, Context, FileFacts, Frame, Millis, Run},
    json::{Cursor, Malformed, Raw, Str},
    problem::ProblemCode,
    servers,
    strings::Sym,
    tool_name::{self, ToolName},
};

/// Bytes of an error that are read: OpenCode's own messages come first.
const ERROR_HEAD: usize = 512;

/// Prefixes of OpenCode's own errors, and what they mean.
const ERRORS: [(&str, Reason); 14] = [
    ("The user rejected permission", Reason::Rejected),
    ("The user dismissed", Reason::Rejected),
    ("The user has specified a rule which prevents you", Reason::Denied),
    ("The user has specifically restricted access", Reason::Denied),
    ("Tool execution aborted", Reason::Interrupted),
    ("Tool execution was aborted", Reason::Interrupted),
    ("Tool execution interrupted", Reason::Interrupted),
    ("The operation was aborted", Reason::Interrupted),
    ("This operation was aborted", Reason::Interrupted),
    ("Aborted", Reason::Interrupted),
    ("Cancelled", Reason::Cancelled),
    ("Model tried to call unavailable tool", Reason::UnknownTool),
    ("Unknown tool: ", Reason::UnknownTool),
    ("Invalid input for tool", Reason::InvalidInput),
];

/// The messages of the calls with positional ids, by session and uuid.
pub(super) type Counted = HashMap<(Option<Sym>, Sym), Option<Sym>>;

#[derive(Default)]
pub(super) struct Part<'a> {
    kind: Option<Str<'a>>,
    pub(super) message: Option<Str<'a>>,
    pub(super) session: Option<Str<'a>>,
    call_id: Option<Str<'a>>,
    tool: Option<Str<'a>>,
    pub(super) text: Option<Str<'a>>,
    status: Option<Str<'a>>,
    error: Option<Str<'a>>,
    /// The kind of error, which the newest messages state.
    error_kind: Option<Str<'a>>,
    output: Option<Str<'a>>,
    input: Option<Raw<'a>>,
    exit_code: Option<f64>,
    /// The session of the subagent that the call started.
    run: Option<Str<'a>>,
    interrupted: bool,
    start: Option<Millis>,
    end: Option<Millis>,
}

impl<'a> Part<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Part<'a>, Malformed> {
        let mut part = Part::default();
        cursor.object(|cursor, key| part.field(cursor, key))?;
        Ok(part)
    }

    pub(super) fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"type" => self.kind = cursor.string()?,
            b"messageID" => self.message = cursor.string()?,
            b"sessionID" => self.session = cursor.string()?,
            b"callID" => self.call_id = cursor.string()?,
            b"tool" => self.tool = cursor.string()?,
            b"text" => self.text = cursor.string()?,
            b"state" => cursor.object(|cursor, key| self.state(cursor, key))?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn state(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"status" => self.status = cursor.string()?,
            b"error" => self.error = cursor.string()?,
            b"output" => self.output = cursor.string()?,
            b"input" => self.input = Some(cursor.raw()?),
            b"metadata" => cursor.object(|cursor, key| {
                match key {
                    b"sessionId" | b"sessionID" => self.run = cursor.string()?,
                    b"exit" => self.exit_code = cursor.number()?,
                    b"interrupted" => self.interrupted = cursor.boolean()? == Some(true),
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"time" => cursor.object(|cursor, key| {
                match key {
                    b"start" => self.start = millis(cursor)?,
                    b"end" => self.end = millis(cursor)?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    /// A part of a message of the newest table.
    pub(super) fn read_content(cursor: &mut Cursor<'a>) -> Result<Part<'a>, Malformed> {
        let mut part = Part::default();
        let mut created = None;
        cursor.object(|cursor, key| {
            match key {
                b"type" => part.kind = cursor.string()?,
                b"id" => part.call_id = cursor.string()?,
                b"name" => part.tool = cursor.string()?,
                b"state" => cursor.object(|cursor, key| part.content_state(cursor, key))?,
                b"time" => cursor.object(|cursor, key| {
                    match key {
                        b"created" => created = millis(cursor)?,
                        b"ran" => part.start = millis(cursor)?,
                        b"completed" => part.end = millis(cursor)?,
                        _ => cursor.skip()?,
                    }
                    Ok(())
                })?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        part.start = part.start.or(created);
        Ok(part)
    }

    fn content_state(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"error" => cursor.object(|cursor, key| {
                match key {
                    b"type" => self.error_kind = cursor.string()?,
                    b"message" => self.error = cursor.string()?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"structured" => self.state(cursor, b"metadata")?,
            b"content" => cursor.array(|cursor| {
                cursor.object(|cursor, key| {
                    if key == b"text" {
                        let text = cursor.string()?;
                        self.output = self.output.or(text);
                        return Ok(());
                    }
                    cursor.skip()
                })
            })?,
            _ => self.state(cursor, key)?,
        }
        Ok(())
    }

    /// True when the part is a call.
    pub(super) fn is_call(&self) -> bool {
        self.kind == Some(Str(b"tool"))
    }

    /// True when the part is of a message: it has a type, as no other file of the storage folder does.
    pub(super) fn is_part(&self) -> bool {
        self.kind.is_some() && self.message.is_some()
    }

    /// Adds the call, if the part is one, and its result, if it has one. True when a call was added.
    pub(super) fn call(&self, frame: &Frame, counted: &mut Counted, facts: &mut FileFacts) -> bool {
        if !self.is_call() {
            return false;
        }
        let name = self.tool.map(Str::text).unwrap_or_default();
        let Some(id) = facts.call_id(self.call_id) else {
            return false;
        };
        let id = self.uuid(id, &name, frame, counted, facts);
        let asked = (name == "invalid")
            .then(|| tool_name::field(self.input, b"tool"))
            .flatten();
        let name = asked.as_deref().unwrap_or(&name);
        let named = match name {
            "skill" => tool_name::field(self.input, b"name").map(|skill| ToolName::skill(&skill)),
            "task" => tool_name::field(self.input, b"subagent_type").map(|agent| ToolName::agent(&agent)),
            "subagent" => tool_name::field(self.input, b"agent").map(|agent| ToolName::agent(&agent)),
            name => ToolName::mcp_prefixed(name),
        };
        let (tool, operation) = match named {
            Some(named) => facts.tool(&named),
            None if servers::may_be_joined(name) => facts.joined_tool(name, &ToolName::builtin(name)),
            None => facts.tool(&ToolName::builtin(name)),
        };
        facts.calls.push(Call {
            id,
            at: self.start.or(frame.created),
            tool,
            operation,
            context: Context {
                session: frame.session,
                cwd: frame.cwd,
                branch: None,
                version: frame.version,
                agent: Some(Agent::OpenCode),
            },
            model: frame.model,
            group: frame.message,
            task: frame.task,
            waits_for_person: tool_name::waits_for_person(name),
            unreported: false,
        });
        if let Some(run) = facts.name(self.run) {
            facts.push_run(Run { call: id, run });
        }
        let (verdict, is_known) = self.verdict();
        if !is_known {
            facts.problem(
                ProblemCode::UnclassifiedError,
                format!(
                    "a call of {} ended in a way that is not known",
                    facts.strings.get(tool)
                ),
            );
        }
        if let Some(verdict) = verdict {
            facts.answers.push(Answer {
                id,
                at: self.end,
                verdict,
                duration_ms: None,
                goes_on: false,
            });
        }
        true
    }

    /// The id unchanged where it is unique. A positional one is unique together with the moment at which the call
    /// began: a fork copies it, and gives the message a new id. Two messages of one session that begin a call in the
    /// same moment are distinguished by their own ids.
    fn uuid(&self, id: Sym, name: &str, frame: &Frame, counted: &mut Counted, facts: &mut FileFacts) -> Sym {
        let text = facts.strings.get(id);
        if !call_id::is_positional(text, name) {
            return id;
        }
        let message = |facts: &FileFacts| frame.message.map(|message| facts.strings.get(message).to_owned());
        let began = self.start.or(frame.created).map(|began| began.to_string());
        let Some(within) = began.or_else(|| message(facts)) else {
            return id;
        };
        let uuid = call_id::within(text, &within);
        let uuid = facts.strings.intern(&uuid);
        let first = *counted.entry((frame.session, uuid)).or_insert(frame.message);
        if first == frame.message {
            return uuid;
        }
        let uuid = call_id::within(facts.strings.get(uuid), &message(facts).unwrap_or_default());
        facts.strings.intern(&uuid)
    }

    /// The verdict on the call, and whether the message behind it is known.
    fn verdict(&self) -> (Option<CallResult>, bool) {
        let because = |reason| (Some(CallResult::because(reason)), true);
        let Some(Str(status)) = self.status else {
            return (None, true);
        };
        match status {
            b"completed" if self.tool == Some(Str(b"invalid")) => {
                let error = tool_name::field(self.input, b"error").unwrap_or_default();
                match own_words(&error) {
                    Some(reason) => because(reason),
                    None => (
                        Some(CallResult::because(Reason::InvalidInput)),
                        error.starts_with("Invalid"),
                    ),
                }
            }
            b"completed" => match self.exit_code {
                Some(code) if code != 0.0 => because(Reason::Error),
                Some(_) => (Some(CallResult::SUCCESS), true),
                None => (
                    Some(self.stopped().map_or(CallResult::SUCCESS, CallResult::because)),
                    true,
                ),
            },
            b"error" => {
                let error = self.error.map(|error| error.head(ERROR_HEAD)).unwrap_or_default();
                if self.error_kind == Some(Str(b"permission.rejected")) {
                    return because(if error.starts_with("Permission denied: ") {
                        Reason::Denied
                    } else {
                        Reason::Rejected
                    });
                }
                match own_words(&error) {
                    Some(reason) => because(reason),
                    None if self.interrupted => because(Reason::Interrupted),
                    None => (
                        Some(CallResult::because(Reason::Error)),
                        !error.starts_with("The user "),
                    ),
                }
            }
            b"pending" | b"running" | b"streaming" => (None, true),
            _ => (None, false),
        }
    }

    /// A command that ended without an exit code: why, as OpenCode adds it at the very end of the output.
    fn stopped(&self) -> Option<Reason> {
        let Str(output) = self.output?;
        let is_shell = matches!(self.tool?.0, b"bash" | b"shell");
        if !is_shell {
            return None;
        }
        let tail = Str(&output[output.len().saturating_sub(ERROR_HEAD)..]).text();
        let block = tail
            .strip_suffix("</shell_metadata>")
            .or_else(|| tail.strip_suffix("</bash_metadata>"))?;
        let (_, note) = block.rsplit_once("_metadata>")?;
        if note.contains("exceed") && note.contains("timeout") {
            Some(Reason::Error)
        } else if note.contains("User aborted") || note.contains("user aborted") {
            Some(Reason::Interrupted)
        } else {
            None
        }
    }
}

/// The meaning of an error that begins with OpenCode's own message. The text after it may come from anywhere.
fn own_words(error: &str) -> Option<Reason> {
    let mut error = error.trim_start();
    // The class of the error comes first where it was made a text as a whole: `Error: `, `AbortError: `.
    if let Some((class, rest)) = error.split_once(": ")
        && class.ends_with("Error")
        && class
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        if class == "AbortError" {
            return Some(Reason::Interrupted);
        }
        error = rest;
    }
    let known = ERRORS.iter().find(|(begins, _)| error.starts_with(begins));
    let is_invalid = || {
        let rest = error.strip_prefix("The ")?;
        let (tool, rest) = rest.split_once(" tool was called with invalid arguments")?;
        let _ = rest;
        (!tool.contains(' ')).then_some(Reason::InvalidInput)
    };
    known.map(|(_, reason)| *reason).or_else(is_invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_at_the_beginning_of_an_error_are_opencodes_own() {
        for (error, reason) in [
            (
                "The user rejected permission to use this specific tool call with the following feedback: no",
                Some(Reason::Rejected),
            ),
            ("Error: The user dismissed this question", Some(Reason::Rejected)),
            (
                "Error: The user has specified a rule which prevents you from using this specific tool call.",
                Some(Reason::Denied),
            ),
            (
                "AbortError: The operation was aborted.",
                Some(Reason::Interrupted),
            ),
            ("Tool execution aborted", Some(Reason::Interrupted)),
            (
                "The edit tool was called with invalid arguments: [..]",
                Some(Reason::InvalidInput),
            ),
            (
                "Error: Invalid input for tool read: JSON parsing failed",
                Some(Reason::InvalidInput),
            ),
            ("grep: The user rejected permission", None),
            ("Build aborted by the user", None),
            ("", None),
        ] {
            assert_eq!(own_words(error), reason, "{error}");
        }
    }
}
