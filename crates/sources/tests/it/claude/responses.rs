//! Which records are one response, and which calls are one call.

use model::MicroUsd;
use serde_json::{Value, json};

use super::{call, read, record, result, text, with};
use crate::{collect, lines};

fn costs(records: &[Value]) -> Vec<Option<MicroUsd>> {
    read(records).events().map(|event| event.cost).collect()
}

#[test]
fn ids_that_count_begin_again_and_every_message_makes_its_own_calls() {
    for ids in [
        ["Bash_0", "Bash_0", "Bash_0"],
        ["functions.Bash:0", "functions.Bash:1", "functions.Bash:0"],
        ["call_0", "call_0", "call_0"],
        ["0", "0", "0"],
    ] {
        let records = [
            call("m1", ids[0], "Bash", 0),
            result(ids[0], "done", false, 1),
            call("m2", ids[1], "Bash", 2),
            result(ids[1], "Exit code 1", true, 3),
            call("m3", ids[2], "Bash", 4),
        ];
        let outcomes = super::outcomes(&records);
        assert_eq!(
            outcomes,
            [
                "builtin:Bash success",
                "builtin:Bash failure error",
                "builtin:Bash abandoned unanswered"
            ],
            "{ids:?}"
        );
        // A fork copies the messages under a session of its own, and goes on.
        let mut fork: Vec<Value> = records
            .iter()
            .map(|record| with(record.clone(), json!({"sessionId": "fork"})))
            .collect();
        fork.push(with(call("m4", ids[0], "Bash", 9), json!({"sessionId": "fork"})));
        let alone = read(&records);
        let both = collect(&[
            ("fork.jsonl", text(&fork).as_bytes()),
            ("session.jsonl", text(&records).as_bytes()),
        ]);
        assert_eq!(both.events().len(), 4, "{ids:?}");
        assert_eq!(
            alone.events().map(|event| event.uuid).collect::<Vec<_>>(),
            both.events().take(3).map(|event| event.uuid).collect::<Vec<_>>(),
        );
    }
}

#[test]
fn a_result_of_an_id_that_counts_belongs_to_the_call_that_its_record_names() {
    let first = with(call("m1", "Bash_0", "Bash", 0), json!({"uuid": "a"}));
    let second = with(call("m2", "Bash_0", "Bash", 1), json!({"uuid": "b"}));
    let of = |uuid: &str, is_error, second| {
        with(
            result("Bash_0", "x", is_error, second),
            json!({"sourceToolAssistantUUID": uuid}),
        )
    };
    let records = [first, second, of("a", true, 2), of("b", false, 3)];
    assert_eq!(
        super::outcomes(&records),
        ["builtin:Bash failure error", "builtin:Bash success"]
    );
}

#[test]
fn a_result_before_its_call_is_found_though_its_id_counts() {
    let records = [
        result("Bash_0", "done", false, 1),
        call("m1", "Bash_0", "Bash", 0),
    ];
    assert_eq!(super::outcomes(&records), ["builtin:Bash success"]);
}

#[test]
fn ids_that_tell_calls_apart_stay_the_uuid() {
    for id in ["toolu_01AafDmytknEUSX8P7mK2MVd", "call_86663c38f6004228aa43d808"] {
        let uuid = read(&[call("m1", id, "Bash", 0)]).events().next().unwrap().uuid;
        assert_eq!(uuid.as_deref(), Some(id));
    }
}

#[test]
fn a_relay_that_gives_all_responses_one_id_has_as_many_as_it_had_requests() {
    let request = |record: Value, id: &str| with(record, json!({"requestId": id}));
    let text_of = |second, input: u64| {
        record(
            "assistant",
            &format!("t{second}"),
            second,
            json!({"message": {"id": "m", "model": "claude-opus-4-8", "content": [{"type": "text", "text": "x"}],
                "usage": {"input_tokens": input, "output_tokens": 100}}}),
        )
    };
    let records = [
        request(call("m", "toolu_1", "Bash", 0), "r1"),
        result("toolu_1", "done", false, 1),
        request(text_of(2, 3000), "r2"),
        request(with(text_of(3, 3000), json!({"uuid": "t4"})), "r2"),
        request(call("m", "toolu_2", "Bash", 4), "r3"),
    ];
    let collected = read(&records);
    let tokens = collected.totals.tokens;
    assert_eq!((tokens.groups, tokens.input, tokens.output), (3, 5000, 300));
    assert_eq!(costs(&records), [Some(MicroUsd(7_500)), Some(MicroUsd(7_500))]);
    // The order of the lines is no evidence.
    let mut turned = records.to_vec();
    turned.reverse();
    assert_eq!(lines(&read(&turned)), lines(&collected));
}

