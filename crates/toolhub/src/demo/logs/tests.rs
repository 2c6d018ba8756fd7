use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::LazyLock,
};

use serde_json::Value;

use super::*;
use crate::demo::team::{Call, TOOLS, Tool};

/// A Monday, a Saturday, and the first minutes of a year.
const PRESENTS: [&str; 3] = [
    "2026-11-23T15:04:05Z",
    "2026-08-01T09:00:00Z",
    "2027-01-01T00:03:00Z",
];

struct Line {
    file: PathBuf,
    record: Value,
}

struct Team {
    /// The lines of each member, by handle.
    lines: BTreeMap<&'static str, Vec<Line>>,
}

/// The logs as they are at each of the presents.
static TEAMS: LazyLock<Vec<(DateTime<Utc>, Team)>> = LazyLock::new(|| {
    PRESENTS
        .iter()
        .map(|now| now.parse().unwrap())
        .map(|now| (now, team(now)))
        .collect()
});

fn team(now: DateTime<Utc>) -> Team {
    let dir = tempfile::tempdir().unwrap();
    let logs = write(dir.path(), now).unwrap();
    let mut lines: BTreeMap<&'static str, Vec<Line>> = BTreeMap::new();
    for MemberLogs { member, home, files } in logs {
        let found = jsonl_files(&home.join(".claude/projects"));
        assert_eq!(found.len(), files, "{}", member.handle);
        for file in found {
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.ends_with('\n'));
            lines
                .entry(member.handle)
                .or_default()
                .extend(text.lines().map(|line| Line {
                    file: file.clone(),
                    record: serde_json::from_str(line).unwrap(),
                }));
        }
    }
    Team { lines }
}

fn jsonl_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(jsonl_files(&path));
        } else {
            assert_eq!(path.extension().unwrap(), "jsonl");
            found.push(path);
        }
    }
    found.sort();
    found
}

impl Team {
    fn records(&self) -> impl Iterator<Item = &Value> {
        self.lines.values().flatten().map(|line| &line.record)
    }

    fn blocks<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a Value, &'a Value)> {
        self.records().flat_map(move |record| {
            let content = record["message"]["content"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            content
                .iter()
                .filter(move |block| block["type"] == kind)
                .map(move |block| (record, block))
        })
    }

    /// When each tool was last called.
    fn last_called(&self) -> BTreeMap<String, DateTime<Utc>> {
        let mut last = BTreeMap::new();
        for (record, block) in self.blocks("tool_use") {
            let at = time(record);
            let tool = match block["name"].as_str().unwrap() {
                "Skill" => block["input"]["skill"].as_str().unwrap().to_owned(),
                "Agent" => block["input"]["subagent_type"].as_str().unwrap().to_owned(),
                name => name
                    .strip_prefix("mcp__")
                    .map_or(name, |rest| rest.split_once("__").unwrap().0)
                    .to_owned(),
            };
            let latest = last.entry(tool).or_insert(at);
            *latest = at.max(*latest);
        }
        for record in self.records() {
            if let Some(name) = command_of(record) {
                let latest = last.entry(name).or_insert_with(|| time(record));
                *latest = time(record).max(*latest);
            }
        }
        last
    }
}

fn command_of(record: &Value) -> Option<String> {
    let text = record["message"]["content"].as_str()?;
    let (_, rest) = text.split_once("<command-name>/")?;
    Some(rest.split_once('<')?.0.to_owned())
}

fn time(record: &Value) -> DateTime<Utc> {
    record["timestamp"].as_str().unwrap().parse().unwrap()
}

fn is_called(tool: &Tool) -> bool {
    tool.weight > 0
}

#[test]
fn the_same_moment_gives_the_same_bytes() {
    let now = TEAMS[0].0;
    let written = |seed| {
        let sessions = sessions(&MEMBERS[0], now, Random::new(seed)).into_iter();
        sessions
            .flat_map(|session| session.files)
            .map(|file| (file.path, file.text))
            .collect::<Vec<_>>()
    };
    assert!(written(1) == written(1));
    assert!(written(1) != written(2));
}

#[test]
fn nothing_lies_in_the_future_or_before_the_thirty_days() {
    for (now, team) in TEAMS.iter() {
        let earliest = *now - TimeDelta::days(i64::from(DAYS));
        for record in team.records() {
            let at = time(record);
            assert!(at <= *now && at >= earliest, "{at} at {now}");
        }
    }
}

