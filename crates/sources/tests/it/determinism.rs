//! The same facts give the same events, however they are spread over files and chunks.

use crate::{FIXTURES, by_place, collect, facts, joined, lines};
use proptest::prelude::*;
use sources::{Buffer, Collected, LogReader, Options};

/// Everything but the numbers that speak of files.
fn result(collected: &Collected) -> (String, String, String) {
    let totals = serde_json::to_value(&collected.totals).unwrap();
    let of = |key: &str| totals[key].to_string();
    let sums = [
        "lines", "events", "outcomes", "kinds", "tokens", "cost_usd", "ignored", "problems",
    ]
    .map(of)
    .concat();
    (
        lines(collected),
        serde_json::to_string(&collected.inventory).unwrap(),
        format!("{sums}{}", responses(collected)),
    )
}

fn responses(collected: &Collected) -> String {
    let responses: Vec<_> = collected.responses().collect();
    serde_json::to_string(&responses).unwrap()
}

fn transcripts() -> impl Iterator<Item = (&'static str, &'static str)> {
    FIXTURES
        .into_iter()
        .filter(|(name, _)| name.starts_with("claude/"))
}

#[test]
fn the_order_of_files_does_not_matter() {
    let mut files: Vec<(&str, &[u8])> = FIXTURES
        .iter()
        .map(|(name, text)| (*name, text.as_bytes()))
        .collect();
    let expected = result(&collect(&files));
    for _ in 0..files.len() {
        files.rotate_left(1);
        assert_eq!(result(&collect(&files)), expected);
    }
    files.reverse();
    assert_eq!(result(&collect(&files)), expected);
}

#[test]
fn a_transcript_may_be_cut_at_any_line() {
    for (name, text) in transcripts() {
        let expected = result(&collect(&[(name, text.as_bytes())]));
        for (cut, _) in text.match_indices('\n') {
            let (above, below) = text.split_at(cut + 1);
            let mut halves = vec![("z", above.as_bytes()), ("a", below.as_bytes())];
            assert_eq!(result(&collect(&halves)), expected, "{name} at {cut}");
            halves.reverse();
            assert_eq!(
                result(&collect(&halves)),
                expected,
                "{name} at {cut}, halves exchanged"
            );
        }
    }
}

#[test]
fn logs_whose_head_holds_for_all_lines_keep_their_calls_when_cut() {
    let calls = |collected: &Collected| -> Vec<_> {
        collected
            .events()
            .map(|event| (event.uuid, event.tool, event.operation, event.result))
            .collect()
    };
    for name in ["codex/rollout.jsonl", "copilot/events.jsonl"] {
        let (_, text) = FIXTURES
            .into_iter()
            .find(|(fixture, _)| *fixture == name)
            .unwrap();
        let expected = calls(&collect(&[(name, text.as_bytes())]));
        for (cut, _) in text.match_indices('\n') {
            let (above, below) = text.split_at(cut + 1);
            let halves = collect(&[("z", above.as_bytes()), ("a", below.as_bytes())]);
            assert_eq!(calls(&halves), expected, "{name} at {cut}");
        }
    }
}

#[test]
fn a_file_read_twice_counts_once() {
    for (name, text) in FIXTURES {
        let once = collect(&[(name, text.as_bytes())]);
        let copy = format!("{name}.copy");
        let twice = collect(&[(name, text.as_bytes()), (&copy, text.as_bytes())]);
        assert_eq!(lines(&twice), lines(&once), "{name}");
        assert_eq!(twice.totals.tokens, once.totals.tokens, "{name}");
        assert_eq!(twice.inventory, once.inventory, "{name}");
        assert_eq!(responses(&twice), responses(&once), "{name}");
    }
}

#[test]
fn what_responses_used_adds_up_to_the_totals() {
    for (name, text) in FIXTURES {
        let collected = collect(&[(name, text.as_bytes())]);
        let sum = |of: fn(&model::usage::Response) -> i64| -> u64 {
            collected
                .responses()
                .map(|response| of(&response).unsigned_abs())
                .sum()
        };
        let tokens = &collected.totals.tokens;
        assert_eq!(
            [
                sum(|response| response.input_tokens),
                sum(|response| response.output_tokens),
                sum(|response| response.cache_read_tokens),
                sum(|response| response.cache_write_tokens),
            ],
            [
                tokens.input,
                tokens.output,
                tokens.cache_read,
                tokens.cache_creation
            ],
            "{name}"
        );
        let cost = collected
            .responses()
            .filter_map(|response| response.cost_micro_usd)
            .sum();
        let total = collected.totals.cost_usd.unwrap_or_default();
        assert!(
            (model::MicroUsd(cost).as_usd() - total).abs() < 1e-9,
            "{name}: {cost} {total}"
        );
        for response in collected.responses() {
            assert!(response.agent.is_some(), "{name}: {response:?}");
        }
    }
}

