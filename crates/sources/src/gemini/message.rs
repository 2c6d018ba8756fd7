//! A message of a chat and its calls.

use super::outcome::Told;
use crate::{
    Agent, call_id,
    facts::{FileFacts, Tokens},
    json::{Cursor, Malformed, Raw, Str},
    servers,
    strings::Sym,
    tool_name::{self, ToolName},
};

/// Subagents that ship with Gemini CLI and are tools under their own names.
const AGENTS: [&str; 4] = ["codebase_investigator", "cli_help", "generalist", "browser_agent"];

#[derive(Default)]
pub(super) struct Message<'a> {
    pub(super) id: Option<Str<'a>>,
    pub(super) kind: Option<Str<'a>>,
    pub(super) timestamp: Option<Str<'a>>,
    pub(super) model: Option<Str<'a>>,
    pub(super) content: Option<Str<'a>>,
    pub(super) tokens: Option<Tokens>,
    pub(super) calls: Vec<ToolCall<'a>>,
}

#[derive(Default)]
pub(super) struct ToolCall<'a> {
    pub(super) id: Option<Str<'a>>,
    pub(super) timestamp: Option<Str<'a>>,
    name: Option<Str<'a>>,
    display_name: Option<Str<'a>>,
    status: Option<Str<'a>>,
    args: Option<Raw<'a>>,
    response: Response<'a>,
    display: Option<Str<'a>>,
}

/// The parts of a `functionResponse` that show how a call ended.
#[derive(Clone, Copy, Default)]
pub(crate) struct Response<'a> {
    pub(crate) id: Option<Str<'a>>,
    pub(crate) output: Option<Str<'a>>,
    pub(crate) error: Option<Str<'a>>,
}

impl<'a> Message<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Message<'a>, Malformed> {
        let mut message = Message::default();
        cursor.object(|cursor, key| message.field(cursor, key))?;
        Ok(message)
    }

    pub(super) fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"id" => self.id = cursor.string()?,
            b"type" => self.kind = cursor.string()?,
            b"timestamp" => self.timestamp = cursor.string()?,
            b"model" => self.model = cursor.string()?,
            b"content" => self.content = text(cursor)?,
            b"tokens" => self.tokens = tokens(cursor)?,
            b"toolCalls" => cursor.array(|cursor| {
                self.calls.push(ToolCall::read(cursor)?);
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }
}

