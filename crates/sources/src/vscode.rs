//! Copilot Chat of VS Code: `chatSessions/<session>.json`, the whole session as one object; and `<session>.jsonl`, the
//! session followed by its changes, one a line. The editor writes the whole object again after many changes.
//!
//! A call is a part of a response. It has no time of its own, so it has that of its request, and only commands have a
//! duration. A part is written again when it changes, and parts that were removed were called all the same: the last
//! state of each call counts.
//!
//! The directory is in `workspace.json` next to the folder, which the caller reads.
//!
//! Format: microsoft/vscode, `src/vs/workbench/contrib/chat/common/model/{chatModel,chatSessionOperationLog,
//! objectMutationLog,chatProgressTypes/chatToolInvocation}.ts` and `chatService/chatService.ts`; results of tools:
//! microsoft/vscode-copilot-chat, `src/extension/prompts/node/panel/toolCalling.tsx`.

mod part;

use std::collections::HashMap;

use model::{CallResult, Reason};

use self::part::{Confirmed, Part};
use crate::{
    Agent, Options, call_id,
    facts::{Answer, Call, Context, FileFacts, Millis},
    json::{Cursor, Malformed, Raw, Str},
    problem::ProblemCode,
    redact,
    strings::Sym,
};

/// State of a response that the person stopped.
const CANCELLED: u64 = 2;

/// Greatest index that a change may have: a session never holds as many requests.
const MAX_REQUESTS: u64 = 1_000_000;

/// Reads one session, in order.
#[derive(Debug)]
pub(crate) struct Reader {
    task_text: bool,
    context: Context,
    /// Every request, also those that were removed.
    requests: Vec<Request>,
    /// The requests of the session by their position.
    current: Vec<usize>,
    parts: Vec<Known>,
    by_id: HashMap<Sym, usize>,
    /// What the program told the model about a call, by the call's id in the log.
    results: HashMap<Sym, Told>,
}

#[derive(Debug, Default)]
struct Request {
    id: Option<Sym>,
    at: Option<Millis>,
    model: Option<Sym>,
    task: Option<Sym>,
    is_cancelled: bool,
}

/// The last state of a call.
#[derive(Debug)]
struct Known {
    id: Sym,
    /// The id in the log.
    number: Sym,
    request: usize,
    tool: Sym,
    operation: Option<Sym>,
    state: part::State,
}

/// What the model was told about a call.
#[derive(Clone, Copy, Debug)]
struct Told {
    verdict: CallResult,
    is_known: bool,
}

/// A change of the session.
#[derive(Default)]
struct Change<'a> {
    kind: Option<u64>,
    path: Vec<Step<'a>>,
    value: Option<Raw<'a>>,
    /// What follows this position is removed first.
    from: Option<u64>,
}

enum Step<'a> {
    Key(Str<'a>),
    Position(u64),
}

impl Reader {
    pub(crate) fn new(options: &Options, directory: Option<Sym>) -> Reader {
        Reader {
            task_text: options.task_text,
            context: Context {
                cwd: directory,
                agent: Some(Agent::VsCodeCopilot),
                ..Context::default()
            },
            requests: Vec::new(),
            current: Vec::new(),
            parts: Vec::new(),
            by_id: HashMap::new(),
            results: HashMap::new(),
        }
    }

    /// Reads a whole session.
    pub(crate) fn session(&mut self, session: Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        let mut cursor = session;
        self.whole(&mut cursor, facts)?;
        cursor.end()
    }

    /// Reads a session or a change of one.
    pub(crate) fn line(&mut self, line: Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        let mut change = Change::default();
        let mut cursor = line;
        cursor.object(|cursor, key| change.field(cursor, key))?;
        cursor.end()?;
        match change.kind {
            Some(0) => match change.value {
                Some(value) => self.whole(&mut value.cursor(), facts),
                None => Ok(()),
            },
            Some(1) => self.set(&change, facts),
            Some(2) => self.push(&change, facts),
            // A value was removed: what it told remains told.
            Some(3) => Ok(()),
            // The line is of the older kind, which has no changes.
            None => self.whole(&mut line.clone(), facts),
            Some(_) => {
                facts.ignore(None, None);
                Ok(())
            }
        }
    }

