//! OpenTelemetry: decodes what agents push (OTLP logs and traces, protobuf or JSON) into calls.
//!
//! One record is read at a time, straight from the bytes of the request. Only attributes of a short list are looked at
//! ([`attributes`]); prompts, inputs, outputs and addresses are passed over and never copied. Which tool was called and
//! how the call ended is told by one module per agent.
//!
//! The key of a call is the agent's own id of it, which is the uuid that the log of the same session gives it: telemetry
//! and log become one event.

mod attributes;
mod claude;
mod codex;
mod copilot;
mod gemini;
mod genai;
mod json;
mod protobuf;
mod qwen;
mod record;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use model::{CallResult, Event, event::UnnamedCall, limits, text, usage::Response};

use self::record::{Origin, Record};
use crate::{
    call_id,
    tool_name::{self, ToolName},
};

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// `ExportLogsServiceRequest`.
    Logs,
    /// `ExportTraceServiceRequest`.
    Traces,
}

/// How a request is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// The JSON mapping of OTLP.
    Json,
}

/// A request that is not OTLP: nothing of it is read.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// The bytes are no protobuf message, or end in the middle of one.
    #[error("the body is not a protobuf message of OTLP: {0}")]
    Protobuf(&'static str),
    /// The text is not JSON, or a field has another type.
    #[error("the body is not JSON of OTLP: line {0}, column {1}")]
    Json(usize, usize),
}

/// What a request says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Telemetry {
    /// Log records or spans in it.
    pub records: u64,
    /// Calls of known tools.
    pub events: Vec<Event>,
    /// Calls of tools without a name.
    pub unnamed: Vec<UnnamedCall>,
    /// What responses of models used; costs are the vendor's own figures.
    pub responses: Vec<Response>,
    /// Calls without an id that tells them apart.
    pub unkeyed: u64,
    /// Calls and responses that cannot be stored, because their time or their id is not valid.
    pub rejected: u64,
    /// Why the first of them cannot.
    pub rejection: Option<&'static str>,
}

/// Reads a request. `now` is the receiver's clock: a call that lies further ahead than [`limits::FUTURE_HOURS`] is
/// rejected.
///
/// # Errors
/// The bytes are not a request of that signal and encoding.
pub fn decode(
    bytes: &[u8],
    signal: Signal,
    encoding: Encoding,
    now: DateTime<Utc>,
) -> Result<Telemetry, Malformed> {
    let mut telemetry = Telemetry::default();
    let mut each = |record: &Record, origin: &Origin| telemetry.read(record, origin, now);
    match encoding {
        Encoding::Protobuf => protobuf::walk(bytes, signal, &mut each)?,
        Encoding::Json => json::walk(bytes, signal, &mut each)?,
    }
    Ok(telemetry)
}

/// A call, as the module of an agent tells it.
#[derive(Debug)]
struct Call {
    id: Option<String>,
    tool: Named,
    session: Option<String>,
    agent: String,
    agent_version: Option<String>,
    result: CallResult,
    duration_ms: Option<i64>,
    at: Option<DateTime<Utc>>,
}

/// Whether the telemetry says which tool was called.
#[derive(Debug)]
enum Named {
    Tool(ToolName),
    /// It does not; what it says instead tells positional ids.
    Not(String),
}

impl Call {
    /// A call of which only the record's own parts are known.
    fn new(record: &Record, agent: &str, tool: Named) -> Call {
        Call {
            id: None,
            tool,
            session: None,
            agent: agent.to_owned(),
            agent_version: None,
            result: CallResult::UNKNOWN,
            duration_ms: None,
            at: record.time(),
        }
    }
}

impl Telemetry {
    fn read(&mut self, record: &Record, origin: &Origin, now: DateTime<Utc>) {
        self.records += 1;
        if let Some(mut response) = claude::response(record, origin) {
            match response.check(now) {
                Ok(()) => self.responses.push(response),
                Err(why) => self.reject(why),
            }
            return;
        }
        let call = claude::call(record, origin)
            .or_else(|| codex::call(record))
            .or_else(|| gemini::call(record, origin))
            .or_else(|| qwen::call(record, origin))
            .or_else(|| copilot::call(record, origin))
            .or_else(|| genai::call(record, origin));
        if let Some(call) = call {
            self.add(call, now);
        }
    }

    fn add(&mut self, call: Call, now: DateTime<Utc>) {
        let (tool, said) = match call.tool {
            Named::Tool(tool) => (Some(tool), String::new()),
            Named::Not(said) => (None, said),
        };
        let said = tool.as_ref().map_or(&*said, |tool| tool.id.name());
        let waits = tool_name::waits_for_person(said);
        let id = call.id.filter(|id| !id.is_empty());
        let Some(uuid) = id.filter(|id| !call_id::is_positional(id, said)) else {
            self.unkeyed += 1;
            return;
        };
        if let Err(why) = model::wire::event::check_uuid(&uuid) {
            return self.reject(why);
        }
        let Some(at) = call.at else {
            return self.reject("a call has no time");
        };
        if at > now + TimeDelta::hours(limits::FUTURE_HOURS) {
            return self.reject("a call lies in the future; check the clock of the machine");
        }
        // PostgreSQL stores microseconds.
        let at = at.trunc_subsecs(6);
        let name = |value: Option<String>| {
            let value = value.filter(|value| !value.is_empty())?;
            let cut = value
                .char_indices()
                .nth(limits::NAME_CHARS)
                .map_or(&*value, |(at, _)| &value[..at]);
            Some(text::clean(cut).into_owned())
        };
        let (session, agent, agent_version) = (
            name(call.session),
            name(Some(call.agent)),
            name(call.agent_version),
        );
        // That of a question is how long the person took.
        let duration_ms = call
            .duration_ms
            .filter(|ms| (0..=limits::DURATION_MS).contains(ms))
            .filter(|_| !waits);
        match tool {
            Some(tool) => self.events.push(
                Event {
                    uuid: Some(uuid),
                    operation: name(tool.operation),
                    session,
                    agent,
                    agent_version,
                    duration_ms,
                    ..Event::new(tool.id, call.result, at)
                }
                .from_telemetry(),
            ),
            None => self.unnamed.push(UnnamedCall {
                uuid,
                session,
                agent,
                agent_version,
                result: call.result,
                duration_ms,
                occurred_at: at,
            }),
        }
    }

    fn reject(&mut self, why: &'static str) {
        self.rejected += 1;
        self.rejection.get_or_insert(why);
    }
}
