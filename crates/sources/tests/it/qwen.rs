//! Qwen Code.

use sources::Collected;

use crate::collect;

fn record(uuid: &str, kind: &str, more: &str) -> String {
    format!(
        r#"{{"uuid":"{uuid}","parentUuid":null,"sessionId":"q-1","timestamp":"2026-06-01T10:00:0{}.000Z","type":"{kind}","cwd":"/w/api","version":"0.15.6","gitBranch":"main",{more}}}"#,
        &uuid[1..2]
    )
}

fn asks(uuid: &str, call: &str, name: &str, args: &str) -> String {
    record(
        uuid,
        "assistant",
        &format!(
            r#""model":"qwen3-coder","message":{{"role":"model","parts":[{{"text":"well"}},{{"functionCall":{{"id":"{call}","name":"{name}","args":{args}}}}}]}},"usageMetadata":{{"promptTokenCount":100,"candidatesTokenCount":20,"cachedContentTokenCount":30,"thoughtsTokenCount":8,"totalTokenCount":120}}"#
        ),
    )
}

fn answers(uuid: &str, call: &str, name: &str, response: &str, result: &str) -> String {
    record(
        uuid,
        "tool_result",
        &format!(
            r#""message":{{"role":"user","parts":[{{"functionResponse":{{"id":"{call}","name":"{name}","response":{response}}}}}]}},"toolCallResult":{{"callId":"{call}",{result}}}"#
        ),
    )
}

fn read(lines: &[String]) -> Collected {
    let text = lines.join("\n");
    collect(&[("chats/q-1.jsonl", text.as_bytes())])
}

fn told(collected: &Collected) -> Vec<String> {
    let tell = |event: model::Event| {
        let reason = event.result.reason().map_or("-", model::Reason::as_str);
        format!("{} {} {reason}", event.tool, event.result.outcome().as_str())
    };
    collected.events().map(tell).collect()
}

#[test]
fn a_call_and_its_result_are_an_event_of_qwen_code() {
    let collected = read(&[
        record(
            "q0",
            "user",
            r#""message":{"role":"user","parts":[{"text":"go"}]}"#,
        ),
        asks("q1", "call_1", "read_file", "{}"),
        answers(
            "q3",
            "call_1",
            "read_file",
            r#"{"output":"x"}"#,
            r#""status":"success""#,
        ),
        record("q4", "system", r#""subtype":"ui_telemetry","systemPayload":{}"#),
    ]);
    let event = collected.events().next().unwrap();
    assert_eq!(event.tool.as_str(), "builtin:read_file");
    assert_eq!(event.agent.as_deref(), Some("qwen-code"));
    assert_eq!(event.agent_version.as_deref(), Some("0.15.6"));
    assert_eq!(event.project.as_deref(), Some("api"));
    assert_eq!(event.git_branch.as_deref(), Some("main"));
    assert_eq!(event.model.as_deref(), Some("qwen3-coder"));
    assert_eq!(event.session.as_deref(), Some("q-1"));
    assert_eq!(event.duration_ms, Some(2000));
    assert_eq!(
        (collected.totals.tokens.input, collected.totals.tokens.output),
        (70, 20)
    );
    assert_eq!(collected.totals.ignored["system/ui_telemetry"], 1);
}

#[test]
fn names_and_ends_are_told_apart() {
    for (name, args, response, result, expected) in [
        (
            "skill",
            r#"{"skill":"pdf"}"#,
            r#"{"output":"x"}"#,
            r#""status":"success""#,
            "skill:pdf success -",
        ),
        (
            "agent",
            r#"{"subagent_type":"explore"}"#,
            r#"{"output":"x"}"#,
            r#""status":"success""#,
            "agent:explore success -",
        ),
        (
            "mcp__git__log",
            "{}",
            r#"{"output":"x"}"#,
            r#""status":"success""#,
            "mcp:git success -",
        ),
        (
            "run_shell_command",
            "{}",
            r#"{"output":"Command: x\nDirectory: (root)\nOutput: y\nError: (none)\nExit Code: 2\nSignal: (none)\nProcess Group PGID: 7"}"#,
            r#""status":"success","resultDisplay":"y""#,
            "builtin:run_shell_command failure error",
        ),
        (
            "fly",
            "{}",
            r#"{"error":"x"}"#,
            r#""status":"error","errorType":"tool_not_registered""#,
            "builtin:fly failure unknown_tool",
        ),
        (
            "edit",
            "{}",
            r#"{"error":"x"}"#,
            r#""status":"error","errorType":"invalid_tool_params""#,
            "builtin:edit failure invalid_input",
        ),
        (
            "edit",
            "{}",
            r#"{"error":"[Operation Cancelled] Reason: User did not allow tool call"}"#,
            r#""status":"cancelled""#,
            "builtin:edit abandoned rejected",
        ),
        (
            "edit",
            "{}",
            r#"{"error":"x"}"#,
            r#""display":1"#,
            "builtin:edit failure error",
        ),
    ] {
        let collected = read(&[
            asks("q1", "call_1", name, args),
            answers("q2", "call_1", name, response, result),
        ]);
        assert_eq!(told(&collected), [expected], "{name} {result}");
        assert_eq!(
            collected
                .problems
                .iter()
                .filter(|p| p.code.as_str() != "unpriced_model")
                .count(),
            0
        );
    }
}
