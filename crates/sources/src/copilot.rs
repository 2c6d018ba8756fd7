//! Copilot CLI: `~/.copilot/session-state/<id>/events.jsonl`, one `{type, data, id, timestamp, parentId}` a line. A
//! call is announced by the message that asks for it and by its start; its end states success plainly. Tokens are
//! summed up for the whole session, by model, when it shuts down.

use model::{Reason, Verdict};

use crate::{
    Agent, Options,
    facts::{Answer, Call, Context, FileFacts, Millis, Note, Tokens, Usage},
    json::{Cursor, Malformed, Raw, Str},
    redact,
    strings::Sym,
    time,
    tool_name::{self, ToolName},
};

/// Reads the lines of one session.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    task_text: bool,
    task: Option<Sym>,
    context: Context,
    model: Option<Sym>,
}

/// A line, as far as facts come from it. The `data` of all types of records in one.
#[derive(Debug, Default)]
struct Record<'a> {
    kind: Option<Str<'a>>,
    timestamp: Option<Str<'a>>,
    session: Option<Str<'a>>,
    version: Option<Str<'a>>,
    cwd: Option<Str<'a>>,
    git_root: Option<Str<'a>>,
    branch: Option<Str<'a>>,
    model: Option<Str<'a>>,
    call: Request<'a>,
    requests: Vec<Request<'a>>,
    content: Option<Str<'a>>,
    success: Option<bool>,
    error_code: Option<Str<'a>>,
    /// `kind` of a permission's result.
    decision: Option<Str<'a>>,
    metrics: Vec<(Str<'a>, Tokens)>,
}

/// A call that a message asks for, or that starts or ends.
#[derive(Debug, Default)]
struct Request<'a> {
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    server: Option<Str<'a>>,
    operation: Option<Str<'a>>,
    arguments: Option<Raw<'a>>,
}

impl Reader {
    pub(crate) fn new(options: &Options) -> Reader {
        let context = Context {
            agent: Some(Agent::CopilotCli),
            ..Context::default()
        };
        Reader {
            task_text: options.task_text,
            context,
            ..Reader::default()
        }
    }

    /// Reads one line into `facts`; a line that is not one object leaves them as they were.
    pub(crate) fn line(&mut self, line: Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        let record = Record::read(line)?;
        let at = time::parse(record.timestamp);
        match record.kind.map_or(&b""[..], |kind| kind.0) {
            b"session.start" | b"session.resume" => {
                let known = self.context;
                self.context = Context {
                    session: facts.name(record.session).or(known.session),
                    cwd: facts.path(record.git_root.or(record.cwd)).or(known.cwd),
                    branch: facts.name(record.branch).or(known.branch),
                    version: facts.name(record.version).or(known.version),
                    ..known
                };
            }
            b"session.model_change" => self.model = facts.name(record.model).or(self.model),
            b"user.message" if self.task_text => {
                let task = record.content.and_then(redact::prompt);
                self.task = task.map(|task| facts.strings.intern(&task)).or(self.task);
            }
            b"assistant.message" => {
                for request in &record.requests {
                    self.call(request, at, record.model, facts);
                }
            }
            b"tool.execution_start" => self.call(&record.call, at, record.model, facts),
            b"tool.execution_complete" => {
                if let Some(id) = facts.call_id(record.call.id) {
                    let verdict = record.verdict();
                    facts.answers.push(Answer {
                        id,
                        at,
                        verdict,
                        duration_ms: None,
                        goes_on: false,
                    });
                }
            }
            b"permission.completed" if refuses(record.decision) && record.call.id.is_some() => {
                if let Some(id) = facts.call_id(record.call.id) {
                    let verdict = Some(Verdict::because(Reason::Rejected));
                    facts.notes.push(Note {
                        id,
                        verdict,
                        duration_ms: None,
                        tool: None,
                    });
                }
            }
            b"session.shutdown" => self.metrics(&record, at, facts),
            _ => facts.ignore(record.kind, None),
        }
        Ok(())
    }

    fn call(
        &mut self,
        request: &Request<'_>,
        at: Option<Millis>,
        model: Option<Str<'_>>,
        facts: &mut FileFacts,
    ) {
        let Some(id) = facts.call_id(request.id) else {
            return;
        };
        let name = request.name.map(Str::text).unwrap_or_default();
        let named = match &*name {
            "skill" => tool_name::field(request.arguments, b"skill").map(|skill| ToolName::skill(&skill)),
            "task" => tool_name::field(request.arguments, b"agent_type").map(|agent| ToolName::agent(&agent)),
            name => ToolName::mcp_prefixed(name),
        };
        let (tool, operation) = facts.tool(&named.unwrap_or_else(|| ToolName::builtin(&name)));
        // Only the start of a call says that it goes to an MCP server.
        if let Some(server) = request.server {
            let operation = request.operation.or(request.name).map(Str::text);
            let tool = Some(facts.tool(&ToolName::mcp(&server.text(), operation.as_deref())));
            facts.notes.push(Note {
                id,
                verdict: None,
                duration_ms: None,
                tool,
            });
        }
        let model = facts.name(model).or(self.model);
        let group = model.map(|model| self.group(model, facts));
        facts.calls.push(Call {
            id,
            at,
            tool,
            operation,
            context: self.context,
            model,
            group,
            task: self.task,
            waits_for_person: tool_name::waits_for_person(&name),
            unreported: false,
        });
    }

