//! Messages in the format of Anthropic's API, with the time `ts` of each: what Roo Code, Kilo Code and Cline keep of a
//! conversation.

use model::{CallResult, MicroUsd, Reason};

use crate::{
    facts::{Millis, Tokens},
    json::{Cursor, Malformed, Raw, Str},
};

/// Prefixes of calls in the first versions of these programs, which wrote calls as markup without ids: the tools that
/// nearly every task used.
const MARKUP: [&[u8]; 5] = [
    b"<read_file>",
    b"<execute_command>",
    b"<attempt_completion>",
    b"<apply_diff>",
    b"<replace_in_file>",
];

/// The name of the file that holds a task.
const FILE: &str = "api_conversation_history.json";

/// The verdict on a call of a program that keeps such messages, by the program's own words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) verdict: CallResult,
    /// The work was not finished then.
    pub(crate) goes_on: bool,
    /// False for a message in words that no rule knows.
    pub(crate) is_known: bool,
}

impl Ended {
    pub(crate) fn known(verdict: CallResult) -> Ended {
        Ended {
            verdict,
            goes_on: false,
            is_known: true,
        }
    }

    pub(crate) fn because(reason: Reason) -> Ended {
        Ended::known(CallResult::because(reason))
    }
}

/// One message.
#[derive(Default)]
pub(crate) struct Message<'a> {
    pub(crate) role: Option<Str<'a>>,
    has_content: bool,
    /// The id of the response, where the provider or the program gave one.
    pub(crate) id: Option<Str<'a>>,
    pub(crate) at: Option<Millis>,
    pub(crate) blocks: Vec<Block<'a>>,
    /// Cline: the model of a response.
    pub(crate) model: Option<Str<'a>>,
    /// Cline: the tokens and the cost of a response.
    pub(crate) metrics: Metrics,
}

/// One block of a message.
#[derive(Default)]
pub(crate) struct Block<'a> {
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) text: Option<Str<'a>>,
    pub(crate) id: Option<Str<'a>>,
    pub(crate) name: Option<Str<'a>>,
    pub(crate) input: Option<Raw<'a>>,
    pub(crate) answers: Option<Str<'a>>,
    pub(crate) is_error: Option<bool>,
    /// The first text of a result.
    pub(crate) output: Option<Str<'a>>,
    /// Cline: one of the operations in a result failed.
    pub(crate) has_failed_operation: bool,
}

/// Tokens and cost of a response, as Cline states them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Metrics {
    /// Cached ones included.
    all_input: u64,
    tokens: Tokens,
    /// Read from or written to the cache: the log does not tell which.
    cached: u64,
    pub(crate) cost: Option<MicroUsd>,
}

/// The messages of an array.
pub(crate) fn array<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<Message<'a>>, Malformed> {
    let mut messages = Vec::new();
    cursor.array(|cursor| {
        let mut message = Message::default();
        cursor.object(|cursor, key| message.field(cursor, key))?;
        messages.push(message);
        Ok(())
    })?;
    Ok(messages)
}

/// The task of `tasks/<task>/api_conversation_history.json`; `None` for any other path.
pub(crate) fn task(path: &str) -> Option<&str> {
    let parts: Vec<&str> = path.split(['/', '\\']).collect();
    match parts.as_slice() {
        [.., "tasks", task, file] if *file == FILE && !task.is_empty() => Some(*task),
        _ => None,
    }
}

