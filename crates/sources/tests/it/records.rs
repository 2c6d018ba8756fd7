//! What each shape of record becomes. The snapshots are the contract: read them when they change.

use crate::{FIXTURES, facts, joined, lines};
use sources::Options;

fn shown(name: &str, options: &Options) -> String {
    let (_, text) = FIXTURES
        .into_iter()
        .find(|(fixture, _)| *fixture == name)
        .unwrap();
    let collected = joined(vec![facts(name, text.as_bytes(), usize::MAX, options)]);
    format!(
        "{}\ninventory: {}\n\nproblems: {}\n\ntotals: {}\n",
        lines(&collected),
        serde_json::to_string_pretty(&collected.inventory).unwrap(),
        serde_json::to_string_pretty(&collected.problems).unwrap(),
        serde_json::to_string_pretty(&collected.totals).unwrap(),
    )
}

#[test]
fn claude_code_calls_results_and_usage() {
    insta::assert_snapshot!(shown("claude/calls.jsonl", &Options::default()));
}

#[test]
fn claude_code_subagents_and_own_durations() {
    insta::assert_snapshot!(shown("claude/subagents.jsonl", &Options::default()));
}

#[test]
fn claude_code_slash_commands() {
    insta::assert_snapshot!(shown("claude/commands.jsonl", &Options::default()));
}

#[test]
fn claude_code_inventory() {
    insta::assert_snapshot!(shown("claude/inventory.jsonl", &Options::default()));
}

#[test]
fn codex_rollout() {
    insta::assert_snapshot!(shown("codex/rollout.jsonl", &Options::default()));
}

#[test]
fn copilot_session() {
    insta::assert_snapshot!(shown("copilot/events.jsonl", &Options::default()));
}

#[test]
fn opencode_export() {
    insta::assert_snapshot!(shown("opencode/export.json", &Options::default()));
}

#[test]
fn gemini_chat() {
    insta::assert_snapshot!(shown("gemini/session.json", &Options::default()));
}

#[test]
fn pi_session() {
    insta::assert_snapshot!(shown("pi/session.jsonl", &Options::default()));
}

#[test]
fn kimi_wire() {
    insta::assert_snapshot!(shown("kimi/wire.jsonl", &Options::default()));
}

#[test]
fn droid_session() {
    insta::assert_snapshot!(shown("droid/session.jsonl", &Options::default()));
}

#[test]
fn qwen_chat() {
    insta::assert_snapshot!(shown("qwen/chat.jsonl", &Options::default()));
}

#[test]
fn roo_code_task() {
    insta::assert_snapshot!(shown("roo/api_conversation_history.json", &Options::default()));
}

#[test]
fn task_text_is_sent_only_when_asked_for_and_without_secrets() {
    for (name, text) in FIXTURES {
        assert!(!shown(name, &Options::default()).contains("task_text"), "{name}");
        let collected = joined(vec![facts(
            name,
            text.as_bytes(),
            usize::MAX,
            &Options { task_text: true },
        )]);
        let tasks: Vec<String> = collected.events().filter_map(|event| event.task_text).collect();
        match name {
            "claude/calls.jsonl" => assert_eq!(tasks, vec!["Fix the build, the key is [removed]"; 3]),
            "opencode/export.json" => assert_eq!(tasks, vec!["fix it, password=[removed]"; 4]),
            "codex/rollout.jsonl"
            | "copilot/events.jsonl"
            | "gemini/session.json"
            | "pi/session.jsonl"
            | "kimi/wire.jsonl"
            | "droid/session.jsonl"
            | "qwen/chat.jsonl"
            | "amp/thread.json"
            | "vscode/chat.json"
            | "vscode/chat.jsonl"
            | "cline/api_conversation_history.json"
            | "roo/api_conversation_history.json" => {
                assert!(
                    !tasks.is_empty() && tasks.iter().all(|task| task == "fix it"),
                    "{name}: {tasks:?}"
                );
            }
            "cline/session.messages.json" => assert_eq!(tasks, vec!["tidy the api"; 7]),
            _ => assert_eq!(tasks, Vec::<String>::new(), "{name}"),
        }
    }
}

#[test]
fn cline_task() {
    insta::assert_snapshot!(shown("cline/api_conversation_history.json", &Options::default()));
}

#[test]
fn cline_session() {
    insta::assert_snapshot!(shown("cline/session.messages.json", &Options::default()));
}

#[test]
fn vscode_chat() {
    insta::assert_snapshot!(shown("vscode/chat.json", &Options::default()));
}

#[test]
fn vscode_log_of_changes() {
    insta::assert_snapshot!(shown("vscode/chat.jsonl", &Options::default()));
}

#[test]
fn amp_thread() {
    insta::assert_snapshot!(shown("amp/thread.json", &Options::default()));
}
