use super::*;

fn tree(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "{}\n").unwrap();
    }
    root
}

fn names(found: &Found, root: &Path) -> Vec<(String, Option<Agent>)> {
    let root = root.canonicalize().unwrap();
    found
        .files
        .iter()
        .map(|file| {
            (
                file.path.strip_prefix(&root).unwrap().display().to_string(),
                file.agent,
            )
        })
        .collect()
}

const HOME: [&str; 9] = [
    ".claude/projects/-work-api/a.jsonl",
    ".claude/projects/-work-api/a/subagents/agent-1.jsonl",
    ".claude/projects/-work-api/a/tool-results/x.txt",
    ".claude/history.jsonl",
    ".codex/sessions/2026/11/23/rollout-1.jsonl",
    ".copilot/session-state/s/events.jsonl",
    ".gemini/tmp/hash/chats/session-1.json",
    ".gemini/tmp/hash/logs.json",
    "notes.jsonl",
];

#[test]
fn a_home_gives_the_logs_of_every_agent_and_nothing_else() {
    let home = tree(&HOME);
    let expected: Vec<(String, Option<Agent>)> = [
        (HOME[1], Agent::ClaudeCode),
        (HOME[0], Agent::ClaudeCode),
        (HOME[4], Agent::Codex),
        (HOME[5], Agent::CopilotCli),
        (HOME[6], Agent::GeminiCli),
    ]
    .map(|(name, agent)| (name.to_owned(), Some(agent)))
    .to_vec();
    let own = Environment::new(home.path(), home.path(), []);
    assert_eq!(names(&find(&[], &[], &own).unwrap(), home.path()), expected);
    let other = find(&[home.path().to_owned()], &[], &Environment::default()).unwrap();
    assert_eq!(names(&other, home.path()), expected);
    assert_eq!(other.homes, [home.path().canonicalize().unwrap()]);
    let codex = find(&[], &[Agent::Codex], &own).unwrap();
    assert_eq!(names(&codex, home.path()), expected[2..3]);
}

#[test]
fn opencodes_database_and_records_are_found_and_its_other_files_are_not() {
    let home = tree(&[
        ".local/share/opencode/opencode.db",
        ".local/share/opencode/opencode-beta.db",
        ".local/share/opencode/opencode.db-wal",
        ".local/share/opencode/storage/message/ses_1/msg_1.json",
        ".local/share/opencode/storage/session_diff/ses_1.json",
        ".local/share/opencode/auth.json",
    ]);
    let expected: Vec<(String, Option<Agent>)> = [
        "opencode-beta.db",
        "opencode.db",
        "storage/message/ses_1/msg_1.json",
    ]
    .map(|name| (format!(".local/share/opencode/{name}"), Some(Agent::OpenCode)))
    .to_vec();
    let own = Environment::new(home.path(), home.path(), []);
    assert_eq!(names(&find(&[], &[], &own).unwrap(), home.path()), expected);
    for named in ["", ".local/share/opencode"] {
        let found = find(&[home.path().join(named)], &[], &Environment::default()).unwrap();
        assert_eq!(names(&found, home.path()), expected, "{named}");
    }
    // A folder with another name, which a variable allows.
    let moved = tree(&["oc/opencode.db", "oc/storage/part/msg_1/prt_1.json"]);
    let found = find(&[moved.path().join("oc")], &[], &Environment::default()).unwrap();
    assert_eq!(found.files.len(), 2);
}

