//! Which agent wrote a record, by its shape. File names and folders do not decide: a walk also meets journals and
//! memory files, and people copy logs.

use crate::{
    Agent, claude,
    json::{Cursor, Malformed, Str},
};

/// Types of the records in a Codex rollout.
const CODEX: [&[u8]; 7] = [
    b"session_meta",
    b"token_usage_record",
    b"world_state",
    b"response_item",
    b"event_msg",
    b"turn_context",
    b"compacted",
];

/// Types of the records of the first rollouts, which have no payload.
const CODEX_ITEMS: [&[u8]; 5] = [
    b"function_call",
    b"function_call_output",
    b"custom_tool_call",
    b"custom_tool_call_output",
    b"local_shell_call",
];

/// The agent that writes objects like this one; `None` when no agent is known to. Fails when it is not one object.
pub(crate) fn recognise(object: Cursor<'_>) -> Result<Option<Agent>, Malformed> {
    let mut kind: Option<Str<'_>> = None;
    let mut keys = Keys::default();
    let mut cursor = object;
    cursor.object(|cursor, key| {
        match key {
            b"type" => {
                kind = cursor.string()?;
                return Ok(());
            }
            b"payload" => keys.payload = true,
            b"data" => keys.data = true,
            b"parentId" => keys.parent_id = true,
            b"info" => keys.info = true,
            b"messages" => keys.messages = true,
            b"sessionID" => keys.session_upper = true,
            b"sessionId" | b"projectHash" => keys.gemini = true,
            b"id" => keys.id = true,
            b"timestamp" => keys.timestamp = true,
            b"instructions" => keys.instructions = true,
            b"call_id" => keys.call_id = true,
            b"session" => keys.session = true,
            b"items" => keys.items = true,
            b"uuid" | b"parentUuid" | b"leafUuid" | b"messageId" | b"session_id" => keys.claude = true,
            b"message" => return keys.message(cursor),
            _ => {}
        }
        cursor.skip()
    })?;
    cursor.end()?;
    let kind = kind.map_or(&b""[..], |kind| kind.0);
    Ok(match keys {
        Keys {
            info: true,
            messages: true,
            ..
        }
        | Keys {
            session_upper: true, ..
        } => Some(Agent::OpenCode),
        Keys {
            messages: true,
            gemini: true,
            ..
        } => Some(Agent::GeminiCli),
        Keys { payload: true, .. } if CODEX.contains(&kind) => Some(Agent::Codex),
        Keys { call_id: true, .. } if CODEX_ITEMS.contains(&kind) => Some(Agent::Codex),
        Keys {
            session: true,
            items: true,
            ..
        }
        | Keys {
            id: true,
            timestamp: true,
            instructions: true,
            ..
        } if kind.is_empty() => Some(Agent::Codex),
        Keys { data: true, .. } if keys.parent_id || kind.contains(&b'.') => Some(Agent::CopilotCli),
        _ if keys.foreign_message => None,
        Keys { claude, gemini, .. } if (claude || gemini) && claude::Reader::knows(kind) => {
            Some(Agent::ClaudeCode)
        }
        _ => None,
    })
}

/// True for a record of the journal that a workflow of Claude Code keeps beside its agents' transcripts: it holds no
/// call, and nothing is wrong with it.
pub(crate) fn is_journal(mut object: Cursor<'_>) -> bool {
    let (mut kind, mut of_agent, mut message) = (None, false, false);
    let walked = object.object(|cursor, key| {
        match key {
            b"type" => {
                kind = cursor.string()?;
                return Ok(());
            }
            b"agentId" => of_agent = true,
            b"message" => message = true,
            _ => {}
        }
        cursor.skip()
    });
    walked.is_ok()
        && !message
        && kind.is_some_and(|Str(kind)| {
            kind.starts_with(b"workflow_")
                || of_agent && [&b"started"[..], b"result", b"agent_started"].contains(&kind)
        })
}

/// The keys that tell the formats apart.
#[derive(Clone, Copy, Default)]
struct Keys {
    payload: bool,
    data: bool,
    parent_id: bool,
    info: bool,
    messages: bool,
    session_upper: bool,
    gemini: bool,
    id: bool,
    timestamp: bool,
    instructions: bool,
    call_id: bool,
    session: bool,
    items: bool,
    /// What every record of Claude Code has, or its `sessionId`.
    claude: bool,
    /// `message` holds its text as other agents do that write the same envelope (Qwen Code: `parts`).
    foreign_message: bool,
}

impl Keys {
    fn message(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Malformed> {
        let (mut content, mut parts) = (false, false);
        cursor.object(|cursor, key| {
            content |= key == b"content";
            parts |= key == b"parts";
            cursor.skip()
        })?;
        self.foreign_message = parts && !content;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;

    #[test]
    fn records_are_recognised_by_their_shape() {
        for (record, agent) in [
            (
                r#"{"parentUuid":null,"type":"user","message":{}}"#,
                Some(Agent::ClaudeCode),
            ),
            (
                r#"{"type":"summary","summary":"x","leafUuid":"y"}"#,
                Some(Agent::ClaudeCode),
            ),
            (
                r#"{"timestamp":"t","type":"response_item","payload":{}}"#,
                Some(Agent::Codex),
            ),
            (
                r#"{"id":"x","timestamp":"t","instructions":null,"git":{}}"#,
                Some(Agent::Codex),
            ),
            (
                r#"{"type":"function_call","name":"shell","call_id":"c","arguments":"{}"}"#,
                Some(Agent::Codex),
            ),
            (r#"{"session":{"id":"x"},"items":[]}"#, Some(Agent::Codex)),
            (
                r#"{"type":"session.start","data":{},"id":"x"}"#,
                Some(Agent::CopilotCli),
            ),
            (
                r#"{"type":"abort","data":{},"id":"x","parentId":"y"}"#,
                Some(Agent::CopilotCli),
            ),
            (r#"{"info":{},"messages":[]}"#, Some(Agent::OpenCode)),
            (
                r#"{"id":"prt_1","sessionID":"ses_1","messageID":"msg_1","type":"tool"}"#,
                Some(Agent::OpenCode),
            ),
            (
                r#"{"sessionId":"s","projectHash":"h","messages":[]}"#,
                Some(Agent::GeminiCli),
            ),
            (
                r#"{"type":"assistant","sessionId":"s","uuid":"u","message":{"role":"model","parts":[]}}"#,
                None,
            ),
            (r#"{"type":"user","text":"of nobody that is known"}"#, None),
            (r#"{"type":"journal","step":1}"#, None),
            ("{}", None),
        ] {
            assert_eq!(
                recognise(Index::default().of(record.as_bytes())),
                Ok(agent),
                "{record}"
            );
        }
        assert_eq!(
            recognise(Index::default().of(b"{\"type\":\"user\"")),
            Err(Malformed::Incomplete)
        );
    }
}
