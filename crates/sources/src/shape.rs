//! Recognises by its shape which agent wrote a record. The names of files and folders are not used: a walk also finds
//! journals and memory files, and people copy logs.

use crate::{
    Agent, claude,
    json::{Cursor, Malformed, Str},
    qwen,
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

/// Types of the messages in a chat of Gemini CLI; those of the program are lines like any other.
const GEMINI: [&[u8]; 5] = [b"user", b"gemini", b"info", b"warning", b"error"];

/// The agent that writes objects like this one; `None` when no agent is known to. Fails when it is not one object.
pub(crate) fn recognise(object: Cursor<'_>) -> Result<Option<Agent>, Malformed> {
    let mut keys = Keys::default();
    let mut cursor = object;
    cursor.object(|cursor, key| keys.see(cursor, key))?;
    cursor.end()?;
    let kind = keys.kind.map_or(&b""[..], |kind| kind.0);
    let writers = [
        (keys.is_cline(), Agent::Cline),
        (keys.is_vscode(), Agent::VsCodeCopilot),
        (keys.is_amp(), Agent::Amp),
        (keys.is_opencode(), Agent::OpenCode),
        (keys.is_gemini(kind), Agent::GeminiCli),
        (keys.is_codex(kind), Agent::Codex),
        (keys.is_pi(kind), Agent::Pi),
        (keys.is_kimi(kind), Agent::KimiCli),
        (keys.is_droid(kind), Agent::Droid),
        (
            keys.data && (keys.parent_id || kind.contains(&b'.')),
            Agent::CopilotCli,
        ),
        (keys.is_qwen(kind), Agent::QwenCode),
        (keys.is_claude(kind), Agent::ClaudeCode),
    ];
    let writer = writers.into_iter().find(|(is_it, _)| *is_it);
    Ok(writer.map(|(_, agent)| agent))
}

/// True for an object with a `type` and an `id`.
pub(crate) fn has_type(mut object: Cursor<'_>) -> bool {
    let (mut kind, mut id) = (false, false);
    let walked = object.object(|cursor, key| {
        kind |= key == b"type";
        id |= key == b"id";
        cursor.skip()
    });
    walked.is_ok() && kind && id
}

/// True for a change in a log of a chat of VS Code: a number says its kind, `k` what changes.
pub(crate) fn is_change(mut object: Cursor<'_>) -> bool {
    let (mut kind, mut path) = (None, false);
    let walked = object.object(|cursor, key| {
        match key {
            b"kind" => {
                kind = cursor.count()?;
                return Ok(());
            }
            b"k" => path = cursor.peek()? == b'[',
            _ => {}
        }
        cursor.skip()
    });
    walked.is_ok() && path && kind.is_some()
}

/// True for a record of the journal that a workflow of Claude Code keeps next to its agents' transcripts: it contains
/// no call and is no problem.
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

/// The keys that distinguish the formats.
#[derive(Clone, Copy, Default)]
struct Keys<'a> {
    kind: Option<Str<'a>>,
    id: Option<Str<'a>>,
    uuid: bool,
    payload: bool,
    data: bool,
    parent_id: bool,
    info: bool,
    messages: bool,
    session_upper: bool,
    session: bool,
    project_hash: bool,
    content: bool,
    message: bool,
    timestamp: bool,
    instructions: bool,
    call_id: bool,
    /// The key is `session`, not `sessionId`.
    session_object: bool,
    items: bool,
    /// `message` holds `parts`, as Gemini's API has it.
    parts: bool,
    /// `message` holds `content`, as Anthropic's API has it.
    message_content: bool,
    /// The fields of Claude Code's records in addition to `sessionId`.
    claude: bool,
    /// `$set` or `$rewindTo`.
    change: bool,
    /// A key that only Qwen Code writes.
    qwen: bool,
    cwd: bool,
    /// `message` holds a `role`.
    role: bool,
    /// `message` holds a time of its own.
    message_timestamp: bool,
    /// The fields of pi's entries in addition to `parentId`.
    pi: bool,
    /// `message` holds a `payload`.
    message_payload: bool,
    protocol_version: bool,
    title: bool,
    updated_at: bool,
    agent: bool,
    requests: bool,
    created: bool,
    /// A key that only chats of VS Code have next to their requests.
    chat: bool,
    /// The first line of a chat of VS Code: `v` holds the whole of it.
    whole_chat: bool,
}

