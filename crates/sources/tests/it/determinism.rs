//! The same facts give the same events, however they are spread over files and chunks.

use crate::{FIXTURES, collect, facts, joined, lines};
use proptest::prelude::*;
use sources::{Collected, Options};

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
        sums,
    )
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
