//! Roo Code and Kilo Code.

use serde_json::{Value, json};
use sources::{Agent, Collected, LogReader, Options};

use crate::joined;

const PLACE: &str = "rooveterinaryinc.roo-cline/tasks/t-1/api_conversation_history.json";

fn read_as(agent: Option<Agent>, path: &str, text: &str) -> Collected {
    let mut reader = LogReader::new(path, agent, &Options { task_text: true });
    reader.feed(text.as_bytes());
    joined(vec![reader.finish()])
}

fn read(messages: &[Value]) -> Collected {
    read_as(Some(Agent::RooCode), PLACE, &Value::from(messages).to_string())
}

/// The messages of one call and its result.
fn call(name: &str, input: &Value, result: &str, is_error: bool) -> Vec<Value> {
    let mut answer = json!({"type": "tool_result", "tool_use_id": "toolu_01A", "content": result});
    if is_error {
        answer["is_error"] = json!(true);
    }
    vec![
        json!({"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_01A", "name": name, "input": input}], "ts": 1_775_120_401_000_u64}),
        json!({"role": "user", "content": [answer], "ts": 1_775_120_403_000_u64}),
    ]
}

fn told(collected: &Collected) -> Vec<String> {
    let tell = |event: model::Event| {
        let reason = event.result.reason().map_or("-", model::Reason::as_str);
        format!("{} {} {reason}", event.tool, event.result.outcome().as_str())
    };
    let mut told: Vec<String> = collected.events().map(tell).collect();
    told.sort();
    told
}

fn unclassified(collected: &Collected) -> usize {
    let problems = collected.problems.iter();
    problems
        .filter(|problem| problem.code.as_str() == "unclassified_error")
        .count()
}

#[test]
fn a_call_has_its_session_project_model_duration_and_task_and_what_the_log_lacks_is_absent() {
    let details = "<environment_details>\n# VSCode Visible Files\n<model>no</model>\n\n# Current Mode\n<slug>code</slug>\n<name>Code</name>\n<model>claude-sonnet-4-5</model>\n\n# Current Workspace Directory (/w/api) Files\na\n</environment_details>";
    let mut messages = vec![json!({"role": "user", "content": [
        {"type": "text", "text": "<user_message>\nfix \\it\n</user_message>"},
        {"type": "text", "text": details},
    ], "ts": 1_775_120_400_000_u64})];
    messages.extend(call("read_file", &json!({"path": "a"}), "File: a", false));
    let collected = read(&messages);
    let event = collected.events().next().unwrap();
    assert_eq!(event.uuid.as_deref(), Some("toolu_01A"));
    assert_eq!(event.tool.as_str(), "builtin:read_file");
    assert_eq!(event.agent.as_deref(), Some("roo-code"));
    assert_eq!(event.session.as_deref(), Some("t-1"));
    assert_eq!(event.project.as_deref(), Some("api"));
    assert_eq!(event.model.as_deref(), Some("claude-sonnet-4-5"));
    assert_eq!(event.duration_ms, Some(2000));
    assert_eq!(event.task_text.as_deref(), Some("fix \\it"));
    assert_eq!(event.cost, None);
    assert_eq!(collected.totals.tokens.groups, 0);
}

#[test]
fn the_programs_own_words_tell_how_a_call_ended() {
    for (name, result, is_error, expected) in [
        ("read_file", "File: a", false, "builtin:read_file success -"),
        (
            "read_file",
            r#"{"status":"denied","message":"The user denied this operation."}"#,
            false,
            "builtin:read_file abandoned rejected",
        ),
        (
            "read_file",
            r#"{"status":"denied","feedback":"no"}"#,
            false,
            "builtin:read_file abandoned rejected",
        ),
        (
            "read_file",
            r#"{"status":"denied","message":"The user denied this operation and provided the following feedback","feedback":"no"}"#,
            false,
            "builtin:read_file abandoned rejected",
        ),
        (
            "read_file",
            r#"{"status":"error","type":"access_denied","message":"Access blocked by .rooignore","path":"a"}"#,
            false,
            "builtin:read_file abandoned denied",
        ),
        (
            "read_file",
            r#"{"status":"error","message":"The tool execution failed","error":"x"}"#,
            false,
            "builtin:read_file failure error",
        ),
        (
            "fly",
            r#"{"status":"error","message":"The tool execution failed","error":"Unknown tool \"fly\". This tool does not exist."}"#,
            true,
            "builtin:fly failure unknown_tool",
        ),
        (
            "read_file",
            "Missing value for required parameter 'path'. Please retry.",
            false,
            "builtin:read_file failure invalid_input",
        ),
        (
            "read_file",
            "Task was interrupted before this tool call could be completed.",
            false,
            "builtin:read_file abandoned interrupted",
        ),
        (
            "read_file",
            "Skipping tool [read_file for 'a'] due to user rejecting a previous tool.",
            true,
            "builtin:read_file abandoned cancelled",
        ),
        (
            "read_file",
            "{\"status\":\"approved\",\"feedback\":\"ok\"}\n\n{\"status\":\"error\",\"message\":\"The tool execution failed\",\"error\":\"x\"}",
            false,
            "builtin:read_file failure error",
        ),
        (
            "execute_command",
            "Command executed in terminal within working directory '/w'. Exit code: 0\nOutput:\nExit code: 1",
            false,
            "builtin:execute_command success -",
        ),
        (
            "execute_command",
            "Command executed in terminal within working directory '/w'. Command execution was not successful, inspect the cause and adjust as needed.\nExit code: 1\nOutput:\nx",
            false,
            "builtin:execute_command failure error",
        ),
        (
            "execute_command",
            "Command executed in terminal within working directory '/w'. Exit code: <undefined, notify user>\nOutput:\nx",
            false,
            "builtin:execute_command unknown -",
        ),
        (
            "mcp--git--log",
            "Error:\nno repository",
            false,
            "mcp:git failure error",
        ),
        // The output of a server, not the program's words.
        (
            "mcp--git--log",
            r#"{"status":"error"}"#,
            false,
            "mcp:git success -",
        ),
    ] {
        let collected = read(&call(name, &json!({}), result, is_error));
        assert_eq!(told(&collected), [expected], "{result}");
        assert_eq!(unclassified(&collected), 0, "{result}");
    }
}

