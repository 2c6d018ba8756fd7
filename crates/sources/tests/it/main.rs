//! Reading fixtures and texts the way the client does, without files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod amp;
mod claude;
mod cline;
mod codex;
mod copilot;
mod cursor;
mod determinism;
mod docs;
mod droid;
mod gemini;
mod hostile;
mod kimi;
mod opencode;
mod otlp;
mod otlp_wire;
mod pi;
mod qwen;
mod records;
mod roo;
mod traps;
mod vscode;

use std::sync::LazyLock;

use model::{Event, wire::EventV1};
use sources::{Agent, Collected, FileFacts, LogReader, Options, Prices, join};

/// The hand-written logs, one for each format and shape of record.
pub(crate) const FIXTURES: [(&str, &str); 18] = [
    (
        "claude/calls.jsonl",
        include_str!("../fixtures/claude/calls.jsonl"),
    ),
    (
        "claude/subagents.jsonl",
        include_str!("../fixtures/claude/subagents.jsonl"),
    ),
    (
        "claude/commands.jsonl",
        include_str!("../fixtures/claude/commands.jsonl"),
    ),
    (
        "claude/inventory.jsonl",
        include_str!("../fixtures/claude/inventory.jsonl"),
    ),
    (
        "codex/rollout.jsonl",
        include_str!("../fixtures/codex/rollout.jsonl"),
    ),
    (
        "copilot/events.jsonl",
        include_str!("../fixtures/copilot/events.jsonl"),
    ),
    (
        "opencode/export.json",
        include_str!("../fixtures/opencode/export.json"),
    ),
    (
        "gemini/session.json",
        include_str!("../fixtures/gemini/session.json"),
    ),
    ("pi/session.jsonl", include_str!("../fixtures/pi/session.jsonl")),
    ("qwen/chat.jsonl", include_str!("../fixtures/qwen/chat.jsonl")),
    (
        "roo/api_conversation_history.json",
        include_str!("../fixtures/roo/api_conversation_history.json"),
    ),
    ("kimi/wire.jsonl", include_str!("../fixtures/kimi/wire.jsonl")),
    (
        "droid/session.jsonl",
        include_str!("../fixtures/droid/session.jsonl"),
    ),
    ("amp/thread.json", include_str!("../fixtures/amp/thread.json")),
    ("vscode/chat.json", include_str!("../fixtures/vscode/chat.json")),
    ("vscode/chat.jsonl", include_str!("../fixtures/vscode/chat.jsonl")),
    (
        "cline/api_conversation_history.json",
        include_str!("../fixtures/cline/api_conversation_history.json"),
    ),
    (
        "cline/session.messages.json",
        include_str!("../fixtures/cline/session.messages.json"),
    ),
];

/// Reads one file, in chunks of `chunk` bytes.
pub(crate) fn facts(name: &str, text: &[u8], chunk: usize, options: &Options) -> FileFacts {
    let mut reader = LogReader::new(name, by_place(name), options);
    for bytes in text.chunks(chunk.max(1)) {
        reader.feed(bytes);
    }
    reader.finish()
}

/// The agent of a fixture that nothing in it identifies: the client knows it by the place of the file.
pub(crate) fn by_place(name: &str) -> Option<Agent> {
    match name {
        "roo/api_conversation_history.json" => Some(Agent::RooCode),
        "cline/api_conversation_history.json" => Some(Agent::Cline),
        _ => None,
    }
}

/// Joins what was read, with the built-in prices and no file system to ask for projects.
pub(crate) fn joined(files: Vec<FileFacts>) -> Collected {
    static PRICES: LazyLock<Prices> = LazyLock::new(Prices::builtin);
    join(files, &PRICES, &mut |_| None)
}

/// Reads and joins files, given by name and text.
pub(crate) fn collect(files: &[(&str, &[u8])]) -> Collected {
    joined(
        files
            .iter()
            .map(|(name, text)| facts(name, text, usize::MAX, &Options::default()))
            .collect(),
    )
}

/// Reads one Claude Code transcript.
pub(crate) fn one(text: &str) -> Collected {
    collect(&[("session.jsonl", text.as_bytes())])
}

/// An event as it goes over the wire.
pub(crate) fn wire(event: &Event) -> String {
    serde_json::to_string(&EventV1(event)).expect("an event has no map with keys that are not text")
}

/// All events as they go over the wire, one a line.
pub(crate) fn lines(collected: &Collected) -> String {
    collected.events().map(|event| wire(&event) + "\n").collect()
}
