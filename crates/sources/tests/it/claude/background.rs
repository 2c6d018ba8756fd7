//! Work that goes on after the result of its call.

use serde_json::{Value, json};

use super::{call, outcome, outcomes, read, record, result, typed, with};

fn launched(id: &str, task: &str, second: u32) -> Value {
    with(
        result(
            id,
            &format!("Command running in background with ID: {task}. Output is being written to: /tmp/x"),
            false,
            second,
        ),
        json!({"toolUseResult": {"stdout": "", "interrupted": false, "backgroundTaskId": task}}),
    )
}

fn notification(task: &str, call: Option<&str>, status: &str, more: &str) -> String {
    let call = call.map_or_else(String::new, |call| format!("<tool-use-id>{call}</tool-use-id>\n"));
    format!(
        "<task-notification>\n<task-id>{task}</task-id>\n{call}<status>{status}</status>\n<summary>Task {status}</summary>\n{more}</task-notification>"
    )
}

#[test]
fn a_launch_is_neither_a_success_nor_a_duration() {
    let agent = with(
        result(
            "toolu_2",
            "Async agent launched successfully.\nagentId: a1",
            false,
            3,
        ),
        json!({"toolUseResult": {"isAsync": true, "status": "async_launched", "agentId": "a1"}}),
    );
    let remote = with(
        result("toolu_3", "Remote agent launched", false, 3),
        json!({"toolUseResult": {"status": "remote_launched", "taskId": "t1", "sessionUrl": "https://example.com"}}),
    );
    let bare = result(
        "toolu_4",
        "Command running in background with ID: b9. Output",
        false,
        3,
    );
    let records = [
        call("m1", "toolu_1", "Bash", 0),
        launched("toolu_1", "b1", 1),
        call("m2", "toolu_2", "Agent", 2),
        agent,
        call("m3", "toolu_3", "Agent", 2),
        remote,
        call("m4", "toolu_4", "Bash", 2),
        bare,
    ];
    for event in read(&records).events() {
        assert_eq!(
            (event.result.outcome().as_str(), event.duration_ms),
            ("unknown", None),
            "{event:?}"
        );
    }
    // A launch that failed has failed.
    let refused = with(launched("toolu_1", "b1", 1), json!({}));
    let mut refused = refused;
    refused["message"]["content"][0]["is_error"] = json!(true);
    assert_eq!(
        outcomes(&[call("m1", "toolu_1", "Bash", 0), refused]),
        ["builtin:Bash failure error"]
    );
}

#[test]
fn the_notification_brings_outcome_and_duration_wherever_it_stands() {
    let failed = notification("b1", Some("toolu_1"), "failed", "");
    let in_prompt = with(
        typed("n", &failed, 61),
        json!({"origin": {"kind": "task-notification"}}),
    );
    let in_attachment = record(
        "attachment",
        "n",
        90,
        json!({"attachment": {"type": "queued_command", "commandMode": "task-notification", "prompt": failed,
            "timestamp": "2026-08-02T03:01:01.000Z"}}),
    );
    let in_queue = record(
        "queue-operation",
        "n",
        61,
        json!({"operation": "enqueue", "content": failed}),
    );
    let only_the_task = typed("n", &notification("b1", None, "failed", ""), 61);
    let in_an_array = record(
        "user",
        "n",
        61,
        json!({"message": {"role": "user", "content": [{"type": "text", "text": failed}]}}),
    );
    for ended in [in_prompt, in_attachment, in_queue, only_the_task, in_an_array] {
        let records = [
            call("m1", "toolu_1", "Bash", 0),
            launched("toolu_1", "b1", 1),
            ended,
        ];
        let event = read(&records).events().next().unwrap();
        assert_eq!(outcome(&event), "builtin:Bash failure error", "{}", records[2]);
        assert_eq!(event.duration_ms, Some(61_000), "{}", records[2]);
    }
}

#[test]
fn an_agent_states_its_own_duration_and_the_first_end_stands() {
    let usage = "<result><status>failed</status></result>\n<usage><duration_ms>42000</duration_ms></usage>\n";
    let agent = with(
        result(
            "toolu_1",
            "Async agent launched successfully.\nagentId: a1",
            false,
            1,
        ),
        json!({"toolUseResult": {"status": "async_launched", "agentId": "a1"}}),
    );
    let records = [
        call("m1", "toolu_1", "Agent", 0),
        agent,
        typed("n1", &notification("a1", Some("toolu_1"), "completed", usage), 50),
        typed("n2", &notification("a1", Some("toolu_1"), "failed", ""), 90),
    ];
    let event = read(&records).events().next().unwrap();
    assert_eq!(outcome(&event), "agent:general-purpose success");
    assert_eq!(event.duration_ms, Some(42_000));
}

#[test]
fn names_of_tasks_that_are_used_again_belong_to_the_last_launch_before() {
    let records = [
        call("m1", "toolu_1", "Bash", 0),
        launched("toolu_1", "bash_1", 1),
        typed("n1", &notification("bash_1", None, "failed", ""), 10),
        call("m2", "toolu_2", "Bash", 20),
        launched("toolu_2", "bash_1", 21),
        typed("n2", &notification("bash_1", None, "completed", ""), 30),
    ];
    assert_eq!(
        outcomes(&records),
        ["builtin:Bash failure error", "builtin:Bash success"]
    );
}

#[test]
fn a_killed_task_was_interrupted_and_one_that_was_asked_for_has_its_exit_code() {
    let killed = typed("n", &notification("b1", Some("toolu_1"), "killed", ""), 9);
    let asked = with(
        result("toolu_2", "output", false, 9),
        json!({"toolUseResult": {"retrieval_status": "success",
            "task": {"task_id": "b1", "status": "completed", "exitCode": 3}}}),
    );
    let launch = [call("m1", "toolu_1", "Bash", 0), launched("toolu_1", "b1", 1)];
    let ended = |record: Value| {
        let records: Vec<Value> = launch.iter().cloned().chain([record]).collect();
        read(&records).events().next().unwrap()
    };
    assert_eq!(outcome(&ended(killed)), "builtin:Bash abandoned interrupted");
    let event = ended(asked);
    assert_eq!(outcome(&event), "builtin:Bash failure error");
    assert_eq!(
        event.duration_ms, None,
        "when it was asked for is not when it ended"
    );
}

#[test]
fn an_end_is_of_the_task_where_the_id_of_its_call_has_been_used_again() {
    let records = [
        call("m1", "Bash_0", "Bash", 0),
        launched("Bash_0", "b1", 1),
        call("m2", "Bash_0", "Bash", 2),
        result("Bash_0", "done", false, 3),
        typed("n", &notification("b1", Some("Bash_0"), "failed", ""), 9),
    ];
    assert_eq!(
        outcomes(&records),
        ["builtin:Bash failure error", "builtin:Bash success"]
    );
}

#[test]
fn what_claude_code_says_is_known_by_its_text_however_that_is_escaped() {
    let records = [
        call("m1", "toolu_1", "Bash", 0),
        launched("toolu_1", "b1", 1),
        typed("n", &notification("b1", Some("toolu_1"), "failed", ""), 9),
        typed(
            "c",
            "<command-message>ship</command-message>\n<command-name>/ship</command-name>",
            10,
        ),
    ];
    let text: String = records.iter().map(|record| format!("{record}\n")).collect();
    let escaped = text.replace('<', "\\u003c").replace('>', "\\u003e");
    let read: Vec<String> = crate::one(&escaped)
        .events()
        .map(|event| outcome(&event))
        .collect();
    assert_eq!(read, ["builtin:Bash failure error", "command:ship unknown"]);
}
