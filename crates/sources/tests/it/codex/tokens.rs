//! Tokens, forks and the first versions.

use model::{CallResult, Reason};
use serde_json::{Value, json};

use super::{answer, call, completed, count, event, read, rollout, written};
use crate::{collect, lines};

#[test]
fn a_fork_repeats_its_parent_without_counting_it_again() {
    let header = |id: &str, parent: Option<&str>| json!({"type": "session_meta", "payload": {"id": id, "cwd": "/w/api", "forked_from_id": parent}});
    for with_turns in [true, false] {
        let turn = |id: &str| {
            let id = with_turns.then_some(id);
            json!({"type": "turn_context", "payload": {"turn_id": id, "model": "gpt-5.5"}})
        };
        let before = [
            turn("t-1"),
            call("call_1x9b", "exec_command"),
            answer(
                "call_1x9b",
                "Wall time: 1 seconds\nProcess exited with code 0\nOutput:\n",
            ),
            count(1_000, 900, 100),
            turn("t-2"),
            count(2_000, 900, 100),
        ];
        let parent = written(
            &[
                &[header("s-1", None)],
                &before[..],
                &[turn("t-3"), count(2_900, 800, 100)],
            ]
            .concat(),
        );
        let fork = written(
            &[
                &[header("s-2", Some("s-1")), header("s-1", None)],
                &before[..],
                &[turn("t-4"), count(3_100, 1_000, 100)],
            ]
            .concat(),
        );
        let again = written(
            &[
                &[
                    header("s-3", Some("s-2")),
                    header("s-2", Some("s-1")),
                    header("s-1", None),
                ],
                &before[..],
                &[
                    turn("t-4"),
                    count(3_100, 1_000, 100),
                    turn("t-5"),
                    call("call_2x9b", "exec_command"),
                    count(4_000, 800, 100),
                ],
            ]
            .concat(),
        );
        let alone = collect(&[("parent", parent.as_bytes())]);
        assert_eq!(alone.totals.tokens.groups, 3);
        let all = collect(&[
            ("a", again.as_bytes()),
            ("f", fork.as_bytes()),
            ("p", parent.as_bytes()),
        ]);
        assert_eq!(all.totals.events, 2, "turns: {with_turns}");
        let tokens = all.totals.tokens;
        assert_eq!(
            (tokens.groups, tokens.input, tokens.output),
            (5, 4_400, 500),
            "turns: {with_turns}"
        );
        let shared = all.events().next().unwrap();
        assert_eq!(
            shared.session.as_deref(),
            Some("s-1"),
            "the parent's copy is the earliest"
        );
    }
}

#[test]
fn each_response_is_priced_by_its_own_tokens() {
    let last = |tokens: Value| {
        event(
            json!({"type": "token_count", "info": {"total_token_usage": {"total_tokens": 9_000}, "last_token_usage": tokens}}),
        )
    };
    let cached = read(&[
        call("call_1x9b", "exec_command"),
        last(
            json!({"input_tokens": 8_000, "cached_input_tokens": 5_000, "cache_write_input_tokens": 1_000, "output_tokens": 100, "total_tokens": 8_100}),
        ),
    ]);
    let tokens = cached.totals.tokens;
    assert_eq!(
        (
            tokens.input,
            tokens.cache_read,
            tokens.cache_creation,
            tokens.output
        ),
        (2_000, 5_000, 1_000, 100)
    );

    let total = |input: u64| {
        event(
            json!({"type": "token_count", "info": {"total_token_usage": {"input_tokens": input, "output_tokens": 10, "total_tokens": input + 10}}}),
        )
    };
    let sums = read(&[
        call("call_1x9b", "exec_command"),
        total(1_000),
        total(1_000),
        call("call_2x9b", "exec_command"),
        total(3_000),
    ]);
    assert_eq!((sums.totals.tokens.groups, sums.totals.tokens.input), (2, 3_000));
    assert!(sums.events().all(|event| event.cost.is_some()));
}

