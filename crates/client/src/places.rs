//! The log folders of the agents: a pure function of the operating system, the environment and the home directory.

use std::path::{Path, PathBuf};

use sources::Agent;

use crate::Environment;

/// An operating system, as far as the places of logs differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Os {
    /// Linux and other Unix systems.
    Unix,
    /// macOS.
    Mac,
    /// Windows.
    Windows,
}

/// A folder of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The agent.
    pub(crate) agent: Agent,
    /// The folder.
    pub(crate) own: PathBuf,
    /// The log folders in it.
    pub(crate) logs: &'static [&'static str],
    /// The variable that moves it; empty when there is none.
    pub(crate) variable: &'static str,
    /// The database, where it is not one of several in the folder.
    pub(crate) database: Option<PathBuf>,
}

/// An agent's folder, below a home or at the path in a variable.
struct Layout {
    agent: Agent,
    /// Below the home.
    own: &'static str,
    logs: &'static [&'static str],
    /// The variable that moves it; empty when there is none.
    variable: &'static str,
}

const fn layout(
    agent: Agent,
    own: &'static str,
    logs: &'static [&'static str],
    variable: &'static str,
) -> Layout {
    Layout {
        agent,
        own,
        logs,
        variable,
    }
}

const CLAUDE: &[&str] = &["projects"];
const CODEX: &[&str] = &["sessions", "archived_sessions"];
const COPILOT: &[&str] = &["session-state"];
const OPENCODE: &[&str] = &["storage", "project"];
const GEMINI: &[&str] = &["tmp"];
const QWEN: &[&str] = &["projects", "tmp"];
/// Agents whose logs are all below one folder of sessions.
const SESSIONS: &[&str] = &["sessions"];
const KIMI: &[&str] = &["sessions", "imported_sessions"];
const CLINE: &[&str] = &["sessions", "tasks"];
const AMP: &[&str] = &["threads"];

/// The folders below a home, for all systems.
const LAYOUTS: [Layout; 15] = [
    layout(Agent::ClaudeCode, ".claude", CLAUDE, "CLAUDE_CONFIG_DIR"),
    layout(Agent::ClaudeCode, ".config/claude", CLAUDE, "CLAUDE_CONFIG_DIR"),
    layout(Agent::Codex, ".codex", CODEX, "CODEX_HOME"),
    layout(Agent::CopilotCli, ".copilot", COPILOT, "COPILOT_HOME"),
    layout(
        Agent::OpenCode,
        ".local/share/opencode",
        OPENCODE,
        "OPENCODE_DATA_DIR",
    ),
    layout(
        Agent::OpenCode,
        "Library/Application Support/opencode",
        OPENCODE,
        "OPENCODE_DATA_DIR",
    ),
    layout(
        Agent::OpenCode,
        "AppData/Local/opencode",
        OPENCODE,
        "OPENCODE_DATA_DIR",
    ),
    layout(
        Agent::OpenCode,
        "AppData/Roaming/opencode",
        OPENCODE,
        "OPENCODE_DATA_DIR",
    ),
    layout(Agent::GeminiCli, ".gemini", GEMINI, "GEMINI_CLI_HOME"),
    layout(Agent::QwenCode, ".qwen", QWEN, "QWEN_HOME"),
    layout(Agent::Pi, ".pi/agent", SESSIONS, "PI_CODING_AGENT_DIR"),
    layout(Agent::KimiCli, ".kimi", KIMI, "KIMI_SHARE_DIR"),
    layout(Agent::Droid, ".factory", SESSIONS, ""),
    layout(Agent::Cline, ".cline/data", CLINE, "CLINE_DATA_DIR"),
    layout(Agent::Amp, ".local/share/amp", AMP, "XDG_DATA_HOME"),
];

/// The database is not in a folder of logs; see [`DATABASE`].
const CURSOR: [Layout; 3] = [
    layout(Agent::Cursor, ".config/Cursor/User", &[], ""),
    layout(Agent::Cursor, "Library/Application Support/Cursor/User", &[], ""),
    layout(Agent::Cursor, "AppData/Roaming/Cursor/User", &[], ""),
];