#[test]
fn json_in_any_folder_is_taken_when_it_begins_like_a_session() {
    let root = tree(&["exports/package.json"]);
    let write = |name: &str, text: &str| fs::write(root.path().join(name), text).unwrap();
    write("exports/ses_1.json", r#"{"info":{"id":"ses_1"},"messages":[]}"#);
    write("exports/other.json", r#"{"session_id":"x","turns":[]}"#);
    write("exports/settings.json", r#"{"theme":"dark"}"#);
    let found = find(&[root.path().to_owned()], &[], &Environment::default()).unwrap();
    assert_eq!(
        names(&found, root.path()),
        [
            ("exports/other.json".to_owned(), None),
            ("exports/ses_1.json".to_owned(), None)
        ]
    );
}

#[test]
fn a_chat_of_gemini_brings_its_directory_along() {
    let home = tree(&[
        ".gemini/tmp/api/chats/session-1.jsonl",
        ".gemini/tmp/api/logs.jsonl",
    ]);
    fs::write(home.path().join(".gemini/tmp/api/.project_root"), "/w/api").unwrap();
    let found = find(&[home.path().to_owned()], &[], &Environment::default()).unwrap();
    assert_eq!(found.files.len(), 1);
    assert_eq!(found.files[0].directory.as_deref(), Some("/w/api"));
}

#[test]
fn variables_move_the_folders() {
    let root = tree(&[
        "claude/projects/p/a.jsonl",
        "codex/archived_sessions/rollout-2.jsonl",
    ]);
    let claude = root.path().join("claude");
    let codex = root.path().join("codex");
    let variables = [
        ("CLAUDE_CONFIG_DIR", claude.to_str().unwrap()),
        ("CODEX_HOME", codex.to_str().unwrap()),
    ];
    let environment = Environment::new(Path::new("/nowhere"), root.path(), variables);
    assert_eq!(find(&[], &[], &environment).unwrap().files.len(), 2);
}

#[test]
fn a_file_an_agents_folder_and_any_folder_can_be_named_and_a_log_counts_once() {
    let home = tree(&HOME);
    let named = |below: &[&str]| {
        let paths: Vec<PathBuf> = below.iter().map(|below| home.path().join(below)).collect();
        names(&find(&paths, &[], &Environment::default()).unwrap(), home.path()).len()
    };
    assert_eq!(named(&[HOME[0]]), 1);
    assert_eq!(named(&[".claude"]), 2);
    assert_eq!(named(&[".claude/projects/-work-api"]), 2);
    assert_eq!(named(&[".claude/projects", HOME[0], "."]), 5);
}

#[test]
fn an_empty_folder_says_where_it_looked_and_a_missing_one_is_named() {
    let root = tree(&["readme.md"]);
    let error = find(&[root.path().to_owned()], &[], &Environment::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&root.path().canonicalize().unwrap().display().to_string())
    );
    let home = Environment::new(root.path(), root.path(), []);
    let error = find(&[], &[], &home).unwrap_err().to_string();
    assert!(
        error.contains(".claude/projects (CLAUDE_CONFIG_DIR or XDG_CONFIG_HOME changes it)")
            && error.contains(".copilot/session-state"),
        "{error}"
    );
    let error = find(&[root.path().join("gone")], &[], &home).unwrap_err();
    assert!(error.to_string().contains("gone"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_and_pipes_are_passed_over_with_a_reason() {
    use std::os::unix::fs::symlink;
    let secret = tree(&["id.jsonl"]);
    let home = tree(&[".claude/projects/p/a.jsonl"]);
    let project = home.path().join(".claude/projects/p");
    symlink(secret.path().join("id.jsonl"), project.join("b.jsonl")).unwrap();
    symlink(secret.path(), project.join("linked")).unwrap();
    symlink(&project, project.join("loop")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        project.join("pipe.jsonl"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let found = find(&[home.path().to_owned()], &[], &Environment::default()).unwrap();
    assert_eq!(found.files.len(), 1);
    let codes: Vec<&str> = found
        .problems
        .iter()
        .map(|problem| problem.code.as_str())
        .collect();
    assert_eq!(codes, ["symbolic_link", "not_a_file"]);
    assert!(open(&project.join("b.jsonl")).is_err());
    assert!(open(&project.join("pipe.jsonl")).is_err());

    let trap = tree(&["src/main.rs"]);
    fs::create_dir(trap.path().join(".claude")).unwrap();
    symlink(secret.path(), trap.path().join(".claude/projects")).unwrap();
    assert!(find(&[trap.path().to_owned()], &[], &Environment::default()).is_err());
}

#[test]
fn databases_of_all_channels_and_records_of_the_storage_folder_are_told_by_their_names() {
    for (name, is_it) in [
        ("opencode.db", true),
        ("opencode-beta.db", true),
        ("opencode-local.db", true),
        ("opencode.db-wal", false),
        ("opencodex.db", false),
        ("notes.db", false),
    ] {
        assert_eq!(
            stored::is_database_name(&Path::new("/d").join(name)),
            is_it,
            "{name}"
        );
    }
    for (path, is_it) in [
        ("storage/message/ses_1/msg_1.json", true),
        ("storage/part/msg_1/prt_1.json", true),
        ("storage/session/p1/ses_1.json", true),
        ("project/api/storage/session/message/ses_1/msg_1.json", true),
        ("storage/session/share/ses_1.json", false),
        ("storage/session_diff/ses_1.json", false),
        ("storage/project/p1.json", false),
        ("storage/migration", false),
    ] {
        assert_eq!(
            stored::is_stored_record(&Path::new("/d").join(path)),
            is_it,
            "{path}"
        );
    }
}

#[test]
fn rollouts_of_every_version_are_found_and_nothing_beside_them() {
    let home = tempfile::tempdir().unwrap();
    let sessions = home.path().join(".codex/sessions/2026/08/02");
    fs::create_dir_all(&sessions).unwrap();
    for name in [
        "rollout-a.jsonl",
        "rollout-b.jsonl.zst",
        "rollout-c.json",
        "notes.json",
        "rollout-d.tar.zst",
        "other.jsonl.zst",
    ] {
        fs::write(sessions.join(name), "{}\n").unwrap();
    }
    for place in [home.path(), &sessions] {
        let found = find(&[place.to_owned()], &[], &Environment::default()).unwrap();
        let names: Vec<_> = found
            .files
            .iter()
            .filter_map(|log| log.path.file_name()?.to_str())
            .collect();
        // A compressed log is one where it would be one without the compression.
        assert_eq!(
            names,
            [
                "other.jsonl.zst",
                "rollout-a.jsonl",
                "rollout-b.jsonl.zst",
                "rollout-c.json"
            ]
        );
        let problems: Vec<_> = found
            .problems
            .iter()
            .map(|problem| problem.code.as_str())
            .collect();
        assert_eq!(problems, ["compressed"], "rollout-d.tar.zst");
    }
}

#[test]
fn logs_of_pi_kimi_and_droid_are_found_and_what_lies_beside_them_is_not() {
    let home = tree(&[
        ".pi/agent/sessions/--w-api--/2026-03-02T09-00-00-000Z_0198.jsonl",
        ".pi/agent/auth.json",
        ".kimi/sessions/0a1b/s-1/wire.jsonl",
        ".kimi/sessions/0a1b/s-1/context.jsonl",
        ".kimi/sessions/0a1b/s-1/state.json",
        ".kimi/sessions/0a1b/s-1/subagents/a1/wire.jsonl",
        ".kimi/user-history/0a1b.jsonl",
        ".factory/sessions/-w-api/5f0e.jsonl",
        ".factory/sessions/-w-api/5f0e.settings.json",
        ".factory/history.json",
    ]);
    let expected: Vec<(String, Option<Agent>)> = [
        (".factory/sessions/-w-api/5f0e.jsonl", Agent::Droid),
        (".kimi/sessions/0a1b/s-1/subagents/a1/wire.jsonl", Agent::KimiCli),
        (".kimi/sessions/0a1b/s-1/wire.jsonl", Agent::KimiCli),
        (
            ".pi/agent/sessions/--w-api--/2026-03-02T09-00-00-000Z_0198.jsonl",
            Agent::Pi,
        ),
    ]
    .map(|(name, agent)| (name.to_owned(), Some(agent)))
    .to_vec();
    let own = Environment::new(home.path(), home.path(), []);
    assert_eq!(names(&find(&[], &[], &own).unwrap(), home.path()), expected);
    let named = find(&[home.path().to_owned()], &[], &Environment::default()).unwrap();
    assert_eq!(names(&named, home.path()), expected);
}

#[test]
fn tasks_of_roo_and_kilo_are_found_in_the_editors_that_are_there() {
    let roo = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/tasks/t-1";
    let kilo = ".vscode-server/data/User/globalStorage/kilocode.kilo-code/tasks/t-2";
    let files: Vec<String> = [roo, kilo]
        .iter()
        .flat_map(|task| {
            [
                "api_conversation_history.json",
                "ui_messages.json",
                "history_item.json",
            ]
            .map(|file| format!("{task}/{file}"))
        })
        .collect();
    let home = tree(&files.iter().map(String::as_str).collect::<Vec<_>>());
    let expected: Vec<(String, Option<Agent>)> = [(&files[0], Agent::RooCode), (&files[3], Agent::KiloCode)]
        .map(|(name, agent)| (name.clone(), Some(agent)))
        .to_vec();
    let own = Environment::new(home.path(), home.path(), []);
    let found = find(&[], &[], &own).unwrap();
    assert_eq!(names(&found, home.path()), expected);
    let editors = found.looked.iter().filter(|looked| {
        looked.path.ends_with("tasks") && !looked.path.starts_with(home.path().join(".cline"))
    });
    assert_eq!(editors.count(), 2);
    for named in ["", files[0].as_str()] {
        let found = find(&[home.path().join(named)], &[], &Environment::default()).unwrap();
        assert_eq!(found.files[0].agent, Some(Agent::RooCode), "{named}");
    }
}

#[test]
fn sessions_of_cline_are_found_with_their_directory_and_its_other_files_are_not() {
    let home = tree(&[
        ".cline/data/sessions/1_ab/1_ab.messages.json",
        ".cline/data/sessions/1_ab/1_ab.compaction.json",
        ".cline/data/sessions/1_ab/1_ab.json",
        ".cline/data/tasks/17/api_conversation_history.json",
        ".cline/data/tasks/17/ui_messages.json",
    ]);
    fs::write(
        home.path().join(".cline/data/sessions/1_ab/1_ab.json"),
        r#"{"cwd":"/w/api"}"#,
    )
    .unwrap();
    let expected = [
        ".cline/data/sessions/1_ab/1_ab.messages.json",
        ".cline/data/tasks/17/api_conversation_history.json",
    ]
    .map(|name| (name.to_owned(), Some(Agent::Cline)));
    let own = Environment::new(home.path(), home.path(), []);
    for found in [
        find(&[], &[], &own).unwrap(),
        find(&[home.path().to_owned()], &[], &Environment::default()).unwrap(),
    ] {
        assert_eq!(names(&found, home.path()), expected);
        assert_eq!(found.files[0].directory.as_deref(), Some("/w/api"));
    }
    // The folder that a variable names holds the sessions themselves.
    let sessions = home.path().join(".cline/data/sessions");
    let variables = [("CLINE_SESSION_DATA_DIR", sessions.to_str().unwrap())];
    let moved = Environment::new(Path::new("/nowhere"), Path::new("/nowhere"), variables);
    assert_eq!(find(&[], &[], &moved).unwrap().files.len(), 1);
}

#[test]
fn chats_of_vs_code_and_threads_of_amp_are_found_and_the_files_next_to_them_are_not() {
    let home = tree(&[
        ".config/Code/User/workspaceStorage/1f/chatSessions/s.jsonl",
        ".config/Code/User/workspaceStorage/1f/chatEditingSessions/s/state.json",
        ".config/Code/User/workspaceStorage/1f/some.extension/deep/chatSessions/x.json",
        ".config/Code/User/globalStorage/emptyWindowChatSessions/t.json",
        ".config/Code/User/globalStorage/sourcegraph.amp/threads3/T-1.json",
        ".local/share/amp/threads/T-2.json",
        ".local/share/amp/history.jsonl",
    ]);
    fs::write(
        home.path()
            .join(".config/Code/User/workspaceStorage/1f/workspace.json"),
        r#"{"folder":"file:///w/api"}"#,
    )
    .unwrap();
    let expected = [
        (
            ".config/Code/User/globalStorage/emptyWindowChatSessions/t.json",
            Agent::VsCodeCopilot,
        ),
        (
            ".config/Code/User/globalStorage/sourcegraph.amp/threads3/T-1.json",
            Agent::Amp,
        ),
        (
            ".config/Code/User/workspaceStorage/1f/chatSessions/s.jsonl",
            Agent::VsCodeCopilot,
        ),
        (".local/share/amp/threads/T-2.json", Agent::Amp),
    ]
    .map(|(name, agent)| (name.to_owned(), Some(agent)));
    let own = Environment::new(home.path(), home.path(), []);
    for found in [
        find(&[], &[], &own).unwrap(),
        find(&[home.path().to_owned()], &[], &Environment::default()).unwrap(),
    ] {
        assert_eq!(names(&found, home.path()), expected);
        assert_eq!(found.files[2].directory.as_deref(), Some("/w/api"));
    }
}

#[test]
fn the_database_of_cursor_is_found_below_a_home_and_by_its_name() {
    let database = ".config/Cursor/User/globalStorage/state.vscdb";
    let home = tree(&[
        database,
        ".config/Cursor/User/globalStorage/state.vscdb-wal",
        ".config/Cursor/User/globalStorage/storage.json",
        ".config/Cursor/User/workspaceStorage/1f/state.vscdb",
    ]);
    let expected = [(database.to_owned(), Some(Agent::Cursor))];
    let own = Environment::new(home.path(), home.path(), []);
    assert_eq!(names(&find(&[], &[], &own).unwrap(), home.path()), expected);
    for named in ["", database] {
        let found = find(&[home.path().join(named)], &[], &Environment::default()).unwrap();
        assert_eq!(names(&found, home.path()), expected, "{named}");
    }
    assert!(find(&[], &[Agent::OpenCode], &own).is_err());
}
