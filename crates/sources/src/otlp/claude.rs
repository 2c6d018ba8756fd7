//! Claude Code: the events `tool_result` and `tool_decision`, and `api_request`, which is the usage of a response.
//!
//! A call that ran sends a decision and then a result; one that was denied or refused sends the decision alone. Its
//! spans (a beta) say the same again and are passed over. Without `OTEL_LOG_TOOL_DETAILS` MCP tools are `mcp_tool`, and
//! skills and subagents have no name.

use chrono::SubsecRound;
use model::{CallResult, Reason, usage::Response};

use super::{
    Call, Named,
    attributes::Key,
    record::{Origin, Record},
};
use crate::{Agent, tool_name::ToolName};

/// What stands in the place of a name that is not told.
const PLACEHOLDERS: [&str; 4] = ["custom", "custom_skill", "mcp_tool", "third-party"];

/// True for a log record of Claude Code.
fn is_own(record: &Record, origin: &Origin) -> bool {
    let scope = origin.scope.starts_with("com.anthropic.claude_code");
    (scope || origin.service().starts_with("claude-code")) && !record.is_span
}

/// The usage of a response, with the vendor's own cost. Its id is the request's, which is in the log, too.
pub(super) fn response(record: &Record, origin: &Origin) -> Option<Response> {
    if !is_own(record, origin) || record.event().trim_start_matches("claude_code.") != "api_request" {
        return None;
    }
    let attributes = &record.attributes;
    let tokens = |key| attributes.int(key).unwrap_or_default();
    Some(Response {
        agent: Some(Agent::ClaudeCode.as_str().to_owned()),
        response_id: attributes.owned(Key::RequestId)?,
        session_id: attributes.owned(Key::SessionId),
        project: None,
        model: attributes.owned(Key::Model),
        occurred_at: record.began(attributes.int(Key::DurationMs))?.trunc_subsecs(6),
        input_tokens: tokens(Key::InputTokens),
        output_tokens: tokens(Key::OutputTokens),
        cache_read_tokens: tokens(Key::CacheReadTokens),
        cache_write_tokens: tokens(Key::CacheCreationTokens),
        cost_micro_usd: attributes.int(Key::CostUsdMicros),
    })
}

pub(super) fn call(record: &Record, origin: &Origin) -> Option<Call> {
    if !is_own(record, origin) {
        return None;
    }
    let attributes = &record.attributes;
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
