//! An MCP server for agents, one JSON-RPC message a line: which tools work for the team. It answers aggregates alone,
//! with the token of the person, through the routes of the API. Protocol: <https://modelcontextprotocol.io/specification>.

use std::fmt::Write;

use model::{
    Kind,
    api::{DeadWeight, Leaderboard, ScoreDetail, Tally, Window},
    text,
};
use serde_json::{Value, json};

use crate::{Error, Server, read};

/// The versions of the protocol that these messages fit, newest first.
const VERSIONS: [&str; 3] = ["2025-06-18", "2025-03-26", "2024-11-05"];
/// Rows of an answer unless the agent asks for fewer or more: an answer costs the agent tokens.
const DEFAULT_ROWS: usize = 10;
const MAX_ROWS: usize = 50;

const PARSE_ERROR: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;
const NO_SUCH_METHOD: i32 = -32_601;
const INVALID_PARAMETERS: i32 = -32_602;

/// Answers one message; `None` for a notification, which has no answer.
pub async fn answer(server: &Server, message: &str) -> Option<String> {
    let Ok(message) = serde_json::from_str::<Value>(message) else {
        return Some(failed(&Value::Null, PARSE_ERROR, "not JSON"));
    };
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
            match call(server, name, &parameters["arguments"]).await {
                None => failed(id, INVALID_PARAMETERS, "no such tool; `tools/list` lists them"),
                Some(Ok(text)) => done(id, &json!({ "content": [{ "type": "text", "text": text }] })),
                // The agent reads it, and can tell the person what to do.
                Some(Err(error)) => done(
                    id,
                    &json!({ "content": [{ "type": "text", "text": error.to_string() }], "isError": true }),
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
async fn call(server: &Server, name: &str, arguments: &Value) -> Option<Result<String, Error>> {
    Some(match name {
        "which_tools" => which_tools(server, arguments).await,
        "tool_use" => tool_use(server, arguments).await,
        "dead_weight" => dead_weight(server, arguments).await,
        _ => return None,
    })
}

/// The parameters of the API that these arguments name.
fn query<'n>(arguments: &Value, names: &[&'n str]) -> Vec<(&'n str, String)> {
    let word = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    names
        .iter()
        .filter_map(|name| Some((*name, word(&arguments[*name])?)))
        .collect()
}

fn rows(arguments: &Value) -> usize {
    arguments["limit"]
        .as_u64()
        .and_then(|rows| usize::try_from(rows).ok())
        .map_or(DEFAULT_ROWS, |rows| rows.clamp(1, MAX_ROWS))
}

async fn which_tools(server: &Server, arguments: &Value) -> Result<String, Error> {
    let mut query = query(arguments, &["kind", "window"]);
    query.push(("limit", "500".to_owned()));
    let board: Leaderboard = server.get_as("/v1/leaderboards/tools", &query).await?;
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

async fn tool_use(server: &Server, arguments: &Value) -> Result<String, Error> {
    let tool = arguments["tool_id"].as_str().unwrap_or_default();
    if tool.is_empty() {
        return Err(Error::Usage(
            "name the tool in `tool_id`, such as `mcp:linear`".to_owned(),
        ));
    }
    let path = format!("/v1/scores/{}", read::segment(tool));
    let score: ScoreDetail = server.get_as(&path, &query(arguments, &["window"])).await?;
    let mut out = line(tool, &score.score.tally);
    for part in score.detail.by_operation.iter().take(DEFAULT_ROWS) {
        let name = part.name.as_deref().unwrap_or("(none)");
        let _ = writeln!(out, "- {}: {} calls", text::clean(name), part.events);
    }
    Ok(out)
}

async fn dead_weight(server: &Server, arguments: &Value) -> Result<String, Error> {
    let mut query = query(arguments, &["days", "kind"]);
    query.push(("limit", rows(arguments).to_string()));
    let audit: DeadWeight = server.get_as("/v1/dead-weight", &query).await?;
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
