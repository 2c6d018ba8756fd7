//! Copilot CLI and Copilot in VS Code: spans `execute_tool`.
//!
//! The exit code of a command is beside `error.type`, which is not set for it. Names of MCP tools are SHA-256 sums
//! unless content is captured: the log names them.

use model::{CallResult, Reason};

use super::{
    Call, Named,
    attributes::Key,
    genai,
    record::{Origin, Record},
};
use crate::{Agent, tool_name::ToolName};

pub(super) fn call(record: &Record, origin: &Origin) -> Option<Call> {
    let agent = match (origin.scope.as_str(), origin.service()) {
        ("github.copilot", _) | (_, "github-copilot") => Agent::CopilotCli.as_str(),
        ("copilot-chat", _) | (_, "copilot-chat") => "vscode-copilot",
        _ => return None,
    };
    let mut call = genai::span(record, origin, agent, tool(record))?;
    let exit_code = record.attributes.int(Key::ExitCode);
    if exit_code.is_some_and(|code| code != 0) {
        call.result = CallResult::because(Reason::Error);
    }
    Some(call)
}

fn tool(record: &Record) -> Named {
    let attributes = &record.attributes;
    if let Some(skill) = attributes.text(Key::CopilotSkill) {
        return Named::Tool(ToolName::skill(skill));
    }
    let name = attributes.text(Key::GenAiToolName).unwrap_or_default();
    let of_server = attributes.text(Key::CopilotServerHash).is_some() || name.contains('/');
    if of_server || matches!(name, "" | "skill" | "task") {
        Named::Not(name.to_owned())
    } else {
        Named::Tool(ToolName::mcp_prefixed(name).unwrap_or_else(|| ToolName::builtin(name)))
    }
}