#[test]
fn every_record_says_where_it_belongs() {
    for Line { file, record } in TEAMS[0].1.lines.values().flatten() {
        for key in ["uuid", "sessionId", "cwd", "gitBranch", "version", "type"] {
            assert!(record[key].is_string(), "{key} in {record}");
        }
        let session = record["sessionId"].as_str().unwrap();
        assert!(file.to_str().unwrap().contains(session));
        let of_subagent = file.components().any(|part| part.as_os_str() == "subagents");
        assert_eq!(record["isSidechain"], of_subagent);
        assert_eq!(record["agentId"].is_string(), of_subagent);
    }
}

#[test]
fn an_id_belongs_to_one_call_and_a_result_to_a_call_before_it() {
    for (_, team) in TEAMS.iter() {
        let mut calls: HashMap<&str, (&Value, DateTime<Utc>)> = HashMap::new();
        let mut repeated = 0;
        for (record, block) in team.blocks("tool_use") {
            let id = block["id"].as_str().unwrap();
            assert!(id.starts_with("toolu_01") && id.len() == 30, "{id}");
            if let Some((first, at)) = calls.insert(id, (block, time(record))) {
                assert_eq!((first, at), (block, time(record)), "{id}");
                repeated += 1;
            }
        }
        assert!(repeated > 0, "the fork repeats calls");
        let mut answered = BTreeSet::new();
        for (record, block) in team.blocks("tool_result") {
            let id = block["tool_use_id"].as_str().unwrap();
            assert!(calls[id].1 <= time(record), "{id}");
            answered.insert(id);
        }
        assert!(
            answered.len() < calls.len(),
            "the open session waits for an answer"
        );
    }
}

#[test]
fn the_lines_of_a_message_state_its_usage_once_and_again() {
    let (_, team) = &TEAMS[0];
    let mut usages: HashMap<&str, &Value> = HashMap::new();
    for record in team.records().filter(|record| record["type"] == "assistant") {
        let message = &record["message"];
        assert!(message["usage"]["output_tokens"].as_u64().unwrap() > 0);
        let usage = usages
            .entry(message["id"].as_str().unwrap())
            .or_insert(&message["usage"]);
        assert_eq!(*usage, &message["usage"]);
    }
}

#[test]
fn at_least_six_members_call_at_least_twenty_five_tools() {
    for (now, team) in TEAMS.iter() {
        assert!(team.lines.len() >= 6);
        let called = team.last_called();
        let expected: BTreeSet<&str> = TOOLS
            .iter()
            .filter(|tool| is_called(tool))
            .map(|tool| tool.call.name())
            .collect();
        assert_eq!(
            called.keys().map(String::as_str).collect::<BTreeSet<_>>(),
            expected,
            "at {now}"
        );
        assert!(expected.len() >= 25);
        let calls = team.blocks("tool_use").count();
        assert!((3_000..20_000).contains(&calls), "{calls} at {now}");
    }
}

#[test]
fn some_tools_are_loaded_by_all_and_called_by_none_or_long_ago() {
    for (now, team) in TEAMS.iter() {
        let called = team.last_called();
        let quiet: Vec<&Tool> = TOOLS.iter().filter(|tool| tool.quiet_days > 0).collect();
        assert!(quiet.len() >= 3);
        for tool in quiet {
            let age = *now - called[tool.call.name()];
            // A session may begin before midnight and end after it.
            assert!(
                age > TimeDelta::days(i64::from(tool.quiet_days) - 2),
                "{} at {now}",
                tool.call.name()
            );
        }
        let loaded: BTreeSet<&str> = team
            .records()
            .filter(|record| record["type"] == "attachment")
            .flat_map(|record| {
                let attachment = &record["attachment"];
                ["names", "addedTypes", "addedNames"]
                    .into_iter()
                    .flat_map(|key| attachment[key].as_array())
            })
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let never: Vec<&Tool> = TOOLS.iter().filter(|tool| !is_called(tool)).collect();
        assert!(never.len() >= 4);
        for tool in never {
            assert!(loaded.contains(tool.call.name()), "{}", tool.call.name());
            assert!(!called.contains_key(tool.call.name()));
        }
        let phantom = TOOLS.iter().find(|tool| tool.phantom).unwrap().call.name();
        assert!(called.contains_key(phantom) && !loaded.contains(phantom));
    }
}

