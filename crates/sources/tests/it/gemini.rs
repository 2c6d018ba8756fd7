//! Gemini CLI's chats of lines, and of one value.

use sources::{Agent, Collected, LogReader, McpServers, Options};

use crate::{collect, joined};

const HEADER: &str = r#"{"sessionId":"s-1","projectHash":"h","startTime":"2026-05-01T10:00:00.000Z","lastUpdated":"2026-05-01T10:00:00.000Z","kind":"main"}"#;

fn message(id: &str, calls: &[String]) -> String {
    format!(
        r#"{{"id":"{id}","timestamp":"2026-05-01T10:00:01.000Z","type":"gemini","content":"","tokens":{{"input":100,"output":5,"cached":40,"thoughts":3,"tool":0,"total":108}},"model":"gemini-2.5-pro","toolCalls":[{}]}}"#,
        calls.join(",")
    )
}

fn call(id: &str, name: &str, status: &str, response: &str) -> String {
    format!(
        r#"{{"id":"{id}","name":"{name}","args":{{}},"result":[{{"functionResponse":{{"id":"{id}","name":"{name}","response":{response}}}}}],"status":"{status}","timestamp":"2026-05-01T10:00:02.000Z"}}"#
    )
}

fn ok(id: &str, name: &str) -> String {
    call(id, name, "success", r#"{"output":"x"}"#)
}

fn read(lines: &[String]) -> Collected {
    let text = lines.join("\n") + "\n";
    collect(&[("chats/session-1.jsonl", text.as_bytes())])
}

fn told(collected: &Collected) -> Vec<String> {
    let mut told: Vec<String> = collected
        .events()
        .map(|event| {
            let operation = event.operation.as_deref().unwrap_or("-").to_owned();
            let reason = event.result.reason().map_or("-", model::Reason::as_str);
            format!(
                "{} {operation} {} {reason}",
                event.tool,
                event.result.outcome().as_str()
            )
        })
        .collect();
    told.sort();
    told
}

#[test]
fn a_message_that_is_written_again_replaces_what_it_said_and_counts_once() {
    let lines = [
        HEADER.to_owned(),
        message("m1", &[]),
        r#"{"$set":{"lastUpdated":"2026-05-01T10:00:01.000Z"}}"#.to_owned(),
        message("m1", &[call("c1", "read_file", "executing", "{}")]),
        message(
            "m1",
            &[
                ok("c1", "read_file"),
                call("c2", "glob", "error", r#"{"error":"no"}"#),
            ],
        ),
        r#"{"$rewindTo":"m1"}"#.to_owned(),
        message("m2", &[ok("c3", "glob")]),
    ];
    let collected = read(&lines);
    assert_eq!(
        told(&collected),
        [
            "builtin:glob - failure error",
            "builtin:glob - success -",
            "builtin:read_file - success -"
        ]
    );
    assert_eq!(collected.totals.tokens.groups, 2);
    assert_eq!(collected.totals.tokens.input, 120);
    assert_eq!(collected.totals.tokens.output, 16);
    assert_eq!(collected.problems, []);
    assert!(
        collected
            .events()
            .all(|event| event.session.as_deref() == Some("s-1"))
    );
}

#[test]
fn a_list_of_all_messages_changes_nothing_but_masked_results() {
    let shell = |text: &str| {
        call(
            "c1",
            "run_shell_command",
            "success",
            &format!(r#"{{"output":"{text}"}}"#),
        )
    };
    let masked = message("m1", &[shell("[masked]")]);
    let lines = [
        HEADER.to_owned(),
        message("m1", &[shell(r"Output: a\nExit Code: 2\nProcess Group PGID: 9")]),
        format!(r#"{{"$set":{{"messages":[{masked}],"lastUpdated":"2026-05-01T10:00:09.000Z"}}}}"#),
    ];
    let collected = read(&lines);
    assert_eq!(told(&collected), ["builtin:run_shell_command - failure error"]);
    assert_eq!(collected.totals.tokens.groups, 1);
}

#[test]
fn a_chat_of_one_value_and_its_lines_are_the_same_events() {
    let messages = [
        message("m1", &[ok("c1", "read_file")]),
        message("m2", &[ok("c2", "glob")]),
    ];
    let whole = format!(
        "{},\"messages\":[{}]}}",
        &HEADER[..HEADER.len() - 1],
        messages.join(",")
    );
    let lines = format!("{HEADER}\n{}\n", messages.join("\n"));
    let both = collect(&[("a.json", whole.as_bytes()), ("a.jsonl", lines.as_bytes())]);
    let one = collect(&[("a.jsonl", lines.as_bytes())]);
    assert_eq!(crate::lines(&both), crate::lines(&one));
    assert_eq!(both.totals.tokens, one.totals.tokens);
}

#[test]
fn a_chat_whose_header_is_lost_is_read_all_the_same() {
    let user =
        r#"{"id":"u1","timestamp":"2026-05-01T10:00:00.000Z","type":"user","content":[{"text":"go"}]}"#;
    let collected = read(&[user.to_owned(), message("m1", &[ok("c1", "glob")])]);
    assert_eq!(told(&collected), ["builtin:glob - success -"]);
    assert_eq!(collected.totals.agents["gemini-cli"], 1);
}

#[test]
fn the_project_is_that_of_the_folder_else_the_first_directory_of_the_header() {
    let header = HEADER.replace(
        r#""kind":"main""#,
        r#""kind":"subagent","directories":["/w/web","/w/lib"]"#,
    );
    let text = format!("{header}\n{}\n", message("m1", &[ok("c1", "glob")]));
    for (directory, project) in [(None, "web"), (Some("/w/api"), "api")] {
        let mut reader = LogReader::new("s.jsonl", Some(Agent::GeminiCli), &Options::default());
        if let Some(directory) = directory {
            reader = reader.in_directory(directory);
        }
        reader.feed(text.as_bytes());
        let collected = joined(vec![reader.finish()]);
        assert_eq!(
            collected.events().next().unwrap().project.as_deref(),
            Some(project)
        );
    }
}

#[test]
fn names_tell_servers_skills_and_agents() {
    let with = |call: String, args: &str| call.replace(r#""args":{}"#, &format!(r#""args":{args}"#));
    let shown = |call: String, shown: &str| call.replacen('{', &format!(r#"{{"displayName":"{shown}","#), 1);
    let calls = [
        ok("c1", "mcp_github_list_issues"),
        ok("c2", "mcp_big_server_do"),
        shown(ok("c3", "mcp_a_b_c"), "b_c (a MCP Server)"),
        shown(ok("c4", "lookup"), "lookup (old one MCP Server)"),
        with(ok("c5", "activate_skill"), r#"{"name":"pdf"}"#),
        with(ok("c6", "invoke_agent"), r#"{"agent_name":"reviewer"}"#),
        ok("c7", "codebase_investigator"),
        ok("c8", "discovered_tool_lint"),
        ok("c9", "mcp_"),
    ];
    let text = format!("{HEADER}\n{}\n", message("m1", &calls));
    let mut reader = LogReader::new("s.jsonl", None, &Options::default());
    reader.feed(text.as_bytes());
    let mut facts = reader.finish();
    facts.name_mcp_tools(&McpServers::new(Agent::GeminiCli, ["big_server", "a_b"]));
    assert_eq!(
        told(&joined(vec![facts])),
        [
            "agent:codebase_investigator - success -",
            "agent:reviewer - success -",
            "builtin:discovered_tool_lint - success -",
            "builtin:mcp_ - success -",
            "mcp:a b_c success -",
            "mcp:big_server do success -",
            "mcp:github list_issues success -",
            "mcp:old_one lookup success -",
            "skill:pdf - success -",
        ]
    );
}

#[test]
fn statuses_and_the_agents_words_tell_how_a_call_ended() {
    let error = |text: &str| format!(r#"{{"error":"{text}"}}"#);
    for (status, response, expected) in [
        (
            "success",
            r#"{"output":"Output: Exit Code: 1"}"#.to_owned(),
            "success -",
        ),
        ("error", error(r#"Tool \"x\" not found."#), "failure unknown_tool"),
        (
            "error",
            error("params must have required property 'a'"),
            "failure invalid_input",
        ),
        (
            "error",
            error("Tool execution denied by policy."),
            "abandoned denied",
        ),
        ("error", error("File not found: /a"), "failure error"),
        (
            "cancelled",
            error("[Operation Cancelled] Reason: User denied execution."),
            "abandoned rejected",
        ),
        (
            "cancelled",
            error("[Operation Cancelled] Reason: User cancelled operation"),
            "abandoned cancelled",
        ),
        (
            "cancelled",
            error("[Operation Cancelled] User cancelled tool execution."),
            "abandoned interrupted",
        ),
        ("awaiting_approval", "{}".to_owned(), "abandoned unanswered"),
    ] {
        let collected = read(&[
            HEADER.to_owned(),
            message("m1", &[call("c1", "write_file", status, &response)]),
        ]);
        assert_eq!(
            told(&collected),
            [format!("builtin:write_file - {expected}")],
            "{response}"
        );
        assert_eq!(collected.problems, [], "{response}");
    }
    let collected = read(&[
        HEADER.to_owned(),
        message("m1", &[call("c1", "glob", "parked", "{}")]),
    ]);
    assert_eq!(collected.problems[0].code.as_str(), "unclassified_error");
}
