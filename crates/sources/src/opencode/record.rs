//! `info` of an export and of a message, and files of the storage folder that contain nothing else.

use model::MicroUsd;

use crate::{
    Agent,
    facts::{Context, FileFacts, Frame, Millis, Tokens, Usage},
    json::{Cursor, Malformed, Str},
    strings::Sym,
};

/// `info` of an export or of a message.
#[derive(Default)]
pub(super) struct Info<'a> {
    pub(super) id: Option<Str<'a>>,
    pub(super) session: Option<Str<'a>>,
    pub(super) parent: Option<Str<'a>>,
    role: Option<Str<'a>>,
    model: Option<Str<'a>>,
    version: Option<Str<'a>>,
    directory: Option<Str<'a>>,
    cwd: Option<Str<'a>>,
    root: Option<Str<'a>>,
    created: Option<Millis>,
    completed: Option<Millis>,
    tokens: Option<Tokens>,
    cost_usd: Option<f64>,
}

impl<'a> Info<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Info<'a>, Malformed> {
        let mut info = Info::default();
        cursor.object(|cursor, key| info.field(cursor, key))?;
        Ok(info)
    }

    pub(super) fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"id" => self.id = cursor.string()?,
            b"sessionID" => self.session = cursor.string()?,
            b"parentID" => self.parent = cursor.string()?,
            b"role" => self.role = cursor.string()?,
            b"modelID" => self.model = cursor.string()?,
            b"version" => self.version = cursor.string()?,
            b"directory" => self.directory = cursor.string()?,
            b"cost" => self.cost_usd = cursor.number()?,
            b"path" => cursor.object(|cursor, key| {
                match key {
                    b"cwd" => self.cwd = cursor.string()?,
                    // Outside a repository the root is `/`.
                    b"root" => self.root = cursor.string()?.filter(|root| root.0.len() > 1),
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"time" => cursor.object(|cursor, key| {
                match key {
                    b"created" => self.created = millis(cursor)?,
                    b"completed" => self.completed = millis(cursor)?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            b"tokens" => self.tokens = tokens(cursor)?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    pub(super) fn is_prompt(&self) -> bool {
        self.role == Some(Str(b"user"))
    }

    /// What the calls of a message have in common.
    pub(super) fn message(&self, session: &Context, task: Option<Sym>, facts: &mut FileFacts) -> Frame {
        Frame {
            message: facts.name(self.id),
            session: facts.name(self.session).or(session.session),
            cwd: facts.path(self.root.or(self.cwd)).or(session.cwd),
            version: session.version,
            model: facts.name(self.model),
            task,
            created: self.created,
            completed: self.completed,
            tokens: self.tokens.unwrap_or_default(),
        }
    }

    /// What the calls of a session have in common.
    pub(super) fn session(&self, facts: &mut FileFacts) -> Context {
        Context {
            session: facts.name(self.id),
            cwd: facts.path(self.directory),
            version: facts.name(self.version),
            branch: None,
            agent: Some(Agent::OpenCode),
        }
    }

    /// Adds the usage of the response. A message of the person has none. A subagent is a session of its own.
    pub(super) fn usage(&self, session: Option<Sym>, facts: &mut FileFacts) {
        let (Some(group), Some(tokens)) = (facts.name(self.id), self.tokens) else {
            return;
        };
        let stated_cost = self
            .cost_usd
            .filter(|cost| *cost > 0.0)
            .and_then(MicroUsd::from_usd);
        let model = facts.name(self.model);
        let context = Context {
            session,
            ..self.session(facts)
        };
        facts.push_usage(Usage {
            model,
            at: self.created,
            tokens,
            stated_cost,
            context,
            run: session,
            ..Usage::of(group)
        });
    }
}

/// Milliseconds since 1970, as a number.
pub(super) fn millis(cursor: &mut Cursor<'_>) -> Result<Option<Millis>, Malformed> {
    let millis = cursor.number()?;
    // Times beyond the year 9999 are invalid.
    #[expect(clippy::cast_possible_truncation, reason = "checked against the bounds")]
    Ok(millis
        .filter(|ms| (0.0..253_402_300_800_000.0).contains(ms))
        .map(|ms| ms as i64))
}

fn tokens(cursor: &mut Cursor<'_>) -> Result<Option<Tokens>, Malformed> {
    if cursor.peek()? != b'{' {
        cursor.skip()?;
        return Ok(None);
    }
    let (mut tokens, mut reasoning) = (Tokens::default(), 0);
    cursor.object(|cursor, key| {
        match key {
            b"input" => tokens.input = cursor.count()?.unwrap_or(0),
            b"output" => tokens.output = cursor.count()?.unwrap_or(0),
            b"reasoning" => reasoning = cursor.count()?.unwrap_or(0),
            b"cache" => cursor.object(|cursor, key| {
                match key {
                    b"read" => tokens.cache_read = cursor.count()?.unwrap_or(0),
                    b"write" => tokens.cache_write_5m = cursor.count()?.unwrap_or(0),
                    _ => cursor.skip()?,
                }
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    })?;
    tokens.output = tokens.output.saturating_add(reasoning);
    Ok(Some(tokens))
}
