//! What was called: skills by their commands, plugins' skills, commands, projects, and files that are no transcripts.

use serde_json::{Value, json};
use sources::ProblemCode;

use super::{call, read, record, result, typed, with};
use crate::{collect, one};

fn listing(names: &[&str]) -> Value {
    let content: Vec<String> = names.iter().map(|name| format!("- {name}: for {name}")).collect();
    record(
        "attachment",
        "listing",
        0,
        json!({"attachment": {"type": "skill_listing", "content": content.join("\n"), "names": names}}),
    )
}

fn command(uuid: &str, name: &str, second: u32) -> Value {
    let text = format!("<command-message>{name}</command-message>\n<command-name>/{name}</command-name>");
    typed(uuid, &text, second)
}

fn brought(parent: &str, text: &str, second: u32) -> Value {
    record(
        "user",
        &format!("{parent}-child"),
        second,
        json!({"parentUuid": parent, "isMeta": true,
            "message": {"role": "user", "content": [{"type": "text", "text": text}]}}),
    )
}

/// Tools and operations, in order of time.
fn tools(records: &[Value]) -> Vec<(String, Option<String>)> {
    read(records)
        .events()
        .map(|event| (event.tool.to_string(), event.operation))
        .collect()
}

fn by_person(tool: &str) -> (String, Option<String>) {
    (tool.to_owned(), Some("user-slash".to_owned()))
}

fn plain(tool: &str) -> (String, Option<String>) {
    (tool.to_owned(), None)
}

#[test]
fn a_typed_skill_is_that_skill_once_and_marked_as_typed() {
    let base = "Base directory for this skill: /x/skills/y\n\n# y";
    let records = [
        command("u1", "unlisted", 1),
        brought("u1", base, 1),
        command("u2", "p:review", 2),
        command("u3", "notes", 3),
        brought("u3", "Write the notes.", 3),
        command("u4", "simplify", 4),
        listing(&["p:review", "simplify", "init"]),
        command("u5", "init", 5),
        command("u6", "goal", 6),
    ];
    assert_eq!(
        tools(&records),
        [
            by_person("skill:unlisted"),
            by_person("plugin:p@review"),
            plain("command:notes"),
            by_person("skill:simplify"),
            by_person("skill:init"),
        ]
    );
}

#[test]
fn copies_of_a_typed_skill_are_one_also_where_only_one_session_lists_it() {
    let original = super::text(&[listing(&["deploy"]), command("u1", "deploy", 1)]);
    let copy = super::text(&[with(command("u1", "deploy", 1), json!({"sessionId": "fork"}))]);
    let collected = collect(&[("a", copy.as_bytes()), ("b", original.as_bytes())]);
    let tools: Vec<_> = collected.events().map(|event| event.tool.to_string()).collect();
    assert_eq!(tools, ["skill:deploy"]);
    assert_eq!(collected.problems, []);
}

#[test]
fn a_skill_that_the_model_called_is_not_typed_and_its_echo_no_event() {
    let mut skill = call("m1", "toolu_1", "Skill", 1);
    skill["message"]["content"][0]["input"] = json!({"skill": "pdf"});
    let base = brought("r", "Base directory for this skill: /x/skills/pdf", 2);
    let records = [
        skill,
        result("toolu_1", "Launching skill: pdf", false, 2),
        typed(
            "e",
            "<command-message>The \"pdf\" skill is running</command-message>\n<command-name>pdf</command-name>",
            2,
        ),
        with(base, json!({"sourceToolUseID": "toolu_1"})),
    ];
    assert_eq!(tools(&records), [plain("skill:pdf")]);
}

#[test]
fn a_skill_that_runs_in_a_fork_leaves_only_what_was_typed() {
    let records = [
        listing(&["forked"]),
        typed("u1", "/forked with words", 1),
        typed("u2", "/home/ada/x.rs is gone", 2),
        typed("u3", "/unheard of", 3),
    ];
    assert_eq!(tools(&records), [by_person("skill:forked")]);
}

/// A name that depended on the listing would change with the files of an upload: a conflict on the server.
#[test]
fn a_skill_that_the_model_asked_for_has_the_name_it_was_asked_by_whatever_is_listed() {
    let skill = |id: &str, name: &str, second| {
        let mut skill = call(id, id, "Skill", second);
        skill["message"]["content"][0]["input"] = json!({"skill": name});
        skill
    };
    let records = [
        listing(&["p:one", "p:both", "both", "q:twice", "r:twice", "p:gone"]),
        skill("toolu_1", "one", 1),
        skill("toolu_2", "both", 2),
        skill("toolu_3", "twice", 3),
        skill("toolu_4", "gone", 4),
        result(
            "toolu_4",
            "<tool_use_error>Unknown skill: gone</tool_use_error>",
            true,
            5,
        ),
    ];
    assert_eq!(
        tools(&records),
        [
            plain("skill:one"),
            plain("skill:both"),
            plain("skill:twice"),
            plain("skill:gone"),
        ]
    );
}

#[test]
fn the_home_of_a_person_is_no_project() {
    let at = |id: &str, cwd: &str, second| with(call(id, id, "Bash", second), json!({"cwd": cwd}));
    let records = [
        at("toolu_1", "/home/ada", 1),
        at("toolu_2", "/home/ada/.claude/worktrees/fix", 2),
        at("toolu_3", "/home/ada/.cursor/worktrees/shop/x1", 3),
    ];
    let projects: Vec<_> = read(&records).events().map(|event| event.project).collect();
    assert_eq!(projects, [None, None, Some("shop".to_owned())]);
}

#[test]
fn a_log_of_an_unknown_agent_is_of_an_unknown_format() {
    for log in [
        r#"{"type":"user","text":"hello"}"#,
        r#"{"type":"session_start","id":"d","cwd":"/w"}"#,
        r#"{"type":"assistant","uuid":"u","sessionId":"s","message":{"role":"model","parts":[]},"model":"x"}"#,
    ] {
        let collected = one(&format!("{log}\n"));
        let known = collected.totals.agents.contains_key("claude-code");
        assert!(!known, "{log}");
    }
    let collected = one("{\"type\":\"user\",\"text\":\"hello\"}\n");
    assert_eq!(collected.problems[0].code, ProblemCode::UnknownFormat);
}

#[test]
fn the_journal_of_a_workflow_is_no_transcript_and_no_problem() {
    let journal = "{\"type\":\"launched\"}\n{\"type\":\"started\",\"key\":\"k\",\"agentId\":\"a\"}\n{\"type\":\"result\",\"key\":\"k\",\"agentId\":\"a\",\"result\":\"x\"}\n";
    let collected = one(journal);
    assert_eq!((collected.events().len(), collected.problems.len()), (0, 0));
}