#[test]
fn without_requests_the_prompt_tells_responses_of_one_id_apart() {
    let longer = |record: Value, input: u64| {
        let mut record = record;
        record["message"]["usage"]["input_tokens"] = json!(input);
        record
    };
    let records = [
        call("m", "toolu_1", "Bash", 0),
        longer(call("m", "toolu_2", "Bash", 5), 3000),
        longer(call("m", "toolu_3", "Bash", 6), 3000),
    ];
    assert_eq!(read(&records).totals.tokens.groups, 2);
    assert_eq!(
        costs(&records),
        [
            Some(MicroUsd(7_500)),
            Some(MicroUsd(8_750)),
            Some(MicroUsd(8_750))
        ]
    );
}

#[test]
fn a_side_question_repeats_a_response_under_another_request() {
    let own = with(call("m", "toolu_1", "Bash", 0), json!({"requestId": "r1"}));
    let aside = with(
        own.clone(),
        json!({"requestId": "r9", "uuid": "x", "isSidechain": true}),
    );
    let collected = collect(&[
        ("aside.jsonl", text(&[aside]).as_bytes()),
        ("session.jsonl", text(&[own]).as_bytes()),
    ]);
    assert_eq!((collected.events().len(), collected.totals.tokens.groups), (1, 1));
}

#[test]
fn a_message_without_an_id_is_known_by_its_request_or_by_its_first_record() {
    let nameless = |record: Value| {
        let mut record = record;
        record["message"].as_object_mut().unwrap().remove("id");
        record
    };
    let a = with(nameless(call("m", "toolu_1", "Bash", 0)), json!({"uuid": "a"}));
    let b = with(
        nameless(call("m", "toolu_2", "Bash", 0)),
        json!({"uuid": "b", "parentUuid": "a"}),
    );
    let other = with(
        nameless(call("m", "toolu_3", "Bash", 5)),
        json!({"uuid": "c", "parentUuid": "r"}),
    );
    let records = [a, b, other];
    assert_eq!(read(&records).totals.tokens.groups, 2);
    let half = Some(MicroUsd(3_750));
    assert_eq!(costs(&records), [half, half, Some(MicroUsd(7_500))]);
    let requested: Vec<Value> = records
        .iter()
        .map(|record| with(record.clone(), json!({"requestId": "r", "parentUuid": null})))
        .collect();
    assert_eq!(read(&requested).totals.tokens.groups, 1);
}