    /// Adds what was read. Called once, at the end of the file.
    pub(crate) fn finish(&mut self, facts: &mut FileFacts) {
        for known in &self.parts {
            let request = &self.requests[known.request];
            facts.calls.push(Call {
                id: known.id,
                at: request.at,
                tool: known.tool,
                operation: known.operation,
                context: self.context,
                model: request.model,
                group: None,
                task: request.task,
                waits_for_person: false,
                unreported: false,
            });
            let told = self.results.get(&known.number);
            if let Some(verdict) = known.verdict(request, told) {
                facts.answers.push(Answer {
                    id: known.id,
                    at: None,
                    verdict,
                    duration_ms: known.state.duration_ms,
                    goes_on: known.state.is_background,
                });
                if told.is_some_and(|told| !told.is_known) {
                    facts.problem(
                        ProblemCode::UnclassifiedError,
                        "the model was told of an error in words that are not known",
                    );
                }
            }
        }
    }

    fn whole(&mut self, cursor: &mut Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        self.current.clear();
        cursor.object(|cursor, key| {
            match key {
                b"sessionId" => {
                    let session = cursor.string()?;
                    self.context.session = facts.name(session).or(self.context.session);
                }
                b"requests" => self.append(cursor, facts)?,
                _ => cursor.skip()?,
            }
            Ok(())
        })
    }

    fn append(&mut self, cursor: &mut Cursor<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        cursor.array(|cursor| {
            let request = self.add();
            self.current.push(request);
            self.request(request, cursor, facts)
        })
    }

    fn add(&mut self) -> usize {
        self.requests.push(Request::default());
        self.requests.len() - 1
    }

