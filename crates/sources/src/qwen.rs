//! Qwen Code: lines with the envelope of Claude Code's (`uuid`, `sessionId`, `cwd`, `version`) and Gemini's contents
//! (`message.parts` with `functionCall` and `functionResponse`). A result is a record of its own, with the program's
//! data about it in `toolCallResult`.
//!
//! Format: `packages/core/src/services/chatRecordingService.ts` of QwenLM/qwen-code.

use std::collections::HashMap;

use model::{CallResult, Reason};

use crate::{
    Agent, Options, call_id,
    facts::{Answer, Call, Context, FileFacts, Millis, Tokens, Usage},
    gemini::{Response, outcome::Told},
    json::{Cursor, Malformed, Raw, Str},
    problem::ProblemCode,
    redact,
    strings::Sym,
    time,
    tool_name::{self, ToolName},
};

/// Types of records.
const TYPES: [&[u8]; 4] = [b"user", b"assistant", b"tool_result", b"system"];

/// Reads the lines of one chat.
#[derive(Debug)]
pub(crate) struct Reader {
    task_text: bool,
    task: Option<Sym>,
    /// The uuids of the calls with positional ids, by id: a result answers the last call of its id.
    counted: HashMap<Sym, Sym>,
}

impl Reader {
    pub(crate) fn new(options: &Options) -> Reader {
        Reader {
            task_text: options.task_text,
            task: None,
            counted: HashMap::new(),
        }
    }

    /// True for types of records that Qwen Code writes.
    pub(crate) fn knows(kind: &[u8]) -> bool {
        TYPES.contains(&kind)
    }

    pub(crate) fn line(&mut self, line: Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        let mut record = Record::default();
        let mut cursor = line;
        cursor.object(|cursor, key| record.field(cursor, key))?;
        cursor.end()?;
        match record.kind.map_or(&b""[..], |kind| kind.0) {
            b"user" => {
                if self.task_text && record.subtype.is_none() {
                    let prompt = record.text.and_then(redact::prompt);
                    self.task = prompt.map(|prompt| facts.strings.intern(&prompt)).or(self.task);
                }
            }
            b"assistant" => self.response(&record, facts),
            b"tool_result" => record.results(&self.counted, facts),
            _ => facts.ignore(record.kind, record.subtype),
        }
        Ok(())
    }

    fn response(&mut self, record: &Record<'_>, facts: &mut FileFacts) {
        let context = Context {
            session: facts.name(record.session),
            cwd: facts.path(record.cwd),
            branch: facts.name(record.branch),
            version: facts.name(record.version),
            agent: Some(Agent::QwenCode),
        };
        let (model, group) = (facts.name(record.model), facts.name(record.uuid));
        let at = record.at();
        if let (Some(group), Some(tokens)) = (group, record.tokens) {
            facts.push_usage(Usage {
                model,
                at,
                tokens,
                context,
                ..Usage::of(group)
            });
        }
        for call in &record.calls {
            let Some(id) = facts.call_id(call.id) else {
                continue;
            };
            let name = call.name.map(Str::text).unwrap_or_default();
            let message = group.map(|group| facts.strings.get(group));
            let uuid = call_id::uuid(facts.strings.get(id), &name, message).into_owned();
            let uuid = facts.strings.intern(&uuid);
            if uuid != id {
                self.counted.insert(id, uuid);
            }
            let id = uuid;
            let (tool, operation) = facts.tool(&call.tool(&name));
            facts.calls.push(Call {
                id,
                at,
                tool,
                operation,
                context,
                model,
                group,
                task: self.task,
                waits_for_person: tool_name::waits_for_person(&name)
                    || matches!(&*name, "ask_user_question" | "exit_plan_mode"),
                unreported: false,
            });
        }
    }
}

#[derive(Default)]
struct Record<'a> {
    uuid: Option<Str<'a>>,
    session: Option<Str<'a>>,
    timestamp: Option<Str<'a>>,
    kind: Option<Str<'a>>,
    subtype: Option<Str<'a>>,
    cwd: Option<Str<'a>>,
    version: Option<Str<'a>>,
    branch: Option<Str<'a>>,
    model: Option<Str<'a>>,
    tokens: Option<Tokens>,
    text: Option<Str<'a>>,
    calls: Vec<FunctionCall<'a>>,
    responses: Vec<NamedResponse<'a>>,
    result: Outcome<'a>,
}

#[derive(Default)]
struct FunctionCall<'a> {
    id: Option<Str<'a>>,
    name: Option<Str<'a>>,
    args: Option<Raw<'a>>,
}

/// `functionResponse` of a part.
#[derive(Default)]
struct NamedResponse<'a> {
    name: Option<Str<'a>>,
    response: Response<'a>,
}

/// `toolCallResult`.
#[derive(Default)]
struct Outcome<'a> {
    call_id: Option<Str<'a>>,
    status: Option<Str<'a>>,
    error_type: Option<Str<'a>>,
    display: Option<Str<'a>>,
}

