//! Gemini CLI: a chat is one pretty-printed JSON value, `{sessionId, projectHash, messages}`. The project is only a
//! hash, so events have none. A call's timestamp is that of its record; how long it took is not stated.

use model::{Reason, Verdict};

use crate::{
    Agent, Options,
    facts::{Answer, Call, Context, FileFacts, Tokens, Usage},
    json::{Cursor, Malformed, Str},
    redact, time,
    tool_name::{self, ToolName},
};

/// Reads a whole chat into `facts`.
pub(crate) fn document(
    document: Cursor<'_>,
    options: &Options,
    facts: &mut FileFacts,
) -> Result<(), Malformed> {
    let mut session = None;
    let mut messages: Vec<Message<'_>> = Vec::new();
    let mut cursor = document;
    cursor.object(|cursor, key| {
        match key {
            b"sessionId" => session = cursor.string()?,
            b"messages" => cursor.array(|cursor| {
                messages.push(Message::read(cursor)?);
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    cursor.end()?;

    let context = Context {
        session: facts.name(session),
        agent: Some(Agent::GeminiCli),
        ..Context::default()
    };
    let mut task = None;
    for message in &messages {
        if options.task_text && message.kind == Some(Str(b"user")) {
            let prompt = message.content.and_then(redact::prompt);
            task = prompt.map(|prompt| facts.strings.intern(&prompt)).or(task);
        }
        let model = facts.name(message.model);
        let group = facts.name(message.id);
        let at = time::parse(message.timestamp);
        if let (Some(group), Some(tokens)) = (group, message.tokens) {
            facts.push_usage(Usage {
                model,
                at,
                tokens,
                ..Usage::of(group)
            });
        }
        for call in &message.calls {
            let Some(id) = facts.call_id(call.id) else {
                continue;
            };
            let name = call.name.map(Str::text).unwrap_or_default();
            let named = ToolName::mcp_prefixed(&name).unwrap_or_else(|| ToolName::builtin(&name));
            let (tool, operation) = facts.tool(&named);
            let waits_for_person = tool_name::waits_for_person(&name);
            let at = time::parse(call.timestamp).or(at);
            facts.calls.push(Call {
                id,
                at,
                tool,
                operation,
                context,
                model,
                group,
                task,
                waits_for_person,
                unreported: false,
            });
            if let Some(verdict) = call.verdict() {
                facts.answers.push(Answer {
                    id,
                    at: None,
                    verdict,
                    duration_ms: None,
                    goes_on: false,
                });
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Message<'a> {
    id: Option<Str<'a>>,
    kind: Option<Str<'a>>,
    timestamp: Option<Str<'a>>,
    model: Option<Str<'a>>,
    content: Option<Str<'a>>,
    tokens: Option<Tokens>,
    calls: Vec<ToolCall<'a>>,
}

#[derive(Default)]
struct ToolCall<'a> {
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    status: Option<Str<'a>>,
    timestamp: Option<Str<'a>>,
}

impl<'a> Message<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Message<'a>, Malformed> {
        let mut message = Message::default();
        cursor.object(|cursor, key| {
            match key {
                b"id" => message.id = cursor.string()?,
                b"type" => message.kind = cursor.string()?,
                b"timestamp" => message.timestamp = cursor.string()?,
                b"model" => message.model = cursor.string()?,
                b"content" => message.content = cursor.string()?,
                b"tokens" => message.tokens = Some(tokens(cursor)?),
                b"toolCalls" => cursor.array(|cursor| {
                    message.calls.push(ToolCall::read(cursor)?);
                    Ok(())
                })?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        Ok(message)
    }
}

impl<'a> ToolCall<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<ToolCall<'a>, Malformed> {
        let mut call = ToolCall::default();
        cursor.object(|cursor, key| {
            match key {
                b"id" => call.id = cursor.string()?,
                b"name" => call.name = cursor.string()?,
                b"status" => call.status = cursor.string()?,
                b"timestamp" => call.timestamp = cursor.string()?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        Ok(call)
    }

    /// A call is cancelled by the person who was asked to allow it.
    fn verdict(&self) -> Option<Verdict> {
        match self.status?.0 {
            b"success" => Some(Verdict::SUCCESS),
            b"error" => Some(Verdict::because(Reason::Error)),
            b"cancelled" => Some(Verdict::because(Reason::Rejected)),
            _ => None,
        }
    }
}

/// Input counts what was read from the cache; thoughts are billed as output.
fn tokens(cursor: &mut Cursor<'_>) -> Result<Tokens, Malformed> {
    let (mut tokens, mut input, mut thoughts) = (Tokens::default(), 0, 0);
    cursor.object(|cursor, key| {
        match key {
            b"input" => input = cursor.count()?.unwrap_or(0),
            b"output" => tokens.output = cursor.count()?.unwrap_or(0),
            b"cached" => tokens.cache_read = cursor.count()?.unwrap_or(0),
            b"thoughts" => thoughts = cursor.count()?.unwrap_or(0),
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    tokens.cache_read = tokens.cache_read.min(input);
    tokens.input = input - tokens.cache_read;
    tokens.output = tokens.output.saturating_add(thoughts);
    Ok(tokens)
}
