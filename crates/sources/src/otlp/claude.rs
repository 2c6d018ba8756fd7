//! Claude Code: the events `tool_result` and `tool_decision`.
//!
//! A call that ran sends a decision and then a result; one that was denied or refused sends the decision alone. Its
//! spans (a beta) say the same again and are passed over. Without `OTEL_LOG_TOOL_DETAILS` MCP tools are `mcp_tool`, and
//! skills and subagents have no name.

use model::{CallResult, Reason};

use super::{
    Call, Named,
    attributes::Key,
    record::{Origin, Record},
};
use crate::{Agent, tool_name::ToolName};

/// What stands in the place of a name that is not told.
const PLACEHOLDERS: [&str; 4] = ["custom", "custom_skill", "mcp_tool", "third-party"];

pub(super) fn call(record: &Record, origin: &Origin) -> Option<Call> {
    if !origin.scope.starts_with("com.anthropic.claude_code") && !origin.service().starts_with("claude-code")
    {
        return None;
    }
    let attributes = &record.attributes;
    if record.is_span {
        return None;
    }
    let mut call = Call::new(record, Agent::ClaudeCode.as_str(), tool(record));
    match record.event().trim_start_matches("claude_code.") {
        "tool_result" => {
            call.result = match attributes.bool(Key::Success)? {
                true => CallResult::SUCCESS,
                false => CallResult::because(Reason::Error),
            };
            let duration_ms = attributes.int(Key::DurationMs);
            call.at = record.began(duration_ms);
            // That of a subagent may be the time of its launch; the log has the end.
            call.duration_ms = duration_ms.filter(|_| !is_agent(record));
        }
        "tool_decision" if attributes.text(Key::Decision) == Some("reject") => {
            call.result = CallResult::because(match attributes.text(Key::Source) {
                Some("config" | "hook") => Reason::Denied,
                _ => Reason::Rejected,
            });
        }
        _ => return None,
    }
    call.id = attributes.owned(Key::ToolUseId);
    call.session = attributes.owned(Key::SessionId);
    call.agent_version = origin.version().or_else(|| attributes.owned(Key::AppVersion));
    Some(call)
}

fn is_agent(record: &Record) -> bool {
    matches!(record.attributes.text(Key::ToolName), Some("Task" | "Agent"))
}

fn tool(record: &Record) -> Named {
    let attributes = &record.attributes;
    let told = |key| attributes.text(key).filter(|name| !PLACEHOLDERS.contains(name));
    let name = attributes.text(Key::ToolName).unwrap_or_default();
    let tool = match name {
        "mcp_tool" => told(Key::ParameterServer)
            .zip(told(Key::ParameterTool))
            .map(|(server, tool)| ToolName::mcp(&in_tool_name(server), Some(&in_tool_name(tool)))),
        "Skill" => told(Key::ParameterSkill).map(ToolName::skill),
        "Task" | "Agent" => told(Key::ParameterAgent).map(ToolName::agent),
        "" => None,
        name if PLACEHOLDERS.contains(&name) => None,
        name => Some(ToolName::mcp_prefixed(name).unwrap_or_else(|| ToolName::builtin(name))),
    };
    tool.map_or_else(|| Named::Not(name.to_owned()), Named::Tool)
}

/// A name of a server or of its tool as it is in the name of a tool, which the log has.
fn in_tool_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    name.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}