#[test]
fn a_response_that_two_records_count_is_counted_once() {
    let usage = json!({"input_tokens": 900, "output_tokens": 100, "total_tokens": 1_000});
    let record = json!({"type": "token_usage_record", "payload": {"turn_id": "t-1", "response_id": "resp_1", "usage": usage, "thread_token_usage": usage}});
    let collected = read(&[
        call("call_1x9b", "exec_command"),
        record,
        answer(
            "call_1x9b",
            "Wall time: 1 seconds\nProcess exited with code 0\nOutput:\n",
        ),
        count(1_000, 900, 100),
        call("call_2x9b", "exec_command"),
        count(2_000, 900, 100),
    ]);
    assert_eq!(
        (collected.totals.tokens.groups, collected.totals.tokens.input),
        (2, 1_800)
    );
    let costs: Vec<_> = collected.events().map(|event| event.cost).collect();
    assert!(costs[0].is_some() && costs[0] == costs[1], "{costs:?}");
}

#[test]
fn rollouts_of_the_first_versions_are_read() {
    let call = json!({"type": "function_call", "id": null, "name": "shell", "arguments": "{}", "call_id": "call_1x9b"});
    let output = json!({"type": "function_call_output", "call_id": "call_1x9b", "output": r#"{"output":"","metadata":{"exit_code":1,"duration_seconds":0.2}}"#});
    let header = json!({"id": "s-1", "timestamp": "2025-06-02T03:00:00.000Z", "instructions": null, "git": {"branch": "main"}});
    let message = json!({"type": "message", "role": "user", "content": []});
    let by_line: String = [
        &header,
        &json!({"record_type": "state"}),
        &message,
        &call,
        &output,
    ]
    .map(|record| record.to_string() + "\n")
    .concat();
    let document = json!({"session": header, "items": [message, call, output]});
    for text in [
        by_line,
        serde_json::to_string_pretty(&document).unwrap(),
        document.to_string(),
    ] {
        let collected = collect(&[("rollout", text.as_bytes())]);
        let event = collected.events().next().unwrap();
        assert_eq!(event.result, CallResult::because(Reason::Error), "{text}");
        assert_eq!(
            (event.session.as_deref(), event.duration_ms),
            (Some("s-1"), Some(200))
        );
        assert_eq!(event.occurred_at.to_rfc3339(), "2025-06-02T03:00:00+00:00");
        assert!(collected.problems.is_empty(), "{:?}", collected.problems);
    }
}

#[test]
fn an_early_snapshot_and_the_whole_rollout_agree() {
    let records = [
        call("call_1x9b", "exec_command"),
        answer(
            "call_1x9b",
            "Wall time: 1 seconds\nProcess running with session ID 1\nOutput:\n",
        ),
        completed(json!({"type": "CommandExecution", "id": "call_1x9b", "status": "failed", "exit_code": 2})),
        count(1_000, 900, 100),
    ];
    let whole = rollout(&records);
    let expected = lines(&collect(&[("whole", whole.as_bytes())]));
    for cut in 2..records.len() {
        let early = rollout(&records[..cut]);
        let both = collect(&[("early", early.as_bytes()), ("whole", whole.as_bytes())]);
        assert_eq!(lines(&both), expected, "{cut}");
    }
}

#[test]
fn an_id_that_only_counts_is_a_key_within_its_response() {
    let header = |id: &str, parent: Option<&str>| json!({"type": "session_meta", "payload": {"id": id, "forked_from_id": parent}});
    let turn = |id: &str| json!({"type": "turn_context", "payload": {"turn_id": id, "model": "kimi-k2"}});
    let failed = answer(
        "functions.shell:0",
        "Exit code: 1\nWall time: 1 seconds\nOutput:\n",
    );
    let done = answer(
        "functions.shell:0",
        "Exit code: 0\nWall time: 1 seconds\nOutput:\n",
    );
    let records = [
        turn("t-1"),
        call("functions.shell:0", "shell"),
        failed,
        count(1_000, 900, 100),
        call("functions.shell:0", "shell"),
        done.clone(),
        turn("t-2"),
        call("functions.shell:0", "shell"),
        done,
    ];
    let session = written(&[&[header("s-1", None)], &records[..]].concat());
    let fork = written(&[&[header("s-2", Some("s-1")), header("s-1", None)], &records[..]].concat());
    let collected = collect(&[("fork", fork.as_bytes()), ("session", session.as_bytes())]);
    let mut verdicts: Vec<_> = collected.events().map(|event| event.result).collect();
    verdicts.sort();
    assert_eq!(
        verdicts,
        [
            CallResult::SUCCESS,
            CallResult::SUCCESS,
            CallResult::because(Reason::Error)
        ]
    );
}
