//! Spans `execute_tool` of the conventions of OpenTelemetry for generative AI, of any program.

use model::{CallResult, Reason};

use super::{
    Call, Named,
    attributes::Key,
    record::{Origin, Record},
};
use crate::tool_name::ToolName;

pub(super) fn call(record: &Record, origin: &Origin) -> Option<Call> {
    // Its events say more, and are read.
    if origin.scope.starts_with("com.anthropic.claude_code") {
        return None;
    }
    let attributes = &record.attributes;
    let name = attributes.text(Key::GenAiToolName).unwrap_or_default();
    let tool = match attributes.text(Key::GenAiSkillName) {
        Some(skill) => Named::Tool(ToolName::skill(skill)),
        None if name.is_empty() => Named::Not(String::new()),
        None => Named::Tool(ToolName::mcp_prefixed(name).unwrap_or_else(|| ToolName::builtin(name))),
    };
    let agent = match origin.service() {
        "" => "unknown",
        service => service,
    };
    span(record, origin, agent, tool)
}

/// A span `execute_tool`; `None` for every other record.
pub(super) fn span(record: &Record, origin: &Origin, agent: &str, tool: Named) -> Option<Call> {
    let operation = record.attributes.text(Key::OperationName);
    let operation = operation
        .or_else(|| record.name.split(' ').next())
        .unwrap_or_default();
    if !record.is_span || operation != "execute_tool" {
        return None;
    }
    let failed = record.failed || record.attributes.text(Key::ErrorType).is_some();
    let mut call = Call::new(record, agent, tool);
    call.id = record.span_call();
    call.session = record.span_session();
    call.agent_version = origin.version();
    call.duration_ms = record.span_ms();
    call.result = if failed {
        CallResult::because(Reason::Error)
    } else {
        CallResult::SUCCESS
    };
    Some(call)
}
