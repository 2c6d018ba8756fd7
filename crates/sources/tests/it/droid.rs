//! Factory Droid.

use sources::Collected;

use crate::collect;

const HEADER: &str =
    r#"{"type":"session_start","id":"d-1","title":"t","owner":"ann","version":2,"cwd":"/w/api"}"#;

fn message(id: &str, second: u64, role: &str, block: &str) -> String {
    format!(
        r#"{{"type":"message","id":"{id}","timestamp":"2026-04-02T09:00:{second:02}.000Z","message":{{"role":"{role}","content":[{block}]}}}}"#
    )
}

fn asks(id: &str, second: u64, call: &str, name: &str, input: &str) -> String {
    let block = format!(r#"{{"type":"tool_use","id":"{call}","name":"{name}","input":{input}}}"#);
    message(id, second, "assistant", &block)
}

fn answers(second: u64, call: &str, more: &str) -> String {
    let block = format!(r#"{{"type":"tool_result","tool_use_id":"{call}",{more}}}"#);
    message("r", second, "user", &block)
}

fn read(lines: &[String]) -> Collected {
    let text = format!("{HEADER}\n{}\n", lines.join("\n"));
    collect(&[("d-1.jsonl", text.as_bytes())])
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

#[test]
fn a_call_has_its_session_project_and_duration_and_what_the_log_lacks_is_absent() {
    let collected = read(&[
        asks("a", 1, "toolu_01A", "Read", "{}"),
        answers(3, "toolu_01A", r#""content":"x""#),
    ]);
    let event = collected.events().next().unwrap();
    assert_eq!(event.uuid.as_deref(), Some("toolu_01A"));
    assert_eq!(event.tool.as_str(), "builtin:Read");
    assert_eq!(event.agent.as_deref(), Some("factory-droid"));
    assert_eq!(event.project.as_deref(), Some("api"));
    assert_eq!(event.session.as_deref(), Some("d-1"));
    assert_eq!(event.duration_ms, Some(2000));
    assert_eq!((event.model, event.cost), (None, None));
    assert_eq!(collected.totals.tokens.groups, 0);
}

#[test]
fn an_error_is_what_the_program_calls_one_and_what_reads_like_a_refusal_is_counted() {
    for (result, expected, counted) in [
        (r#""content":"Request cancelled""#, "builtin:Edit success -", 0),
        (r#""content":"x","is_error":false"#, "builtin:Edit success -", 0),
        (
            r#""content":"Error: no such file","is_error":true"#,
            "builtin:Edit failure error",
            0,
        ),
        (
            r#""content":"Request cancelled by user","is_error":true"#,
            "builtin:Edit failure error",
            1,
        ),
        (
            r#""content":[{"type":"text","text":"Denied."}],"is_error":true"#,
            "builtin:Edit failure error",
            1,
        ),
    ] {
        let collected = read(&[
            asks("a", 1, "toolu_01A", "Edit", "{}"),
            answers(2, "toolu_01A", result),
        ]);
        assert_eq!(told(&collected), [expected], "{result}");
        let problems = collected
            .problems
            .iter()
            .filter(|problem| problem.code.as_str() == "unclassified_error");
        assert_eq!(problems.count(), counted, "{result}");
    }
}

#[test]
fn names_of_servers_are_told_and_none_is_made_up() {
    let collected = read(&[
        asks("a", 1, "toolu_01A", "linear___list_issues", "{}"),
        asks("a", 1, "toolu_01B", "Task", "{}"),
        asks("a", 1, "toolu_01C", "___", "{}"),
    ]);
    let mut tools: Vec<String> = collected.events().map(|event| event.tool.to_string()).collect();
    tools.sort();
    assert_eq!(tools, ["builtin:Task", "builtin:___", "mcp:linear"]);
}

#[test]
fn ids_that_only_count_tell_calls_apart_and_copies_count_once() {
    let lines = [
        asks("a", 1, "Execute:0", "Execute", "{}"),
        answers(2, "Execute:0", r#""content":"x""#),
        asks("b", 3, "Execute:0", "Execute", "{}"),
        answers(4, "Execute:0", r#""content":"x","is_error":true"#),
    ];
    let text = format!("{HEADER}\n{}\n", lines.join("\n"));
    let copies = collect(&[("one", text.as_bytes()), ("two", text.as_bytes())]);
    assert_eq!(
        told(&copies),
        ["builtin:Execute failure error", "builtin:Execute success -"]
    );
}
