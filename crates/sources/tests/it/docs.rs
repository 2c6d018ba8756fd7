//! `docs/agents.md` and the README say what the code does.

use std::{fmt::Write as _, fs, path::PathBuf};

use model::Kind;
use sources::{Agent, Capabilities, FileFacts, LogReader, Options, Told};

use crate::{FIXTURES, by_place, cursor, facts, joined};

fn text(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap()
}

/// The agent that a fixture is of, by its folder.
fn agent_of(fixture: &str) -> Agent {
    match fixture.split('/').next() {
        Some("claude") => Agent::ClaudeCode,
        Some("codex") => Agent::Codex,
        Some("copilot") => Agent::CopilotCli,
        Some("opencode") => Agent::OpenCode,
        Some("gemini") => Agent::GeminiCli,
        Some("qwen") => Agent::QwenCode,
        Some("pi") => Agent::Pi,
        Some("kimi") => Agent::KimiCli,
        Some("droid") => Agent::Droid,
        Some("roo") => Agent::RooCode,
        Some("cline") => Agent::Cline,
        Some("vscode") => Agent::VsCodeCopilot,
        Some("amp") => Agent::Amp,
        _ => panic!("{fixture} is of no agent"),
    }
}

/// The tables as they stand in the file.
fn tables() -> String {
    let columns = Capabilities::COLUMNS;
    let mut out = format!(
        "| agent | {} |\n|---{}|\n",
        columns.join(" | "),
        "|---".repeat(columns.len())
    );
    for agent in Agent::ALL {
        let known = agent.capabilities();
        let told = known.told.map(|told| told.to_string()).join(" | ");
        writeln!(out, "| {} (`{agent}`) | {told} |", known.name).unwrap();
    }
    out += "\n| agent | where its logs are | versions | who says what the format is |\n|---|---|---|---|\n";
    for agent in Agent::ALL {
        let known = agent.capabilities();
        writeln!(
            out,
            "| {} | {} | {} | {} |",
            known.name, known.places, known.versions, known.source
        )
        .unwrap();
    }
    out
}

#[test]
fn the_table_of_agents_is_the_one_in_the_code() {
    let document = text("docs/agents.md");
    let (begin, end) = ("<!-- agents: begin -->\n", "\n<!-- agents: end -->");
    let table = document
        .split_once(begin)
        .and_then(|(_, rest)| rest.split_once(end))
        .map(|(table, _)| table.trim());
    assert_eq!(
        table,
        Some(tables().trim()),
        "put this between the marks of docs/agents.md:\n{}",
        tables()
    );
}

