//! Cline.

use serde_json::{Value, json};
use sources::{Agent, Collected, LogReader, Options};

use crate::joined;

const TASK: &str = "saoudrizwan.claude-dev/tasks/17/api_conversation_history.json";
const SESSION: &str = "sessions/17_ab/17_ab.messages.json";

fn read(name: &str, text: &str) -> Collected {
    let mut reader = LogReader::new(name, Some(Agent::Cline), &Options { task_text: true });
    reader.feed(text.as_bytes());
    joined(vec![reader.finish()])
}

fn session(messages: &Value) -> String {
    json!({"version": 1, "updated_at": "t", "agent": "lead", "sessionId": "17_ab", "messages": messages})
        .to_string()
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

/// The messages of one call and its result.
fn call(name: &str, input: &Value, content: &Value, is_error: bool) -> Value {
    let mut answer =
        json!({"type": "tool_result", "tool_use_id": "toolu_01A", "name": name, "content": content});
    if is_error {
        answer["is_error"] = json!(true);
    }
    json!([
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_01A", "name": name, "input": input}], "ts": 1_775_120_401_000_u64},
        {"role": "user", "content": [answer], "ts": 1_775_120_403_000_u64},
    ])
}

#[test]
fn a_task_with_ids_is_read_by_its_own_words() {
    for (name, result, expected) in [
        ("read_file", "a", "builtin:read_file success -"),
        (
            "write_to_file",
            "The user denied this operation.",
            "builtin:write_to_file abandoned rejected",
        ),
        (
            "read_file",
            "The tool execution failed with the following error:\n<error>\nENOENT\n</error>",
            "builtin:read_file failure error",
        ),
        (
            "read_file",
            "The tool execution failed with the following error:\n<error>\nAccess to .env is blocked by the .clineignore file settings. x\n</error>",
            "builtin:read_file abandoned denied",
        ),
        (
            "execute_command",
            "The tool execution failed with the following error:\n<error>\nCommand execution blocked by CLINE_COMMAND_PERMISSIONS: rm. x\n</error>",
            "builtin:execute_command abandoned denied",
        ),
        (
            "read_file",
            "The tool execution failed with the following error:\n<error>\nMissing value for required parameter 'path'. x\n</error>",
            "builtin:read_file failure invalid_input",
        ),
        (
            "execute_command",
            "Command executed successfully (exit code 0).\nOutput:\nCommand failed with exit code 1.",
            "builtin:execute_command success -",
        ),
        (
            "execute_command",
            "Command failed with exit code 1.",
            "builtin:execute_command failure error",
        ),
        // This terminal does not report the exit code.
        (
            "execute_command",
            "Command executed.\nOutput:\nx",
            "builtin:execute_command unknown -",
        ),
        (
            "execute_command",
            "Command cancelled. ",
            "builtin:execute_command abandoned interrupted",
        ),
        ("use_skill", "x", "builtin:use_skill success -"),
        ("use_subagents", "x", "agent:general-purpose success -"),
        ("use_subagent_reviewer", "x", "agent:reviewer success -"),
        // Words of the program in the output of a tool are output.
        (
            "read_file",
            "x\nThe user denied this operation.",
            "builtin:read_file success -",
        ),
    ] {
        let text = format!("[{name} for 'it'] Result:\n{result}");
        let collected = read(TASK, &call(name, &json!({}), &json!(text), false).to_string());
        assert_eq!(told(&collected), [expected], "{result}");
        assert_eq!(unclassified(&collected), 0, "{result}");
        let event = collected.events().next().unwrap();
        assert_eq!(event.session.as_deref(), Some("17"));
    }
}

#[test]
fn the_result_names_the_server_of_an_mcp_call() {
    for (result, expected) in [
        (
            "[use_mcp_tool for 'linear'] Result:\nnone",
            "mcp:linear success -",
        ),
        (
            "[use_mcp_tool for 'linear'] Result:\nError:\nno",
            "mcp:linear failure error",
        ),
    ] {
        let messages = call("c7Xk2p0mcp0list_issues", &json!({}), &json!(result), false);
        let collected = read(TASK, &messages.to_string());
        assert_eq!(told(&collected), [expected]);
        let event = collected.events().next().unwrap();
        assert_eq!(event.operation.as_deref(), Some("list_issues"));
    }
}

#[test]
fn a_session_tells_by_its_flag_and_by_its_operations_how_a_call_ended() {
    let failed = json!([{"query": "a", "result": "x", "success": true}, {"query": "b", "result": "", "error": "x", "success": false}]);
    let one = |success: bool| {
        json!(json!({"query": "e", "result": "{\"success\":false}", "success": success}).to_string())
    };
    let error = |text: &str| json!(json!({ "error": text }).to_string());
    for (name, content, is_error, expected, is_known) in [
        ("editor", one(true), false, "builtin:editor success -", true),
        ("editor", one(false), false, "builtin:editor failure error", true),
        (
            "read_files",
            failed.clone(),
            false,
            "builtin:read_files failure error",
            true,
        ),
        // An operation of that name in a server's own output is output.
        ("linear__list", failed, false, "mcp:linear success -", true),
        (
            "editor",
            error("Tool \"editor\" was denied by user"),
            true,
            "builtin:editor abandoned rejected",
            true,
        ),
        (
            "editor",
            error(
                "User denied the tool execution The user provided the following feedback:\n<feedback>\nno\n</feedback>",
            ),
            true,
            "builtin:editor abandoned rejected",
            true,
        ),
        (
            "editor",
            error("Tool execution was cancelled because the user sent a follow-up message."),
            true,
            "builtin:editor abandoned cancelled",
            true,
        ),
        (
            "editor",
            error("Tool \"editor\" is disabled by policy"),
            true,
            "builtin:editor abandoned denied",
            true,
        ),
        (
            "editor",
            error("Tool editor was blocked by a runtime hook"),
            true,
            "builtin:editor abandoned denied",
            true,
        ),
        (
            "fly",
            error("Unknown tool: fly"),
            true,
            "builtin:fly failure unknown_tool",
            true,
        ),
        (
            "editor",
            error("\u{2716} Invalid input: expected string\n  \u{2192} at path"),
            true,
            "builtin:editor failure invalid_input",
            true,
        ),
        (
            "run_commands",
            error("Command was aborted"),
            true,
            "builtin:run_commands abandoned interrupted",
            true,
        ),
        (
            "editor",
            error("No match found"),
            true,
            "builtin:editor failure error",
            true,
        ),
        (
            "editor",
            error("The person rejected it"),
            true,
            "builtin:editor failure error",
            false,
        ),
    ] {
        let collected = read(SESSION, &session(&call(name, &json!({}), &content, is_error)));
        assert_eq!(told(&collected), [expected], "{content}");
        assert_eq!(unclassified(&collected), usize::from(!is_known), "{content}");
        let event = collected.events().next().unwrap();
        assert_eq!(event.duration_ms, Some(2000));
    }
}

#[test]
fn a_conversation_that_goes_on_in_the_newest_store_counts_once() {
    let mut messages = call("read_file:0", &json!({}), &json!("x"), false);
    messages[0]["content"][0]["id"] = json!("functions.read_file:0");
    messages[0]["content"][0]["name"] = json!("read_file");
    messages[1]["content"][0]["tool_use_id"] = json!("functions.read_file:0");
    messages[0]["metrics"] = json!({"tokens": {"prompt": 5, "completion": 7, "cached": 11}, "cost": 0.5});
    let mut reader = LogReader::new(TASK, Some(Agent::Cline), &Options::default());
    reader.feed(messages.to_string().as_bytes());
    let task = reader.finish();
    // The copy has ids of its own and keeps the cost alone.
    messages[0]["id"] = json!("msg_x");
    messages[0]["metrics"] = json!({"inputTokens": 0, "outputTokens": 0, "cost": 0.5});
    let mut reader = LogReader::new(SESSION, None, &Options::default());
    reader.feed(session(&messages).as_bytes());
    let collected = joined(vec![task, reader.finish()]);
    assert_eq!(collected.totals.events, 1);
    assert_eq!(collected.totals.tokens.groups, 1);
    let event = collected.events().next().unwrap();
    assert_eq!(event.cost.unwrap().0, 500_000);
}

#[test]
fn tokens_of_which_the_log_does_not_tell_the_price_are_left_out() {
    let with = |metrics: Value| {
        let mut messages = call("read_file", &json!({}), &json!("x"), false);
        messages[0]["metrics"] = metrics;
        messages[0]["modelInfo"] = json!({"modelId": "claude-sonnet-4-5", "providerId": "anthropic"});
        let collected = read(TASK, &messages.to_string());
        let cost = collected.events().next().unwrap().cost.map(|cost| cost.0);
        (collected.totals.tokens.groups, cost)
    };
    // Read from the cache or written to it: no telling, and the prices differ.
    assert_eq!(
        with(json!({"tokens": {"prompt": 5, "completion": 7, "cached": 11}})),
        (0, None)
    );
    assert_eq!(
        with(json!({"tokens": {"prompt": 5, "completion": 7, "cached": 11}, "cost": 0.25})),
        (1, Some(250_000))
    );
    let (groups, cost) = with(json!({"tokens": {"prompt": 100_000, "completion": 0, "cached": 0}}));
    assert_eq!((groups, cost), (1, Some(300_000)));
    // All input, cached input included.
    let cached =
        json!({"inputTokens": 100_000, "outputTokens": 0, "cacheReadTokens": 50_000, "cacheWriteTokens": 0});
    assert_eq!(with(cached), (1, Some(165_000)));
    assert_eq!(with(json!({})), (0, None));
}

#[test]
fn calls_after_a_refused_one_are_cancelled_and_calls_as_markup_are_counted() {
    let messages = json!([
        {"role": "user", "content": "<task>\nfix it\n</task>", "ts": 1_775_120_400_000_u64},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "toolu_01A", "name": "read_file", "input": {}},
            {"type": "tool_use", "id": "toolu_01B", "name": "use_skill", "input": {"skill_name": "review"}},
        ], "ts": 1_775_120_401_000_u64},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_01A", "content": "[read_file for 'a'] Result:\nThe user denied this operation."},
            {"type": "text", "text": "Skipping tool due to user rejecting a previous tool. [use_skill]"},
        ], "ts": 1_775_120_402_000_u64},
        {"role": "assistant", "content": "<read_file>\n<path>a</path>\n</read_file>", "ts": 1_775_120_403_000_u64},
    ]);
    let collected = read(TASK, &messages.to_string());
    assert_eq!(
        told(&collected),
        [
            "builtin:read_file abandoned rejected",
            "skill:review abandoned cancelled"
        ]
    );
    assert_eq!(collected.totals.ignored["assistant/call_as_markup"], 1);
    assert!(
        collected
            .events()
            .all(|event| event.task_text.as_deref() == Some("fix it"))
    );
}
