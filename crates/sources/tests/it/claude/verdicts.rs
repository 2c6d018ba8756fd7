//! How calls ended, by the fields of the record and by Claude Code's own words.

use serde_json::{Value, json};
use sources::ProblemCode;

use super::{call, outcomes, read, result, with};

fn ended(answer: Value) -> String {
    outcomes(&[call("m1", "toolu_1", "Bash", 0), answer]).remove(0)
}

#[test]
fn the_record_says_who_refused() {
    let decided = |source: &str, words: &str| {
        with(
            result("toolu_1", words, true, 1),
            json!({"toolDenialKind": "permission-rule",
                "permissionDecision": {"decision": "reject", "source": source}}),
        )
    };
    for (source, reason) in [
        ("config", "denied"),
        ("hook", "denied"),
        ("classifier", "denied"),
        ("user_reject", "rejected"),
    ] {
        assert_eq!(
            ended(decided(source, "rather use make")),
            format!("builtin:Bash abandoned {reason}")
        );
    }
    let stopped = with(
        result(
            "toolu_1",
            "The user doesn't want to proceed with this tool use. Correction to the text above: this call was stopped while running.",
            true,
            1,
        ),
        json!({"toolDenialKind": "user-rejected", "toolUseResult": "User rejected tool use"}),
    );
    assert_eq!(ended(stopped), "builtin:Bash abandoned interrupted");
    let no_person_to_ask = with(
        result(
            "toolu_1",
            "cp in '/x' needs approval. The path is outside.",
            true,
            1,
        ),
        json!({"toolDenialKind": "user-rejected"}),
    );
    assert_eq!(ended(no_person_to_ask), "builtin:Bash abandoned denied");
    let allowed = with(
        result("toolu_1", "Permission to use table x: no such table", true, 1),
        json!({"permissionDecision": {"decision": "accept", "source": "config"}}),
    );
    assert_eq!(ended(allowed), "builtin:Bash failure error");
}

#[test]
fn with_several_results_in_a_record_its_fields_belong_to_none() {
    let both = with(
        result("toolu_1", "done", false, 1),
        json!({"permissionDecision": {"decision": "reject", "source": "config"},
        "message": {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"},
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": "done"},
        ]}}),
    );
    let records = [
        call("m1", "toolu_1", "Bash", 0),
        call("m1", "toolu_2", "Bash", 0),
        both,
    ];
    assert_eq!(
        outcomes(&records),
        ["builtin:Bash success", "builtin:Bash success"]
    );
}

#[test]
fn an_error_in_unknown_words_is_counted_and_a_servers_words_are_its_own() {
    let words = "The safety board has vetoed this";
    let problems = |tool: &str, text: &str| {
        let records = [call("m1", "toolu_1", tool, 0), result("toolu_1", text, true, 1)];
        let totals = read(&records).totals;
        totals.problems.get(&ProblemCode::UnclassifiedError).copied()
    };
    assert_eq!(problems("Bash", words), Some(1));
    assert_eq!(problems("mcp__db__query", words), None);
    assert_eq!(problems("Bash", "Exit code 1\nanything"), None);
    assert_eq!(problems("Read", "File does not exist."), None);
    let listed = read(&[
        call("m1", "toolu_1", "Bash", 0),
        result("toolu_1", words, true, 1),
    ])
    .problems;
    assert_eq!(listed[0].line, Some(2));
    assert!(
        !listed[0].detail.contains("safety"),
        "no text of the log: {}",
        listed[0].detail
    );
}
