//! One line of a rollout: the fields that facts are derived from.
//!
//! Three shapes occur: `{timestamp, type, payload}` since September 2025; before that the payload itself on the
//! line, below a header `{id, timestamp, instructions, git}`; and before that one document `{session, items}`.
//! The names are those of `codex-rs/protocol` (`RolloutItem`, `ResponseItem`, `EventMsg`, `TurnItem`).

use std::borrow::Cow;

use crate::{
    codex::usage::Counts,
    json::{Cursor, Malformed, Raw, Str},
};

/// A line.
#[derive(Debug, Default)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) timestamp: Option<Str<'a>>,
    /// `None` on a line of the older shape, which is a payload itself.
    pub(crate) payload: Option<Payload<'a>>,
}

/// The payloads of all types of records in one, and the items within them: their keys have the same meaning everywhere.
#[derive(Debug, Default)]
pub(crate) struct Payload<'a> {
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) id: Option<Str<'a>>,
    pub(crate) timestamp: Option<Str<'a>>,
    pub(crate) cwd: Option<Str<'a>>,
    pub(crate) version: Option<Str<'a>>,
    pub(crate) branch: Option<Str<'a>>,
    pub(crate) model: Option<Str<'a>>,
    pub(crate) turn: Option<Str<'a>>,
    pub(crate) forked: bool,
    pub(crate) approval_policy: Option<Str<'a>>,
    /// The initiator of a session, or of a command.
    pub(crate) source: Option<Str<'a>>,
    pub(crate) call_id: Option<Str<'a>>,
    pub(crate) name: Option<Str<'a>>,
    pub(crate) namespace: Option<Str<'a>>,
    /// JSON in a string, or JSON.
    pub(crate) arguments: Option<Raw<'a>>,
    pub(crate) output: Option<Raw<'a>>,
    pub(crate) message: Option<Str<'a>>,
    /// The first text of a message's content.
    pub(crate) text: Option<Str<'a>>,
    /// The role of a subagent that was spawned.
    pub(crate) role: Option<Str<'a>>,
    /// The MCP server and tool of an invocation.
    pub(crate) server: Option<Str<'a>>,
    pub(crate) tool: Option<Str<'a>>,
    pub(crate) status: Option<Str<'a>>,
    pub(crate) exit_code: Option<i64>,
    /// The report about the end of a call: `stderr` of a patch, the output of a command, the error of a tool.
    pub(crate) error: Option<Str<'a>>,
    pub(crate) duration_ms: Option<f64>,
    pub(crate) started_ms: Option<u64>,
    pub(crate) completed_ms: Option<u64>,
    /// An MCP call that ended in an error, or a patch or tool without success.
    pub(crate) failed: bool,
    /// The subject of a search, as the record of its end states it.
    query: Option<Str<'a>>,
    action: Action<'a>,
    /// Tokens of the session so far, and of the last response.
    pub(crate) total: Option<Counts>,
    pub(crate) last: Option<Counts>,
    /// The item that was completed.
    pub(crate) item: Option<Box<Payload<'a>>>,
}

/// What a web search did: it searched, opened a page, or searched a page.
#[derive(Clone, Copy, Debug, Default)]
struct Action<'a> {
    query: Option<Str<'a>>,
    /// The first of several queries.
    first: Option<Str<'a>>,
    has_more: bool,
    url: Option<Str<'a>>,
    pattern: Option<Str<'a>>,
}