impl<'a> Record<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"uuid" => self.uuid = cursor.string()?,
            b"sessionId" => self.session = cursor.string()?,
            b"timestamp" => self.timestamp = cursor.string()?,
            b"type" => self.kind = cursor.string()?,
            b"subtype" => self.subtype = cursor.string()?,
            b"cwd" => self.cwd = cursor.string()?,
            b"version" => self.version = cursor.string()?,
            b"gitBranch" => self.branch = cursor.string()?,
            b"model" => self.model = cursor.string()?,
            b"usageMetadata" => self.tokens = tokens(cursor)?,
            b"message" => cursor.object(|cursor, key| {
                if key == b"parts" {
                    return cursor.array(|cursor| self.part(cursor));
                }
                cursor.skip()
            })?,
            b"toolCallResult" => cursor.object(|cursor, key| {
                match key {
                    b"callId" => self.result.call_id = cursor.string()?,
                    b"status" => self.result.status = cursor.string()?,
                    b"errorType" => self.result.error_type = cursor.string()?,
                    b"resultDisplay" => self.result.display = cursor.string()?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn part(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        cursor.object(|cursor, key| {
            match key {
                b"text" => {
                    let text = cursor.string()?;
                    self.text = self.text.or(text);
                }
                b"functionCall" => {
                    let mut call = FunctionCall::default();
                    cursor.object(|cursor, key| {
                        match key {
                            b"id" => call.id = cursor.string()?,
                            b"name" => call.name = cursor.string()?,
                            b"args" => call.args = Some(cursor.raw()?),
                            _ => cursor.skip()?,
                        }
                        Ok(())
                    })?;
                    self.calls.push(call);
                }
                b"functionResponse" => {
                    let mut named = NamedResponse::default();
                    cursor.object(|cursor, key| match key {
                        b"name" => {
                            named.name = cursor.string()?;
                            Ok(())
                        }
                        _ => named.response.field(cursor, key),
                    })?;
                    self.responses.push(named);
                }
                _ => cursor.skip()?,
            }
            Ok(())
        })
    }

    fn at(&self) -> Option<Millis> {
        time::parse(self.timestamp)
    }

    /// Adds the results of a record: one, as far as the program writes it.
    fn results(&self, counted: &HashMap<Sym, Sym>, facts: &mut FileFacts) {
        if self.responses.is_empty() {
            self.answer(self.result.call_id, &NamedResponse::default(), counted, facts);
        }
        for named in &self.responses {
            let id = named.response.id.or(self.result.call_id);
            self.answer(id, named, counted, facts);
        }
    }

    fn answer(
        &self,
        id: Option<Str<'_>>,
        named: &NamedResponse<'_>,
        counted: &HashMap<Sym, Sym>,
        facts: &mut FileFacts,
    ) {
        let Some(id) = facts.call_id(id) else { return };
        let id = counted.get(&id).copied().unwrap_or(id);
        let Response { output, error, .. } = named.response;
        // Without a status, the presence of an error decides.
        let otherwise = Str(if error.is_some() { b"error" } else { b"success" });
        let told = Told {
            status: self.result.status.or(Some(otherwise)),
            output,
            error,
            display: self.result.display,
            is_shell: named.name == Some(Str(b"run_shell_command")),
        };
        let (verdict, is_known) = match self.result.error_type.and_then(reason) {
            Some(reason) if told.status != Some(Str(b"success")) => (Some(CallResult::because(reason)), true),
            _ => told.verdict(),
        };
        if !is_known {
            facts.problem(
                ProblemCode::UnclassifiedError,
                "a call ended in a way that is not known",
            );
        }
        if let Some(verdict) = verdict {
            facts.answers.push(Answer {
                id,
                at: self.at(),
                verdict,
                duration_ms: None,
                goes_on: false,
            });
        }
    }
}

impl FunctionCall<'_> {
    fn tool(&self, name: &str) -> ToolName {
        let named = match name {
            "skill" => {
                let skill = tool_name::field(self.args, b"skill");
                skill
                    .or_else(|| tool_name::field(self.args, b"name"))
                    .map(|skill| ToolName::skill(&skill))
            }
            "agent" | "task" => Some(ToolName::agent(
                tool_name::field(self.args, b"subagent_type")
                    .as_deref()
                    .unwrap_or_default(),
            )),
            name => ToolName::mcp_prefixed(name),
        };
        named.unwrap_or_else(|| ToolName::builtin(name))
    }
}

/// The meaning of the program's own class of an error, where it is more specific than an error.
fn reason(error_type: Str<'_>) -> Option<Reason> {
    Some(match error_type.0 {
        b"tool_not_registered" => Reason::UnknownTool,
        b"invalid_tool_params" => Reason::InvalidInput,
        b"execution_denied" | b"policy_violation" => Reason::Denied,
        _ => return None,
    })
}

/// Input includes what was read from the cache. Providers differ in whether the output includes the thoughts: the total
/// shows it.
fn tokens(cursor: &mut Cursor<'_>) -> Result<Option<Tokens>, Malformed> {
    if cursor.peek()? != b'{' {
        cursor.skip()?;
        return Ok(None);
    }
    let (mut input, mut output, mut cached, mut thoughts, mut total) = (0, 0, 0, 0, None);
    cursor.object(|cursor, key| {
        match key {
            b"promptTokenCount" => input = cursor.count()?.unwrap_or(0),
            b"candidatesTokenCount" => output = cursor.count()?.unwrap_or(0),
            b"cachedContentTokenCount" => cached = cursor.count()?.unwrap_or(0),
            b"thoughtsTokenCount" => thoughts = cursor.count()?.unwrap_or(0),
            b"totalTokenCount" => total = cursor.count()?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    let apart = u64::saturating_add(input, output);
    if total.is_none_or(|total| total > apart) {
        output = output.saturating_add(thoughts);
    }
    let cache_read = cached.min(input);
    Ok(Some(Tokens {
        input: input - cache_read,
        output,
        cache_read,
        ..Tokens::default()
    }))
}
