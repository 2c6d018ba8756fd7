//! One record of the wire and its payload.

use model::{CallResult, Reason};

use super::At;
use crate::{
    facts::{Millis, Tokens},
    json::{Cursor, Index, Malformed, Raw, Str},
    tool_name::{self, ToolName},
};

/// The greatest time that is one, in milliseconds: beyond the year 9999.
const LATEST: f64 = 2.6e14;

/// Greatest number of bytes of a call's arguments that are searched for the name of the tool.
const ARGUMENT_BYTES: usize = 1_024 * 1_024;

/// A message: the fields that facts are derived from, of all types together.
#[derive(Default)]
pub(super) struct Message<'a> {
    pub(super) kind: Option<Str<'a>>,
    pub(super) id: Option<Str<'a>>,
    /// The name of a called tool.
    pub(super) name: Option<Str<'a>>,
    arguments: Option<Str<'a>>,
    /// The text of the person or the model.
    pub(super) text: Option<Str<'a>>,
    pub(super) result: ToolResult<'a>,
    pub(super) tokens: Option<Tokens>,
    /// The id of the response.
    pub(super) response: Option<Str<'a>>,
    /// MCP servers with the names of their tools.
    pub(super) servers: Vec<(Str<'a>, Vec<Str<'a>>)>,
    event: Option<Raw<'a>>,
    agent: Option<Str<'a>>,
    /// The call that runs the subagent, used when the subagent has no id.
    parent: Option<Str<'a>>,
}

/// How a call ended.
#[derive(Default)]
pub(super) struct ToolResult<'a> {
    pub(super) id: Option<Str<'a>>,
    is_error: Option<bool>,
    message: Option<Str<'a>>,
    brief: Option<Str<'a>>,
    /// The work goes on in the background.
    pub(super) goes_on: bool,
}