#[test]
fn an_advisor_is_paid_for_and_a_fallback_is_not_paid_twice() {
    let with_iterations = |iterations: Value| {
        let mut record = call("m", "toolu_1", "Bash", 0);
        record["message"]["usage"]["iterations"] = iterations;
        [record]
    };
    let part = json!({"type": "message", "input_tokens": 500, "output_tokens": 50});
    let advisor = json!({"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 10_000, "output_tokens": 200});
    let fallback = json!({"type": "fallback_message", "model": "claude-opus-4-8", "input_tokens": 1000, "output_tokens": 100});
    let paid = |iterations: Value| read(&with_iterations(iterations)).totals.cost_usd.unwrap();
    assert!((paid(json!([part, fallback])) - 0.0075).abs() < 1e-9);
    assert!((paid(json!([part, advisor, part])) - 0.0625).abs() < 1e-9);
    assert_eq!(
        costs(&with_iterations(json!([part, advisor]))),
        [Some(MicroUsd(62_500))]
    );
}

#[test]
fn the_speed_and_the_searches_of_a_response_are_paid_for() {
    let mut fast = call("m", "toolu_1", "Bash", 0);
    fast["message"]["usage"]["speed"] = json!("fast");
    assert_eq!(costs(&[fast]), [Some(MicroUsd(15_000))]);
    let search = with(
        result("toolu_2", "found", false, 1),
        json!({"toolUseResult": {"query": "q", "searchCount": 2, "durationSeconds": 1.5}}),
    );
    let records = [call("n", "toolu_2", "WebSearch", 0), search];
    assert_eq!(costs(&records), [Some(MicroUsd(27_500))]);
    assert_eq!(read(&records).events().next().unwrap().duration_ms, Some(1_500));
}

#[test]
fn counts_that_are_texts_are_read_and_no_counts_cost_nothing_known() {
    let counted = |usage: Value| {
        let mut record = call("m", "toolu_1", "Bash", 0);
        record["message"]["usage"] = usage;
        [record]
    };
    let cost = |usage: Value| costs(&counted(usage))[0];
    assert_eq!(
        cost(json!({"input_tokens": "1000", "output_tokens": " 100 "})),
        Some(MicroUsd(7_500))
    );
    assert_eq!(cost(json!({"input_tokens": "many", "output_tokens": null})), None);
}

#[test]
fn a_result_finds_its_call_in_another_file_though_its_id_counts() {
    let of = |record: &str, is_error, second| {
        with(
            result("Bash_0", "x", is_error, second),
            json!({"parentUuid": record}),
        )
    };
    let made = |message: &str, record: &str, second| {
        with(
            call(message, "Bash_0", "Bash", second),
            json!({"uuid": record, "parentUuid": null}),
        )
    };
    let records = [
        made("m1", "a", 0),
        of("a", true, 1),
        made("m2", "b", 2),
        of("b", false, 3),
    ];
    for cut in 0..=records.len() {
        let (first, second) = records.split_at(cut);
        let mut backwards = second.to_vec();
        backwards.reverse();
        for second in [second, &backwards] {
            let collected = collect(&[
                ("a.jsonl", text(first).as_bytes()),
                ("b.jsonl", text(second).as_bytes()),
            ]);
            let outcomes: Vec<String> = collected.events().map(|event| super::outcome(&event)).collect();
            assert_eq!(
                outcomes,
                ["builtin:Bash failure error", "builtin:Bash success"],
                "cut before record {cut}"
            );
            assert_eq!(collected.totals.orphan_results, 0);
        }
    }
}

#[test]
fn two_sessions_at_the_same_time_have_responses_of_their_own_under_one_message_id() {
    let mut other = with(call("m", "toolu_2", "Bash", 0), json!({"sessionId": "other"}));
    other["message"]["usage"]["input_tokens"] = json!(5000);
    let collected = collect(&[
        ("a.jsonl", text(&[call("m", "toolu_1", "Bash", 0)]).as_bytes()),
        ("b.jsonl", text(&[other]).as_bytes()),
    ]);
    let costs: Vec<Option<MicroUsd>> = collected.events().map(|event| event.cost).collect();
    assert_eq!(costs, [Some(MicroUsd(7_500)), Some(MicroUsd(27_500))]);
    assert_eq!(collected.totals.tokens.groups, 2);
}

#[test]
fn a_response_that_calls_no_tool_is_usage_of_its_session() {
    let mut told = call("m1", "toolu_1", "Bash", 0);
    told["requestId"] = json!("req_1");
    let mut silent = call("m2", "toolu_2", "Bash", 1);
    silent["requestId"] = json!("req_2");
    silent["message"]["content"] = json!([{"type": "text", "text": "Done."}]);
    let mut partial = silent.clone();
    partial["message"]["usage"]["output_tokens"] = json!(3);
    let read = read(&[told, partial, silent.clone(), silent]);
    assert_eq!(read.events().len(), 1);
    let responses: Vec<_> = read.responses().collect();
    let ids: Vec<&str> = responses
        .iter()
        .map(|response| response.response_id.as_str())
        .collect();
    assert_eq!(ids, ["req_1", "req_2"], "the id that telemetry repeats");
    let last = &responses[1];
    assert_eq!((last.input_tokens, last.output_tokens), (1000, 100));
    assert_eq!(last.project, read.events().next().unwrap().project);
    assert_eq!(last.agent.as_deref(), Some("claude-code"));
    assert!(
        last.session_id.is_some() && last.cost_micro_usd.is_some(),
        "{last:?}"
    );
}

#[test]
fn responses_of_a_project_that_is_not_shared_are_left_out() {
    struct Shared;
    impl sources::Directories for Shared {
        fn project_of(&mut self, _: &str) -> Option<String> {
            None
        }
        fn is_shared(&mut self, cwd: Option<&str>, _: Option<&str>) -> bool {
            cwd != Some("/home/ann/secret")
        }
    }
    let silent = |message: &str, cwd: &str, second| {
        let mut record = with(call(message, "toolu_1", "Bash", second), json!({"cwd": cwd}));
        record["message"]["content"] = json!([{"type": "text", "text": "Done."}]);
        record
    };
    let records = [
        silent("m1", "/home/ann/open", 0),
        silent("m2", "/home/ann/secret", 1),
    ];
    for files in [
        vec![text(&records)],
        records
            .iter()
            .map(|record| text(std::slice::from_ref(record)))
            .collect(),
    ] {
        let facts = files
            .iter()
            .map(|file| {
                crate::facts(
                    "session.jsonl",
                    file.as_bytes(),
                    4096,
                    &sources::Options::default(),
                )
            })
            .collect();
        let read = sources::join_shared(facts, &sources::Prices::builtin(), &mut Shared);
        let ids: Vec<String> = read.responses().map(|response| response.response_id).collect();
        assert_eq!(ids, ["m1"]);
    }
}