    fn set(&mut self, change: &Change<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        let Some(value) = change.value else { return Ok(()) };
        let mut cursor = value.cursor();
        match change.path.as_slice() {
            [] => self.whole(&mut cursor, facts),
            [Step::Key(Str(b"sessionId"))] => {
                let session = cursor.string()?;
                self.context.session = facts.name(session).or(self.context.session);
                Ok(())
            }
            [Step::Key(Str(b"requests"))] => {
                self.current.clear();
                self.append(&mut cursor, facts)
            }
            [Step::Key(Str(b"requests")), Step::Position(at)] => {
                let request = self.add();
                if let Some(at) = usize::try_from(*at).ok().and_then(|at| self.current.get_mut(at)) {
                    *at = request;
                } else if *at <= MAX_REQUESTS {
                    self.current.push(request);
                }
                self.request(request, &mut cursor, facts)
            }
            [Step::Key(Str(b"requests")), Step::Position(at), Step::Key(field)] => match self.at(*at) {
                Some(request) => self.field(request, field.0, &mut cursor, facts),
                None => Ok(()),
            },
            [
                Step::Key(Str(b"requests")),
                Step::Position(at),
                Step::Key(Str(b"response")),
                Step::Position(_),
            ] => match self.at(*at) {
                Some(request) => self.part(request, &mut cursor, facts),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn push(&mut self, change: &Change<'_>, facts: &mut FileFacts) -> Result<(), Malformed> {
        match change.path.as_slice() {
            [Step::Key(Str(b"requests"))] => {
                if let Some(from) = change.from.and_then(|from| usize::try_from(from).ok()) {
                    self.current.truncate(from);
                }
                match change.value {
                    Some(value) => self.append(&mut value.cursor(), facts),
                    None => Ok(()),
                }
            }
            [
                Step::Key(Str(b"requests")),
                Step::Position(at),
                Step::Key(Str(b"response")),
            ] => match (self.at(*at), change.value) {
                (Some(request), Some(value)) => self.response(request, &mut value.cursor(), facts),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn at(&self, position: u64) -> Option<usize> {
        self.current.get(usize::try_from(position).ok()?).copied()
    }

    fn request(
        &mut self,
        request: usize,
        cursor: &mut Cursor<'_>,
        facts: &mut FileFacts,
    ) -> Result<(), Malformed> {
        cursor.object(|cursor, key| self.field(request, key, cursor, facts))
    }

    fn field(
        &mut self,
        request: usize,
        key: &[u8],
        cursor: &mut Cursor<'_>,
        facts: &mut FileFacts,
    ) -> Result<(), Malformed> {
        match key {
            b"requestId" => self.requests[request].id = facts.name(cursor.string()?),
            b"timestamp" => {
                let at = cursor.count()?.and_then(|at| Millis::try_from(at).ok());
                self.requests[request].at = at.or(self.requests[request].at);
            }
            b"modelId" => {
                // `copilot/gpt-5`: whose model it is, and which.
                let model = cursor.string()?.map(Str::text);
                let model = model.and_then(|model| {
                    let name = model.rsplit_once('/').map_or(&*model, |(_, name)| name);
                    (name != "auto").then(|| facts.clean_name(name)).flatten()
                });
                self.requests[request].model = model.or(self.requests[request].model);
            }
            b"isCanceled" => self.requests[request].is_cancelled |= cursor.boolean()? == Some(true),
            b"modelState" => cursor.object(|cursor, key| {
                if key == b"value" {
                    self.requests[request].is_cancelled = cursor.count()? == Some(CANCELLED);
                    return Ok(());
                }
                cursor.skip()
            })?,
            b"message" => {
                let mut text = None;
                if cursor.peek()? == b'"' {
                    text = cursor.string()?;
                } else {
                    cursor.object(|cursor, key| {
                        if key == b"text" {
                            text = cursor.string()?;
                            return Ok(());
                        }
                        cursor.skip()
                    })?;
                }
                if self.task_text {
                    let prompt = text.and_then(redact::prompt);
                    self.requests[request].task = prompt.map(|prompt| facts.strings.intern(&prompt));
                }
            }
            b"response" => self.response(request, cursor, facts)?,
            b"result" => self.result(request, cursor, facts)?,
            _ => cursor.skip()?,
        }
        Ok(())
    }

    fn response(
        &mut self,
        request: usize,
        cursor: &mut Cursor<'_>,
        facts: &mut FileFacts,
    ) -> Result<(), Malformed> {
        cursor.array(|cursor| self.part(request, cursor, facts))
    }

    fn part(
        &mut self,
        request: usize,
        cursor: &mut Cursor<'_>,
        facts: &mut FileFacts,
    ) -> Result<(), Malformed> {
        let part = Part::read(cursor)?;
        if !part.is_call() {
            return Ok(());
        }
        let name = part.tool_id.map(Str::text).unwrap_or_default();
        let Some(number) = facts.call_id(part.call_id) else {
            return Ok(());
        };
        let message = self.requests[request].id.map(|id| facts.strings.get(id));
        let uuid = call_id::uuid(facts.strings.get(number), &name, message).into_owned();
        let id = facts.strings.intern(&uuid);
        let (tool, operation) = facts.tool(&part.tool(&name));
        let known = Known {
            id,
            number,
            request,
            tool,
            operation,
            state: part.state,
        };
        match self.by_id.get(&id) {
            Some(at) => self.parts[*at] = known,
            None => {
                self.by_id.insert(id, self.parts.len());
                self.parts.push(known);
            }
        }
        Ok(())
    }

    /// What the extension keeps of a request: the model that answered, and the results as the model got them.
    fn result(
        &mut self,
        request: usize,
        cursor: &mut Cursor<'_>,
        facts: &mut FileFacts,
    ) -> Result<(), Malformed> {
        cursor.object(|cursor, key| {
            if key != b"metadata" {
                return cursor.skip();
            }
            cursor.object(|cursor, key| {
                match key {
                    b"resolvedModel" => {
                        let model = cursor.string()?;
                        let model = facts.name(model);
                        self.requests[request].model = model.or(self.requests[request].model);
                    }
                    b"toolCallResults" => cursor.object(|cursor, id| {
                        let text = part::result_text(cursor)?;
                        if let (Some(id), Some(text)) = (facts.call_id(Some(Str(id))), text) {
                            self.results.insert(id, Told::of(text));
                        }
                        Ok(())
                    })?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })
        })
    }
}

impl Known {
    /// How the call ended; `None` when nothing tells.
    fn verdict(&self, request: &Request, told: Option<&Told>) -> Option<CallResult> {
        let state = &self.state;
        match state.confirmed {
            Confirmed::Denied => return Some(CallResult::because(Reason::Rejected)),
            Confirmed::DeniedByRule => return Some(CallResult::because(Reason::Denied)),
            Confirmed::No if request.is_cancelled => return Some(CallResult::because(Reason::Interrupted)),
            Confirmed::No => return None,
            Confirmed::Yes => {}
        }
        if state.is_error {
            return Some(CallResult::because(Reason::Error));
        }
        match (state.exit_code, told) {
            (Some(0), _) => Some(CallResult::SUCCESS),
            (Some(_), _) => Some(CallResult::because(Reason::Error)),
            (None, Some(told)) if told.verdict != CallResult::SUCCESS => Some(told.verdict),
            // The shell did not report how the command ended.
            (None, _) if state.is_command => Some(CallResult::UNKNOWN),
            (None, Some(told)) => Some(told.verdict),
            (None, None) if !state.is_complete => None,
            // The editor marks a call that was stopped like one that ended.
            (None, None) if request.is_cancelled && !state.has_details => Some(CallResult::UNKNOWN),
            (None, None) => Some(CallResult::SUCCESS),
        }
    }
}

impl Told {
    /// The program's own words come first in what the model gets.
    fn of(text: Str<'_>) -> Told {
        let head = text.head(512);
        let because = |reason| Told {
            verdict: CallResult::because(reason),
            is_known: true,
        };
        if head.starts_with("The user cancelled the tool call.") {
            return because(Reason::Interrupted);
        }
        if head.starts_with("The user chose to skip the tool call") {
            return because(Reason::Rejected);
        }
        let Some(error) = head.strip_prefix("ERROR while calling tool: ") else {
            let is_invalid = head.starts_with("ERROR: Your input to the tool was invalid (");
            let is_unknown = head.starts_with("ERROR: The tool \"");
            return match (is_invalid, is_unknown) {
                (true, _) => because(Reason::InvalidInput),
                (_, true) => because(Reason::UnknownTool),
                _ => Told {
                    verdict: CallResult::SUCCESS,
                    is_known: true,
                },
            };
        };
        let lower = error.to_ascii_lowercase();
        Told {
            is_known: !["denied by", "rejected by", "not allowed by", "blocked by"]
                .iter()
                .any(|words| lower.contains(words)),
            ..because(Reason::Error)
        }
    }
}

impl<'a> Change<'a> {
    fn field(&mut self, cursor: &mut Cursor<'a>, key: &[u8]) -> Result<(), Malformed> {
        match key {
            b"kind" => self.kind = cursor.count()?,
            b"i" => self.from = cursor.count()?,
            b"v" => self.value = Some(cursor.raw()?),
            b"k" => cursor.array(|cursor| {
                let step = match cursor.peek()? {
                    b'"' => cursor.string()?.map(Step::Key),
                    _ => cursor.count()?.map(Step::Position),
                };
                self.path.extend(step);
                Ok(())
            })?,
            _ => cursor.skip()?,
        }
        Ok(())
    }
}