/// Cursor's database, below the storage of the editor.
pub(crate) const DATABASE: &str = "globalStorage/state.vscdb";

/// The folder of an extension in the storage of the editors that run it.
macro_rules! editors {
    ($agent:expr, $extension:literal, $logs:expr, [$($storage:literal),+ $(,)?]) => {
        [$(layout($agent, concat!($storage, "/globalStorage/", $extension), $logs, "")),+]
    };
    ($agent:expr, $extension:literal, $logs:expr) => {
        editors!($agent, $extension, $logs, [
            ".config/Code/User",
            ".config/Code - Insiders/User",
            ".config/VSCodium/User",
            ".config/Cursor/User",
            ".config/Windsurf/User",
            ".vscode-server/data/User",
            ".vscode-server-insiders/data/User",
            ".cursor-server/data/User",
            ".windsurf-server/data/User",
            "Library/Application Support/Code/User",
            "Library/Application Support/Code - Insiders/User",
            "Library/Application Support/VSCodium/User",
            "Library/Application Support/Cursor/User",
            "Library/Application Support/Windsurf/User",
            "AppData/Roaming/Code/User",
            "AppData/Roaming/Code - Insiders/User",
            "AppData/Roaming/VSCodium/User",
            "AppData/Roaming/Cursor/User",
            "AppData/Roaming/Windsurf/User",
        ])
    };
}

const TASKS: &[&str] = &["tasks"];
const THREADS: &[&str] = &["threads3"];
const CHATS: &[&str] = &[
    "workspaceStorage",
    "globalStorage/emptyWindowChatSessions",
    "globalStorage/transferredChatSessions",
];
/// VS Code itself.
const VSCODE: [Layout; 11] = [
    layout(Agent::VsCodeCopilot, ".config/Code/User", CHATS, ""),
    layout(Agent::VsCodeCopilot, ".config/Code - Insiders/User", CHATS, ""),
    layout(Agent::VsCodeCopilot, ".config/VSCodium/User", CHATS, ""),
    layout(Agent::VsCodeCopilot, ".vscode-server/data/User", CHATS, ""),
    layout(
        Agent::VsCodeCopilot,
        ".vscode-server-insiders/data/User",
        CHATS,
        "",
    ),
    layout(
        Agent::VsCodeCopilot,
        "Library/Application Support/Code/User",
        CHATS,
        "",
    ),
    layout(
        Agent::VsCodeCopilot,
        "Library/Application Support/Code - Insiders/User",
        CHATS,
        "",
    ),
    layout(
        Agent::VsCodeCopilot,
        "Library/Application Support/VSCodium/User",
        CHATS,
        "",
    ),
    layout(Agent::VsCodeCopilot, "AppData/Roaming/Code/User", CHATS, ""),
    layout(
        Agent::VsCodeCopilot,
        "AppData/Roaming/Code - Insiders/User",
        CHATS,
        "",
    ),
    layout(Agent::VsCodeCopilot, "AppData/Roaming/VSCodium/User", CHATS, ""),
];
const ROO: [Layout; 19] = editors!(Agent::RooCode, "rooveterinaryinc.roo-cline", TASKS);
const KILO: [Layout; 19] = editors!(Agent::KiloCode, "kilocode.kilo-code", TASKS);
const CLINE_EXTENSION: [Layout; 19] = editors!(Agent::Cline, "saoudrizwan.claude-dev", TASKS);
const AMP_EXTENSION: [Layout; 19] = editors!(Agent::Amp, "sourcegraph.amp", THREADS);

fn layouts() -> impl Iterator<Item = &'static Layout> {
    static ALL: [&[Layout]; 7] = [
        &LAYOUTS,
        &ROO,
        &KILO,
        &CLINE_EXTENSION,
        &VSCODE,
        &AMP_EXTENSION,
        &CURSOR,
    ];
    ALL.iter().copied().flatten()
}

impl Os {
    /// The system that this program was built for.
    pub(crate) const fn current() -> Os {
        if cfg!(windows) {
            Os::Windows
        } else if cfg!(target_os = "macos") {
            Os::Mac
        } else {
            Os::Unix
        }
    }

