//! Codex: the events `codex.tool_result` and `codex.tool_decision`.
//!
//! `success` says that a command ran, whatever its exit code: the log knows better. The arguments and the output of
//! calls come even with prompts off; they are not among the attributes that are read.

use model::{CallResult, Reason};

use super::{Call, Named, attributes::Key, record::Record};
use crate::{Agent, tool_name::ToolName};

pub(super) fn call(record: &Record) -> Option<Call> {
    let event = record.attributes.text(Key::EventName)?.strip_prefix("codex.")?;
    let attributes = &record.attributes;
    let mut call = Call::new(record, Agent::Codex.as_str(), tool(record));
    match event {
        "tool_result" => {
            call.result = match attributes.bool(Key::Success)? {
                true => CallResult::SUCCESS,
                false => CallResult::because(Reason::Error),
            };
            call.duration_ms = attributes.int(Key::DurationMs);
            call.at = record.began(call.duration_ms);
        }
        "tool_decision" => {
            let decision = attributes.text(Key::Decision)?.to_ascii_lowercase();
            if decision.starts_with("approved") {
                return None;
            }
            let by_person = attributes
                .text(Key::Source)
                .is_some_and(|source| source.eq_ignore_ascii_case("user"));
            let reason = if by_person {
                Reason::Rejected
            } else {
                Reason::Denied
            };
            call.result = CallResult::because(reason);
        }
        _ => return None,
    }
    call.id = attributes.owned(Key::CallId);
    call.session = attributes.owned(Key::ConversationId);
    call.agent_version = attributes.owned(Key::AppVersion);
    Some(call)
}

fn tool(record: &Record) -> Named {
    let attributes = &record.attributes;
    let name = attributes.text(Key::ToolName).unwrap_or_default();
    let namespace = attributes.text(Key::ToolNamespace).unwrap_or_default();
    let in_namespace = namespace.strip_prefix("mcp__").map(|server| {
        // What is below a server's name in a namespace is a part of the server.
        server.split_once("__").map_or(server, |(server, _)| server)
    });
    match (attributes.text(Key::McpServer).or(in_namespace), name) {
        // Its log says which subagent.
        (None, "spawn_agent" | "") => Named::Not(name.to_owned()),
        (Some(server), name) => Named::Tool(ToolName::mcp(server, Some(name))),
        (None, name) => Named::Tool(ToolName::mcp_prefixed(name).unwrap_or_else(|| ToolName::builtin(name))),
    }
}
