//! One line of a Claude Code transcript: the fields that facts are derived from. The keys come in any order and any of
//! them may be missing, so a line is collected first and interpreted afterwards.

use crate::{
    claude::{
        task::Asked,
        tool_result::ToolResult,
        usage::{Spent, read_usage, small},
        verdict::{Decision, Denial, ResultFlags},
    },
    json::{Cursor, Malformed, Raw, Str},
};

/// A line.
#[derive(Debug, Default)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) subtype: Option<Str<'a>>,
    pub(crate) uuid: Option<Str<'a>>,
    pub(crate) parent: Option<Str<'a>>,
    pub(crate) request: Option<Str<'a>>,
    /// The record of the call that a result answers.
    pub(crate) source: Option<Str<'a>>,
    /// The call that loaded the text of the record: of a skill, for example.
    pub(crate) of_call: Option<Str<'a>>,
    pub(crate) timestamp: Option<Str<'a>>,
    pub(crate) session: Option<Str<'a>>,
    pub(crate) cwd: Option<Str<'a>>,
    pub(crate) branch: Option<Str<'a>>,
    pub(crate) version: Option<Str<'a>>,
    pub(crate) is_sidechain: bool,
    /// The run of an agent that wrote the record.
    pub(crate) run: Option<Str<'a>>,
    /// The call that a progress record belongs to.
    pub(crate) of: Option<Str<'a>>,
    pub(crate) is_meta: bool,
    pub(crate) is_compact_summary: bool,
    pub(crate) message: Message<'a>,
    pub(crate) outcome: OwnFigures<'a>,
    pub(crate) refusal: Refusal,
    /// The text of a `system` or `queue-operation` record.
    pub(crate) content: Option<Str<'a>>,
    pub(crate) attachment: Option<Raw<'a>>,
    pub(crate) data: Data<'a>,
}

/// `message` of a line, or of the line that a progress record carries.
#[derive(Debug, Default)]
pub(crate) struct Message<'a> {
    pub(crate) id: Option<Str<'a>>,
    pub(crate) model: Option<Str<'a>>,
    pub(crate) usage: Option<Spent<'a>>,
    /// `content`, when it is one text.
    pub(crate) text: Option<Str<'a>>,
    pub(crate) uses: Vec<ToolUse<'a>>,
    pub(crate) results: Vec<ToolResult<'a>>,
    /// Texts among the blocks of `content`.
    pub(crate) texts: Vec<Str<'a>>,
}

/// A `tool_use` block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ToolUse<'a> {
    pub(crate) id: Option<Str<'a>>,
    pub(crate) name: Option<Str<'a>>,
    pub(crate) input: Option<Raw<'a>>,
}

/// Who refused a call, in newer records.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Refusal {
    decision: Decision,
    denial: Denial,
    before_run: bool,
}

/// The fields of `toolUseResult`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OwnFigures<'a> {
    pub(crate) flags: ResultFlags,
    pub(crate) duration_ms: Option<f64>,
    /// The work was only started: the call is answered at once, and the work continues.
    pub(crate) goes_on: bool,
    /// The task that was started.
    pub(crate) task: Option<Str<'a>>,
    /// The run of the agent that was started.
    pub(crate) run: Option<Str<'a>>,
    /// Web searches, which are not in the response's own count.
    pub(crate) searches: u32,
    /// The state of another task.
    pub(crate) asked: Asked<'a>,
    /// The record has it, as an object.
    pub(crate) stated: bool,
}

/// `data` of a progress record.
#[derive(Debug, Default)]
pub(crate) struct Data<'a> {
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) run: Option<Str<'a>>,
    pub(crate) timestamp: Option<Str<'a>>,
    pub(crate) message: Message<'a>,
    pub(crate) outcome: OwnFigures<'a>,
}