#[test]
fn tools_differ_in_how_often_they_succeed() {
    let (_, team) = &TEAMS[0];
    let names: HashMap<&str, &str> = team
        .blocks("tool_use")
        .map(|(_, block)| (block["id"].as_str().unwrap(), block["name"].as_str().unwrap()))
        .collect();
    let mut results: HashMap<&str, (u32, u32)> = HashMap::new();
    let mut reasons = BTreeSet::new();
    for (_, block) in team.blocks("tool_result") {
        let name = names[block["tool_use_id"].as_str().unwrap()];
        let name = if name.starts_with("mcp__browser") {
            "browser"
        } else {
            name
        };
        let counts = results.entry(name).or_default();
        counts.1 += 1;
        if block["is_error"] != true {
            counts.0 += 1;
            continue;
        }
        let text = block["content"].as_str().unwrap();
        let known = [
            "The user doesn't want",
            "[Request interrupted",
            "Sibling tool call",
            "has been denied",
            "InputValidationError",
            "Unknown skill",
            "Exit code",
            "MCP error",
        ];
        reasons.extend(known.into_iter().filter(|part| text.contains(part)));
    }
    assert_eq!(reasons.len(), 8, "{reasons:?}");
    let percent = |name| results[name].0 * 100 / results[name].1;
    assert!(percent("Glob") > 95 && percent("browser") < 70);
}

#[test]
fn names_in_the_tables_are_those_of_one_tool_or_member() {
    let names: BTreeSet<&str> = TOOLS.iter().map(|tool| tool.call.name()).collect();
    assert_eq!(names.len(), TOOLS.len());
    let handles: BTreeSet<&str> = MEMBERS.iter().map(|member| member.handle).collect();
    assert_eq!(handles.len(), MEMBERS.len());
    for member in MEMBERS {
        assert_eq!(model::team::check_handle(member.handle), Ok(()));
        assert!(member.calls_only.iter().all(|name| names.contains(name)));
    }
    for tool in TOOLS {
        assert!(tool.users.iter().all(|handle| handles.contains(handle)));
        assert!(tool.quiet_days < DAYS);
        assert!(
            tool.phantom || tool.about.is_empty() == matches!(tool.call, Call::Builtin(_) | Call::Command(_))
        );
    }
}

/// The id that a tool has once its calls have been read.
fn tool_id(call: Call) -> String {
    match call {
        Call::Builtin(name) => format!("builtin:{name}"),
        Call::Skill(name) => match name.split_once(':') {
            Some((plugin, skill)) => format!("plugin:{plugin}@{skill}"),
            None => format!("skill:{name}"),
        },
        Call::Mcp(server, _) => format!("mcp:{server}"),
        Call::Agent(kind) => format!("agent:{kind}"),
        Call::Command(name) => format!("command:{name}"),
    }
}

#[test]
fn the_reader_of_real_logs_finds_every_tool_and_no_problem() {
    let (_, team) = &TEAMS[0];
    let (mut called, mut loaded, mut priced) = (BTreeSet::new(), BTreeSet::new(), 0);
    for (handle, lines) in &team.lines {
        let mut files: BTreeMap<&Path, String> = BTreeMap::new();
        for line in lines {
            *files.entry(&line.file).or_default() += &format!("{}\n", line.record);
        }
        let read = |(path, text): (&Path, String)| {
            let mut reader =
                sources::LogReader::new(&path.display().to_string(), None, &sources::Options::default());
            reader.feed(text.as_bytes());
            reader.finish()
        };
        let files = files.into_iter().map(read).collect();
        let collected = sources::join(files, &sources::Prices::builtin(), &mut |_| None);
        assert_eq!(collected.problems, [], "{handle}");
        assert!(
            collected.totals.ignored.is_empty(),
            "{handle}: {:?}",
            collected.totals.ignored
        );
        assert_eq!(collected.totals.orphan_results, 0, "{handle}");
        priced += collected.events().filter(|event| event.cost.is_some()).count();
        called.extend(collected.events().map(|event| event.tool.as_str().to_owned()));
        let tools = collected.inventory.iter().flat_map(|session| &session.tools);
        loaded.extend(tools.map(|tool| tool.tool_id.as_str().to_owned()));
    }
    let expected = TOOLS
        .iter()
        .filter(|tool| is_called(tool))
        .map(|tool| tool_id(tool.call));
    assert_eq!(called, expected.collect());
    let expected = TOOLS
        .iter()
        .filter(|tool| !tool.about.is_empty())
        .map(|tool| tool_id(tool.call));
    assert_eq!(loaded, expected.collect());
    assert!(priced > 3_000, "{priced}");
}
