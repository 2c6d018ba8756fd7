//! What an MCP server tells agents about the tools of their team: aggregates alone, in few words. Messages in, messages
//! out; [`Team`] is where the figures come from. Protocol: <https://modelcontextprotocol.io/specification>.

use std::fmt::{Display, Write};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    Kind,
    api::{
        DeadWeight, Leaderboard, ScoreDetail, Tally, Window,
        query::{DeadWeightQuery, LeaderboardQuery, ScoreQuery},
    },
    limits, text,
};

/// The figures of a team, as the API has them.
pub trait Team {
    /// Why they cannot be told; the agent reads it.
    type Error: Display;

    /// `GET /v1/leaderboards/tools`.
    fn tools(&self, query: LeaderboardQuery)
    -> impl Future<Output = Result<Leaderboard, Self::Error>> + Send;

    /// `GET /v1/scores/{tool_id}`.
    fn tool(
        &self,
        tool_id: &str,
        query: ScoreQuery,
    ) -> impl Future<Output = Result<ScoreDetail, Self::Error>> + Send;

    /// `GET /v1/dead-weight`.
    fn dead_weight(
        &self,
        query: DeadWeightQuery,
    ) -> impl Future<Output = Result<DeadWeight, Self::Error>> + Send;
}

/// The versions of the protocol that these messages fit, newest first.
pub const VERSIONS: [&str; 3] = ["2025-06-18", "2025-03-26", "2024-11-05"];
/// Rows of an answer unless the agent asks for fewer or more: an answer costs the agent tokens.
const DEFAULT_ROWS: usize = 10;
const MAX_ROWS: usize = 50;

const PARSE_ERROR: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;
const NO_SUCH_METHOD: i32 = -32_601;
const INVALID_PARAMETERS: i32 = -32_602;

/// The answer to a message that is not JSON.
pub fn not_json() -> String {
    failed(&Value::Null, PARSE_ERROR, "not JSON")
}

/// Answers one message; `None` for a notification, which has no answer.
pub async fn answer(team: &impl Team, message: &Value) -> Option<String> {
    let Some(method) = message.get("method").and_then(Value::as_str) else {
        let id = message.get("id").unwrap_or(&Value::Null);
        return Some(failed(
            id,
            INVALID_REQUEST,
            "a request is an object with a `method`",
        ));
    };
    let id = message.get("id")?;
    let parameters = message.get("params").unwrap_or(&Value::Null);
    Some(match method {
        "initialize" => done(id, &initialized(parameters)),
        "ping" => done(id, &json!({})),
        "tools/list" => done(id, &json!({ "tools": tools() })),
        "tools/call" => {
            let name = parameters["name"].as_str().unwrap_or_default();
            match call(team, name, &parameters["arguments"]).await {
                None => failed(id, INVALID_PARAMETERS, "no such tool; `tools/list` lists them"),
                Some(Ok(text)) => done(id, &json!({ "content": [{ "type": "text", "text": text }] })),
                // The agent reads it, and can tell the person what to do.
                Some(Err(error)) => done(
                    id,
                    &json!({ "content": [{ "type": "text", "text": error }], "isError": true }),
                ),
            }
        }
        _ => failed(id, NO_SUCH_METHOD, "no such method"),
    })
}

fn done(id: &Value, result: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string()
}

fn failed(id: &Value, code: i32, message: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }).to_string()
}

fn initialized(parameters: &Value) -> Value {
    let asked = parameters["protocolVersion"].as_str().unwrap_or_default();
    let version = VERSIONS
        .into_iter()
        .find(|version| *version == asked)
        .unwrap_or(VERSIONS[0]);
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": {} },
        "serverInfo": { "name": "toolhub", "version": env!("CARGO_PKG_VERSION") },
    })
}

fn tools() -> Value {
    let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    let kind = json!({ "type": "string", "enum": kinds });
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": MAX_ROWS });
    let windows: Vec<&str> = Window::ALL.iter().map(|window| window.as_str()).collect();
    let window = json!({ "type": "string", "enum": windows });
    json!([
        {
            "name": "which_tools",
            "description": "Which tools work for this team, best first: success rate, cautious lower bound, calls, members. `search` is a part of a tool's name.",
            "inputSchema": { "type": "object", "properties": {
                "search": { "type": "string" }, "kind": kind, "window": window, "limit": limit,
            } },
            "annotations": { "readOnlyHint": true },
        },
        {
            "name": "tool_use",
            "description": "How the team uses one tool, such as `mcp:linear`: calls, success rate, and its operations.",
            "inputSchema": { "type": "object", "properties": { "tool_id": { "type": "string" }, "window": window }, "required": ["tool_id"] },
            "annotations": { "readOnlyHint": true },
        },
        {
            "name": "dead_weight",
            "description": "Tools that sessions of this team load and do not use, with the reason.",
            "inputSchema": { "type": "object", "properties": {
                "days": { "type": "integer", "minimum": 1, "maximum": 365 }, "kind": kind, "limit": limit,
            } },
            "annotations": { "readOnlyHint": true },
        },
    ])
}

