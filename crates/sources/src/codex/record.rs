//! One line of a rollout, as far as facts come from it.

use crate::{
    facts::Tokens,
    json::{Cursor, Index, Malformed, Raw, Str},
};

/// A line.
#[derive(Debug, Default)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) timestamp: Option<Str<'a>>,
    pub(crate) payload: Payload<'a>,
}

/// The payloads of all types of records in one: their keys mean the same wherever they stand.
#[derive(Debug, Default)]
pub(crate) struct Payload<'a> {
    pub(crate) kind: Option<Str<'a>>,
    pub(crate) id: Option<Str<'a>>,
    pub(crate) cwd: Option<Str<'a>>,
    pub(crate) version: Option<Str<'a>>,
    pub(crate) branch: Option<Str<'a>>,
    pub(crate) model: Option<Str<'a>>,
    pub(crate) call_id: Option<Str<'a>>,
    pub(crate) name: Option<Str<'a>>,
    pub(crate) namespace: Option<Str<'a>>,
    pub(crate) output: Option<Raw<'a>>,
    pub(crate) message: Option<Str<'a>>,
    /// The MCP server and tool of an invocation.
    pub(crate) server: Option<Str<'a>>,
    pub(crate) tool: Option<Str<'a>>,
    pub(crate) duration_ms: Option<f64>,
    /// An MCP call that ended in an error, or a patch without success.
    pub(crate) failed: bool,
    /// Tokens of the session so far.
    pub(crate) session_tokens: Option<u64>,
    /// Tokens of the last response.
    pub(crate) tokens: Tokens,
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
                b"payload" => record.payload = Payload::read(cursor)?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        cursor.end()?;
        Ok(record)
    }
}

