//! Pruning in temporary homes.

use super::*;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        let plugin = home.path("cache/cave");
        let list = format!(
            r#"{{"plugins":{{"cave@market":[{{"installPath":"{0}"}}],"duo@market":[{{"installPath":"{1}"}}]}}}}"#,
            plugin.display(),
            home.path("cache/duo").display()
        );
        let work = home.path("work/api");
        let state = format!(
            "{{\n  \"numStartups\": 7,\n  \"mcpServers\": {{\n    \"linear\": {{\"command\": \"x\"}},\n    \"kept\": {{}}\n  }},\n  \"projects\": {{\n    \"{}\": {{\"mcpServers\": {{\"near\": {{}}}}}}\n  }}\n}}",
            work.display()
        );
        for (file, text) in [
            (".claude/skills/pdf/SKILL.md", "---\nname: pdf\n---\nbody"),
            (".claude/skills/kept/SKILL.md", "---\nname: kept\n---"),
            (".claude/agents/reviewer.md", "---\nname: code-reviewer\n---"),
            (
                ".claude/settings.json",
                "{\"model\": \"opus\", \"enabledPlugins\": {\"cave@market\": true}}",
            ),
            (".claude/plugins/installed_plugins.json", list.as_str()),
            (".claude.json", state.as_str()),
            ("cache/cave/skills/talk/SKILL.md", "---\nname: talk\n---"),
            ("cache/duo/skills/one/SKILL.md", ""),
            ("cache/duo/skills/two/SKILL.md", ""),
            ("work/api/.git/HEAD", ""),
            (
                "work/api/.mcp.json",
                "{\"mcpServers\": {\"db\": {\"url\": \"u\"}}}",
            ),
        ] {
            let path = home.path(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        home
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn environment(&self) -> Environment {
        Environment::new(self.0.path(), self.0.path(), [])
    }

    fn prune(&self, tools: &[&str]) -> Plan {
        apply(
            &self.environment(),
            plan(&self.environment(), &named(tools)).unwrap(),
        )
        .unwrap()
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(file)).unwrap()).unwrap()
    }

    /// Every file with its content, without backups and the journal.
    fn files(&self) -> BTreeMap<PathBuf, Value> {
        walkdir::WalkDir::new(self.0.path())
            .into_iter()
            .flatten()
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| entry.into_path())
            .filter(|path| !path.to_str().unwrap().contains("toolhub"))
            .map(|path| {
                let text = fs::read_to_string(&path).unwrap();
                let content = serde_json::from_str(&text).unwrap_or(Value::String(text));
                (path, content)
            })
            .collect()
    }
}

fn named(tools: &[&str]) -> BTreeSet<String> {
    tools.iter().map(|tool| (*tool).to_owned()).collect()
}

const ALL: [&str; 6] = [
    "skill:pdf",
    "agent:code-reviewer",
    "mcp:linear",
    "mcp:near",
    "mcp:db",
    "plugin:cave@talk",
];

#[test]
fn only_what_is_named_goes_with_a_backup_beside_it() {
    let home = Home::new();
    let done = home.prune(&ALL);
    assert_eq!((done.steps.len(), &done.skipped), (6, &Vec::new()), "{done:?}");
    assert!(!home.path(".claude/skills/pdf/SKILL.md").exists());
    assert!(home.path(".claude/skills/pdf/SKILL.md.toolhub-backup").exists());
    assert!(home.path(".claude/skills/kept/SKILL.md").exists());
    let state = home.json(".claude.json");
    assert_eq!(state["mcpServers"], serde_json::json!({ "kept": {} }));
    assert_eq!(state["numStartups"], 7);
    assert_eq!(
        home.json(".claude.json.toolhub-backup")["mcpServers"]["linear"]["command"],
        "x"
    );
    assert_eq!(
        home.json("work/api/.mcp.json")["mcpServers"],
        serde_json::json!({})
    );
    let settings = home.json(".claude/settings.json");
    assert_eq!(
        (&settings["model"], &settings["enabledPlugins"]["cave@market"]),
        (&"opus".into(), &Value::Bool(false))
    );
    let lines: Vec<Option<usize>> = done
        .steps
        .iter()
        .filter(|step| step.keys.len() == 2)
        .map(|step| step.line)
        .collect();
    assert!(
        lines.contains(&Some(4)),
        "the line of the entry is named: {done:?}"
    );
}

