//! Codex CLI: rollouts below `~/.codex/sessions` (see [`record`] for their shapes). Person, directory and model are
//! stated once (`session_meta`, `turn_context`) and apply to the lines below.
//!
//! The result of a command states its outcome only in its text. Most calls also end with an event of their own, apart
//! from the result, and calls made by a script of code mode are in no other record. Tokens are counted apart from the
//! calls, too. A fork repeats its parent's records under new times, but with the same ids of calls and turns.

mod ended;
mod output;
mod record;
mod search;
mod usage;
mod verdict;

use std::collections::HashMap;

use crate::{
    Agent, Options, call_id,
    claude::whole_ms,
    codex::{
        output::Output,
        record::{Payload, Record},
        search::Searches,
        usage::Counter,
        verdict::Speaker,
    },
    facts::{Answer, Call, Context, FileFacts, Millis, Usage},
    json::{Cursor, Index, Malformed, Raw, Str},
    problem::ProblemCode,
    redact,
    strings::Sym,
    time,
    tool_name::{self, ToolName},
};

/// Reads the records of one rollout.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    task_text: bool,
    task: Option<Sym>,
    context: Context,
    model: Option<Sym>,
    /// The turn that the records belong to, and the session that a chain of forks began with.
    turn: Option<Sym>,
    origin: Option<Sym>,
    /// When the session began, for records without a time.
    began: Option<Millis>,
    /// The session continues one in another file.
    continued: bool,
    /// No approval could be given: the session, or the turn, runs unattended.
    unattended: bool,
    never_asks: bool,
    /// Where the calls of the response begin whose tokens have not been counted yet.
    uncounted: usize,
    counter: Counter,
    calls: HashMap<Sym, Asked>,
    /// The uuids of calls with positional ids: those of the last calls with these ids.
    positional: HashMap<Sym, Sym>,
    searches: Searches,
}

/// The state of a call until it ends.
#[derive(Clone, Copy, Debug)]
struct Asked {
    tool: Sym,
    speaker: Speaker,
    /// It was answered, but continues.
    runs_on: bool,
    /// The report of its end says that it was refused.
    declined: bool,
    /// It was answered with a message that is no refusal.
    unrefused: bool,
}