#[test]
fn a_status_that_no_rule_knows_is_counted() {
    for (result, expected) in [
        (
            r#"{"status":"error","type":"new_kind"}"#,
            "builtin:read_file failure error",
        ),
        (r#"{"status":"guidance"}"#, "builtin:read_file unknown -"),
    ] {
        let collected = read(&call("read_file", &json!({}), result, false));
        assert_eq!(told(&collected), [expected]);
        assert_eq!(unclassified(&collected), 1, "{result}");
    }
}

#[test]
fn servers_skills_and_modes_have_their_names() {
    for (name, input, expected) in [
        ("mcp--git--log", json!({}), ("mcp:git", Some("log"))),
        ("mcp__git__log", json!({}), ("mcp:git", Some("log"))),
        (
            "use_mcp_tool",
            json!({"server_name": "my server", "tool_name": "log"}),
            ("mcp:my server", Some("log")),
        ),
        ("skill", json!({"skill": "pdf"}), ("skill:pdf", None)),
        (
            "new_task",
            json!({"mode": "architect"}),
            ("agent:architect", None),
        ),
        ("skill", json!({}), ("builtin:skill", None)),
    ] {
        let collected = read(&call(name, &input, "x", false));
        let event = collected.events().next().unwrap();
        assert_eq!(
            (event.tool.as_str(), event.operation.as_deref()),
            expected,
            "{name}"
        );
    }
}

#[test]
fn results_that_are_written_at_once_have_no_duration() {
    let collected = read(&[
        json!({"role": "assistant", "content": [
            {"type": "tool_use", "id": "read_file:0", "name": "read_file", "input": {}},
            {"type": "tool_use", "id": "read_file:1", "name": "read_file", "input": {}},
        ], "ts": 1_775_120_401_000_u64}),
        json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "read_file:0", "content": "x"},
            {"type": "tool_result", "tool_use_id": "read_file:1", "content": "x"},
        ], "ts": 1_775_120_409_000_u64}),
    ]);
    let mut uuids: Vec<String> = collected.events().filter_map(|event| event.uuid).collect();
    uuids.sort();
    assert_eq!(
        uuids,
        ["roo:1775120401000:/read_file:0", "roo:1775120401000:/read_file:1"]
    );
    assert!(collected.events().all(|event| event.duration_ms.is_none()));
}

#[test]
fn only_its_place_makes_an_array_of_messages_a_log() {
    let text = Value::from(call("read_file", &json!({}), "x", false)).to_string();
    for (agent, events) in [
        (Some(Agent::RooCode), 1),
        (Some(Agent::KiloCode), 1),
        (Some(Agent::ClaudeCode), 0),
        (None, 0),
    ] {
        let collected = read_as(agent, PLACE, &text);
        assert_eq!(collected.totals.events, events, "{agent:?}");
        let is_unknown = |problem: &sources::Problem| problem.code.as_str() == "unknown_format";
        assert_eq!(
            collected.problems.iter().any(is_unknown),
            events == 0,
            "{agent:?}"
        );
    }
    for text in ["[]", "[1]", "[{}]", r#"{"role":"user","content":[]}"#] {
        let collected = read_as(Some(Agent::RooCode), PLACE, text);
        assert_eq!(collected.problems[0].code.as_str(), "unknown_format", "{text}");
    }
    // Over several lines, and cut while it is written.
    let pretty = serde_json::to_string_pretty(&Value::from(call("a", &json!({}), "x", false))).unwrap();
    assert_eq!(read_as(Some(Agent::RooCode), PLACE, &pretty).totals.events, 1);
    let cut = read_as(Some(Agent::RooCode), PLACE, &text[..text.len() - 5]);
    assert_eq!((cut.totals.events, cut.totals.unfinished_lines), (0, 1));
}

#[test]
fn calls_as_markup_are_counted_and_the_uuids_are_the_same_wherever_the_file_lies() {
    let collected = read(&[
        json!({"role": "assistant", "content": "<read_file>\n<path>a</path>\n</read_file>", "ts": 1}),
    ]);
    assert_eq!(collected.totals.ignored["assistant/call_as_markup"], 1);
    let text = Value::from(call("read_file", &json!({}), "x", false)).to_string();
    let moved = read_as(Some(Agent::RooCode), "elsewhere.json", &text);
    let event = moved.events().next().unwrap();
    assert_eq!((event.uuid.as_deref(), event.session), (Some("toolu_01A"), None));
}