    fn is_absolute(self, path: &str) -> bool {
        match self {
            Os::Unix | Os::Mac => path.starts_with('/'),
            Os::Windows => {
                let drive = path.as_bytes();
                path.starts_with("\\\\")
                    || drive.len() > 2
                        && drive[0].is_ascii_alphabetic()
                        && drive[1] == b':'
                        && matches!(drive[2], b'\\' | b'/')
            }
        }
    }

    /// True for the folders of this system.
    fn has(self, layout: &Layout) -> bool {
        match layout.own.split('/').next() {
            Some("Library") => self == Os::Mac,
            Some("AppData") => self == Os::Windows,
            _ => true,
        }
    }
}

/// The folders to which the agents of this user write. A variable that moves a folder replaces the one below the
/// home, as it does for the agent.
pub(crate) fn places(os: Os, environment: &Environment) -> Vec<Place> {
    let look = Look { os, environment };
    let mut places = Vec::new();
    for agent in Agent::ALL {
        let mut layouts = layouts().filter(|layout| layout.agent == agent);
        let moved = look.moved(agent);
        if let Some((variable, folders)) = &moved {
            let layout = layouts.next();
            places.extend(layout.into_iter().flat_map(|layout| {
                let folders = folders.iter();
                folders.map(move |own| place(layout, own.clone(), variable))
            }));
        }
        if let Some(home) = environment.home() {
            let layouts = layouts
                .filter(|layout| os.has(layout) && (moved.is_none() || is_of_extension(layout)))
                .map(|layout| place(layout, home.join(layout.own), layout.variable));
            places.extend(layouts);
        }
    }
    look.further(&mut places);
    let mut seen = Vec::new();
    places.retain(|place| {
        let is_new = !seen.contains(&(place.agent, place.own.clone(), place.database.clone()));
        seen.push((place.agent, place.own.clone(), place.database.clone()));
        is_new
    });
    places
}

/// The variables that change a place, in words; empty when there is none. Those that are unset are named too, because
/// they are what to set.
pub(crate) fn variables(place: &Place) -> &'static str {
    match place.agent {
        Agent::ClaudeCode => "CLAUDE_CONFIG_DIR or XDG_CONFIG_HOME",
        Agent::CopilotCli => "COPILOT_HOME, XDG_STATE_HOME or XDG_CONFIG_HOME",
        Agent::OpenCode => "OPENCODE_DB, OPENCODE_DATA_DIR or XDG_DATA_HOME",
        Agent::QwenCode => "QWEN_HOME or QWEN_RUNTIME_DIR",
        Agent::Cline if !place.variable.is_empty() => "CLINE_DATA_DIR or CLINE_DIR",
        _ => place.variable,
    }
}

/// True for the folder of an extension, which the editor places: no variable of the agent moves it.
fn is_of_extension(layout: &Layout) -> bool {
    layout.own.contains("/globalStorage/")
}

/// True for a folder in the storage of one of the many editors: most people have only one.
pub(crate) fn is_of_editor(place: &Place) -> bool {
    place.own.ends_with("User") || place.own.iter().any(|part| part == "globalStorage")
}

/// The folders below a folder that is, or looks like, a home folder: agent, folder, folders of logs.
pub(crate) fn below_home() -> impl Iterator<Item = (Agent, &'static str, &'static [&'static str])> {
    layouts().map(|layout| (layout.agent, layout.own, layout.logs))
}

fn place(layout: &Layout, own: PathBuf, variable: &'static str) -> Place {
    let database = (layout.agent == Agent::Cursor).then(|| own.join(DATABASE));
    Place {
        agent: layout.agent,
        own,
        logs: layout.logs,
        variable,
        database,
    }
}

struct Look<'a> {
    os: Os,
    environment: &'a Environment,
}

