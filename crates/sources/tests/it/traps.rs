//! One test for each trap of the formats.

use std::fmt::Write as _;

use model::{CallResult, Event, MicroUsd, Outcome, Reason};
use sources::{Agent, LINE_BYTES, LogReader, Options, Prices, ProblemCode, join};

use crate::{collect, facts, joined, lines, one};

/// A line that calls `name` at second `second`.
fn call(id: &str, name: &str, second: u32) -> String {
    format!(
        r#"{{"type":"assistant","uuid":"u-{id}","sessionId":"s","cwd":"/home/ada/api","timestamp":"2026-03-01T10:00:{second:02}.000Z","message":{{"id":"m-{id}","model":"claude-opus-4-6","content":[{{"type":"tool_use","id":"{id}","name":"{name}","input":{{}}}}]}}}}"#
    ) + "\n"
}

/// A line that answers a call at second `second`.
fn answer(id: &str, second: u32, is_error: bool, text: &str) -> String {
    format!(
        r#"{{"type":"user","uuid":"r-{id}","sessionId":"s","cwd":"/home/ada/api","timestamp":"2026-03-01T10:00:{second:02}.000Z","message":{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{id}","is_error":{is_error},"content":"{text}"}}]}}}}"#
    ) + "\n"
}

fn usage(message: &str, ids: &[&str], model: &str, output: u64) -> String {
    let blocks: Vec<String> = ids
        .iter()
        .map(|id| format!(r#"{{"type":"tool_use","id":"{id}","name":"Bash","input":{{}}}}"#))
        .collect();
    format!(
        r#"{{"type":"assistant","sessionId":"s","timestamp":"2026-03-01T10:00:00.000Z","message":{{"id":"{message}","model":"{model}","content":[{}],"usage":{{"input_tokens":10,"output_tokens":{output},"cache_read_input_tokens":100,"cache_creation_input_tokens":20}}}}}}"#,
        blocks.join(",")
    ) + "\n"
}

fn events(text: &str) -> Vec<Event> {
    one(text).events().collect()
}

fn codes(text: &str) -> Vec<(ProblemCode, Option<u64>)> {
    one(text)
        .problems
        .iter()
        .map(|problem| (problem.code, problem.line))
        .collect()
}

#[test]
fn a_result_may_stand_before_its_call_or_in_another_file() {
    let (use_line, result) = (call("toolu_1", "Bash", 1), answer("toolu_1", 3, false, "ok"));
    let expected = one(&(use_line.clone() + &result));
    assert_eq!(expected.events().next().unwrap().duration_ms, Some(2_000));
    assert_eq!(lines(&one(&(result.clone() + &use_line))), lines(&expected));
    let apart = collect(&[("b", use_line.as_bytes()), ("a", result.as_bytes())]);
    assert_eq!(lines(&apart), lines(&expected));
}

#[test]
fn a_result_that_is_older_than_its_call_has_no_duration() {
    let event = &events(&(call("toolu_1", "Bash", 5) + &answer("toolu_1", 3, false, "ok")))[0];
    assert_eq!((event.result, event.duration_ms), (CallResult::SUCCESS, None));
}

#[test]
fn of_two_results_the_earlier_counts() {
    let text =
        call("toolu_1", "Bash", 1) + &answer("toolu_1", 9, true, "boom") + &answer("toolu_1", 2, false, "ok");
    assert_eq!(events(&text)[0].result, CallResult::SUCCESS);
}

#[test]
fn a_call_that_an_older_snapshot_leaves_open_is_answered_by_the_newer() {
    let older = call("toolu_1", "Bash", 1) + &call("toolu_2", "Read", 2);
    assert!(
        events(&older)
            .iter()
            .all(|event| event.result == CallResult::UNANSWERED)
    );
    let newer = call("toolu_1", "Bash", 1) + &answer("toolu_1", 2, false, "ok");
    let both = collect(&[("older", older.as_bytes()), ("newer", newer.as_bytes())]);
    let verdicts: Vec<CallResult> = both.events().map(|event| event.result).collect();
    assert_eq!(verdicts, [CallResult::SUCCESS, CallResult::UNANSWERED]);
}

#[test]
fn a_fork_copies_calls_and_the_earliest_stands() {
    let original = call("toolu_1", "Bash", 1);
    let fork = original
        .replace(r#""sessionId":"s""#, r#""sessionId":"fork""#)
        .replace("10:00:01", "11:00:01");
    for files in [[&original, &fork], [&fork, &original]] {
        let collected = collect(&[("a", files[0].as_bytes()), ("b", files[1].as_bytes())]);
        let events: Vec<Event> = collected.events().collect();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].session.as_deref(), Some("s"));
    }
    // Copies often keep their time: then the choice still does not depend on the order.
    let same_time = original.replace(r#""sessionId":"s""#, r#""sessionId":"fork""#);
    let sessions = |a: &str, b: &str| -> Vec<_> {
        collect(&[("a", a.as_bytes()), ("b", b.as_bytes())])
            .events()
            .map(|event| event.session)
            .collect()
    };
    assert_eq!(sessions(&original, &same_time), sessions(&same_time, &original));
}

#[test]
fn one_id_under_two_tools_is_a_problem_and_the_first_stands() {
    let collected = one(&(call("toolu_1", "Bash", 1) + &call("toolu_1", "Read", 2)));
    assert_eq!(collected.events().next().unwrap().tool.as_str(), "builtin:Bash");
    assert_eq!(collected.totals.problems[&ProblemCode::ConflictingTool], 1);
}

#[test]
fn a_result_without_a_call_is_counted_and_makes_no_event() {
    let collected = one(&answer("toolu_1", 1, false, "ok"));
    assert_eq!((collected.totals.events, collected.totals.orphan_results), (0, 1));
}

#[test]
fn an_id_that_a_redactor_replaced_is_refused() {
    let text = call("REDACTED", "Bash", 1) + &call("REDACTED", "Read", 2) + &call("toolu_1", "Bash", 3);
    assert_eq!(events(&text).len(), 1);
    assert_eq!(
        codes(&text)[..2],
        [
            (ProblemCode::InvalidId, Some(1)),
            (ProblemCode::InvalidId, Some(2))
        ]
    );
}

#[test]
fn a_name_of_markup_and_line_breaks_is_still_a_tool() {
    let text = call("toolu_1", r#"Bash\">\n<x>"#, 1)
        + &answer(
            "toolu_1",
            2,
            true,
            "<tool_use_error>Error: No such tool available: Bash",
        );
    let event = &events(&text)[0];
    assert_eq!(event.tool.as_str(), "builtin:Bash\">\u{FFFD}<x>");
    assert_eq!(event.result.reason(), Some(Reason::UnknownTool));
}

#[test]
fn a_response_is_counted_once_with_its_greatest_output() {
    // Three records of one response; the first two were written before it was complete.
    let text = usage("m", &["toolu_1"], "claude-opus-4-6", 1)
        + &usage("m", &["toolu_2"], "claude-opus-4-6", 1)
        + &usage("m", &["toolu_3"], "claude-opus-4-6", 77)
        + &usage("other", &[], "claude-opus-4-6", 5);
    let collected = one(&text);
    let tokens = collected.totals.tokens;
    assert_eq!((tokens.groups, tokens.input, tokens.output), (2, 20, 82));
    assert_eq!((tokens.cache_read, tokens.cache_creation), (200, 40));
    // 10 * 5 + 77 * 25 + 100 * 0.5 + 20 * 6.25 = 2150 micro-USD over three calls.
    let costs: Vec<Option<MicroUsd>> = collected.events().map(|event| event.cost).collect();
    assert_eq!(
        costs,
        [Some(MicroUsd(717)), Some(MicroUsd(717)), Some(MicroUsd(716))]
    );
    assert_eq!(collected.totals.cost_usd, Some(0.002_150 + 0.000_350));
}

#[test]
fn no_micro_usd_is_lost_whatever_the_number_of_calls() {
    for calls in 1..40 {
        let ids: Vec<String> = (0..calls).map(|nth| format!("toolu_{nth}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let collected = one(&usage("m", &ids, "claude-opus-4-6", 77));
        let sum: i64 = collected.events().map(|event| event.cost.unwrap().0).sum();
        assert_eq!(sum, 2_150, "{calls} calls");
    }
}

#[test]
fn a_model_without_a_price_has_no_cost_and_is_named_once() {
    let text =
        usage("m", &["toolu_1"], "claude-unheard-9", 7) + &usage("n", &["toolu_2"], "claude-unheard-9", 7);
    let collected = one(&text);
    assert!(collected.events().all(|event| event.cost.is_none()));
    assert_eq!(collected.problems.len(), 1);
    assert_eq!(collected.problems[0].code, ProblemCode::UnpricedModel);
    assert!(
        collected.problems[0].detail.contains("claude-unheard-9"),
        "{:?}",
        collected.problems
    );
}

#[test]
fn an_override_prices_a_model() {
    let file = "[[price]]\nmodel = \"claude-unheard-9\"\nfrom = \"2026-01-01\"\ninput = 1.0\noutput = 2.0\ncache_read = 0.1\ncache_write_5m = 1.0\ncache_write_1h = 1.0\nsource = \"https://example.com\"\n";
    let prices = Prices::builtin().with_overrides(file).unwrap();
    let text = usage("m", &["toolu_1"], "claude-unheard-9", 10);
    let read = vec![facts("f", text.as_bytes(), usize::MAX, &Options::default())];
    let collected = join(read, &prices, &mut |_| None);
    // 10 * 1 + 10 * 2 + 100 * 0.1 + 20 * 1
    assert_eq!(collected.events().next().unwrap().cost, Some(MicroUsd(60)));
}

#[test]
fn synthetic_messages_are_no_responses() {
    let collected = one(&usage("m", &["toolu_1"], "<synthetic>", 7));
    assert_eq!(collected.totals.tokens.groups, 0);
    let event = collected.events().next().unwrap();
    assert_eq!((event.model, event.cost), (None, None));
    assert_eq!(collected.problems, []);
}

#[test]
fn the_project_is_asked_for_and_else_the_last_part_of_the_path() {
    let text =
        call("toolu_1", "Bash", 1) + &call("toolu_2", "Bash", 2).replace("/home/ada/api", "/srv/x/deep");
    let read = vec![facts("f", text.as_bytes(), usize::MAX, &Options::default())];
    let mut asked = Vec::new();
    let collected = join(read, &Prices::builtin(), &mut |cwd| {
        asked.push(cwd.to_owned());
        (cwd == "/srv/x/deep").then(|| "x".to_owned())
    });
    let projects: Vec<_> = collected.events().map(|event| event.project.unwrap()).collect();
    assert_eq!(projects, ["api", "x"]);
    asked.sort();
    assert_eq!(asked, ["/home/ada/api", "/srv/x/deep"]);
}

#[test]
fn one_bad_line_costs_one_line() {
    for (bad, code) in [
        ("{\"type\":\"user\",\n", ProblemCode::InvalidJson),
        ("not json\n", ProblemCode::InvalidJson),
        ("\0\0\0\n", ProblemCode::InvalidJson),
        ("{'type':'user'}\n", ProblemCode::InvalidJson),
        ("[1,2]\n", ProblemCode::NotAnObject),
        ("null\n", ProblemCode::NotAnObject),
    ] {
        let text = call("toolu_1", "Bash", 1) + "\n" + bad + &answer("toolu_1", 2, false, "ok");
        let collected = one(&text);
        assert_eq!(collected.events().len(), 1, "{bad}");
        assert_eq!(
            collected.events().next().unwrap().result,
            CallResult::SUCCESS,
            "{bad}"
        );
        // The blank line counts for the number of the line, not for the number of lines.
        assert_eq!(codes(&text), [(code, Some(3))], "{bad}");
        assert_eq!(collected.totals.lines, 3, "{bad}");
    }
}

#[test]
fn every_complete_record_of_a_damaged_line_is_read_and_the_damage_is_counted() {
    let (use_line, result) = (call("toolu_1", "Bash", 1), answer("toolu_1", 3, false, "ok"));
    let (first, second) = (use_line.trim(), result.trim());
    let expected = lines(&one(&(use_line.clone() + &result)));
    let torn_in_a_text = r#"{"parentUuid":"x","uuid":"y","s"#;
    let torn_in_a_call =
        r#"{"type":"assistant","message":{"content":[{"type":"tool_use","id":"toolu_0","input":{}}],"#;
    for damaged in [
        format!("{first}{second}\n"),
        format!("{first} {second}{second}\n"),
        format!("{torn_in_a_text}{first}\n{second}\n"),
        format!("{torn_in_a_call}{first}{second}\n"),
        format!("{first}{torn_in_a_text}\n{second}\n"),
        format!("{torn_in_a_text}{first}{torn_in_a_call}{second}\n"),
        format!("\0\0\0{first}\n{second}\n"),
        format!("{first}\0\0\0\n{second}\n"),
        format!("{first}\0\0{second}\n"),
    ] {
        let collected = one(&damaged);
        assert_eq!(lines(&collected), expected, "{damaged}");
        assert_eq!(
            codes(&damaged),
            [(ProblemCode::InvalidJson, Some(1))],
            "{damaged}"
        );
    }
    // A last line that is being written is no damage, and what stands whole before it counts.
    let growing = one(&format!("{first}{second}{torn_in_a_call}"));
    assert_eq!((lines(&growing), growing.problems.len()), (expected, 0));
}

#[test]
fn values_that_other_readers_refuse_cost_nothing_where_they_are_not_read() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for value in [r#""\ud800""#, "1e400", r#""\u0000""#, deep.as_str()] {
        let text = call("toolu_1", "Bash", 1).replacen('{', &format!(r#"{{"extra":{value},"#), 1);
        let collected = one(&text);
        assert_eq!(
            (collected.events().len(), collected.problems.len()),
            (1, 0),
            "{:.20}",
            value
        );
    }
}

#[test]
fn names_that_hold_what_databases_refuse_are_cleaned_and_flagged() {
    for (branch, clean) in [
        (r"a\u0000b", "a\u{FFFD}b"),
        (r"a\ud800b", "a\u{FFFD}b"),
        (r"\u202eb", "\u{FFFD}b"),
    ] {
        let text = call("toolu_1", "Bash", 1).replacen('{', &format!(r#"{{"gitBranch":"{branch}","#), 1);
        assert_eq!(events(&text)[0].git_branch.as_deref(), Some(clean));
        assert_eq!(codes(&text), [(ProblemCode::NameCleaned, Some(1))]);
    }
    let text = call("toolu_1", "Bash", 1);
    let invalid = [text
        .as_bytes()
        .split(|&byte| byte == b'B')
        .collect::<Vec<_>>()
        .join(&b"\xFF"[..])]
    .concat();
    let collected = collect(&[("f", &invalid)]);
    assert_eq!(
        collected.events().next().unwrap().tool.as_str(),
        "builtin:\u{FFFD}ash"
    );
}

#[test]
fn of_a_key_that_stands_twice_the_last_value_counts() {
    let text = call("toolu_1", "Bash", 1).replacen('{', r#"{"sessionId":"first","#, 1);
    assert_eq!(events(&text)[0].session.as_deref(), Some("s"));
}

#[test]
fn byte_order_marks_and_carriage_returns_are_no_part_of_a_line() {
    let text = format!(
        "\u{FEFF}{}",
        call("toolu_1", "Bash", 1) + &answer("toolu_1", 2, false, "ok")
    );
    let windows = text.replace('\n', "\r\n");
    assert_eq!(lines(&one(&windows)), lines(&one(&text)));
    assert_eq!(codes(&windows), []);
    assert_eq!(events(&windows).len(), 1);
}

#[test]
fn a_half_written_last_line_waits_and_a_whole_one_without_its_end_counts() {
    let whole = call("toolu_1", "Bash", 1) + answer("toolu_1", 2, false, "ok").trim_end();
    assert_eq!(events(&whole)[0].result, CallResult::SUCCESS);
    for cut in 1..answer("toolu_1", 2, false, "ok").trim_end().len() {
        let half = &whole[..whole.len() - cut];
        let collected = one(half);
        assert_eq!(collected.events().next().unwrap().result, CallResult::UNANSWERED);
        assert_eq!(
            (collected.totals.unfinished_lines, collected.totals.lines),
            (1, 1),
            "{half}"
        );
        assert_eq!(collected.problems, []);
    }
    let document = include_str!("../fixtures/gemini/session.json");
    let half = one(&document[..document.len() / 2]);
    assert_eq!(
        (
            half.totals.unfinished_lines,
            half.totals.events,
            half.problems.len()
        ),
        (1, 0, 0)
    );
}

#[test]
fn a_line_that_is_too_long_is_skipped_and_the_next_one_read() {
    let mut reader = LogReader::new("f", None, &Options::default());
    reader.feed(call("toolu_1", "Bash", 1).as_bytes());
    let block = vec![b'x'; 1024 * 1024];
    for _ in 0..=LINE_BYTES / block.len() {
        reader.feed(&block);
    }
    reader.feed(b"\n");
    reader.feed(answer("toolu_1", 2, false, "ok").as_bytes());
    let collected = joined(vec![reader.finish()]);
    assert_eq!(collected.events().next().unwrap().result, CallResult::SUCCESS);
    assert_eq!(collected.problems.len(), 1);
    assert_eq!(
        (collected.problems[0].code, collected.problems[0].line),
        (ProblemCode::TooLarge, Some(2))
    );
}

#[test]
fn a_line_just_within_the_limit_is_read() {
    let line = call("toolu_1", "Bash", 1);
    let room = LINE_BYTES - line.len() - 100;
    let text = line.replacen('{', &format!(r#"{{"extra":"{}","#, "x".repeat(room)), 1);
    let collected = joined(vec![facts("f", text.as_bytes(), 256 * 1024, &Options::default())]);
    assert_eq!((collected.events().len(), collected.problems.len()), (1, 0));
}

#[test]
fn a_file_of_an_unknown_format_is_reported() {
    let collected = one("{\"step\":1}\n{\"step\":2}\n");
    assert_eq!(collected.problems.len(), 1);
    assert_eq!(
        (collected.problems[0].code, collected.problems[0].line),
        (ProblemCode::UnknownFormat, None)
    );
    assert_eq!(one("").problems, []);
}

#[test]
fn problems_are_all_counted_and_the_first_listed() {
    let collected = one(&"not json\n".repeat(5_000));
    assert_eq!(collected.totals.problems[&ProblemCode::InvalidJson], 5_000);
    assert_eq!(
        collected.problems.len(),
        1_001,
        "a thousand lines, and that nothing was understood"
    );
}

#[test]
fn a_named_agent_reads_only_its_own_logs() {
    let text = call("toolu_1", "Bash", 1);
    for (agent, expected) in [(Agent::ClaudeCode, 1), (Agent::Codex, 0)] {
        let mut reader = LogReader::new("f", Some(agent), &Options::default());
        reader.feed(text.as_bytes());
        let collected = joined(vec![reader.finish()]);
        assert_eq!(collected.events().len(), expected);
        assert_eq!(collected.problems.len(), 1 - expected);
    }
}

#[test]
fn a_call_without_a_time_takes_that_of_its_result_or_is_named_as_skipped() {
    let timeless = call("toolu_1", "Bash", 1).replace(r#""timestamp":"2026-03-01T10:00:01.000Z","#, "");
    let event = &events(&(timeless.clone() + &answer("toolu_1", 2, false, "ok")))[0];
    assert_eq!(
        (event.occurred_at.timestamp(), event.duration_ms),
        (1_772_359_202, None)
    );
    let collected = one(&timeless);
    assert_eq!(
        (collected.totals.events, collected.problems[0].code),
        (0, ProblemCode::NoTimestamp)
    );
}

#[test]
fn a_rejection_a_cancelled_sibling_and_a_denial_are_no_failures() {
    let mut text = String::new();
    for (nth, error) in [
        "The user doesn't want to proceed with this tool use. Rejected",
        "<tool_use_error>Sibling tool call errored</tool_use_error>",
        "Permission to use Bash has been denied",
        "[Request interrupted by user]",
    ]
    .iter()
    .enumerate()
    {
        let id = format!("toolu_{nth}");
        write!(text, "{}{}", call(&id, "Bash", 1), answer(&id, 2, true, error)).unwrap();
    }
    assert!(
        events(&text)
            .iter()
            .all(|event| event.result.outcome() == Outcome::Abandoned)
    );
    assert_eq!(one(&text).totals.reasons.len(), 4);
}

#[test]
fn a_replayed_response_of_a_codex_fork_is_counted_once() {
    let parent = include_str!("../fixtures/codex/rollout.jsonl");
    let fork = parent.replace("019e-s", "019f-fork");
    let collected = collect(&[("a", parent.as_bytes()), ("b", fork.as_bytes())]);
    let alone = collect(&[("a", parent.as_bytes())]);
    assert_eq!(collected.totals.tokens, alone.totals.tokens);
    assert_eq!(lines(&collected), lines(&alone));
}

#[test]
fn parts_and_messages_of_opencodes_storage_meet_by_their_ids() {
    let part = r#"{
  "id": "prt_1", "sessionID": "ses_1", "messageID": "msg_1", "type": "tool", "callID": "call_1", "tool": "bash",
  "state": { "status": "completed", "time": { "start": 1767225602000, "end": 1767225602500 } }
}"#;
    let message = r#"{
  "id": "msg_1", "sessionID": "ses_1", "role": "assistant", "modelID": "claude-opus-4-6",
  "tokens": { "input": 100, "output": 10, "reasoning": 0, "cache": { "read": 0, "write": 0 } },
  "time": { "created": 1767225601000 }
}"#;
    for files in [[("p", part), ("m", message)], [("m", message), ("p", part)]] {
        let collected = collect(&files.map(|(name, text)| (name, text.as_bytes())));
        let event = collected.events().next().unwrap();
        assert_eq!(event.session.as_deref(), Some("ses_1"));
        assert_eq!((event.duration_ms, event.cost), (Some(500), Some(MicroUsd(750))));
        assert_eq!(collected.problems, []);
    }
}