#[test]
fn the_readme_lists_the_agents_of_the_table() {
    let readme = text("README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let names: Vec<&str> = Agent::ALL.iter().map(|agent| agent.capabilities().name).collect();
    let (last, others) = names.split_last().unwrap();
    let list = format!("{} and {last}", others.join(", "));
    assert!(readme.contains(&list), "README.md lacks the list: {list}");
}

fn read_as(agent: Option<Agent>, name: &str, text: &str) -> FileFacts {
    let mut reader = LogReader::new(name, agent, &Options::default());
    reader.feed(text.as_bytes());
    reader.finish()
}

#[test]
fn every_log_is_its_agents_and_no_other_agents() {
    for (name, text) in FIXTURES {
        let agent = agent_of(name);
        // Only the place tells whose an array of messages is.
        let arrays = [Agent::RooCode, Agent::KiloCode, Agent::Cline];
        let is_array = by_place(name).is_some();
        let alone = Some(agent).filter(|_| !is_array);
        assert_eq!(read_as(None, name, text).agent(), alone, "{name}");
        for other in Agent::ALL {
            let expected = other == agent || is_array && arrays.contains(&other);
            let facts = read_as(Some(other), name, text);
            assert_eq!(facts.agent(), expected.then_some(other), "{name} as {other}");
            let collected = joined(vec![facts]);
            let is_unknown = |problem: &sources::Problem| problem.code.as_str() == "unknown_format";
            assert_eq!(
                collected.problems.iter().any(is_unknown),
                !expected,
                "{name} as {other}"
            );
            assert_eq!(
                collected.totals.events == 0,
                !expected || is_without_calls(name),
                "{name} as {other}"
            );
        }
    }
}

/// A listing of what was loaded, and nothing that was called.
fn is_without_calls(name: &str) -> bool {
    joined(vec![facts(
        name,
        FIXTURES
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap()
            .1
            .as_bytes(),
        usize::MAX,
        &Options::default(),
    )])
    .totals
    .events
        == 0
}

#[test]
fn a_log_of_an_unknown_agent_is_of_an_unknown_format() {
    for text in [
        r#"{"type":"session_start","id":"x","model":"m","cwd":"/w","resumed":false}"#,
        r#"{"type":"message","id":"x","timestamp":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"Read","input":{}}]}}"#,
        r#"{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"Read","input":{}}]}"#,
        r#"[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"Read","input":{}}]}]"#,
        r#"{"type":"tool_call_start","args":{},"id":"call_1","name":"glob"}"#,
        r#"{"id":"T-1","created":1,"messages":[{"role":"assistant","content":[]}]}"#,
        r#"{"version":3,"requests":[{"requestId":"r","response":[]}]}"#,
    ] {
        let facts = read_as(None, "any.jsonl", text);
        assert_eq!(facts.agent(), None, "{text}");
        let codes: Vec<&str> = joined(vec![facts])
            .problems
            .iter()
            .map(|problem| problem.code.as_str())
            .collect();
        assert!(codes.contains(&"unknown_format"), "{text}: {codes:?}");
    }
}

#[test]
fn what_the_table_denies_no_event_has_and_what_it_promises_some_event_has() {
    for agent in Agent::ALL {
        let fixtures = FIXTURES.iter().filter(|(name, _)| agent_of(name) == agent);
        let files: Vec<FileFacts> = fixtures
            .map(|(name, text)| facts(name, text.as_bytes(), usize::MAX, &Options::default()))
            .collect();
        let files = match agent {
            // Rows of a database, not a file.
            Agent::Cursor => vec![cursor::rows()],
            _ => files,
        };
        if files.is_empty() {
            // Kilo Code writes what Roo Code writes.
            assert_eq!(agent, Agent::KiloCode);
            continue;
        }
        let collected = joined(files);
        let events: Vec<_> = collected.events().collect();
        let of_kind = |kinds: &[Kind]| events.iter().any(|event| kinds.contains(&event.tool.kind()));
        let has = [
            ("calls", !events.is_empty()),
            (
                "outcome",
                events
                    .iter()
                    .any(|event| event.result != model::CallResult::UNKNOWN),
            ),
            (
                "reason",
                events.iter().any(|event| event.result.reason().is_some()),
            ),
            ("duration", events.iter().any(|event| event.duration_ms.is_some())),
            ("model", events.iter().any(|event| event.model.is_some())),
            ("tokens", collected.totals.tokens.groups > 0),
            ("cost", events.iter().any(|event| event.cost.is_some())),
            ("project", events.iter().any(|event| event.project.is_some())),
            ("inventory", !collected.inventory.is_empty()),
            ("skills", of_kind(&[Kind::Skill, Kind::Plugin])),
            ("MCP", of_kind(&[Kind::Mcp])),
            ("subagents", of_kind(&[Kind::Agent])),
        ];
        for (column, has) in has {
            let told = agent.capabilities().tells(column).unwrap();
            // What a fixture happens to hold of kinds, and what stands beside the log: other tests.
            let elsewhere = matches!(column, "skills" | "MCP" | "subagents")
                || matches!(
                    (agent, column),
                    (Agent::GeminiCli | Agent::VsCodeCopilot, "project")
                );
            match told {
                Told::Yes => assert!(has || elsewhere, "{agent} promises {column}"),
                // An error without its reason is still one.
                Told::No if column == "reason" => {}
                Told::No | Told::NotApplicable => assert!(!has, "{agent} denies {column}"),
            }
        }
    }
}
