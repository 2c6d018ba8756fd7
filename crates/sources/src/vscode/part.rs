//! The parts of a response of Copilot Chat that are calls.

use crate::{
    json::{Cursor, Malformed, Str},
    tool_name::ToolName,
};

/// Prefix of the ids of MCP tools.
const MCP: &str = "mcp_";
/// Length to which the editor cuts the name of a server in the ids of its tools, in characters.
const SERVER_CHARS: usize = 13;

/// `ToolConfirmKind` of the editor.
const DENIED: u64 = 0;
const SKIPPED: u64 = 5;

/// Whether a call was allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Confirmed {
    Yes,
    /// A person refused or skipped it.
    Denied,
    /// A hook or the check of risks refused it.
    DeniedByRule,
    /// Nobody has answered.
    #[default]
    No,
}

/// What a part tells of a call except its name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    pub(super) confirmed: Confirmed,
    pub(super) is_complete: bool,
    pub(super) is_error: bool,
    pub(super) has_details: bool,
    pub(super) is_command: bool,
    pub(super) is_background: bool,
    pub(super) exit_code: Option<i64>,
    pub(super) duration_ms: Option<i64>,
}

/// A part of a response.
#[derive(Default)]
pub(super) struct Part<'a> {
    kind: Option<Str<'a>>,
    pub(super) call_id: Option<Str<'a>>,
    pub(super) tool_id: Option<Str<'a>>,
    is_mcp: bool,
    server: Option<Str<'a>>,
    is_subagent: bool,
    agent: Option<Str<'a>>,
    pub(super) state: State,
}

impl<'a> Part<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Part<'a>, Malformed> {
        let mut part = Part::default();
        cursor.object(|cursor, key| part.field(cursor, key))?;
        Ok(part)
    }

    pub(super) fn is_call(&self) -> bool {
        self.kind
            .is_some_and(|kind| matches!(kind.0, b"toolInvocationSerialized" | b"toolInvocation"))
    }

    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"kind" => self.kind = cursor.string()?,
            b"toolCallId" => self.call_id = cursor.string()?,
            b"toolId" => self.tool_id = cursor.string()?,
            b"isConfirmed" => self.state.confirmed = confirmed(cursor)?,
            b"isComplete" => self.state.is_complete = cursor.boolean()? == Some(true),
            b"resultError" => {
                // A message, or only that there was an error.
                self.state.is_error |= match cursor.peek()? {
                    b'"' => cursor.string()?.is_some_and(|text| !text.0.is_empty()),
                    _ => cursor.boolean()? == Some(true),
                };
            }
            b"resultDetails" => {
                self.state.has_details = !matches!(cursor.peek()?, b'n');
                cursor.object(|cursor, key| {
                    if key == b"isError" {
                        self.state.is_error |= cursor.boolean()? == Some(true);
                        return Ok(());
                    }
                    cursor.skip()
                })?;
            }
            b"source" => cursor.object(|cursor, key| {
                match key {
                    b"type" => self.is_mcp = cursor.string()? == Some(Str(b"mcp")),
                    b"label" => self.server = cursor.string()?.or(self.server),
                    b"serverLabel" => {
                        let label = cursor.string()?;
                        self.server = self.server.or(label);
                    }
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"toolSpecificData" => self.specific(cursor)?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn specific(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        cursor.object(|cursor, key| {
            match key {
                b"kind" => {
                    let kind = cursor.string()?;
                    self.state.is_command = kind == Some(Str(b"terminal"));
                    self.is_subagent = kind == Some(Str(b"subagent"));
                }
                b"agentName" => self.agent = cursor.string()?,
                b"isBackground" | b"didContinueInBackground" => {
                    self.state.is_background |= cursor.boolean()? == Some(true);
                }
                b"terminalCommandState" => cursor.object(|cursor, key| {
                    match key {
                        b"exitCode" => self.state.exit_code = whole(cursor)?,
                        b"duration" => self.state.duration_ms = whole(cursor)?.filter(|ms| *ms >= 0),
                        _ => cursor.skip()?,
                    }
                    Ok(())
                })?,
                _ => cursor.skip()?,
            }
            Ok(())
        })
    }

    pub(super) fn tool(&self, name: &str) -> ToolName {
        if self.is_subagent || name == "runSubagent" {
            return ToolName::agent(&self.agent.map(Str::text).unwrap_or_default());
        }
        if self.is_mcp {
            let server = self.server.map(Str::text).unwrap_or_default();
            return ToolName::mcp(&server, Some(operation(name, &server)));
        }
        // Before 1.104 the id alone tells the server; it may hold `_` itself.
        match name.strip_prefix(MCP).and_then(|rest| rest.split_once('_')) {
            Some((server, tool)) if self.server.is_none() => ToolName::mcp(server, Some(tool)),
            _ => ToolName::builtin(name),
        }
    }
}

/// The tool in `mcp_<server>_<tool>`, where the server's name was cleaned and cut.
fn operation<'n>(name: &'n str, server: &str) -> &'n str {
    let rest = name.strip_prefix(MCP).unwrap_or(name);
    let mut clean = String::new();
    for c in server.to_lowercase().chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '-') {
            clean.push(c);
        } else if !clean.ends_with('_') {
            clean.push('_');
        }
    }
    let cut: String = clean.chars().take(SERVER_CHARS).collect();
    rest.strip_prefix(&cut)
        // A digit follows where two servers have the same name.
        .map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|tool| !tool.is_empty())
        .unwrap_or(rest)
}