/// Reads a line.
pub(super) fn record(line: Cursor<'_>) -> Result<(Message<'_>, At<'_>), Malformed> {
    let (mut message, mut kind) = (Message::default(), None);
    let mut at = At {
        raw: b"",
        millis: None,
    };
    let mut cursor = line;
    cursor.object(|cursor, key| {
        match key {
            b"timestamp" => {
                let raw = cursor.raw()?;
                at = At {
                    raw: raw.bytes(),
                    millis: raw.cursor().number()?.and_then(millis),
                };
            }
            b"message" => message = Message::envelope(cursor)?,
            b"type" => kind = cursor.string()?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    cursor.end()?;
    message.kind = message.kind.or(kind);
    Ok((message, at))
}

#[expect(clippy::cast_possible_truncation, reason = "checked against the bound above")]
fn millis(seconds: f64) -> Option<Millis> {
    let millis = seconds * 1_000.0;
    (0.0..=LATEST).contains(&millis).then_some(millis as Millis)
}

impl<'a> Message<'a> {
    fn envelope(cursor: &mut Cursor<'a>) -> Result<Message<'a>, Malformed> {
        let mut message = Message::default();
        cursor.object(|cursor, key| {
            match key {
                b"type" => message.kind = cursor.string()?,
                b"payload" => cursor.object(|cursor, key| message.field(cursor, key))?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        Ok(message)
    }

    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"id" => self.id = cursor.string()?,
            b"function" => cursor.object(|cursor, key| {
                match key {
                    b"name" => self.name = cursor.string()?,
                    b"arguments" => self.arguments = cursor.string()?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"user_input" => self.said(cursor)?,
            b"text" => self.text = cursor.string()?,
            b"tool_call_id" => self.result.id = cursor.string()?,
            b"return_value" => cursor.object(|cursor, key| self.result.field(cursor, key))?,
            b"token_usage" => self.tokens = tokens(cursor)?,
            b"message_id" => self.response = cursor.string()?,
            b"mcp_status" => cursor.object(|cursor, key| {
                if key == b"servers" {
                    return cursor.array(|cursor| self.server(cursor));
                }
                cursor.skip()
            })?,
            b"event" => self.event = Some(cursor.raw()?),
            b"agent_id" => self.agent = cursor.string()?,
            b"parent_tool_call_id" | b"task_tool_call_id" => self.parent = cursor.string()?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    /// A text, or the first text of a list of parts.
    fn said(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        if cursor.peek()? == b'"' {
            self.text = cursor.string()?;
            return Ok(());
        }
        cursor.array(|cursor| {
            cursor.object(|cursor, key| {
                if key == b"text" {
                    let text = cursor.string()?;
                    self.text = self.text.or(text);
                    return Ok(());
                }
                cursor.skip()
            })
        })
    }

    fn server(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        let (mut name, mut tools) = (None, Vec::new());
        cursor.object(|cursor, key| {
            match key {
                b"name" => name = cursor.string()?,
                b"tools" => cursor.array(|cursor| {
                    tools.extend(cursor.string()?);
                    Ok(())
                })?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        self.servers.extend(name.map(|name| (name, tools)));
        Ok(())
    }

    /// A message of a subagent, and which subagent. One level only: subagents do not nest, and deep nesting in a
    /// hostile file costs nothing.
    pub(super) fn event(&self) -> Option<(Message<'a>, Option<Str<'a>>)> {
        let event = Message::envelope(&mut self.event?.cursor()).ok()?;
        let is_wrapped = event.kind == Some(Str(b"SubagentEvent"));
        (!is_wrapped).then_some((event, self.agent.or(self.parent)))
    }

    pub(super) fn tool(&self, name: &str) -> ToolName {
        match name {
            // The first versions wrote `Task` and `subagent_name`.
            "Agent" | "Task" => {
                let kind = self
                    .argument(b"subagent_type")
                    .or_else(|| self.argument(b"subagent_name"));
                ToolName::agent(kind.as_deref().unwrap_or("coder"))
            }
            name => ToolName::mcp_prefixed(name).unwrap_or_else(|| ToolName::builtin(name)),
        }
    }

    /// A text field of arguments that are JSON in a string.
    fn argument(&self, key: &[u8]) -> Option<String> {
        let text = self
            .arguments
            .filter(|text| text.0.len() <= ARGUMENT_BYTES)?
            .text();
        let mut index = Index::default();
        let raw = index.of(text.as_bytes()).raw().ok();
        tool_name::field(raw, key)
    }
}

impl<'a> ToolResult<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"is_error" => self.is_error = cursor.boolean()?,
            b"message" => self.message = cursor.string()?,
            b"display" => cursor.array(|cursor| {
                let (mut kind, mut text) = (None, None);
                cursor.object(|cursor, key| {
                    match key {
                        b"type" => kind = cursor.string()?,
                        b"text" => text = cursor.string()?,
                        _ => cursor.skip()?,
                    }
                    Ok(())
                })?;
                match kind {
                    Some(Str(b"brief")) => self.brief = self.brief.or(text),
                    Some(Str(b"background_task")) => self.goes_on = true,
                    _ => {}
                }
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    /// `None` where the result does not say.
    pub(super) fn verdict(&self) -> Option<CallResult> {
        Some(if self.is_error? {
            CallResult::because(self.reason())
        } else {
            CallResult::SUCCESS
        })
    }

    /// The program's own message: `message` is its explanation; the tool's output is in another field.
    fn reason(&self) -> Reason {
        let message = self.message.map(|text| text.head(200)).unwrap_or_default();
        let begins = |words: &[&str]| words.iter().any(|word| message.starts_with(word));
        if self.brief == Some(Str(b"Hook blocked")) {
            Reason::Denied
        } else if begins(&["The tool call is rejected by the user.", "Plan rejected by user."]) {
            Reason::Rejected
        } else if begins(&[
            "Error parsing JSON arguments: ",
            "Error validating JSON arguments: ",
        ]) {
            Reason::InvalidInput
        } else if message.starts_with("Tool `") && message.ends_with("` not found") {
            Reason::UnknownTool
        } else {
            Reason::Error
        }
    }
}

fn tokens(cursor: &mut Cursor<'_>) -> Result<Option<Tokens>, Malformed> {
    if cursor.peek()? != b'{' {
        cursor.skip()?;
        return Ok(None);
    }
    let mut tokens = Tokens::default();
    cursor.object(|cursor, key| {
        match key {
            b"input_other" => tokens.input = cursor.count()?.unwrap_or(0),
            b"output" => tokens.output = cursor.count()?.unwrap_or(0),
            b"input_cache_read" => tokens.cache_read = cursor.count()?.unwrap_or(0),
            b"input_cache_creation" => tokens.cache_write_5m = cursor.count()?.unwrap_or(0),
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(Some(tokens))
}
