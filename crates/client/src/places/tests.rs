use super::*;

fn logs(os: Os, home: &str, variables: &[(&str, &str)], agent: Agent) -> Vec<String> {
    let environment = Environment::new(Path::new(home), Path::new(home), variables.iter().copied());
    places(os, &environment)
        .into_iter()
        .filter(|place| place.agent == agent)
        .map(|place| {
            let path = place.database.unwrap_or(place.own);
            path.to_string_lossy().replace('\\', "/")
        })
        .collect()
}

#[test]
fn every_agent_has_its_place_below_the_home_on_every_system() {
    for (os, home, opencode) in [
        (Os::Unix, "/home/ann", &[".local/share/opencode"][..]),
        (
            Os::Mac,
            "/Users/ann",
            &[".local/share/opencode", "Library/Application Support/opencode"],
        ),
        (
            Os::Windows,
            r"C:\Users\ann",
            &[
                ".local/share/opencode",
                "AppData/Local/opencode",
                "AppData/Roaming/opencode",
            ],
        ),
    ] {
        let expected = |below: &[&str]| -> Vec<String> {
            let home = home.replace('\\', "/");
            below.iter().map(|below| format!("{home}/{below}")).collect()
        };
        for (agent, below) in [
            (Agent::ClaudeCode, &[".claude", ".config/claude"][..]),
            (Agent::Codex, &[".codex"]),
            (Agent::CopilotCli, &[".copilot"]),
            (Agent::OpenCode, opencode),
            (Agent::GeminiCli, &[".gemini"]),
            (Agent::QwenCode, &[".qwen"]),
            (Agent::Pi, &[".pi/agent"]),
            (Agent::KimiCli, &[".kimi"]),
            (Agent::Droid, &[".factory"]),
        ] {
            assert_eq!(logs(os, home, &[], agent), expected(below), "{os:?} {agent}");
        }
    }
}

#[test]
fn extensions_of_editors_have_their_places_on_every_system() {
    for (os, home, place) in [
        (
            Os::Unix,
            "/home/ann",
            "/home/ann/.config/Code/User/globalStorage/kilocode.kilo-code",
        ),
        (
            Os::Mac,
            "/Users/ann",
            "/Users/ann/Library/Application Support/Cursor/User/globalStorage/kilocode.kilo-code",
        ),
        (
            Os::Windows,
            r"C:\Users\ann",
            "C:/Users/ann/AppData/Roaming/Code/User/globalStorage/kilocode.kilo-code",
        ),
        (
            Os::Unix,
            "/home/ann",
            "/home/ann/.vscode-server/data/User/globalStorage/kilocode.kilo-code",
        ),
    ] {
        for (agent, place) in [
            (Agent::KiloCode, place.to_owned()),
            (
                Agent::RooCode,
                place.replace("kilocode.kilo-code", "rooveterinaryinc.roo-cline"),
            ),
            (
                Agent::Cline,
                place.replace("kilocode.kilo-code", "saoudrizwan.claude-dev"),
            ),
            (Agent::Amp, place.replace("kilocode.kilo-code", "sourcegraph.amp")),
        ] {
            let places = logs(os, home, &[], agent);
            assert!(places.contains(&place), "{os:?} {agent}: {places:?}");
        }
    }
}

#[test]
fn a_variable_of_cline_moves_its_folder_and_not_that_of_its_extension() {
    let extension = "/h/.config/Code/User/globalStorage/saoudrizwan.claude-dev".to_owned();
    for (variable, value, place) in [
        ("", "", "/h/.cline/data"),
        ("CLINE_DATA_DIR", "/m", "/m"),
        ("CLINE_DIR", "/m", "/m/data"),
        ("CLINE_SESSION_DATA_DIR", "/m", "/m"),
    ] {
        let places = logs(Os::Unix, "/h", &[(variable, value)], Agent::Cline);
        assert!(places.contains(&place.to_owned()), "{variable}: {places:?}");
        assert!(places.contains(&extension), "{variable}: {places:?}");
    }
}

#[test]
fn the_document_names_every_place_and_every_variable() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/agents.md");
    let document = std::fs::read_to_string(path).unwrap();
    for layout in layouts() {
        let named = match layout.own.split_once("/globalStorage/") {
            Some((_, extension)) => format!("globalStorage/{extension}"),
            // The editors' own storage is described once for all of them.
            None if layout.own.ends_with("/User") => layout.logs.first().unwrap_or(&DATABASE).to_string(),
            None => layout.own.to_owned(),
        };
        assert!(document.contains(&named), "{named}");
        assert!(document.contains(layout.variable), "{}", layout.variable);
    }
}

#[test]
fn a_variable_replaces_the_place_below_the_home() {
    for (variable, value, agent, places) in [
        ("CLAUDE_CONFIG_DIR", "/m", Agent::ClaudeCode, &["/m"][..]),
        (
            "CLAUDE_CONFIG_DIR",
            "/work, ~/private",
            Agent::ClaudeCode,
            &["/work, ~/private", "/work", "/h/private"],
        ),
        ("CODEX_HOME", "/m", Agent::Codex, &["/m"]),
        ("COPILOT_HOME", "/m", Agent::CopilotCli, &["/m"]),
        ("OPENCODE_DATA_DIR", "/m", Agent::OpenCode, &["/m"]),
        ("XDG_DATA_HOME", "/m", Agent::OpenCode, &["/m/opencode"]),
        ("GEMINI_CLI_HOME", "/m", Agent::GeminiCli, &["/m/.gemini"]),
        ("GEMINI_CLI_HOME", "/m/.gemini", Agent::GeminiCli, &["/m/.gemini"]),
        ("QWEN_HOME", "/m", Agent::QwenCode, &["/m"]),
        ("QWEN_RUNTIME_DIR", "/m", Agent::QwenCode, &["/m"]),
        ("PI_CODING_AGENT_DIR", "/m", Agent::Pi, &["/m"]),
        ("KIMI_SHARE_DIR", "/m", Agent::KimiCli, &["/m"]),
        ("CODEX_HOME", "relative", Agent::Codex, &["/h/.codex"]),
    ] {
        assert_eq!(
            logs(Os::Unix, "/h", &[(variable, value)], agent),
            places,
            "{variable}={value}"
        );
    }
    assert_eq!(
        logs(
            Os::Windows,
            r"C:\Users\ann",
            &[("CODEX_HOME", r"D:\codex")],
            Agent::Codex
        ),
        ["D:/codex"]
    );
}

#[test]
fn the_nearer_variable_wins_and_others_add_places() {
    let both = [("OPENCODE_DATA_DIR", "/d"), ("XDG_DATA_HOME", "/x")];
    assert_eq!(logs(Os::Unix, "/h", &both, Agent::OpenCode), ["/d"]);
    let config = [("XDG_CONFIG_HOME", "/c")];
    assert_eq!(
        logs(Os::Unix, "/h", &config, Agent::ClaudeCode),
        ["/h/.claude", "/h/.config/claude", "/c/claude"]
    );
    let state = [("XDG_STATE_HOME", "/s")];
    assert_eq!(
        logs(Os::Unix, "/h", &state, Agent::CopilotCli),
        ["/h/.copilot", "/s/.copilot"]
    );
    for (database, path) in [
        ("/d/my.db", "/d/my.db"),
        ("my.db", "/h/.local/share/opencode/my.db"),
    ] {
        assert_eq!(
            logs(Os::Unix, "/h", &[("OPENCODE_DB", database)], Agent::OpenCode),
            ["/h/.local/share/opencode", path]
        );
    }
}
