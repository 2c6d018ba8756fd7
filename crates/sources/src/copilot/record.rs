//! One line of a session: the fields that facts are derived from. The names are those of the GitHub Copilot SDK's
//! session events.

use crate::{
    facts::Tokens,
    json::{Cursor, Malformed, Raw, Str},
};

/// A line. The `data` of all types of records in one.
#[derive(Debug, Default)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) id: Option<Str<'a>>,
    pub(crate) timestamp: Option<Str<'a>>,
    /// The subagent that the record is about.
    pub(crate) agent: Option<Str<'a>>,
    pub(crate) session: Option<Str<'a>>,
    pub(crate) version: Option<Str<'a>>,
    pub(crate) cwd: Option<Str<'a>>,
    pub(crate) git_root: Option<Str<'a>>,
    pub(crate) branch: Option<Str<'a>>,
    pub(crate) model: Option<Str<'a>>,
    pub(crate) call: Request<'a>,
    pub(crate) requests: Vec<Request<'a>>,
    pub(crate) content: Option<Str<'a>>,
    pub(crate) success: Option<bool>,
    pub(crate) error_code: Option<Str<'a>>,
    pub(crate) error_message: Option<Str<'a>>,
    /// The answer to a call.
    pub(crate) answer: Option<Str<'a>>,
    pub(crate) exit_code: Option<f64>,
    /// The exit code in older versions.
    pub(crate) measured_exit_code: Option<f64>,
    pub(crate) execution_mode: Option<Str<'a>>,
    pub(crate) syntax_error: bool,
    pub(crate) duration_ms: Option<f64>,
    pub(crate) shell: Option<Str<'a>>,
    /// A question to a person, its answer (`kind` of the result), and who answered.
    pub(crate) request_id: Option<Str<'a>>,
    pub(crate) decision: Option<Str<'a>>,
    pub(crate) decided_by: Option<Str<'a>>,
    pub(crate) message: Option<Str<'a>>,
    /// The request to the model that a message or a usage belongs to.
    pub(crate) api_call: Option<Str<'a>>,
    pub(crate) usage: Spent,
    pub(crate) metrics: Vec<(Str<'a>, Spent)>,
    pub(crate) session_began: Option<u64>,
    /// The metrics cover the whole session.
    pub(crate) whole_session: bool,
}

/// A call that a message requests, or that starts or ends.
#[derive(Debug, Default)]
pub(crate) struct Request<'a> {
    pub(crate) id: Option<Str<'a>>,
    pub(crate) name: Option<Str<'a>>,
    pub(crate) server: Option<Str<'a>>,
    pub(crate) operation: Option<Str<'a>>,
    pub(crate) arguments: Option<Raw<'a>>,
}

/// The usage of one request, or of all requests of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) requests: Option<u64>,
    pub(crate) tokens: Tokens,
    /// AI credits, in billionths.
    pub(crate) nano_credits: u64,
}