impl<'a> Payload<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Payload<'a>, Malformed> {
        let mut payload = Payload::default();
        cursor.object(|cursor, key| {
            match key {
                b"type" => payload.kind = cursor.string()?,
                b"id" => payload.id = cursor.string()?,
                b"cwd" => payload.cwd = cursor.string()?,
                b"cli_version" => payload.version = cursor.string()?,
                b"model" => payload.model = cursor.string()?,
                b"call_id" => payload.call_id = cursor.string()?,
                b"name" => payload.name = cursor.string()?,
                b"namespace" => payload.namespace = cursor.string()?,
                b"output" => payload.output = Some(cursor.raw()?),
                b"message" => payload.message = cursor.string()?,
                b"success" => payload.failed |= cursor.boolean()? == Some(false),
                b"git" => cursor.object(|cursor, key| {
                    match key {
                        b"branch" => payload.branch = cursor.string()?,
                        _ => cursor.skip()?,
                    }
                    Ok(())
                })?,
                b"invocation" => cursor.object(|cursor, key| {
                    match key {
                        b"server" => payload.server = cursor.string()?,
                        b"tool" => payload.tool = cursor.string()?,
                        _ => cursor.skip()?,
                    }
                    Ok(())
                })?,
                b"duration" => payload.duration_ms = duration_ms(cursor)?,
                b"result" => payload.failed |= is_error(cursor)?,
                b"info" => cursor.object(|cursor, key| {
                    match key {
                        b"total_token_usage" => payload.session_tokens = total_tokens(cursor)?,
                        b"last_token_usage" => payload.tokens = tokens(cursor)?,
                        _ => cursor.skip()?,
                    }
                    Ok(())
                })?,
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        Ok(payload)
    }
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

/// `{Err: …}`, or `{Ok: {isError: true}}`.
fn is_error(cursor: &mut Cursor<'_>) -> Result<bool, Malformed> {
    let mut error = false;
    cursor.object(|cursor, key| match key {
        b"Err" => {
            error = true;
            cursor.skip()
        }
        b"Ok" => cursor.object(|cursor, key| {
            match key {
                b"isError" | b"is_error" => error |= cursor.boolean()? == Some(true),
                _ => cursor.skip()?,
            }
            Ok(())
        }),
        _ => cursor.skip(),
    })?;
    Ok(error)
}

fn total_tokens(cursor: &mut Cursor<'_>) -> Result<Option<u64>, Malformed> {
    let mut total = None;
    cursor.object(|cursor, key| {
        match key {
            b"total_tokens" => total = cursor.count()?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    Ok(total)
}

/// Input counts what was read from the cache, output the reasoning.
fn tokens(cursor: &mut Cursor<'_>) -> Result<Tokens, Malformed> {
    let (mut input, mut cached, mut output) = (0, 0, 0);
    cursor.object(|cursor, key| {
        match key {
            b"input_tokens" => input = cursor.count()?.unwrap_or(0),
            b"cached_input_tokens" => cached = cursor.count()?.unwrap_or(0),
            b"output_tokens" => output = cursor.count()?.unwrap_or(0),
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    let cache_read = u64::min(cached, input);
    Ok(Tokens {
        input: input - cache_read,
        output,
        cache_read,
        ..Tokens::default()
    })
}

/// The beginning of a result's text, in which Codex reports how the call went. Older versions wrap it in JSON.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) head: String,
    exit_code: Option<f64>,
    seconds: Option<f64>,
}

impl Output {
    pub(crate) fn of(output: Option<Raw<'_>>) -> Output {
        // The report comes first; a kibibyte leaves room for a long command in it.
        const ENOUGH: usize = 1_024;
        let Some(output) = output else {
            return Output::default();
        };
        let Some(text) = output.as_str() else {
            return Output {
                head: first_text(output, ENOUGH),
                ..Output::default()
            };
        };
        if text.0.starts_with(b"{") {
            let text = text.text();
            let mut wrapped = Output::default();
            let mut inner = None;
            let walked = Index::default().of(text.as_bytes()).object(|cursor, key| {
                match key {
                    b"output" => inner = cursor.string()?.map(|text| text.head(ENOUGH).into_owned()),
                    b"metadata" => cursor.object(|cursor, key| {
                        match key {
                            b"exit_code" => wrapped.exit_code = cursor.number()?,
                            b"duration_seconds" => wrapped.seconds = cursor.number()?,
                            _ => cursor.skip()?,
                        }
                        Ok(())
                    })?,
                    _ => cursor.skip()?,
                }
                Ok(())
            });
            if walked.is_ok()
                && let Some(head) = inner
            {
                return Output { head, ..wrapped };
            }
        }
        Output {
            head: text.head(ENOUGH).into_owned(),
            ..Output::default()
        }
    }

    /// What stands above the output of the command itself.
    fn report(&self) -> &str {
        self.head
            .split_once("\nOutput:\n")
            .map_or(&self.head, |(report, _)| report)
    }

    pub(crate) fn exit_code(&self) -> Option<i64> {
        if let Some(code) = self.exit_code {
            return Some(i64::from(code != 0.0));
        }
        ["Process exited with code ", "Exit code: "]
            .iter()
            .find_map(|label| {
                let (_, after) = self.report().split_once(label)?;
                let digits = after.split(|c: char| !c.is_ascii_digit() && c != '-').next()?;
                digits.parse().ok()
            })
    }

    pub(crate) fn wall_seconds(&self) -> Option<f64> {
        let stated = || {
            let (_, after) = self.report().split_once("Wall time: ")?;
            after.split(' ').next()?.parse().ok()
        };
        self.seconds.or_else(stated)
    }

    /// The command goes on in a session of its own.
    pub(crate) fn runs_on(&self) -> bool {
        self.report().contains("Process running with session")
    }
}

/// The first text of a list of parts.
fn first_text(parts: Raw<'_>, bytes: usize) -> String {
    let mut first = None;
    // The line has been walked before, so the value is whole.
    let _ = parts.cursor().array(|cursor| {
        cursor.object(|cursor, key| {
            match key {
                b"text" if first.is_none() => {
                    first = cursor.string()?.map(|text| text.head(bytes).into_owned())
                }
                _ => cursor.skip()?,
            }
            Ok(())
        })
    });
    first.unwrap_or_default()
}