impl<'a> Record<'a> {
    /// Collects a line. Fails when it is not exactly one object.
    pub(crate) fn read(&mut self, mut line: Cursor<'a>) -> Result<(), Malformed> {
        line.object(|cursor, key| {
            match key {
                b"type" => self.kind = cursor.string()?,
                b"subtype" => self.subtype = cursor.string()?,
                b"uuid" => self.uuid = cursor.string()?,
                b"parentUuid" => self.parent = cursor.string()?,
                b"requestId" => self.request = cursor.string()?,
                b"sourceToolAssistantUUID" => self.source = cursor.string()?,
                b"sourceToolUseID" => self.of_call = cursor.string()?,
                b"timestamp" => self.timestamp = cursor.string()?,
                b"sessionId" => self.session = cursor.string()?,
                b"cwd" => self.cwd = cursor.string()?,
                b"gitBranch" => self.branch = cursor.string()?,
                b"version" => self.version = cursor.string()?,
                b"isSidechain" => self.is_sidechain = cursor.boolean()? == Some(true),
                b"agentId" => self.run = cursor.string()?,
                b"parentToolUseID" => self.of = cursor.string()?,
                b"isMeta" => self.is_meta = cursor.boolean()? == Some(true),
                b"isCompactSummary" => self.is_compact_summary = cursor.boolean()? == Some(true),
                b"message" => self.message.read(cursor)?,
                b"toolUseResult" => self.outcome = OwnFigures::read(cursor)?,
                b"permissionDecision" => self.refusal.decision = read_decision(cursor)?,
                b"toolDenialKind" => {
                    self.refusal.denial = match cursor.string()? {
                        Some(Str(b"user-rejected")) => Denial::User,
                        Some(_) => Denial::Rule,
                        None => Denial::Unknown,
                    };
                }
                b"toolDenialBeforeRun" => self.refusal.before_run = cursor.boolean()? == Some(true),
                b"content" => self.content = cursor.string()?,
                b"attachment" => self.attachment = Some(cursor.raw()?),
                b"data" => self.data.read(cursor)?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        line.end()
    }
}

impl<'a> Message<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        cursor.object(|cursor, key| {
            match key {
                b"id" => self.id = cursor.string()?,
                b"model" => self.model = cursor.string()?,
                b"usage" => self.usage = read_usage(cursor)?,
                b"content" if cursor.peek()? == b'"' => self.text = cursor.string()?,
                b"content" => {
                    (self.uses, self.results, self.texts) = Default::default();
                    cursor.array(|cursor| self.block(cursor))?;
                }
                _ => cursor.skip()?,
            }
            Ok(())
        })
    }

    fn block(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        let mut kind = None;
        let (mut id, mut used, mut name, mut text) = (None, None, None, None);
        let (mut input, mut content, mut is_error) = (None, None, false);
        cursor.object(|cursor, key| {
            match key {
                b"type" => kind = cursor.string()?,
                b"id" => id = cursor.string()?,
                b"tool_use_id" => used = cursor.string()?,
                b"name" => name = cursor.string()?,
                b"text" => text = cursor.string()?,
                b"input" => input = Some(cursor.raw()?),
                b"content" => content = Some(cursor.raw()?),
                b"is_error" => is_error = cursor.boolean()? == Some(true),
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        match kind.map(|kind| kind.0) {
            Some(b"tool_use") => self.uses.push(ToolUse { id, name, input }),
            Some(b"tool_result") => self.results.push(ToolResult {
                id: used,
                content,
                is_error,
            }),
            Some(b"text") => self.texts.extend(text),
            _ => {}
        }
        Ok(())
    }
}

fn read_decision(cursor: &mut Cursor<'_>) -> Result<Decision, Malformed> {
    let (mut decision, mut source) = (None, None);
    cursor.object(|cursor, key| {
        match key {
            b"decision" => decision = cursor.string()?,
            b"source" => source = cursor.string()?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(match decision.map(|decision| decision.0) {
        Some(b"accept" | b"allow") => Decision::Accepted,
        Some(b"reject" | b"deny") if source.is_some_and(|source| source.0.starts_with(b"user")) => {
            Decision::Rejected
        }
        Some(b"reject" | b"deny") => Decision::Denied,
        _ => Decision::Unknown,
    })
}

impl Refusal {
    /// The flags of a result, with the record's data about its refusal.
    pub(crate) fn with(self, flags: ResultFlags) -> ResultFlags {
        ResultFlags {
            decision: self.decision,
            denial: self.denial,
            before_run: self.before_run,
            ..flags
        }
    }
}

impl<'a> OwnFigures<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<OwnFigures<'a>, Malformed> {
        let mut own = OwnFigures::default();
        let (mut agent, mut task, mut shell, mut status, mut exit_code) = (None, None, None, None, None);
        match cursor.peek()? {
            b'"' => {
                let text = cursor.string()?;
                own.flags.refused = text == Some(Str(b"User rejected tool use"));
                return Ok(own);
            }
            first => own.stated = first == b'{',
        }
        cursor.object(|cursor, key| {
            match key {
                b"success" => own.flags.unsuccessful = cursor.boolean()? == Some(false),
                b"interrupted" => own.flags.interrupted = cursor.boolean()? == Some(true),
                b"durationMs" | b"totalDurationMs" => own.duration_ms = cursor.number()?,
                b"status" => status = cursor.string()?,
                b"isAsync" | b"background" => own.goes_on |= cursor.boolean()? == Some(true),
                b"backgroundTaskId" => {
                    own.task = cursor.string()?;
                    own.goes_on |= own.task.is_some();
                }
                b"agentId" => agent = cursor.string()?,
                b"taskId" => task = cursor.string()?,
                b"durationSeconds" => own.duration_ms = cursor.number()?.map(|seconds| seconds * 1e3),
                b"searchCount" => own.searches = small(cursor.count()?),
                b"task" => own.asked.read_task(cursor)?,
                b"shellId" => shell = cursor.string()?,
                b"exitCode" => exit_code = cursor.number()?,
                b"shell_id" => own.asked.stop(cursor.string()?),
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        own.goes_on |= matches!(
            status,
            Some(Str(b"async_launched" | b"remote_launched" | b"teammate_spawned"))
        );
        own.run = agent;
        own.task = own.task.or(task).or(agent);
        if shell.is_some() {
            own.asked.shell(shell, status, exit_code);
        }
        Ok(own)
    }
}

impl<'a> Data<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
        cursor.object(|cursor, key| {
            match key {
                b"type" => self.kind = cursor.string()?,
                b"agentId" => self.run = cursor.string()?,
                b"message" => cursor.object(|cursor, key| {
                    match key {
                        b"timestamp" => self.timestamp = cursor.string()?,
                        b"message" => self.message.read(cursor)?,
                        b"toolUseResult" => self.outcome = OwnFigures::read(cursor)?,
                        _ => cursor.skip()?,
                    }
                    Ok(())
                })?,
                _ => cursor.skip()?,
            }
            Ok(())
        })
    }
}
