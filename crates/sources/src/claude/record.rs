//! One line of a Claude Code transcript, as far as facts come from it. The keys come in any order and any of them
//! may be missing, so a line is collected first and understood afterwards.

use crate::{
    claude::verdict::ResultFlags,
    facts::Tokens,
    json::{Cursor, Malformed, Raw, Str},
};

/// A line.
#[derive(Debug, Default)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) subtype: Option<Str<'a>>,
    pub(crate) uuid: Option<Str<'a>>,
    pub(crate) timestamp: Option<Str<'a>>,
    pub(crate) session: Option<Str<'a>>,
    pub(crate) cwd: Option<Str<'a>>,
    pub(crate) branch: Option<Str<'a>>,
    pub(crate) version: Option<Str<'a>>,
    pub(crate) is_sidechain: bool,
    pub(crate) is_meta: bool,
    pub(crate) is_compact_summary: bool,
    pub(crate) message: Message<'a>,
    pub(crate) outcome: OwnFigures,
    /// The text of a `system` record.
    pub(crate) content: Option<Str<'a>>,
    pub(crate) attachment: Option<Raw<'a>>,
    pub(crate) data: Data<'a>,
}

/// `message` of a line, or of the line that a progress record carries.
#[derive(Debug, Default)]
pub(crate) struct Message<'a> {
    pub(crate) id: Option<Str<'a>>,
    pub(crate) model: Option<Str<'a>>,
    pub(crate) usage: Option<Tokens>,
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

/// What `toolUseResult` states of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OwnFigures {
    pub(crate) flags: ResultFlags,
    pub(crate) duration_ms: Option<f64>,
    /// The agent was only launched: it answers at once and works on.
    pub(crate) goes_on: bool,
    /// Web searches, which the counter of the response does not know of.
    pub(crate) searches: u64,
}

/// `data` of a progress record.
#[derive(Debug, Default)]
pub(crate) struct Data<'a> {
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) timestamp: Option<Str<'a>>,
    pub(crate) message: Message<'a>,
    pub(crate) outcome: OwnFigures,
}

impl<'a> Record<'a> {
    /// Collects a line. Fails when it is not exactly one object.
    pub(crate) fn read(&mut self, mut line: Cursor<'a>) -> Result<(), Malformed> {
        line.object(|cursor, key| {
            match key {
                b"type" => self.kind = cursor.string()?,
                b"subtype" => self.subtype = cursor.string()?,
                b"uuid" => self.uuid = cursor.string()?,
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

/// Flat and split cache-write fields are the same tokens: the flat figure is the total, and what the split does not
/// give to the hour belongs to the five minutes.
fn read_usage(cursor: &mut Cursor<'_>) -> Result<Option<Tokens>, Malformed> {
    if cursor.peek()? != b'{' {
        cursor.skip()?;
        return Ok(None);
    }
    let mut tokens = Tokens::default();
    let (mut flat, mut five_minutes, mut hour) = (None, 0, 0);
    cursor.object(|cursor, key| {
        match key {
            b"input_tokens" => tokens.input = cursor.count()?.unwrap_or(0),
            b"output_tokens" => tokens.output = cursor.count()?.unwrap_or(0),
            b"cache_read_input_tokens" => tokens.cache_read = cursor.count()?.unwrap_or(0),
            b"cache_creation_input_tokens" => flat = cursor.count()?,
            b"cache_creation" => cursor.object(|cursor, key| {
                match key {
                    b"ephemeral_5m_input_tokens" => five_minutes = cursor.count()?.unwrap_or(0),
                    b"ephemeral_1h_input_tokens" => hour = cursor.count()?.unwrap_or(0),
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    let total = flat.unwrap_or_else(|| u64::saturating_add(five_minutes, hour));
    tokens.cache_write_1h = hour.min(total);
    tokens.cache_write_5m = total - tokens.cache_write_1h;
    Ok(Some(tokens))
}

impl OwnFigures {
    fn read(cursor: &mut Cursor<'_>) -> Result<OwnFigures, Malformed> {
        let mut own = OwnFigures::default();
        cursor.object(|cursor, key| {
            match key {
                b"success" => own.flags.unsuccessful = cursor.boolean()? == Some(false),
                b"interrupted" => own.flags.interrupted = cursor.boolean()? == Some(true),
                b"durationMs" | b"totalDurationMs" => own.duration_ms = cursor.number()?,
                b"status" => own.goes_on = cursor.string()? == Some(Str(b"async_launched")),
                b"searchCount" => own.searches = cursor.count()?.unwrap_or(0),
                b"durationSeconds" => own.duration_ms = cursor.number()?.map(|seconds| seconds * 1e3),
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
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

    /// True when the text may begin with `### Error`, without building it.
    pub(crate) fn may_begin_with_heading(&self) -> bool {
        let raw = self.content.map_or(&b""[..], |content| content.bytes());
        memchr::memchr(b'#', &raw[..raw.len().min(64)]).is_some()
    }
}