impl<'a> Record<'a> {
    pub(crate) fn read(line: Cursor<'a>) -> Result<Record<'a>, Malformed> {
        let mut record = Record::default();
        let mut cursor = line;
        cursor.object(|cursor, key| {
            match key {
                b"type" => record.kind = cursor.string()?,
                b"id" => record.id = cursor.string()?,
                b"timestamp" => record.timestamp = cursor.string()?,
                b"agentId" => record.agent = cursor.string()?,
                b"data" => cursor.object(|cursor, key| record.field(cursor, key))?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        cursor.end()?;
        record.usage.settle();
        Ok(record)
    }

    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"sessionId" => self.session = cursor.string()?,
            b"copilotVersion" => self.version = cursor.string()?,
            b"model" | b"newModel" | b"selectedModel" => self.model = cursor.string()?.or(self.model),
            b"content" => self.content = cursor.string()?,
            b"success" => self.success = cursor.boolean()?,
            b"messageId" => self.message = cursor.string()?,
            b"apiCallId" => self.api_call = cursor.string()?,
            b"requestId" => self.request_id = cursor.string()?,
            b"decisionSource" => self.decided_by = cursor.string()?,
            b"durationMs" => self.duration_ms = cursor.number()?,
            b"sessionStartTime" => self.session_began = cursor.count()?,
            b"accountingSnapshot" | b"usageAccountingWatermarks" => {
                self.whole_session = true;
                cursor.skip()?;
            }
            b"context" | b"error" | b"result" | b"kind" | b"shellExecution" | b"permissionRequest" => {
                cursor.object(|cursor, part| self.part(key, cursor, part))?;
            }
            b"toolTelemetry" => self.telemetry(cursor)?,
            b"toolRequests" => self.tool_requests(cursor)?,
            b"modelMetrics" => self.model_metrics(cursor)?,
            b"usage" => cursor.object(|cursor, key| match key {
                b"model" => {
                    self.model = cursor.string()?;
                    Ok(())
                }
                b"apiCallId" => {
                    self.api_call = cursor.string()?;
                    Ok(())
                }
                _ => self.usage.field(cursor, key),
            })?,
            b"inputTokens" | b"outputTokens" | b"cacheReadTokens" | b"cacheWriteTokens" | b"copilotUsage" => {
                self.usage.field(cursor, key)?;
            }
            _ => self.call.field(cursor, key)?,
        }
        Ok(())
    }

    /// A field of an object below `data`.
    fn part(&mut self, object: &[u8], cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match (object, key) {
            (b"context", b"cwd") => self.cwd = cursor.string()?,
            (b"context", b"gitRoot") => self.git_root = cursor.string()?,
            (b"context", b"branch") => self.branch = cursor.string()?,
            (b"error", b"code") => self.error_code = cursor.string()?,
            (b"error", b"message") => self.error_message = cursor.string()?,
            (b"result", b"kind") => self.decision = cursor.string()?,
            (b"result", b"content") => self.answer = cursor.string()?,
            // `kind` is the subject of a notification.
            (b"kind", b"shellId") => self.shell = cursor.string()?,
            (b"kind" | b"shellExecution", b"exitCode") => self.exit_code = cursor.number()?,
            (b"permissionRequest", b"toolCallId") => self.call.id = cursor.string()?.or(self.call.id),
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn tool_requests(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        self.requests.clear();
        cursor.array(|cursor| {
            let mut request = Request::default();
            cursor.object(|cursor, key| request.field(cursor, key))?;
            self.requests.push(request);
            Ok(())
        })
    }

    fn model_metrics(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        self.metrics.clear();
        cursor.object(|cursor, model| {
            let spent = metrics(cursor)?;
            self.metrics.push((Str(model), spent));
            Ok(())
        })
    }

    fn telemetry(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        cursor.object(|cursor, key| match key {
            b"properties" => cursor.object(|cursor, key| {
                match key {
                    b"executionMode" | b"execution_mode" => self.execution_mode = cursor.string()?,
                    b"wasSyntaxError" => {
                        self.syntax_error = cursor.string()?.is_some_and(|text| text.0 == b"true");
                    }
                    _ => cursor.skip()?,
                }
                Ok(())
            }),
            b"metrics" => cursor.object(|cursor, key| {
                match key {
                    b"exit_code" => self.measured_exit_code = cursor.number()?,
                    _ => cursor.skip()?,
                }
                Ok(())
            }),
            _ => cursor.skip(),
        })
    }
}

impl<'a> Request<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"toolCallId" => self.id = cursor.string()?,
            b"name" | b"toolName" => self.name = cursor.string()?,
            b"mcpServerName" => self.server = cursor.string()?,
            b"mcpToolName" => self.operation = cursor.string()?,
            b"arguments" => self.arguments = Some(cursor.raw()?),
            _ => cursor.skip()?,
        }
        Ok(())
    }
}

impl Spent {
    fn field(&mut self, cursor: &mut Cursor<'_>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"inputTokens" => self.tokens.input = cursor.count()?.unwrap_or(0),
            b"outputTokens" => self.tokens.output = cursor.count()?.unwrap_or(0),
            b"cacheReadTokens" => self.tokens.cache_read = cursor.count()?.unwrap_or(0),
            b"cacheWriteTokens" => self.tokens.cache_write_5m = cursor.count()?.unwrap_or(0),
            b"totalNanoAiu" => self.nano_credits = nano(cursor)?,
            b"copilotUsage" => cursor.object(|cursor, key| {
                match key {
                    b"totalNanoAiu" => self.nano_credits = nano(cursor)?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    /// Input includes what was read from and written to the cache.
    fn settle(&mut self) {
        let tokens = &mut self.tokens;
        tokens.input = tokens
            .input
            .saturating_sub(tokens.cache_read)
            .saturating_sub(tokens.cache_write_5m);
    }
}

fn metrics(cursor: &mut Cursor<'_>) -> Result<Spent, Malformed> {
    let mut spent = Spent::default();
    cursor.object(|cursor, key| match key {
        b"usage" => cursor.object(|cursor, key| spent.field(cursor, key)),
        b"requests" => cursor.object(|cursor, key| {
            match key {
                b"count" => spent.requests = cursor.count()?,
                _ => cursor.skip()?,
            }
            Ok(())
        }),
        _ => spent.field(cursor, key),
    })?;
    spent.settle();
    Ok(spent)
}

/// A number of billionths, written with a fraction or without.
fn nano(cursor: &mut Cursor<'_>) -> Result<u64, Malformed> {
    let number = cursor.number()?.unwrap_or(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a negative number becomes 0, a greater one the greatest"
    )]
    let whole = number.round() as u64;
    Ok(whole)
}