    /// All responses of one model in one session: no smaller group has its tokens counted.
    fn group(&self, model: Sym, facts: &mut FileFacts) -> Sym {
        let session = self
            .context
            .session
            .map_or("", |session| facts.strings.get(session));
        let group = format!("copilot:{session}:{}", facts.strings.get(model));
        facts.strings.intern(&group)
    }

    fn metrics(&self, record: &Record<'_>, at: Option<Millis>, facts: &mut FileFacts) {
        for &(model, tokens) in &record.metrics {
            let Some(model) = facts.name(Some(model)) else {
                continue;
            };
            let group = self.group(model, facts);
            let model = Some(model);
            facts.push_usage(Usage {
                model,
                at,
                tokens,
                sums_session: true,
                ..Usage::of(group)
            });
        }
    }
}

fn refuses(word: Option<Str<'_>>) -> bool {
    let word = word.map(Str::text).unwrap_or_default();
    word.contains("denied") || word.contains("rejected")
}

impl<'a> Record<'a> {
    fn read(line: Cursor<'a>) -> Result<Record<'a>, Malformed> {
        let mut record = Record::default();
        let mut cursor = line;
        cursor.object(|cursor, key| {
            match key {
                b"type" => record.kind = cursor.string()?,
                b"timestamp" => record.timestamp = cursor.string()?,
                b"data" => cursor.object(|cursor, key| record.field(cursor, key))?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        cursor.end()?;
        Ok(record)
    }

    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"sessionId" => self.session = cursor.string()?,
            b"copilotVersion" => self.version = cursor.string()?,
            b"model" | b"newModel" => self.model = cursor.string()?,
            b"content" => self.content = cursor.string()?,
            b"success" => self.success = cursor.boolean()?,
            b"context" => cursor.object(|cursor, key| {
                match key {
                    b"cwd" => self.cwd = cursor.string()?,
                    b"gitRoot" => self.git_root = cursor.string()?,
                    b"branch" => self.branch = cursor.string()?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"error" => cursor.object(|cursor, key| {
                match key {
                    b"code" => self.error_code = cursor.string()?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"result" => cursor.object(|cursor, key| {
                match key {
                    b"kind" => self.decision = cursor.string()?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"toolRequests" => {
                self.requests.clear();
                cursor.array(|cursor| {
                    let mut request = Request::default();
                    cursor.object(|cursor, key| request.field(cursor, key))?;
                    self.requests.push(request);
                    Ok(())
                })?;
            }
            b"modelMetrics" => {
                self.metrics.clear();
                cursor.object(|cursor, model| {
                    let tokens = metrics(cursor)?;
                    self.metrics.push((Str(model), tokens));
                    Ok(())
                })?;
            }
            _ => self.call.field(cursor, key)?,
        }
        Ok(())
    }

    fn verdict(&self) -> Verdict {
        match self.success {
            Some(true) => Verdict::SUCCESS,
            _ if refuses(self.error_code) => Verdict::because(Reason::Rejected),
            _ => Verdict::because(Reason::Error),
        }
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

/// Input counts what was read from and written to the cache.
fn metrics(cursor: &mut Cursor<'_>) -> Result<Tokens, Malformed> {
    let mut tokens = Tokens::default();
    cursor.object(|cursor, key| {
        if key != b"usage" {
            return cursor.skip();
        }
        cursor.object(|cursor, key| {
            match key {
                b"inputTokens" => tokens.input = cursor.count()?.unwrap_or(0),
                b"outputTokens" => tokens.output = cursor.count()?.unwrap_or(0),
                b"cacheReadTokens" => tokens.cache_read = cursor.count()?.unwrap_or(0),
                b"cacheWriteTokens" => tokens.cache_write_5m = cursor.count()?.unwrap_or(0),
                _ => cursor.skip()?,
            }
            Ok(())
        })
    })?;
    tokens.input = tokens
        .input
        .saturating_sub(tokens.cache_read)
        .saturating_sub(tokens.cache_write_5m);
    Ok(tokens)
}