/// Before 1.104 a yes or no; since then the kind of the answer, and who gave it.
fn confirmed(cursor: &mut Cursor<'_>) -> Result<Confirmed, Malformed> {
    if cursor.peek()? != b'{' {
        return Ok(match cursor.boolean()? {
            Some(true) => Confirmed::Yes,
            Some(false) => Confirmed::Denied,
            None => Confirmed::No,
        });
    }
    let (mut kind, mut source) = (None, None);
    cursor.object(|cursor, key| {
        match key {
            b"type" => kind = cursor.count()?,
            b"source" => source = cursor.string()?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(match (kind, source) {
        (Some(DENIED | SKIPPED), Some(Str(b"hook" | b"riskAssessment"))) => Confirmed::DeniedByRule,
        (Some(DENIED | SKIPPED), _) => Confirmed::Denied,
        (Some(_), _) => Confirmed::Yes,
        (None, _) => Confirmed::No,
    })
}

/// The first text of a result as the model got it: `{"content":[{"value":"…"}]}`.
pub(super) fn result_text<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Str<'a>>, Malformed> {
    let mut text = None;
    cursor.object(|cursor, key| {
        if key != b"content" {
            return cursor.skip();
        }
        cursor.array(|cursor| {
            cursor.object(|cursor, key| {
                if key == b"value" {
                    let value = cursor.string()?;
                    text = text.or(value);
                    return Ok(());
                }
                cursor.skip()
            })
        })
    })?;
    Ok(text)
}

fn whole(cursor: &mut Cursor<'_>) -> Result<Option<i64>, Malformed> {
    let number = cursor.number()?;
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of at most 2^53")]
    Ok(number
        .filter(|number| number.abs() <= 9_007_199_254_740_992.0)
        .map(|number| number as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operation_follows_the_servers_name_as_the_editor_writes_it() {
        for (name, server, expected) in [
            ("mcp_linear_list_issues", "linear", "list_issues"),
            ("mcp_my_server_get", "My Server", "get"),
            ("mcp_a_very_long_s_get", "a very long server", "get"),
            ("mcp_github2_get", "github", "get"),
            ("mcp_other_get", "linear", "other_get"),
        ] {
            assert_eq!(operation(name, server), expected, "{name}");
        }
    }
}
