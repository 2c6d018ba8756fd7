//! Gemini CLI: the span `tool_call` has the id of a call; the event `gemini_cli.tool_call` has none.
//!
//! The span has the status OK for failures, too, so it says how long a call took and not how it ended.

use model::{CallResult, Reason};

use super::{
    Call, Named,
    attributes::Key,
    record::{Origin, Record},
};
use crate::{Agent, tool_name::ToolName};

pub(super) fn call(record: &Record, origin: &Origin) -> Option<Call> {
    if record.event() == "gemini_cli.tool_call" {
        return Some(logged(record, origin, Agent::GeminiCli));
    }
    let is_gemini = origin.scope == "gemini-cli" || origin.service() == "gemini-cli";
    let operation = record.attributes.text(Key::OperationName).unwrap_or(&record.name);
    if !is_gemini || !record.is_span || !matches!(operation, "tool_call" | "execute_tool") {
        return None;
    }
    let name = record.attributes.text(Key::GenAiToolName).unwrap_or_default();
    let mut call = Call::new(record, Agent::GeminiCli.as_str(), tool(name));
    call.id = record.span_call();
    call.session = record.span_session();
    call.agent_version = origin.version();
    call.duration_ms = record.span_ms();
    if record.failed {
        call.result = CallResult::because(Reason::Error);
    }
    Some(call)
}

/// An event of Gemini CLI or of one of its descendants. It has an id in none of their versions so far.
pub(super) fn logged(record: &Record, origin: &Origin, agent: Agent) -> Call {
    let attributes = &record.attributes;
    let name = attributes.text(Key::FunctionName).unwrap_or_default();
    let server = attributes.text(Key::McpServerName);
    let tool = match server {
        // The name of the tool is joined with that of its server in ways that only the log tells apart.
        Some(_) => Named::Not(name.to_owned()),
        None => tool(name),
    };
    let mut call = Call::new(record, agent.as_str(), tool);
    let denied = match attributes.text(Key::Decision) {
        Some("reject") => Some(Reason::Rejected),
        _ if attributes.text(Key::Status) == Some("cancelled") => Some(Reason::Cancelled),
        _ => None,
    };
    call.result = match (denied, attributes.bool(Key::Success)) {
        (Some(reason), _) => CallResult::because(reason),
        (None, Some(true)) => CallResult::SUCCESS,
        (None, Some(false)) => CallResult::because(Reason::Error),
        (None, None) => CallResult::UNKNOWN,
    };
    call.duration_ms = attributes.int(Key::DurationMs);
    call.at = record.began(call.duration_ms);
    call.id = attributes.owned(Key::CallId).or_else(|| record.span_call());
    call.session = attributes.owned(Key::SessionId);
    call.agent_version = origin.version();
    call
}

/// Tools that the log names by their arguments, and those of MCP servers, have no name here.
fn tool(name: &str) -> Named {
    let by_arguments = matches!(
        name,
        "" | "activate_skill"
            | "invoke_agent"
            | "agent"
            | "skill"
            | "task"
            | "codebase_investigator"
            | "cli_help"
            | "generalist"
            | "browser_agent"
    );
    if by_arguments || name.starts_with("mcp_") {
        Named::Not(name.to_owned())
    } else {
        Named::Tool(ToolName::builtin(name))
    }
}
