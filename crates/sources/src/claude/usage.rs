//! `usage` of a message: tokens, their tier, and what advisors used.

use crate::{
    Tier,
    facts::Tokens,
    json::{Cursor, Malformed, Raw, Str},
};

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

/// Reads `usage`; `None` where it is no object.
pub(super) fn read_usage<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Spent<'a>>, Malformed> {
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

pub(super) fn small(count: Option<u64>) -> u32 {
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