/// Calls a tool; `None` when there is no such tool.
async fn call(team: &impl Team, name: &str, arguments: &Value) -> Option<Result<String, String>> {
    Some(match name {
        "which_tools" => which_tools(team, arguments).await,
        "tool_use" => tool_use(team, arguments).await,
        "dead_weight" => dead_weight(team, arguments).await,
        _ => return None,
    })
}

/// The query that these of the arguments make.
fn query<Q: DeserializeOwned>(arguments: &Value, names: &[&str]) -> Result<Q, String> {
    let given: serde_json::Map<String, Value> = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), arguments.get(*name)?.clone())))
        .collect();
    serde_json::from_value(Value::Object(given)).map_err(|error| error.to_string())
}

fn rows(arguments: &Value) -> usize {
    arguments["limit"]
        .as_u64()
        .and_then(|rows| usize::try_from(rows).ok())
        .map_or(DEFAULT_ROWS, |rows| rows.clamp(1, MAX_ROWS))
}

async fn which_tools(team: &impl Team, arguments: &Value) -> Result<String, String> {
    let query = LeaderboardQuery {
        limit: Some(limits::PAGE_ROWS),
        ..query(arguments, &["kind", "window"])?
    };
    let board = team.tools(query).await.map_err(|error| error.to_string())?;
    let search = arguments["search"].as_str().unwrap_or_default().to_lowercase();
    let mut out = String::new();
    let named = |tool: &str| tool.to_lowercase().contains(&search);
    for row in board
        .leaderboard
        .iter()
        .filter(|row| row.tool_id.as_deref().is_some_and(named))
        .take(rows(arguments))
    {
        out.push_str(&line(row.tool_id.as_deref().unwrap_or_default(), &row.tally));
    }
    Ok(or_none(out, "No tool of that name was called in this window."))
}

async fn tool_use(team: &impl Team, arguments: &Value) -> Result<String, String> {
    let tool = arguments["tool_id"].as_str().unwrap_or_default();
    if tool.is_empty() {
        return Err("name the tool in `tool_id`, such as `mcp:linear`".to_owned());
    }
    let query = query(arguments, &["window"])?;
    let score = team.tool(tool, query).await.map_err(|error| error.to_string())?;
    let mut out = line(tool, &score.score.tally);
    for part in score.detail.by_operation.iter().take(DEFAULT_ROWS) {
        let name = part.name.as_deref().unwrap_or("(none)");
        let _ = writeln!(out, "- {}: {} calls", text::clean(name), part.events);
    }
    Ok(out)
}

async fn dead_weight(team: &impl Team, arguments: &Value) -> Result<String, String> {
    let query = DeadWeightQuery {
        limit: u32::try_from(rows(arguments)).ok(),
        ..query(arguments, &["days", "kind"])?
    };
    let audit = team.dead_weight(query).await.map_err(|error| error.to_string())?;
    let mut out = String::new();
    for row in &audit.dead_weight {
        let _ = writeln!(
            out,
            "{}: {} ({} sessions loaded it)",
            text::clean(&row.tool_id),
            text::clean(&row.reason),
            row.sessions_loaded
        );
    }
    Ok(or_none(out, "Nothing is dead weight."))
}

/// How a tool does, in a line.
fn line(tool: &str, tally: &Tally) -> String {
    format!(
        "{}: works {} (at least {}), {} calls, {} members\n",
        text::clean(tool),
        percent(tally.decided_rate),
        percent(tally.wilson_low),
        tally.events,
        tally.members
    )
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or_else(|| "unknown".to_owned(), |rate| format!("{:.0} %", rate * 100.0))
}

fn or_none(text: String, otherwise: &str) -> String {
    if text.is_empty() {
        otherwise.to_owned()
    } else {
        text
    }
}
