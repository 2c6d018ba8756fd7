//! OpenCode's three forms: exports, the storage folder, rows of the database.

use model::Event;
use sources::{Agent, Collected, DatabaseReader, FileFacts, LogReader, McpServers, Options};

use crate::{facts, joined};

/// A tool part without its ids, as the database has it.
fn tool(call: &str, name: &str, state: &str) -> String {
    format!(r#"{{"type":"tool","callID":"{call}","tool":"{name}","state":{state}}}"#)
}

fn completed(more: &str) -> String {
    format!(r#"{{"status":"completed","input":{{}},"time":{{"start":2000,"end":5000}}{more}}}"#)
}

fn failed(error: &str) -> String {
    format!(r#"{{"status":"error","input":{{}},"time":{{"start":2000,"end":5000}},"error":"{error}"}}"#)
}

fn response(created: u32, more: &str) -> String {
    format!(
        r#"{{"role":"assistant","parentID":"msg_0","modelID":"claude-sonnet-5","path":{{"cwd":"/w/api/src","root":"/w/api"}},"cost":0.5,"tokens":{{"input":100,"output":10,"reasoning":0,"cache":{{"read":0,"write":0}}}},"time":{{"created":{created},"completed":{}}}{more}}}"#,
        created + 900
    )
}

/// One session with one response and these parts.
fn database(parts: &[String]) -> FileFacts {
    let mut reader = DatabaseReader::new("opencode.db", &Options::default());
    reader.session("ses_1", Some("/w/api"), Some("1.18.0"));
    reader.message("msg_1", "ses_1", response(1000, "").as_bytes());
    for (nth, part) in parts.iter().enumerate() {
        reader.part(&format!("prt_{nth}"), "msg_1", "ses_1", part.as_bytes());
    }
    reader.finish()
}

/// Tool, operation, outcome and reason of every event.
fn told(collected: &Collected) -> Vec<String> {
    let tell = |event: Event| {
        let reason = event.result.reason().map_or("-", model::Reason::as_str);
        let operation = event.operation.as_deref().unwrap_or("-").to_owned();
        format!(
            "{} {operation} {} {reason}",
            event.tool,
            event.result.outcome().as_str()
        )
    };
    let mut told: Vec<String> = collected.events().map(tell).collect();
    told.sort();
    told
}

#[test]
fn rows_of_the_database_say_what_an_export_says() {
    let part = tool("call_1", "bash", &completed(r#","metadata":{"exit":0}"#));
    let rows = database(std::slice::from_ref(&part));
    let message = response(1000, r#","id":"msg_1","sessionID":"ses_1""#);
    let export = format!(
        r#"{{"info":{{"id":"ses_1","version":"1.18.0","directory":"/w/api"}},"messages":[{{"info":{message},"parts":[{part}]}}]}}"#
    );
    let export = facts("e.json", export.as_bytes(), 7, &Options::default());
    let (rows, export) = (joined(vec![rows]), joined(vec![export]));
    assert_eq!(crate::lines(&rows), crate::lines(&export));
    assert_eq!(rows.totals.tokens, export.totals.tokens);
    assert_eq!(rows.totals.agents["opencode"], 1);
    let event = rows.events().next().unwrap();
    assert_eq!(event.project.as_deref(), Some("api"));
    assert_eq!(event.model.as_deref(), Some("claude-sonnet-5"));
    assert_eq!(event.duration_ms, Some(3000));
    assert_eq!(event.agent_version.as_deref(), Some("1.18.0"));
}

#[test]
fn the_files_of_a_session_a_message_and_a_part_make_one_event_in_any_order() {
    let files = [
        (
            "storage/session/p/ses_1.json",
            r#"{"id":"ses_1","version":"1.0.9","projectID":"p","directory":"/w/api","time":{"created":1}}"#
                .to_owned(),
        ),
        (
            "storage/message/ses_1/msg_1.json",
            response(1000, r#","id":"msg_1","sessionID":"ses_1""#),
        ),
        (
            "storage/part/msg_1/prt_1.json",
            tool("call_1", "read", &completed("")).replacen(
                '{',
                r#"{"id":"prt_1","sessionID":"ses_1","messageID":"msg_1","#,
                1,
            ),
        ),
    ];
    let read = |order: [usize; 3]| {
        let facts = order.map(|at| facts(files[at].0, files[at].1.as_bytes(), 64, &Options::default()));
        let collected = joined(facts.into());
        assert_eq!(collected.problems, [], "{order:?}");
        crate::lines(&collected)
    };
    let lines = read([0, 1, 2]);
    for part in [
        r#""project":"api""#,
        r#""model":"claude-sonnet-5""#,
        r#""agent_version":"1.0.9""#,
        r#""session_id":"ses_1""#,
    ] {
        assert!(lines.contains(part), "{part} in {lines}");
    }
    assert_eq!(read([2, 1, 0]), lines);
    assert_eq!(read([1, 2, 0]), lines);
}

#[test]
fn a_fork_copies_calls_and_costs_and_neither_counts_twice() {
    let mut reader = DatabaseReader::new("opencode.db", &Options::default());
    reader.session("ses_2", Some("/w/api"), None);
    reader.session("ses_1", Some("/w/api"), None);
    // The copy has ids of its own; a later message of the fork is new.
    for (session, message, created) in [
        ("ses_2", "msg_1", 1000),
        ("ses_2", "msg_2", 4000),
        ("ses_1", "msg_7", 1000),
        ("ses_1", "msg_8", 4000),
        ("ses_1", "msg_9", 9000),
    ] {
        reader.message(message, session, response(created, "").as_bytes());
    }
    let state = completed("");
    reader.part(
        "prt_7",
        "msg_7",
        "ses_1",
        tool("call_1", "bash", &state).as_bytes(),
    );
    reader.part(
        "prt_1",
        "msg_1",
        "ses_2",
        tool("call_1", "bash", &state).as_bytes(),
    );
    reader.part(
        "prt_9",
        "msg_9",
        "ses_1",
        tool("call_2", "bash", &state).as_bytes(),
    );
    let collected = joined(vec![reader.finish()]);
    assert_eq!(collected.totals.tokens.groups, 3);
    let sessions: Vec<Option<String>> = collected.events().map(|event| event.session).collect();
    assert_eq!(sessions, [Some("ses_2".to_owned()), Some("ses_1".to_owned())]);
}

#[test]
fn messages_of_sessions_that_have_nothing_in_common_are_no_copies() {
    let mut reader = DatabaseReader::new("opencode.db", &Options::default());
    for (session, message) in [("ses_1", "msg_1"), ("ses_1", "msg_2"), ("ses_2", "msg_3")] {
        reader.message(message, session, response(1000, "").as_bytes());
    }
    let collected = joined(vec![reader.finish()]);
    assert_eq!(collected.totals.tokens.groups, 3);
}

#[test]
fn how_a_call_ended_is_told_by_status_exit_code_and_opencodes_own_words() {
    let invalid = |error: &str| {
        format!(
            r#"{{"status":"completed","input":{{"tool":"fly","error":"{error}"}},"time":{{"start":1,"end":2}},"output":"The arguments provided to the tool are invalid: {error}"}}"#
        )
    };
    let states = [
        (
            "bash",
            completed(r#","metadata":{"exit":3}"#),
            "builtin:bash - failure error",
        ),
        (
            "bash",
            completed(
                r#","output":"a\n<shell_metadata>\nshell tool terminated command after exceeding timeout 10 ms.\n</shell_metadata>","metadata":{"exit":null}"#,
            ),
            "builtin:bash - failure error",
        ),
        (
            "bash",
            completed(r#","output":"<bash_metadata>\nUser aborted the command\n</bash_metadata>""#),
            "builtin:bash - abandoned interrupted",
        ),
        (
            "read",
            failed("Tool execution aborted"),
            "builtin:read - abandoned interrupted",
        ),
        (
            "read",
            failed("The user rejected permission to use this specific tool call."),
            "builtin:read - abandoned rejected",
        ),
        (
            "read",
            failed("Error: The user has specified a rule which prevents you from it"),
            "builtin:read - abandoned denied",
        ),
        (
            "read",
            failed("The read tool was called with invalid arguments: x"),
            "builtin:read - failure invalid_input",
        ),
        (
            "read",
            failed("cat: The user rejected permission"),
            "builtin:read - failure error",
        ),
        (
            "invalid",
            invalid("Model tried to call unavailable tool 'fly'."),
            "builtin:fly - failure unknown_tool",
        ),
        (
            "invalid",
            invalid("Invalid input for tool fly: no JSON"),
            "builtin:fly - failure invalid_input",
        ),
        (
            "bash",
            r#"{"status":"running","input":{},"time":{"start":2000}}"#.to_owned(),
            "builtin:bash - abandoned unanswered",
        ),
        (
            "bash",
            r#"{"status":"pending","input":{}}"#.to_owned(),
            "builtin:bash - abandoned unanswered",
        ),
    ];
    for (nth, (name, state, expected)) in states.iter().enumerate() {
        let part = tool(&format!("call_{nth}"), name, state);
        let collected = joined(vec![database(&[part])]);
        assert_eq!(told(&collected), [*expected], "{state}");
        assert_eq!(collected.problems, [], "{state}");
    }
}

#[test]
fn an_end_in_new_words_is_counted() {
    for state in [
        failed("The user postponed this tool call"),
        r#"{"status":"deferred","input":{},"time":{"start":2000}}"#.to_owned(),
    ] {
        let collected = joined(vec![database(&[tool("call_1", "bash", &state)])]);
        assert_eq!(collected.problems.len(), 1, "{state}");
        assert_eq!(collected.problems[0].code.as_str(), "unclassified_error");
    }
}

#[test]
fn the_configuration_tells_servers_from_built_in_tools() {
    let names = [
        "git_hub_list",
        "git_log",
        "my-server_do_it",
        "apply_patch",
        "other_tool",
    ];
    let parts = names.map(|name| tool(&format!("call_{name}"), name, &completed("")));
    let mut facts = database(&parts);
    assert!(facts.has_joined_names());
    facts.name_mcp_tools(&McpServers::new(
        Agent::OpenCode,
        ["git", "my-server", "git_hub", "apply"],
    ));
    assert_eq!(
        told(&joined(vec![facts])),
        [
            "builtin:apply_patch - success -",
            "builtin:other_tool - success -",
            "mcp:git log success -",
            "mcp:git_hub list success -",
            "mcp:my-server do_it success -",
        ]
    );
}

#[test]
fn a_row_that_is_not_json_costs_that_row() {
    let mut reader = DatabaseReader::new("opencode.db", &Options::default());
    reader.message("msg_1", "ses_1", response(1000, "").as_bytes());
    reader.part("prt_1", "msg_1", "ses_1", br#"{"type":"tool","callID""#);
    reader.part("prt_2", "msg_1", "ses_1", br#"{"type":"text"} more"#);
    reader.part(
        "prt_3",
        "msg_1",
        "ses_1",
        tool("call_1", "bash", &completed("")).as_bytes(),
    );
    reader.too_large("part", "prt_4");
    let collected = joined(vec![reader.finish()]);
    assert_eq!(collected.events().len(), 1);
    let codes: Vec<&str> = collected
        .problems
        .iter()
        .map(|problem| problem.code.as_str())
        .collect();
    assert_eq!(codes, ["invalid_json", "invalid_json", "too_large"]);
}

#[test]
fn the_prompt_of_a_task_is_that_which_the_response_answers() {
    let options = Options { task_text: true };
    let mut reader = DatabaseReader::new("opencode.db", &options);
    reader.message("msg_0", "ses_1", br#"{"role":"user","time":{"created":1}}"#);
    reader.message("msg_1", "ses_1", response(1000, "").as_bytes());
    reader.part(
        "prt_1",
        "msg_1",
        "ses_1",
        tool("call_1", "bash", &completed("")).as_bytes(),
    );
    reader.part("prt_0", "msg_0", "ses_1", br#"{"type":"text","text":"fix it"}"#);
    let collected = joined(vec![reader.finish()]);
    assert_eq!(
        collected.events().next().unwrap().task_text.as_deref(),
        Some("fix it")
    );
}

#[test]
fn lines_that_opencode_prints_are_read() {
    let part = tool("call_1", "bash", &completed("")).replacen(
        '{',
        r#"{"id":"prt_1","sessionID":"ses_1","messageID":"msg_1","#,
        1,
    );
    let text = format!(
        "{{\"type\":\"step_start\",\"timestamp\":1,\"sessionID\":\"ses_1\",\"part\":{{\"type\":\"step-start\"}}}}\n{{\"type\":\"tool_use\",\"timestamp\":2,\"sessionID\":\"ses_1\",\"part\":{part}}}\n"
    );
    let mut reader = LogReader::new("run.jsonl", None, &Options::default());
    reader.feed(text.as_bytes());
    assert_eq!(told(&joined(vec![reader.finish()])), ["builtin:bash - success -"]);
}

#[test]
fn ids_that_only_count_tell_calls_apart_by_when_they_began_and_copies_of_forks_are_one() {
    let began = |start: u32| {
        tool(
            "bash:0",
            "bash",
            &format!(
                r#"{{"status":"completed","input":{{}},"time":{{"start":{start},"end":{}}}}}"#,
                start + 1
            ),
        )
    };
    let mut reader = DatabaseReader::new("opencode.db", &Options::default());
    for (session, message, created, start) in [
        ("ses_2", "msg_1", 1000, 1100),
        ("ses_2", "msg_2", 4000, 4100),
        // Both in the same moment of one session: two calls.
        ("ses_2", "msg_3", 4000, 4100),
        ("ses_1", "msg_7", 1000, 1100),
    ] {
        reader.message(message, session, response(created, "").as_bytes());
        reader.part(
            &format!("prt_{message}"),
            message,
            session,
            began(start).as_bytes(),
        );
    }
    let collected = joined(vec![reader.finish()]);
    assert_eq!(collected.events().len(), 3);
}

#[test]
fn a_message_of_the_newest_table_holds_its_calls() {
    let options = Options { task_text: true };
    let mut reader = DatabaseReader::new("opencode.db", &options);
    reader.session("ses_1", Some("/w/api"), Some("2.0.1"));
    let call = |id: &str, name: &str, state: &str| {
        format!(
            r#"{{"type":"tool","id":"{id}","name":"{name}","state":{state},"time":{{"created":2000,"ran":2100,"completed":2600}}}}"#
        )
    };
    let error = |kind: &str, message: &str| {
        format!(r#"{{"status":"error","input":{{}},"error":{{"type":"{kind}","message":"{message}"}}}}"#)
    };
    let calls = [
        call(
            "call_1",
            "bash",
            r#"{"status":"completed","input":{},"metadata":{"exit":2},"content":[{"type":"text","text":"x"}]}"#,
        ),
        call(
            "call_2",
            "read",
            r#"{"status":"completed","input":{},"structured":{},"content":[]}"#,
        ),
        call(
            "call_3",
            "edit",
            &error("permission.rejected", "Permission denied: edit"),
        ),
        call(
            "call_4",
            "edit",
            &error("permission.rejected", "use another file"),
        ),
        call("call_5", "fly", &error("unknown", "Unknown tool: fly")),
        call("call_6", "bash", &error("unknown", "Tool execution interrupted")),
        call("call_7", "bash", r#"{"status":"streaming","input":"{"}"#),
        call(
            "call_8",
            "skill",
            r#"{"status":"completed","input":{"name":"review"},"content":[]}"#,
        ),
        call(
            "call_9",
            "subagent",
            r#"{"status":"completed","input":{"agent":"explore"},"metadata":{"sessionID":"ses_2"},"content":[]}"#,
        ),
    ];
    reader.session_message(
        "msg_0",
        "ses_1",
        "user",
        br#"{"text":"fix it","time":{"created":900}}"#,
    );
    let response = format!(
        r#"{{"agent":"build","model":{{"id":"claude-sonnet-5","providerID":"anthropic"}},"content":[{{"type":"text","text":"x"}},{}],"cost":0.5,"tokens":{{"input":100,"output":10,"reasoning":0,"cache":{{"read":0,"write":0}}}},"time":{{"created":1000,"completed":3000}}}}"#,
        calls.join(",")
    );
    reader.session_message("msg_1", "ses_1", "assistant", response.as_bytes());
    reader.session_message("msg_2", "ses_1", "idle", b"{}");
    let collected = joined(vec![reader.finish()]);
    assert_eq!(
        told(&collected),
        [
            "agent:explore - success -",
            "builtin:bash - abandoned interrupted",
            "builtin:bash - abandoned unanswered",
            "builtin:bash - failure error",
            "builtin:edit - abandoned denied",
            "builtin:edit - abandoned rejected",
            "builtin:fly - failure unknown_tool",
            "builtin:read - success -",
            "skill:review - success -",
        ]
    );
    let event = collected
        .events()
        .find(|event| event.uuid.as_deref() == Some("2100/call_1"))
        .unwrap();
    assert_eq!(event.duration_ms, Some(500));
    assert_eq!(event.model.as_deref(), Some("claude-sonnet-5"));
    assert_eq!(event.project.as_deref(), Some("api"));
    assert_eq!(event.task_text.as_deref(), Some("fix it"));
    assert_eq!(event.agent_version.as_deref(), Some("2.0.1"));
    assert_eq!(collected.totals.tokens.groups, 1);
    assert!(collected.problems.is_empty(), "{:?}", collected.problems);
}