impl<'a> Message<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"role" => self.role = cursor.string()?,
            b"id" => self.id = cursor.string()?,
            b"ts" => self.at = cursor.count()?.and_then(|ts| Millis::try_from(ts).ok()),
            b"modelInfo" => cursor.object(|cursor, key| {
                match key {
                    b"id" | b"modelId" => self.model = cursor.string()?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"metrics" => self.metrics = Metrics::read(cursor)?,
            b"content" => {
                self.has_content = true;
                if cursor.peek()? == b'"' {
                    self.blocks.push(Block {
                        kind: Some(Str(b"text")),
                        text: cursor.string()?,
                        ..Block::default()
                    });
                    return Ok(());
                }
                cursor.array(|cursor| {
                    let mut block = Block::default();
                    cursor.object(|cursor, key| block.field(cursor, key))?;
                    self.blocks.push(block);
                    Ok(())
                })?;
            }
            _ => cursor.skip()?,
        }
        Ok(())
    }

    /// True for a message that has a role and content.
    pub(crate) fn is_whole(&self) -> bool {
        self.role.is_some() && self.has_content
    }

    /// The calls of a response.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Block<'a>> {
        self.blocks
            .iter()
            .filter(|block| block.kind == Some(Str(b"tool_use")))
    }

    /// True for a response with a call as markup.
    pub(crate) fn has_markup(&self) -> bool {
        let mut text = self.blocks.iter().filter_map(|block| block.text);
        text.any(|text| {
            MARKUP
                .iter()
                .any(|tag| memchr::memmem::find(text.0, tag).is_some())
        })
    }
}

impl<'a> Block<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"type" => self.kind = cursor.string()?,
            b"text" => self.text = cursor.string()?,
            b"id" => self.id = cursor.string()?,
            b"name" => self.name = cursor.string()?,
            b"input" => self.input = Some(cursor.raw()?),
            b"tool_use_id" => self.answers = cursor.string()?,
            b"is_error" => self.is_error = cursor.boolean()?,
            b"content" => {
                if cursor.peek()? == b'"' {
                    self.output = cursor.string()?;
                    return Ok(());
                }
                cursor.array(|cursor| {
                    cursor.object(|cursor, key| {
                        match key {
                            b"text" => {
                                let text = cursor.string()?;
                                self.output = self.output.or(text);
                            }
                            b"success" => self.has_failed_operation |= cursor.boolean()? == Some(false),
                            _ => cursor.skip()?,
                        }
                        Ok(())
                    })
                })?;
            }
            _ => cursor.skip()?,
        }
        Ok(())
    }
}

impl Metrics {
    fn read(cursor: &mut Cursor<'_>) -> Result<Metrics, Malformed> {
        let mut metrics = Metrics::default();
        cursor.object(|cursor, key| {
            match key {
                b"inputTokens" => metrics.all_input = cursor.count()?.unwrap_or(0),
                b"outputTokens" => metrics.tokens.output = cursor.count()?.unwrap_or(0),
                b"cacheReadTokens" => metrics.tokens.cache_read = cursor.count()?.unwrap_or(0),
                b"cacheWriteTokens" => metrics.tokens.cache_write_5m = cursor.count()?.unwrap_or(0),
                b"cost" => metrics.cost = cursor.number()?.and_then(MicroUsd::from_usd),
                b"tokens" => cursor.object(|cursor, key| {
                    match key {
                        b"prompt" => metrics.tokens.input = cursor.count()?.unwrap_or(0),
                        b"completion" => metrics.tokens.output = cursor.count()?.unwrap_or(0),
                        b"cached" => metrics.cached = cursor.count()?.unwrap_or(0),
                        _ => cursor.skip()?,
                    }
                    Ok(())
                })?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        Ok(metrics)
    }

    /// The tokens by class; `None` where no response was paid for, or where the log does not tell enough to price them.
    pub(crate) fn tokens(&self) -> Option<Tokens> {
        let mut tokens = self.tokens;
        let in_cache = tokens.cache_read.saturating_add(tokens.cache_write_5m);
        tokens.input = tokens.input.max(self.all_input.saturating_sub(in_cache));
        let is_priced = self.cost.is_some_and(|cost| cost.0 > 0);
        if self.cached > 0 {
            if !is_priced {
                return None;
            }
            tokens.cache_read = self.cached;
        }
        (is_priced || tokens != Tokens::default()).then_some(tokens)
    }
}
