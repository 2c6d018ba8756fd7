//! `POST /v1/gates`.

use axum::extract::State;
use model::{
    Gate, ToolId,
    api::{GateResult, GatesRequest, MAX_RUN_GATES, MAX_RUN_SESSIONS, Run, RunTool},
};

use crate::{
    auth::Caller,
    error::ApiError,
    extract::{Input, Json},
    state::App,
};

/// Judges the caller's own calls in some sessions. An upload token is enough: it tells what it has uploaded itself.
pub(crate) async fn check(
    State(app): State<App>,
    Caller(caller): Caller,
    Input(request): Input<GatesRequest>,
) -> Result<Json<Run>, ApiError> {
    for (count, limit, noun) in [
        (request.sessions.len(), MAX_RUN_SESSIONS, "sessions"),
        (request.gates.len(), MAX_RUN_GATES, "gates"),
    ] {
        if count > limit {
            return Err(ApiError::BadRequest(format!(
                "`{noun}` has {count} entries; at most {limit} are judged at a time"
            )));
        }
    }
    let gates = request
        .gates
        .iter()
        .map(|text| text.parse())
        .collect::<Result<Vec<Gate>, _>>()
        .map_err(|error: model::InvalidGate| ApiError::BadRequest(error.to_string()))?;
    let mut sessions = request.sessions;
    sessions.sort_unstable();
    sessions.dedup();
    let first: Vec<&str> = gates.iter().filter_map(Gate::tool).map(ToolId::as_str).collect();
    let (totals, tools) = app
        .store
        .run_tools(caller.org, caller.member, &sessions, &first)
        .await?;
    let gates: Vec<GateResult> = gates.iter().map(|gate| judge(gate, &totals, &tools)).collect();
    Ok(Json(Run {
        passed: gates.iter().all(|gate| gate.passed),
        gates,
        totals,
        tools,
    }))
}

fn judge(gate: &Gate, totals: &RunTool, tools: &[RunTool]) -> GateResult {
    let none = RunTool::default();
    let calls = match gate.tool() {
        None => totals,
        Some(tool) => tools
            .iter()
            .find(|calls| calls.tool_id.as_deref() == Some(tool.as_str()))
            .unwrap_or(&none),
    };
    let (passed, value) = gate.judge(calls);
    let found = value.map_or_else(
        || "no call of this run has this value".to_owned(),
        |value| format!("it is {value}"),
    );
    GateResult {
        gate: gate.to_string(),
        passed,
        value,
        detail: format!("{found}, of {} calls", calls.events),
    }
}
