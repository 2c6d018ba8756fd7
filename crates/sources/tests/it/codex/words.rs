//! What the words of Codex say about a call.

use model::{CallResult, Reason};
use serde_json::{Value, json};
use sources::ProblemCode;

use super::{answer, call, completed, event, item, only, read, server_call, summary, written};
use crate::collect;

#[test]
fn who_said_no_and_what_failed_is_told_by_the_words_of_codex() {
    use Reason::{Cancelled, Denied, Error, Interrupted, InvalidInput, Rejected, UnknownTool};
    let long = "x".repeat(3_000);
    for (tool, text, reason) in [
        ("exec_command", "exec command rejected by user".to_owned(), Rejected),
        ("apply_patch", "patch rejected by user".to_owned(), Rejected),
        ("apply_patch", "patch rejected: writing outside of the project; rejected by user approval settings".to_owned(), Denied),
        ("apply_patch", "patch rejected: empty patch".to_owned(), InvalidInput),
        ("exec_command", format!("exec_command failed for `/bin/sh -c '{long}'`: CreateProcess {{ message: \"Rejected(\\\"rejected by user\\\")\" }}"), Rejected),
        ("exec_command", format!("exec_command failed for `{long}`: CreateProcess {{ message: \"Rejected(\\\"approval required by policy, but AskForApproval is set to Never\\\")\" }}"), Denied),
        ("exec_command", "exec_command failed for `ls`: CreateProcess { message: \"No such file\" }".to_owned(), Error),
        ("shell", format!("`{long}` rejected: policy forbids commands starting with `rm`"), Denied),
        ("shell", "approval policy is OnFailure; reject command — you should not ask".to_owned(), Denied),
        ("exec_command", "approval required by policy, but AskForApproval is set to Never".to_owned(), Denied),
        ("exec_command", "This action was rejected due to unacceptable risk.\nReason: …".to_owned(), Denied),
        ("exec_command", "Command blocked by PreToolUse hook: no".to_owned(), Denied),
        ("exec_command", "Network access to \"example.org\" is blocked by policy.".to_owned(), Denied),
        ("exec_command", "The request was declined by the user.".to_owned(), Rejected),
        ("exec_command", "aborted by user after 3.1s".to_owned(), Interrupted),
        ("shell", "aborted".to_owned(), Interrupted),
        ("shell", r#"{"output":"aborted","metadata":{"exit_code":1,"duration_seconds":0}}"#.to_owned(), Interrupted),
        ("fly", "unsupported call: fly".to_owned(), UnknownTool),
        ("draw", "unsupported custom tool call: draw".to_owned(), UnknownTool),
        ("spawn_agent", "unknown agent_type 'x'".to_owned(), UnknownTool),
        ("exec_command", "failed to parse function arguments: missing field `cmd`".to_owned(), InvalidInput),
        ("write_stdin", "write_stdin failed: Unknown process id 9".to_owned(), Error),
        ("apply_patch", "apply_patch verification failed: invalid patch".to_owned(), Error),
        ("spawn_agent", "collab spawn failed: agent thread limit reached".to_owned(), Error),
        ("view_image", "unable to locate image at `x`".to_owned(), Error),
        ("request_user_input", "request_user_input is unavailable in Default mode".to_owned(), Error),
        ("exec_command", "Wall time: 0.0000 seconds\nOutput:\nExit code: 1\nWall time: 0 seconds\nOutput:\nno".to_owned(), Error),
        ("shell", "Exit code: 124\nWall time: 10 seconds\nOutput:\ncommand timed out".to_owned(), Error),
        ("exec", "Script failed\nWall time 0.0 seconds\nOutput:\nScript error".to_owned(), Error),
        ("mcp__a__b", "MCP tool call requires approval, but approval policy is never".to_owned(), Denied),
        ("mcp__a__b", "Wall time: 0.1 seconds\nOutput:\nMCP tool call cancelled: interactive approval is unavailable in exec mode".to_owned(), Denied),
        ("mcp__a__b", "user rejected MCP tool call".to_owned(), Rejected),
        ("mcp__a__b", "MCP tool call cancelled before approval".to_owned(), Cancelled),
        ("mcp__a__b", "Wall time: 0.1 seconds\nOutput:\nerr: EOF while parsing a string at line 1 column 11".to_owned(), InvalidInput),
        ("mcp__a__b", "Wall time: 0.1 seconds\nOutput:\ntool call error: timed out".to_owned(), Error),
    ] {
        let collected = read(&[call("call_1x9b", tool), answer("call_1x9b", text.clone())]);
        let event = collected.events().next().unwrap();
        assert_eq!(event.result, CallResult::because(reason), "{tool}: {text}");
        assert_eq!(collected.totals.problems.get(&ProblemCode::UnclassifiedError), None, "{text}");
    }
}

#[test]
fn what_a_command_prints_and_a_foreign_tool_answers_decides_nothing() {
    for (tool, text) in [
        (
            "exec_command",
            "Chunk ID: a\nWall time: 0.1 seconds\nProcess exited with code 0\nOutput:\nexec command rejected by user",
        ),
        (
            "exec_command",
            "Wall time: 0.1 seconds\nProcess exited with code 0\nOutput:\nunsupported call: x",
        ),
        (
            "write_stdin",
            "Wall time: 0.1 seconds\nProcess exited with code 0\nOutput:\nError: Exit code: 7",
        ),
        (
            "shell",
            r#"{"output":"failed to parse function arguments","metadata":{"exit_code":0,"duration_seconds":0.1}}"#,
        ),
        ("mcp__a__b", "Wall time: 0.1 seconds\nOutput:\nError: not found"),
        ("mcp__a__b", "Wall time: 0.1 seconds\nOutput:\nExit code: 1"),
        ("bash", "error: unused variable"),
        ("search_docs", "build failed yesterday"),
        ("update_plan", "Plan updated"),
        ("spawn_agent", r#"{"agent_id":"a","nickname":"error"}"#),
        (
            "exec",
            "Script completed\nWall time 0.1 seconds\nOutput:\nError: x",
        ),
    ] {
        let collected = read(&[call("call_1x9b", tool), answer("call_1x9b", text)]);
        let event = collected.events().next().unwrap();
        assert_eq!(event.result, CallResult::SUCCESS, "{tool}: {text}");
        assert!(collected.problems.is_empty(), "{text}");
    }
}

#[test]
fn an_error_in_words_that_are_not_known_counts_as_one_and_is_told() {
    let collected = read(&[
        call("call_1x9b", "exec_command"),
        answer("call_1x9b", "the sandbox helper could not be started"),
    ]);
    assert_eq!(summary(&collected), ["builtin:exec_command - failure error"]);
    assert_eq!(
        collected.totals.problems.get(&ProblemCode::UnclassifiedError),
        Some(&1)
    );
    let told = &collected.problems[0];
    assert!(
        told.detail.contains("builtin:exec_command") && !told.detail.contains("sandbox"),
        "{told:?}"
    );
}

#[test]
fn no_person_rejects_where_none_can_be_asked() {
    let records = |payload: Value| {
        let header = json!({"type": "session_meta", "payload": {"id": "s-1", "source": payload["source"]}});
        let turn = json!({"type": "turn_context", "payload": {"turn_id": "t-1", "approval_policy": payload["policy"]}});
        let end = event(
            json!({"type": "mcp_tool_call_end", "call_id": "call_1x9b", "invocation": {"server": "a", "tool": "b"}, "result": {"Err": "user cancelled MCP tool call"}}),
        );
        written(&[
            header,
            turn,
            server_call("call_1x9b", "mcp__a", "b"),
            end,
            answer("call_1x9b", "user cancelled MCP tool call"),
        ])
    };
    for (source, policy, reason) in [
        ("cli", "on-request", Reason::Rejected),
        ("cli", "never", Reason::Denied),
        ("exec", "on-request", Reason::Denied),
    ] {
        let text = records(json!({"source": source, "policy": policy}));
        let collected = collect(&[("rollout.jsonl", text.as_bytes())]);
        let verdict = collected.events().next().unwrap().result;
        assert_eq!(verdict, CallResult::because(reason), "{source} {policy}");
    }
}

#[test]
fn a_patch_that_was_declined_is_no_failure_whatever_record_says_so() {
    let call =
        item(json!({"type": "custom_tool_call", "name": "apply_patch", "call_id": "call_1x9b", "input": ""}));
    let declined = |stderr: &str| {
        completed(json!({"type": "FileChange", "id": "call_1x9b", "status": "declined", "stderr": stderr}))
    };
    let asked = only(&[
        call.clone(),
        declined("patch rejected by user"),
        answer("call_1x9b", "patch rejected by user"),
    ]);
    assert_eq!(asked.result, CallResult::because(Reason::Rejected));
    let silent = only(&[
        call,
        declined(""),
        answer(
            "call_1x9b",
            "patch rejected: writing is blocked by read-only sandbox",
        ),
    ]);
    assert_eq!(silent.result, CallResult::because(Reason::Denied));
    let alone = only(&[declined("")]);
    assert_eq!(alone.result, CallResult::because(Reason::Rejected));
}

#[test]
fn a_call_that_was_declined_is_no_failure_whatever_it_was_answered() {
    let declined = || completed(json!({"type": "CommandExecution", "id": "call_1x9b", "status": "declined"}));
    let unknown = || answer("call_1x9b", "exec_command failed: words of another version");
    for records in [
        [call("call_1x9b", "exec_command"), declined(), unknown()],
        [call("call_1x9b", "exec_command"), unknown(), declined()],
    ] {
        let event = only(&records);
        assert_eq!(event.result, CallResult::because(Reason::Rejected), "{records:?}");
    }
}