#[test]
fn a_plan_changes_nothing_and_pruning_twice_is_pruning_once() {
    let home = Home::new();
    let before = home.files();
    let planned = plan(&home.environment(), &named(&ALL)).unwrap();
    assert_eq!((planned.steps.len(), planned.applied), (6, false));
    assert_eq!(home.files(), before);
    home.prune(&ALL);
    let after = home.files();
    let again = home.prune(&ALL);
    assert_eq!((again.steps.len(), again.skipped.len()), (0, 6), "{again:?}");
    assert_eq!(home.files(), after);
}

#[test]
fn undo_brings_everything_back_and_keeps_what_changed_since() {
    let home = Home::new();
    let before = home.files();
    home.prune(&ALL);
    // The agent goes on writing its file.
    let mut state = home.json(".claude.json");
    state["numStartups"] = 8.into();
    fs::write(home.path(".claude.json"), state.to_string()).unwrap();
    let undone = undo(&home.environment(), &named(&["mcp:linear"])).unwrap();
    assert_eq!(undone.steps.len(), 1);
    let state = home.json(".claude.json");
    assert_eq!(
        (&state["mcpServers"]["linear"]["command"], &state["numStartups"]),
        (&"x".into(), &8.into())
    );
    fs::write(home.path(".claude/agents/reviewer.md"), "mine").unwrap();
    let undone = undo(&home.environment(), &BTreeSet::new()).unwrap();
    assert_eq!((undone.steps.len(), undone.skipped.len()), (4, 1), "{undone:?}");
    let mut expected = before;
    expected.get_mut(&home.path(".claude.json")).unwrap()["numStartups"] = 8.into();
    expected.insert(home.path(".claude/agents/reviewer.md"), "mine".into());
    assert_eq!(home.files(), expected);
    let again = undo(&home.environment(), &BTreeSet::new()).unwrap();
    assert_eq!(again.steps, [], "what was taken back is not taken back again");
}

#[test]
fn a_plugin_stays_while_it_brings_something_that_is_not_named() {
    let home = Home::new();
    let before = home.files();
    let kept = home.prune(&["plugin:duo@one", "skill:none"]);
    assert_eq!(kept.steps, []);
    let reasons: Vec<&str> = kept
        .skipped
        .iter()
        .map(|skipped| skipped.reason.as_str())
        .collect();
    assert!(reasons[0].contains("also brings plugin:duo@two"), "{reasons:?}");
    assert_eq!(reasons[1], "nothing on this machine declares it");
    assert_eq!(home.files(), before);
    let gone = home.prune(&["plugin:duo@one", "plugin:duo@two"]);
    assert_eq!(gone.steps[0].tool_ids, ["plugin:duo@one", "plugin:duo@two"]);
    undo(&home.environment(), &BTreeSet::new()).unwrap();
    assert_eq!(
        home.files(),
        before,
        "a plugin that the settings did not name is not named again"
    );
}

#[test]
fn a_file_that_is_not_json_is_not_changed() {
    let home = Home::new();
    let planned = plan(&home.environment(), &named(&["mcp:db"])).unwrap();
    fs::write(home.path("work/api/.mcp.json"), "{ not json").unwrap();
    let error = apply(&home.environment(), planned).unwrap_err().to_string();
    assert!(error.contains("not changed"), "{error}");
    assert_eq!(
        fs::read_to_string(home.path("work/api/.mcp.json")).unwrap(),
        "{ not json"
    );
}