impl<'a> Keys<'a> {
    fn see(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"type" => {
                self.kind = cursor.string()?;
                return Ok(());
            }
            b"id" => {
                self.id = cursor.string()?;
                return Ok(());
            }
            b"message" => {
                self.message = true;
                return cursor.object(|cursor, key| {
                    match key {
                        b"parts" => self.parts = true,
                        b"content" => self.message_content = true,
                        b"role" => self.role = true,
                        b"timestamp" => self.message_timestamp = true,
                        b"payload" => self.message_payload = true,
                        _ => {}
                    }
                    cursor.skip()
                });
            }
            b"uuid" => (self.uuid, self.claude) = (true, true),
            b"parentUuid" | b"leafUuid" | b"messageId" | b"session_id" => self.claude = true,
            b"payload" => self.payload = true,
            b"data" => self.data = true,
            b"parentId" => self.parent_id = true,
            b"info" => self.info = true,
            b"messages" => self.messages = true,
            b"content" => self.content = true,
            b"sessionID" => self.session_upper = true,
            b"sessionId" => self.session = true,
            b"projectHash" => self.project_hash = true,
            b"timestamp" => self.timestamp = true,
            b"instructions" => self.instructions = true,
            b"call_id" => self.call_id = true,
            b"session" => self.session_object = true,
            b"items" => self.items = true,
            b"$set" | b"$rewindTo" => self.change = true,
            b"cwd" => self.cwd = true,
            b"protocol_version" => self.protocol_version = true,
            b"title" => self.title = true,
            b"updated_at" => self.updated_at = true,
            b"agent" => self.agent = true,
            b"requests" => self.requests = true,
            b"created" => self.created = true,
            b"creationDate" | b"initialLocation" | b"responderUsername" => self.chat = true,
            b"v" => {
                let (mut requests, mut chat) = (false, false);
                cursor.object(|cursor, key| {
                    requests |= key == b"requests";
                    chat |= matches!(key, b"sessionId" | b"creationDate" | b"initialLocation");
                    cursor.skip()
                })?;
                self.whole_chat = requests && chat;
                return Ok(());
            }
            b"customType" | b"thinkingLevel" | b"modelId" => self.pi = true,
            b"toolCallResult" | b"systemPayload" | b"usageMetadata" => self.qwen = true,
            _ => {}
        }
        cursor.skip()
    }

    /// An export; a message or a part, which name their session; a session, whose id says what it is.
    fn is_opencode(&self) -> bool {
        let is_session = self.id.is_some_and(|id| id.0.starts_with(b"ses_"));
        self.info && self.messages || self.session_upper || is_session && self.kind.is_none()
    }

    /// A whole chat, its header, a message, or a change of what came before.
    fn is_gemini(&self, kind: &[u8]) -> bool {
        let is_chat =
            (self.session || self.project_hash) && self.messages || self.session && self.project_hash;
        let is_message = self.id.is_some()
            && !(self.uuid || self.session || self.message || self.parent_id)
            && (kind == b"gemini" || self.content && GEMINI.contains(&kind));
        is_chat || is_message || self.change
    }

    /// A record with its payload; an item of the first rollouts, their header, or one of them as a whole.
    fn is_codex(&self, kind: &[u8]) -> bool {
        let is_header = self.id.is_some() && self.timestamp && self.instructions;
        let is_whole = self.session_object && self.items;
        self.payload && CODEX.contains(&kind)
            || self.call_id && CODEX_ITEMS.contains(&kind)
            || kind.is_empty() && (is_header || is_whole)
    }

    /// A header, a message with a time of its own, or one of the other entries of the tree.
    fn is_pi(&self, kind: &[u8]) -> bool {
        let is_foreign = self.session || self.uuid || self.payload;
        let is_entry = match kind {
            b"session" => self.id.is_some() && self.timestamp && self.cwd,
            b"message" => self.timestamp && self.role && self.message_timestamp,
            b"model_change" | b"thinking_level_change" | b"custom" | b"custom_message" => {
                self.pi && self.parent_id
            }
            _ => false,
        };
        is_entry && !is_foreign
    }

    /// The header, or a message in its envelope.
    fn is_kimi(&self, kind: &[u8]) -> bool {
        self.protocol_version && kind == b"metadata"
            || self.timestamp && self.message_payload && kind.is_empty()
    }

    /// Only the header, which every log begins with: the messages look like those of unknown programs.
    fn is_droid(&self, kind: &[u8]) -> bool {
        let is_foreign = self.session || self.message || self.payload || self.data;
        kind == b"session_start" && self.id.is_some() && self.title && self.cwd && !is_foreign
    }

    /// A session of the newest kind.
    fn is_cline(&self) -> bool {
        self.messages && self.session && self.updated_at && self.agent
    }

    /// A whole session, alone or as the first line of a log of changes.
    fn is_vscode(&self) -> bool {
        self.requests && self.chat && self.session || self.whole_chat
    }

    /// A thread, by its id.
    fn is_amp(&self) -> bool {
        let is_thread = self
            .id
            .is_some_and(|id| id.0.starts_with(b"T-") && id.0.len() > 30);
        is_thread && self.messages && self.created && self.kind.is_none()
    }

    fn is_qwen(&self, kind: &[u8]) -> bool {
        self.session
            && (self.parts && !self.message_content || self.qwen || kind == b"tool_result")
            && qwen::Reader::knows(kind)
    }

    /// Qwen Code writes the same envelope with other contents.
    fn is_claude(&self, kind: &[u8]) -> bool {
        let is_foreign = self.parts && !self.message_content;
        claude::Reader::knows(kind) && (self.claude || self.session) && !is_foreign
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
                r#"{"id":"ses_1","version":"1.0.20","projectID":"p","directory":"/w/api"}"#,
                Some(Agent::OpenCode),
            ),
            (
                r#"{"sessionId":"s","projectHash":"h","startTime":"t","kind":"main"}"#,
                Some(Agent::GeminiCli),
            ),
            (
                r#"{"id":"m","timestamp":"t","type":"user","content":[]}"#,
                Some(Agent::GeminiCli),
            ),
            (r#"{"$set":{"lastUpdated":"t"}}"#, Some(Agent::GeminiCli)),
            (r#"{"$rewindTo":"m"}"#, Some(Agent::GeminiCli)),
            (
                r#"{"uuid":"u","sessionId":"s","type":"assistant","message":{"role":"model","parts":[]}}"#,
                Some(Agent::QwenCode),
            ),
            (
                r#"{"uuid":"u","sessionId":"s","type":"tool_result","message":{}}"#,
                Some(Agent::QwenCode),
            ),
            (
                r#"{"uuid":"u","sessionId":"s","type":"system","subtype":"ui_telemetry","systemPayload":{}}"#,
                Some(Agent::QwenCode),
            ),
            (
                r#"{"type":"session","id":"p","timestamp":"t","cwd":"/w","version":3}"#,
                Some(Agent::Pi),
            ),
            (
                r#"{"type":"message","id":"p","timestamp":"t","message":{"role":"user","timestamp":1}}"#,
                Some(Agent::Pi),
            ),
            (
                r#"{"type":"custom","id":"p","parentId":"q","timestamp":"t","customType":"x","data":{}}"#,
                Some(Agent::Pi),
            ),
            (
                r#"{"type":"message","id":"p","timestamp":"t","message":{"role":"user"}}"#,
                None,
            ),
            (
                r#"{"type":"metadata","protocol_version":"1.9"}"#,
                Some(Agent::KimiCli),
            ),
            (
                r#"{"timestamp":1.5,"message":{"type":"TurnEnd","payload":{}}}"#,
                Some(Agent::KimiCli),
            ),
            (
                r#"{"type":"session_start","id":"d","title":"t","cwd":"/w"}"#,
                Some(Agent::Droid),
            ),
            (
                r#"{"type":"message","id":"d","timestamp":"t","message":{"role":"user","content":[]}}"#,
                None,
            ),
            (
                r#"{"version":1,"updated_at":"t","agent":"lead","sessionId":"1_a","messages":[]}"#,
                Some(Agent::Cline),
            ),
            (
                r#"{"version":3,"requests":[],"sessionId":"s","creationDate":1}"#,
                Some(Agent::VsCodeCopilot),
            ),
            (
                r#"{"kind":0,"v":{"version":3,"requests":[],"sessionId":"s"}}"#,
                Some(Agent::VsCodeCopilot),
            ),
            (r#"{"kind":0,"v":{"requests":[]}}"#, None),
            (
                r#"{"v":1,"id":"T-019b9d03-62e3-772f-9780-3e637f90eaec","created":1,"messages":[]}"#,
                Some(Agent::Amp),
            ),
            (r#"{"type":"session_start","id":"d","cwd":"/w"}"#, None),
            (r#"{"type":"metadata","id":"x"}"#, None),
            (r#"{"role":"_checkpoint","id":0}"#, None),
            (r#"{"type":"journal","step":1}"#, None),
            (r#"{"type":"user","text":"hello"}"#, None),
            (r#"{"type":"session","id":"p","cwd":"/w"}"#, None),
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
