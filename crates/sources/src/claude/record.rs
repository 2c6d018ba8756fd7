//! One line of a Claude Code transcript: the fields that facts are derived from. The keys come in any order and any of
//! them may be missing, so a line is collected first and interpreted afterwards.

use crate::{
    Tier,
    claude::{
        task::Asked,
        verdict::{Decision, Denial, ResultFlags},
    },
    facts::Tokens,
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
    /// The record is text that a call loaded: of a skill, for example.
    pub(crate) of_call: bool,
    pub(crate) timestamp: Option<Str<'a>>,
    pub(crate) session: Option<Str<'a>>,
    pub(crate) cwd: Option<Str<'a>>,
    pub(crate) branch: Option<Str<'a>>,
    pub(crate) version: Option<Str<'a>>,
    pub(crate) is_sidechain: bool,
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

/// A `tool_result` block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ToolResult<'a> {
    pub(crate) id: Option<Str<'a>>,
    pub(crate) content: Option<Raw<'a>>,
    pub(crate) is_error: bool,
}

/// `usage` of a message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent<'a> {
    pub(crate) tokens: Tokens,
    pub(crate) tier: Tier,
    pub(crate) web_searches: u32,
    /// The iterations of the response, as an array. An advisor's are in no total.
    pub(crate) iterations: Option<Raw<'a>>,
}

/// What an advisor used, as one of the iterations of a response states it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advice<'a> {
    pub(crate) model: Option<Str<'a>>,
    pub(crate) tokens: Tokens,
    pub(crate) tier: Tier,
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
    pub(crate) timestamp: Option<Str<'a>>,
    pub(crate) message: Message<'a>,
    pub(crate) outcome: OwnFigures<'a>,
}

/// Prefixes of the results of calls that only started something.
const LAUNCHES: [&[u8]; 5] = [
    b"Command running in background with ID: ",
    b"Command was manually backgrounded by user with ID: ",
    b"Async agent launched successfully",
    b"Remote agent launched",
    b"Workflow launched in background",
];

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
                b"sourceToolUseID" => self.of_call = cursor.string()?.is_some(),
                b"timestamp" => self.timestamp = cursor.string()?,
                b"sessionId" => self.session = cursor.string()?,
                b"cwd" => self.cwd = cursor.string()?,
                b"gitBranch" => self.branch = cursor.string()?,
                b"version" => self.version = cursor.string()?,
                b"isSidechain" => self.is_sidechain = cursor.boolean()? == Some(true),
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

fn read_usage<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Spent<'a>>, Malformed> {
    if cursor.peek()? != b'{' {
        cursor.skip()?;
        return Ok(None);
    }
    let mut spent = Spent::default();
    let mut tokens = TokenFields::default();
    cursor.object(|cursor, key| {
        match key {
            b"speed" | b"service_tier" => spent.tier = tier_of(cursor.string()?).max(spent.tier),
            b"server_tool_use" => cursor.object(|cursor, key| {
                if key == b"web_search_requests" {
                    spent.web_searches = small(count(cursor)?);
                    return Ok(());
                }
                cursor.skip()
            })?,
            b"iterations" => spent.iterations = Some(cursor.raw()?),
            _ => tokens.read(cursor, key)?,
        }
        Ok(())
    })?;
    spent.tokens = tokens.sum();
    Ok(Some(spent))
}

impl<'a> Spent<'a> {
    /// The usage of advisors. Iterations of other kinds are already in the totals.
    pub(crate) fn advice(&self) -> Vec<Advice<'a>> {
        let mut advice = Vec::new();
        let Some(iterations) = self.iterations else {
            return advice;
        };
        // The array has been walked before, so it is whole.
        let _ = iterations.cursor().array(|cursor| {
            let (mut kind, mut model, mut tier) = (None, None, Tier::default());
            let mut tokens = TokenFields::default();
            cursor.object(|cursor, key| {
                match key {
                    b"type" => kind = cursor.string()?,
                    b"model" => model = cursor.string()?,
                    b"speed" => tier = tier_of(cursor.string()?),
                    _ => tokens.read(cursor, key)?,
                }
                Ok(())
            })?;
            if kind.is_some_and(|kind| kind.0.starts_with(b"advisor")) {
                advice.push(Advice {
                    model,
                    tokens: tokens.sum(),
                    tier,
                });
            }
            Ok(())
        });
        advice
    }
}