impl<'a> ToolCall<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<ToolCall<'a>, Malformed> {
        let mut call = ToolCall::default();
        cursor.object(|cursor, key| {
            match key {
                b"id" => call.id = cursor.string()?,
                b"name" => call.name = cursor.string()?,
                b"displayName" => call.display_name = cursor.string()?,
                b"status" => call.status = cursor.string()?,
                b"timestamp" => call.timestamp = cursor.string()?,
                b"args" => call.args = Some(cursor.raw()?),
                b"resultDisplay" => call.display = cursor.string()?,
                b"result" => {
                    let (id, mut response) = (call.id, Response::default());
                    cursor.array(|cursor| {
                        let part = Response::of_part(cursor)?;
                        // A result may carry the parts of its siblings.
                        if let Some(part) = part
                            && (part.id.is_none() || id.is_none() || part.id == id)
                        {
                            response = part;
                        }
                        Ok(())
                    })?;
                    call.response = response;
                }
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        Ok(call)
    }

    pub(super) fn told(&self) -> Told<'a> {
        Told {
            status: self.status,
            output: self.response.output,
            error: self.response.error,
            display: self.display,
            is_shell: self.name == Some(Str(b"run_shell_command")),
        }
    }

    pub(super) fn waits_for_person(&self) -> bool {
        let name = self.name.map(Str::text).unwrap_or_default();
        tool_name::waits_for_person(&name) || name == "exit_plan_mode"
    }

    /// The id unchanged where it is unique, else together with the message.
    pub(super) fn uuid(&self, id: Sym, message: Option<Sym>, facts: &mut FileFacts) -> Sym {
        let name = self.name.map(Str::text).unwrap_or_default();
        let message = message.map(|message| facts.strings.get(message));
        let uuid = call_id::uuid(facts.strings.get(id), &name, message).into_owned();
        facts.strings.intern(&uuid)
    }

    /// The tool by its name, its arguments, and the name that was displayed.
    pub(super) fn tool(&self, facts: &mut FileFacts) -> (Sym, Option<Sym>) {
        let name = self.name.map(Str::text).unwrap_or_default();
        let named = match &*name {
            "activate_skill" => tool_name::field(self.args, b"name").map(|skill| ToolName::skill(&skill)),
            "invoke_agent" => tool_name::field(self.args, b"agent_name").map(|agent| ToolName::agent(&agent)),
            agent if AGENTS.contains(&agent) => Some(ToolName::agent(agent)),
            name => self.shown_server(name).or_else(|| ToolName::mcp_prefixed(name)),
        };
        if let Some(named) = named {
            return facts.tool(&named);
        }
        match name.strip_prefix("mcp_") {
            Some(joined) => {
                // A server's name should have no underscore.
                let understood = match joined.split_once('_') {
                    Some((server, tool)) if !server.is_empty() && !tool.is_empty() => {
                        ToolName::mcp(server, Some(tool))
                    }
                    _ => ToolName::builtin(&name),
                };
                facts.joined_tool(joined, &understood)
            }
            None => facts.tool(&ToolName::builtin(&name)),
        }
    }

    /// The server of `<tool> (<server> MCP Server)`, as displayed, where it fits the name.
    fn shown_server(&self, name: &str) -> Option<ToolName> {
        let shown = self.display_name?.text();
        let (tool, server) = shown.strip_suffix(" MCP Server)")?.rsplit_once(" (")?;
        let [tool, server] = [tool, server].map(|name| servers::as_in_tools(Agent::GeminiCli, name));
        let joined = format!("mcp_{server}_{tool}");
        // Long names are cut in the middle; before 2026 names had no prefix.
        let fits = match name.split_once("...") {
            Some((begin, end)) => joined.starts_with(begin) && joined.ends_with(end),
            None => joined == name || tool == name || format!("{server}__{tool}") == name,
        };
        (fits && !server.is_empty()).then(|| ToolName::mcp(&server, Some(&tool)))
    }
}

impl<'a> Response<'a> {
    /// The `functionResponse` of a part, if it has one.
    pub(crate) fn of_part(cursor: &mut Cursor<'a>) -> Result<Option<Response<'a>>, Malformed> {
        let mut found = None;
        cursor.object(|cursor, key| {
            if key == b"functionResponse" {
                let mut response = Response::default();
                cursor.object(|cursor, key| response.field(cursor, key))?;
                found = Some(response);
                return Ok(());
            }
            cursor.skip()
        })?;
        Ok(found)
    }

    pub(crate) fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"id" => self.id = cursor.string()?,
            b"response" => cursor.object(|cursor, key| {
                match key {
                    b"output" => self.output = cursor.string()?,
                    b"error" => self.error = cursor.string()?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }
}

/// A text, or the first text of a list of parts.
fn text<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Str<'a>>, Malformed> {
    if cursor.peek()? != b'[' {
        return cursor.string();
    }
    let mut text = None;
    cursor.array(|cursor| {
        cursor.object(|cursor, key| {
            if key == b"text" {
                let part = cursor.string()?;
                text = text.or(part);
                return Ok(());
            }
            cursor.skip()
        })
    })?;
    Ok(text)
}

/// Input includes what was read from the cache, but not what tools added to the prompt; thoughts are billed as output.
fn tokens(cursor: &mut Cursor<'_>) -> Result<Option<Tokens>, Malformed> {
    if cursor.peek()? != b'{' {
        cursor.skip()?;
        return Ok(None);
    }
    let (mut tokens, mut input, mut thoughts, mut tool) = (Tokens::default(), 0, 0, 0);
    cursor.object(|cursor, key| {
        match key {
            b"input" => input = cursor.count()?.unwrap_or(0),
            b"output" => tokens.output = cursor.count()?.unwrap_or(0),
            b"cached" => tokens.cache_read = cursor.count()?.unwrap_or(0),
            b"thoughts" => thoughts = cursor.count()?.unwrap_or(0),
            b"tool" => tool = cursor.count()?.unwrap_or(0),
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    tokens.cache_read = tokens.cache_read.min(input);
    tokens.input = (input - tokens.cache_read).saturating_add(tool);
    tokens.output = tokens.output.saturating_add(thoughts);
    Ok(Some(tokens))
}