impl Look<'_> {
    /// The variable that moves the folder of an agent, where one is set, and the folders that it names.
    fn moved(&self, agent: Agent) -> Option<(&'static str, Vec<PathBuf>)> {
        let named = |variable: &'static str, below: &str| {
            let folders = self.folders(variable);
            let below = |folder: PathBuf| {
                if below.is_empty() || folder.ends_with(below) {
                    folder
                } else {
                    folder.join(below)
                }
            };
            (!folders.is_empty()).then(|| (variable, folders.into_iter().map(below).collect()))
        };
        match agent {
            Agent::ClaudeCode => named("CLAUDE_CONFIG_DIR", ""),
            Agent::Codex => named("CODEX_HOME", ""),
            Agent::CopilotCli => named("COPILOT_HOME", ""),
            Agent::OpenCode => named("OPENCODE_DATA_DIR", "").or_else(|| named("XDG_DATA_HOME", "opencode")),
            Agent::GeminiCli => named("GEMINI_CLI_HOME", ".gemini"),
            Agent::QwenCode => named("QWEN_RUNTIME_DIR", "").or_else(|| named("QWEN_HOME", "")),
            Agent::Pi => named("PI_CODING_AGENT_DIR", ""),
            Agent::KimiCli => named("KIMI_SHARE_DIR", ""),
            Agent::Amp => named("XDG_DATA_HOME", "amp"),
            Agent::Cline => named("CLINE_DATA_DIR", "").or_else(|| named("CLINE_DIR", "data")),
            Agent::Droid | Agent::RooCode | Agent::KiloCode | Agent::VsCodeCopilot | Agent::Cursor => None,
        }
    }

    /// Places in addition to those that a variable replaces.
    fn further(&self, places: &mut Vec<Place>) {
        let of = |agent: Agent| LAYOUTS.iter().find(|layout| layout.agent == agent);
        if self.folders("CLAUDE_CONFIG_DIR").is_empty()
            && let Some(layout) = of(Agent::ClaudeCode)
        {
            let config = self.folders("XDG_CONFIG_HOME").into_iter();
            places.extend(config.map(|config| place(layout, config.join("claude"), "CLAUDE_CONFIG_DIR")));
        }
        if self.folders("COPILOT_HOME").is_empty()
            && let Some(layout) = of(Agent::CopilotCli)
        {
            for variable in ["XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
                let folders = self.folders(variable).into_iter();
                places.extend(folders.map(|folder| place(layout, folder.join(".copilot"), "COPILOT_HOME")));
            }
        }
        if let Some(layout) = of(Agent::Cline) {
            let sessions = self.folders("CLINE_SESSION_DATA_DIR").into_iter();
            places.extend(sessions.map(|sessions| Place {
                logs: &[""],
                ..place(layout, sessions, "CLINE_SESSION_DATA_DIR")
            }));
        }
        // Only the database; a relative path is relative to the data folder.
        if let Some(database) = self
            .environment
            .var("OPENCODE_DB")
            .filter(|path| *path != ":memory:")
            && let Some(layout) = of(Agent::OpenCode)
        {
            let own = places
                .iter()
                .find(|place| place.agent == Agent::OpenCode)
                .map(|place| place.own.clone());
            let database = match self.absolute(database) {
                Some(path) => Some(path),
                None => own.clone().map(|own| own.join(database)),
            };
            places.extend(database.map(|database| Place {
                database: Some(database),
                ..place(layout, own.unwrap_or_default(), "OPENCODE_DB")
            }));
        }
    }

    /// The folders in a variable: one, or several separated by commas. A value with a comma may also be one folder, so
    /// the whole value is checked, too.
    fn folders(&self, variable: &str) -> Vec<PathBuf> {
        let Some(value) = self.environment.var(variable) else {
            return Vec::new();
        };
        let pieces = value.split(',').filter(|_| value.contains(','));
        std::iter::once(value)
            .chain(pieces)
            .filter_map(|path| self.absolute(path.trim()))
            .collect()
    }

    /// An absolute path, or one below the home. Others are ignored, as the XDG specification requires.
    fn absolute(&self, path: &str) -> Option<PathBuf> {
        let below_home = path.strip_prefix("~/").or_else(|| path.strip_prefix("~\\"));
        if let Some(below) = below_home {
            return Some(self.environment.home()?.join(below));
        }
        self.os.is_absolute(path).then(|| Path::new(path).to_owned())
    }
}

#[cfg(test)]
mod tests;