/// The token counts of a usage. Flat and split cache-write fields are the same tokens: the flat figure is the total,
/// and what the split does not give to the hour belongs to the five minutes.
#[derive(Default)]
struct TokenFields {
    tokens: Tokens,
    cache_write: Option<u64>,
    five_minutes: u64,
    hour: u64,
}

impl TokenFields {
    fn read(&mut self, cursor: &mut Cursor<'_>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"input_tokens" => self.tokens.input = count(cursor)?.unwrap_or(0),
            b"output_tokens" => self.tokens.output = count(cursor)?.unwrap_or(0),
            b"cache_read_input_tokens" => self.tokens.cache_read = count(cursor)?.unwrap_or(0),
            b"cache_creation_input_tokens" => self.cache_write = count(cursor)?,
            b"cache_creation" => cursor.object(|cursor, key| {
                match key {
                    b"ephemeral_5m_input_tokens" => self.five_minutes = count(cursor)?.unwrap_or(0),
                    b"ephemeral_1h_input_tokens" => self.hour = count(cursor)?.unwrap_or(0),
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn sum(mut self) -> Tokens {
        let total = self
            .cache_write
            .unwrap_or_else(|| self.five_minutes.saturating_add(self.hour));
        self.tokens.cache_write_1h = self.hour.min(total);
        self.tokens.cache_write_5m = total - self.tokens.cache_write_1h;
        self.tokens
    }
}

/// A count; relays write some as text.
fn count(cursor: &mut Cursor<'_>) -> Result<Option<u64>, Malformed> {
    if cursor.peek()? != b'"' {
        return cursor.count();
    }
    let text = cursor.string()?.map(Str::text).unwrap_or_default();
    Ok(text.trim().parse().ok())
}

fn small(count: Option<u64>) -> u32 {
    u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX)
}

/// The tier that a speed or a class of service is billed as.
fn tier_of(speed: Option<Str<'_>>) -> Tier {
    match speed {
        Some(Str(b"fast")) => Tier::Fast,
        Some(Str(b"batch")) => Tier::Batch,
        Some(Str(b"priority")) => Tier::Priority,
        _ => Tier::default(),
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

impl<'a> ToolResult<'a> {
    /// The text of the result: the string, or the texts among its parts joined with line ends. Only the beginning
    /// of a long one.
    pub(crate) fn text(&self) -> String {
        const ENOUGH: usize = 64 * 1024;
        let Some(content) = self.content else {
            return String::new();
        };
        if let Some(text) = content.as_str() {
            return text.head(ENOUGH).into_owned();
        }
        let mut texts = String::new();
        // The content has been walked before, so it is whole.
        let _ = content.cursor().array(|cursor| {
            let (mut kind, mut text) = (None, None);
            cursor.object(|cursor, key| {
                match key {
                    b"type" => kind = cursor.string()?,
                    b"text" => text = cursor.string()?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?;
            if kind == Some(Str(b"text"))
                && texts.len() < ENOUGH
                && let Some(text) = text
            {
                if !texts.is_empty() {
                    texts.push('\n');
                }
                texts.push_str(&text.head(ENOUGH));
            }
            Ok(())
        });
        texts
    }

    /// True when the text is Claude Code's message about work that it started.
    pub(crate) fn is_launch(&self) -> bool {
        LAUNCHES.iter().any(|words| self.begins(words))
    }

    /// The task that the text of a start names.
    pub(crate) fn launched_task(&self) -> Option<Str<'a>> {
        let raw = self.content?.bytes();
        [&b"with ID: "[..], b"agentId: ", b"Task ID: "]
            .iter()
            .find_map(|label| {
                let at = memchr::memmem::find(raw, label)? + label.len();
                let length = raw[at..]
                    .iter()
                    .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')))?;
                Some(Str(&raw[at..at + length]))
            })
    }

    /// True when the text, or the first of its parts, begins with these words.
    fn begins(&self, words: &[u8]) -> bool {
        let raw = self.content.map_or(&b""[..], |content| content.bytes());
        match raw.first() {
            Some(b'"') => raw[1..].starts_with(words),
            Some(b'[') => {
                let head = &raw[..raw.len().min(64 + words.len())];
                memchr::memmem::find(head, words).is_some_and(|at| at > 0 && head[at - 1] == b'"')
            }
            _ => false,
        }
    }

    /// True when the text may begin with `### Error`, without building it.
    pub(crate) fn may_begin_with_heading(&self) -> bool {
        let raw = self.content.map_or(&b""[..], |content| content.bytes());
        memchr::memchr(b'#', &raw[..raw.len().min(64)]).is_some()
    }
}