proptest! {
    #[test]
    fn chunks_of_any_size_read_the_same(chunk in 1_usize..3_000, at in 0..FIXTURES.len()) {
        let (name, text) = FIXTURES[at];
        let expected = result(&collect(&[(name, text.as_bytes())]));
        let chunked = joined(vec![facts(name, text.as_bytes(), chunk, &Options::default())]);
        prop_assert_eq!(result(&chunked), expected);
    }

    #[test]
    fn a_buffer_feeds_every_byte_once(reads in prop::collection::vec(1_usize..400_000, 1..8), at in 0..FIXTURES.len(), long in 0_usize..700_000) {
        let (name, text) = FIXTURES[at];
        // A line that is longer than a read, and one without an end.
        let text = format!("{text}\n{{\"long\":\"{}\"}}\n{}", "x".repeat(long), text.lines().next().unwrap());
        let mut buffer = Buffer::default();
        // What is left of another file.
        buffer.space()[..4].copy_from_slice(b"rest");
        buffer.feed(4, &mut LogReader::new("other", None, &Options::default()));
        buffer.clear();
        let mut reader = LogReader::new(name, by_place(name), &Options::default());
        let (mut rest, mut sizes) = (text.as_bytes(), reads.iter().cycle());
        while !rest.is_empty() {
            let space = buffer.space();
            let count = rest.len().min(space.len()).min(*sizes.next().unwrap());
            space[..count].copy_from_slice(&rest[..count]);
            buffer.feed(count, &mut reader);
            rest = &rest[count..];
        }
        buffer.finish(&mut reader);
        let whole = joined(vec![facts(name, text.as_bytes(), usize::MAX, &Options::default())]);
        let read = joined(vec![reader.finish()]);
        prop_assert_eq!(result(&read), result(&whole));
        prop_assert_eq!(read.totals.bytes, text.len() as u64);
    }

    #[test]
    fn utf_16_reads_like_utf_8(chunk in 1_usize..3_000, at in 0..FIXTURES.len(), big_endian: bool) {
        let (name, text) = FIXTURES[at];
        // Of two units, and of one.
        let text = text.replacen("Bash", "Bash \u{1F980} \u{E9}", 2);
        let bytes = utf_16(&text, big_endian);
        let chunked = joined(vec![facts(name, &bytes, chunk, &Options::default())]);
        prop_assert_eq!(result(&chunked), result(&collect(&[(name, text.as_bytes())])));
        prop_assert_eq!(chunked.totals.bytes, bytes.len() as u64);
    }

    /// A reader remembers the names of the lines before; a line in a file of its own has none before it.
    #[test]
    fn names_read_the_same_after_each_other_and_alone(
        records in prop::collection::vec((0..NAMES.len(), 0..NAMES.len(), 0..NAMES.len(), 0..2_usize), 1..30)
    ) {
        let text: Vec<String> = records.iter().zip(10..).map(|((tool, model, response, input), second)| {
            let [tool, model, response] = [tool, model, response].map(|at| NAMES[*at]);
            let input = [r#"{"skill":"x","subagent_type":"y"}"#, "{}"][*input];
            format!(
                r#"{{"type":"assistant","sessionId":"s","timestamp":"2026-03-01T10:00:{second}.000Z","message":{{"id":"{response}","model":"{model}","content":[{{"type":"tool_use","id":"toolu_{second}","name":"{tool}","input":{input}}}],"usage":{{"output_tokens":{second}}}}}}}"#
            ) + "\n"
        }).collect();
        let alone: Vec<_> = text.iter().map(|line| ("line", line.as_bytes())).collect();
        let (alone, together) = (collect(&alone), collect(&[("file", text.concat().as_bytes())]));
        prop_assert_eq!(lines(&together), lines(&alone));
        prop_assert_eq!(together.totals.tokens, alone.totals.tokens);
    }
}

/// A text as Windows PowerShell writes it, with its byte order mark.
fn utf_16(text: &str, big_endian: bool) -> Vec<u8> {
    let bytes = |unit: u16| {
        if big_endian {
            unit.to_be_bytes()
        } else {
            unit.to_le_bytes()
        }
    };
    std::iter::once(0xFEFF)
        .chain(text.encode_utf16())
        .flat_map(bytes)
        .collect()
}

#[test]
fn utf_16_that_ends_in_the_middle_of_a_character_is_a_line_that_is_not_finished() {
    let (name, text) = FIXTURES[0];
    let first = text.lines().next().unwrap().to_owned() + "\n";
    for rest in [&[b'{'][..], &[0x3D, 0xD8]] {
        let mut bytes = utf_16(&first, false);
        bytes.extend_from_slice(rest);
        let read = collect(&[(name, &bytes)]);
        assert_eq!(
            (read.totals.lines, read.totals.unfinished_lines),
            (1, 1),
            "{rest:?}"
        );
    }
}

/// Names as they stand in logs: told by their input, escaped, empty, longer than a name may be, no text at all.
const NAMES: [&str; 12] = [
    "Bash",
    "Skill",
    "Sk\\u0069ll",
    "Task",
    "Agent",
    "AskUserQuestion",
    "mcp__a__b",
    "mcp__a__\\u0000",
    "",
    "claude-opus-4-6",
    "<synthetic>",
    LONG,
];
const LONG: &str = concat!(
    "mcp__long__0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567",
    "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567",
);