impl<'a> Record<'a> {
    /// Collects a line. Fails when it is not exactly one object.
    pub(crate) fn read(line: Cursor<'a>) -> Result<Record<'a>, Malformed> {
        let mut record = Record::default();
        let mut cursor = line;
        cursor.object(|cursor, key| {
            match key {
                b"type" => record.kind = cursor.string()?,
                b"timestamp" => record.timestamp = cursor.string()?,
                b"payload" => record.payload = Some(Payload::read(cursor)?),
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        cursor.end()?;
        Ok(record)
    }
}

impl<'a> Payload<'a> {
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Payload<'a>, Malformed> {
        let mut payload = Payload::default();
        cursor.object(|cursor, key| payload.field(cursor, key))?;
        Ok(payload)
    }

    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"type" => self.kind = cursor.string()?,
            b"id" => self.id = cursor.string()?,
            b"timestamp" => self.timestamp = cursor.string()?,
            b"cwd" => self.cwd = cursor.string()?,
            b"cli_version" => self.version = cursor.string()?,
            b"model" => self.model = cursor.string()?,
            b"turn_id" => self.turn = cursor.string()?,
            b"forked_from_id" => self.forked |= cursor.string()?.is_some(),
            b"approval_policy" => self.approval_policy = cursor.string()?,
            b"source" => self.source = cursor.string()?,
            b"call_id" => self.call_id = cursor.string()?,
            b"name" => self.name = cursor.string()?,
            b"namespace" => self.namespace = cursor.string()?,
            b"arguments" => self.arguments = Some(cursor.raw()?),
            b"output" => self.output = Some(cursor.raw()?),
            b"content" => self.text = first(cursor, b"text")?,
            b"receiver_agents" => self.role = first(cursor, b"agent_role")?,
            b"message" => self.message = cursor.string()?,
            b"server" => self.server = cursor.string()?,
            b"tool" => self.tool = cursor.string()?,
            b"status" => self.status = cursor.string()?,
            b"exit_code" => self.exit_code = whole(cursor.number()?),
            b"stderr" | b"aggregated_output" => self.error = cursor.string()?.or(self.error),
            b"success" => self.failed |= cursor.boolean()? == Some(false),
            b"duration" => self.duration_ms = duration_ms(cursor)?,
            b"started_at_ms" => self.started_ms = cursor.count()?,
            b"completed_at_ms" => self.completed_ms = cursor.count()?,
            b"result" => self.result(cursor)?,
            b"error" => self.error(cursor)?,
            b"query" => self.query = cursor.string()?,
            b"action" => self.action = Action::read(cursor)?,
            b"usage" => self.last = Counts::read(cursor)?,
            b"thread_token_usage" => self.total = Counts::read(cursor)?,
            b"item" => self.item = Some(Box::new(Payload::read(cursor)?)),
            b"git" | b"invocation" | b"info" => cursor.object(|cursor, key| self.part(cursor, key))?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    /// A field of an object whose keys are unique among those objects.
    fn part(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"branch" => self.branch = cursor.string()?,
            b"server" => self.server = cursor.string()?,
            b"tool" => self.tool = cursor.string()?,
            b"total_token_usage" => self.total = Counts::read(cursor)?,
            b"last_token_usage" => self.last = Counts::read(cursor)?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    /// `{Err: …}`, `{Ok: {isError: true}}`, or `{isError: true}`.
    fn result(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        cursor.object(|cursor, key| match key {
            b"Err" => {
                self.failed = true;
                self.error = cursor.string()?.or(self.error);
                Ok(())
            }
            b"Ok" => self.result(cursor),
            b"isError" | b"is_error" => {
                self.failed |= cursor.boolean()? == Some(true);
                Ok(())
            }
            _ => cursor.skip(),
        })
    }

    /// A text, or `{message}`. No error is `null`.
    fn error(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        match cursor.peek()? {
            b'"' => {
                self.failed = true;
                self.error = cursor.string()?;
                Ok(())
            }
            b'{' => {
                self.failed = true;
                cursor.object(|cursor, key| {
                    match key {
                        b"message" => self.error = cursor.string()?.or(self.error),
                        _ => cursor.skip()?,
                    }
                    Ok(())
                })
            }
            _ => cursor.skip(),
        }
    }

    /// The subject of a search: the same text in the record of the call and in that of the end, which states it as a
    /// `query`.
    pub(crate) fn subject(&self) -> Cow<'a, str> {
        match self.query.filter(|query| !query.0.is_empty()) {
            Some(query) => query.text(),
            None => self.action.subject(),
        }
    }
}

impl<'a> Action<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Action<'a>, Malformed> {
        let mut action = Action::default();
        cursor.object(|cursor, key| {
            match key {
                b"query" => action.query = cursor.string()?,
                b"queries" => cursor.array(|cursor| {
                    let query = cursor.string()?;
                    action.has_more = action.first.is_some();
                    action.first = action.first.or(query);
                    Ok(())
                })?,
                b"url" => action.url = cursor.string()?,
                b"pattern" => action.pattern = cursor.string()?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        Ok(action)
    }

    /// As `web_search_action_detail` of `codex-rs` writes it.
    fn subject(&self) -> Cow<'a, str> {
        let stated = |text: Option<Str<'a>>| text.filter(|text| !text.0.is_empty()).map(Str::text);
        match (stated(self.pattern), stated(self.url)) {
            (Some(pattern), Some(url)) => format!("'{pattern}' in {url}").into(),
            (Some(pattern), None) => format!("'{pattern}'").into(),
            (None, Some(url)) => url,
            (None, None) => match (stated(self.query), stated(self.first)) {
                (Some(query), _) => query,
                (None, Some(first)) if self.has_more => format!("{first} ...").into(),
                (None, first) => first.unwrap_or_default(),
            },
        }
    }
}

/// The first text under a key in a list of objects.
fn first<'a>(cursor: &mut Cursor<'a>, wanted: &[u8]) -> Result<Option<Str<'a>>, Malformed> {
    let mut found = None;
    cursor.array(|cursor| {
        cursor.object(|cursor, key| {
            if key == wanted && found.is_none() {
                found = cursor.string()?;
                return Ok(());
            }
            cursor.skip()
        })
    })?;
    Ok(found)
}

fn whole(number: Option<f64>) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an exit code; a cast of a greater one saturates"
    )]
    number.map(|number| number as i64)
}

/// `{secs, nanos}`.
fn duration_ms(cursor: &mut Cursor<'_>) -> Result<Option<f64>, Malformed> {
    let (mut secs, mut nanos) = (None, 0.0);
    cursor.object(|cursor, key| {
        match key {
            b"secs" => secs = cursor.number()?,
            b"nanos" => nanos = cursor.number()?.unwrap_or(0.0),
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(secs.map(|secs| secs * 1e3 + nanos / 1e6))
}