impl Reader {
    pub(crate) fn new(options: &Options) -> Reader {
        let context = Context {
            agent: Some(Agent::Codex),
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
        let Some(payload) = &record.payload else {
            let payload = Payload::read(&mut { line })?;
            match (payload.kind, payload.id) {
                (Some(_), _) => self.item(&payload, payload.timestamp, facts),
                (None, Some(_)) => self.session(&payload, payload.timestamp, facts),
                (None, None) => self.document(line, facts)?,
            }
            return Ok(());
        };
        match record.kind.map_or(&b""[..], |kind| kind.0) {
            b"session_meta" => self.session(payload, record.timestamp, facts),
            b"turn_context" => {
                self.model = facts.name(payload.model).or(self.model);
                self.context.cwd = facts.path(payload.cwd).or(self.context.cwd);
                self.turn = facts.name(payload.turn).or(self.turn);
                self.never_asks = payload.approval_policy.is_some_and(|policy| policy.0 == b"never");
            }
            b"response_item" => self.item(payload, record.timestamp, facts),
            b"event_msg" => self.event(&record, payload, facts),
            b"token_usage_record" => self.tokens(payload, record.timestamp, true, facts),
            _ => facts.ignore(record.kind, payload.kind),
        }
        Ok(())
    }

    fn event(&mut self, record: &Record<'_>, payload: &Payload<'_>, facts: &mut FileFacts) {
        match payload.kind.map_or(&b""[..], |kind| kind.0) {
            b"token_count" => self.tokens(payload, record.timestamp, false, facts),
            b"task_started" | b"turn_started" => self.turn = facts.name(payload.turn).or(self.turn),
            b"user_message" if self.asked_for(payload.message, facts) => {}
            _ if self.ended(payload, record.timestamp, facts) => {}
            _ => facts.ignore(record.kind, payload.kind),
        }
    }

    /// Stores the person's request if it is wanted; returns false if not.
    fn asked_for(&mut self, text: Option<Str<'_>>, facts: &mut FileFacts) -> bool {
        if self.task_text {
            let task = text.and_then(redact::prompt);
            self.task = task.map(|task| facts.strings.intern(&task)).or(self.task);
        }
        self.task_text
    }

    /// The calls of the model, and their results.
    fn item(&mut self, item: &Payload<'_>, timestamp: Option<Str<'_>>, facts: &mut FileFacts) {
        match item.kind.map_or(&b""[..], |kind| kind.0) {
            b"function_call" | b"custom_tool_call" => {
                let name = item.name.map(Str::text).unwrap_or_default();
                self.call(item, item.call_id, &name, timestamp, facts);
            }
            b"local_shell_call" => {
                self.call(item, item.call_id.or(item.id), "shell", timestamp, facts);
            }
            b"tool_search_call" => {
                self.call(item, item.call_id.or(item.id), "tool_search", timestamp, facts);
                if item.call_id.is_none() {
                    self.done(item, item.id, timestamp, facts);
                }
            }
            b"tool_search_output" => self.done(item, item.call_id, timestamp, facts),
            b"image_generation_call" => self.hosted(item, item.id, "image_generation", timestamp, facts),
            b"web_search_call" => self.web_search(item, item.id, timestamp, facts),
            b"function_call_output" | b"custom_tool_call_output" | b"local_shell_call_output" => {
                self.result(item, timestamp, facts);
            }
            _ => facts.ignore(Some(Str(b"response_item")), item.kind),
        }
    }

    /// Reads a whole session `{session, items}`; any other object is counted as ignored.
    pub(crate) fn document(&mut self, document: Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        let mut known = false;
        { document }.object(|cursor, key| {
            if key != b"session" {
                return cursor.skip();
            }
            known = true;
            let header = Payload::read(cursor)?;
            self.session(&header, header.timestamp, facts);
            Ok(())
        })?;
        { document }.object(|cursor, key| {
            if key != b"items" {
                return cursor.skip();
            }
            cursor.array(|cursor| {
                let item = Payload::read(cursor)?;
                self.item(&item, item.timestamp, facts);
                Ok(())
            })
        })?;
        if !known {
            facts.ignore(None, None);
        }
        Ok(())
    }

    /// A fork begins with its own record and repeats its parent's: the first one is the file's.
    fn session(&mut self, payload: &Payload<'_>, timestamp: Option<Str<'_>>, facts: &mut FileFacts) {
        let id = facts.name(payload.id);
        self.origin = id.or(self.origin);
        self.continued |= payload.forked;
        if self.context.session.is_none() {
            self.context.session = id;
            self.context.cwd = facts.path(payload.cwd);
            self.context.version = facts.name(payload.version);
            self.context.branch = facts.name(payload.branch);
            self.model = facts.name(payload.model).or(self.model);
            self.unattended = payload.source.is_some_and(|source| source.0 == b"exec");
            self.began = time::parse(timestamp);
        }
    }

    fn attended(&self) -> bool {
        !self.unattended && !self.never_asks
    }

    /// The time of a record. A session of the first versions has one for all.
    fn time(&self, timestamp: Option<Str<'_>>) -> Option<Millis> {
        time::parse(timestamp).or(self.began)
    }

    fn call(
        &mut self,
        item: &Payload<'_>,
        id: Option<Str<'_>>,
        name: &str,
        timestamp: Option<Str<'_>>,
        facts: &mut FileFacts,
    ) {
        let Some(id) = facts.call_id(id) else { return };
        let id = self.key(id, name, item, facts);
        let namespace = item.namespace.map(Str::text);
        let server = namespace.as_deref().and_then(|text| text.strip_prefix("mcp__"));
        let named = match server {
            // What is below a server's name in a namespace is a part of the server.
            Some(server) => {
                let server = server.split_once("__").map_or(server, |(server, _)| server);
                Some(ToolName::mcp(server, Some(name)))
            }
            None if name == "spawn_agent" => Some(ToolName::agent(&agent_type(item.arguments))),
            None => ToolName::mcp_prefixed(name),
        };
        let speaker = match &named {
            Some(tool) if tool.id.kind() == model::Kind::Mcp => Speaker::Server,
            _ => Speaker::of(name),
        };
        let named = named.unwrap_or_else(|| ToolName::builtin(name));
        let call = self.new_call(id, self.time(timestamp), &named, facts);
        let call = Call {
            waits_for_person: tool_name::waits_for_person(name),
            ..call
        };
        facts.calls.push(call);
        self.remember(&call, speaker);
    }

    /// The uuid of a new call: its id, or its id within the response that made it. A response is identified by the
    /// item's own id, or by the turn and the tokens before it.
    fn key(&mut self, id: Sym, name: &str, item: &Payload<'_>, facts: &mut FileFacts) -> Sym {
        let text = facts.strings.get(id);
        if !call_id::is_positional(text, name) {
            return id;
        }
        let item = item.id.map(Str::text);
        let response = match item.filter(|item| !call_id::is_positional(item, name)) {
            Some(item) => item.into_owned(),
            None => {
                let place = self.turn.or(self.origin);
                let place = place.map_or("", |place| facts.strings.get(place));
                format!("{place}:{}", self.counter.so_far())
            }
        };
        let key = call_id::within(text, &response);
        let key = facts.strings.intern(&key);
        self.positional.insert(id, key);
        key
    }

    /// The uuid of the call that a later record is about.
    fn known(&self, id: Option<Str<'_>>, facts: &mut FileFacts) -> Option<Sym> {
        let id = facts.call_id(id)?;
        Some(self.positional.get(&id).copied().unwrap_or(id))
    }

    fn new_call(&self, id: Sym, at: Option<Millis>, name: &ToolName, facts: &mut FileFacts) -> Call {
        let (tool, operation) = facts.tool(name);
        Call {
            id,
            at,
            tool,
            operation,
            context: self.context,
            model: self.model,
            group: None,
            task: self.task,
            waits_for_person: false,
            unreported: false,
        }
    }

    fn remember(&mut self, call: &Call, speaker: Speaker) {
        let asked = Asked {
            tool: call.tool,
            speaker,
            runs_on: false,
            declined: false,
            unrefused: false,
        };
        self.calls.entry(call.id).or_insert(asked);
    }

    fn result(&mut self, item: &Payload<'_>, timestamp: Option<Str<'_>>, facts: &mut FileFacts) {
        let Some(id) = self.known(item.call_id.or(item.id), facts) else {
            return;
        };
        let output = Output::of(item.output);
        let attended = self.attended();
        let asked = self.calls.get_mut(&id);
        let speaker = asked.as_ref().map_or(Speaker::Other, |asked| asked.speaker);
        let mut judged = verdict::classify(&output, speaker, attended);
        // A refusal with an unknown message.
        let unrefused = judged.verdict.outcome() != model::Outcome::Abandoned;
        if unrefused && asked.as_ref().is_some_and(|asked| asked.declined) {
            judged = verdict::Judged {
                verdict: model::CallResult::because(verdict::by_whom(attended)),
                known: true,
            };
        }
        if let Some(asked) = asked {
            asked.runs_on = output.runs_on;
            asked.unrefused = unrefused;
            if !judged.known {
                let tool = facts.strings.get(asked.tool);
                let detail = format!(
                    "a result of {tool} reads like an error in words that are not known; it counts as one"
                );
                facts.problem(ProblemCode::UnclassifiedError, detail);
            }
        }
        // A wall time of zero is that of an immediate answer, not the command's.
        let seconds = output.seconds.filter(|seconds| *seconds > 0.0);
        facts.answers.push(Answer {
            id,
            at: time::parse(timestamp),
            verdict: judged.verdict,
            duration_ms: whole_ms(seconds.map(|seconds| seconds * 1e3)).filter(|_| !output.runs_on),
            goes_on: output.runs_on,
        });
    }

    /// The tokens of the response that made the calls since the last count. A replay in a fork repeats its calls, so
    /// the first of them names the response; one without calls is named by its turn and by the session's sums so
    /// far, or by the session that the forks began with.
    fn tokens(
        &mut self,
        payload: &Payload<'_>,
        timestamp: Option<Str<'_>>,
        record: bool,
        facts: &mut FileFacts,
    ) {
        let counted = self
            .counter
            .count(payload.total, payload.last, record, self.continued);
        let Some((total, response)) = counted else { return };
        let first = std::mem::replace(&mut self.uncounted, facts.calls.len());
        let group = match facts.calls.get(first) {
            Some(call) => format!("codex:{}", facts.strings.get(self.searches.place_of(call.id))),
            None => {
                let place = self.turn.or(self.origin);
                let place = place.map_or("", |place| facts.strings.get(place));
                format!("codex:{place}:{}", total.key())
            }
        };
        let group = facts.strings.intern(&group);
        for call in &mut facts.calls[first..] {
            call.group = Some(group);
        }
        facts.push_usage(Usage {
            model: self.model,
            at: self.time(timestamp),
            tokens: response.tokens(),
            context: self.context,
            ..Usage::of(group)
        });
    }
}

/// The role of a subagent, from arguments that are JSON in a string.
fn agent_type(arguments: Option<Raw<'_>>) -> String {
    let named = || {
        let text = arguments?.as_str()?.text();
        let mut index = Index::default();
        let object = index.of(text.as_bytes()).raw().ok();
        tool_name::field(object, b"agent_type").map(|role| role.trim().to_owned())
    };
    named()
        .filter(|role| !role.is_empty())
        .unwrap_or_else(|| "default".to_owned())
}
