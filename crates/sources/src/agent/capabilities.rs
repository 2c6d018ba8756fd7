//! The data that each agent's logs contain: the table of `docs/agents.md`.

use std::fmt;

use super::Agent;

/// Whether a log contains some data, and whether it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The log contains it, and it is read.
    Yes,
    /// The log, or a file next to it, contains it, and it is not read.
    No,
    /// The log does not contain it: events lack it.
    NotApplicable,
}

/// The description of one agent.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// The agent's name for people.
    pub name: &'static str,
    /// Where its logs are, below the home unless a variable moves them.
    pub places: &'static str,
    /// The versions whose logs were seen, or whose source was read.
    pub versions: &'static str,
    /// The source of the format's description.
    pub source: &'static str,
    /// In the order of [`Capabilities::COLUMNS`].
    pub told: [Told; 12],
}

impl Capabilities {
    /// The kinds of data that a log may contain.
    pub const COLUMNS: [&str; 12] = [
        "calls",
        "outcome",
        "reason",
        "duration",
        "model",
        "tokens",
        "cost",
        "project",
        "inventory",
        "skills",
        "MCP",
        "subagents",
    ];

    /// Whether the log contains `column`, one of [`Capabilities::COLUMNS`].
    pub fn tells(&self, column: &str) -> Option<Told> {
        let at = Capabilities::COLUMNS.iter().position(|known| *known == column)?;
        Some(self.told[at])
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Told::Yes => "yes",
            Told::No => "no",
            Told::NotApplicable => "N/A",
        })
    }
}

const YES: Told = Told::Yes;
const NO: Told = Told::No;
const NA: Told = Told::NotApplicable;

impl Agent {
    /// The data that the agent's logs contain. Cost is the cost stated in the log, or else the price of the tokens.
    pub const fn capabilities(self) -> Capabilities {
        match self {
            Agent::ClaudeCode => Capabilities {
                name: "Claude Code",
                places: "`.claude/projects`, `.config/claude/projects`; `CLAUDE_CONFIG_DIR`",
                versions: "2.0.64 to 2.1.219",
                source: "code.claude.com (skills, commands, hooks); logs that teams publish",
                told: [YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES, YES],
            },
            Agent::Codex => Capabilities {
                name: "Codex",
                places: "`.codex/sessions`, `.codex/archived_sessions`; `CODEX_HOME`",
                versions: "first rollouts to today's, compressed ones too",
                source: "openai/codex, `codex-rs/protocol/src/protocol.rs`",
                told: [YES, YES, YES, YES, YES, YES, YES, YES, NA, NA, YES, YES],
            },
            Agent::CopilotCli => Capabilities {
                name: "Copilot CLI",
                places: "`.copilot/session-state`; `COPILOT_HOME`",
                versions: "2026",
                source: "logs that it wrote; the program is closed",
                told: [YES, YES, YES, YES, YES, YES, YES, YES, NA, YES, YES, YES],
            },
            Agent::OpenCode => Capabilities {
                name: "OpenCode",
                places: "`.local/share/opencode` (database, `storage`, `project`), on macOS also `Library/Application \
                         Support/opencode`, on Windows also `AppData/Local/opencode` and `AppData/Roaming/opencode`; \
                         `OPENCODE_DATA_DIR`, `OPENCODE_DB`, `XDG_DATA_HOME`",
                versions: "1.0.20 to 2026, also those with the table `session_message`",
                source: "sst/opencode, `packages/opencode/src/session`, `packages/schema/src/session-message.ts`",
                told: [YES, YES, YES, YES, YES, YES, YES, YES, NA, YES, YES, YES],
            },
            Agent::GeminiCli => Capabilities {
                name: "Gemini CLI",
                places: "`.gemini/tmp`; `GEMINI_CLI_HOME`",
                versions: "2025 (JSON) to 2026 (JSONL)",
                source: "google-gemini/gemini-cli, `packages/core/src/services/chatRecordingService.ts`",
                told: [YES, YES, YES, NA, YES, YES, YES, YES, NA, YES, YES, YES],
            },
            Agent::QwenCode => Capabilities {
                name: "Qwen Code",
                places: "`.qwen/projects`, `.qwen/tmp`; `QWEN_HOME`, `QWEN_RUNTIME_DIR`",
                versions: "0.15",
                source: "QwenLM/qwen-code, `packages/core/src/services/chatRecordingService.ts`",
                told: [YES, YES, YES, YES, YES, YES, YES, YES, NA, YES, YES, YES],
            },
            Agent::Pi => Capabilities {
                name: "pi",
                places: "`.pi/agent/sessions`; `PI_CODING_AGENT_DIR`",
                versions: "sessions of versions 1 to 3",
                source: "badlogic/pi-mono, `packages/coding-agent/docs/session.md`",
                told: [YES, YES, YES, YES, YES, YES, YES, YES, NA, YES, YES, YES],
            },
            Agent::KimiCli => Capabilities {
                name: "Kimi CLI",
                places: "`.kimi/sessions`, `.kimi/imported_sessions`; `KIMI_SHARE_DIR`",
                versions: "1.49 (source); response ids since 0.66",
                source: "MoonshotAI/kimi-cli, `src/kimi_cli/wire`",
                told: [YES, YES, YES, YES, NA, YES, NA, NO, NA, YES, YES, YES],
            },
            Agent::Droid => Capabilities {
                name: "Factory Droid",
                places: "`.factory/sessions`",
                versions: "2025 and 2026",
                source: "the program is closed; robertpelloni/borg, `DroidSessionParser.swift`; ryoppippi/ccusage, \
                         `adapter/droid`",
                told: [YES, YES, NO, YES, NO, NO, NA, YES, NA, NO, YES, NO],
            },
            Agent::RooCode => Capabilities {
                name: "Roo Code",
                places: "`globalStorage/rooveterinaryinc.roo-cline/tasks` of VS Code and of editors made from it",
                versions: "3.52 (source): with native tool calls",
                source: "RooCodeInc/Roo-Code, `src/core/task-persistence/apiMessages.ts`",
                told: [YES, YES, YES, YES, YES, NO, NO, YES, NA, YES, YES, YES],
            },
            Agent::KiloCode => Capabilities {
                name: "Kilo Code",
                places: "`globalStorage/kilocode.kilo-code/tasks` of VS Code and of editors made from it",
                versions: "with native tool calls, before its own database",
                source: "Kilo-Org/kilocode, `src/core/prompts/responses.ts`; else as Roo Code",
                told: [YES, YES, YES, YES, YES, NO, NO, YES, NA, YES, YES, YES],
            },
            Agent::Cline => Capabilities {
                name: "Cline",
                places: "`.cline/data` (`sessions`, `tasks`), `globalStorage/saoudrizwan.claude-dev/tasks` of VS Code and \
                         of editors made from it; `CLINE_DATA_DIR`, `CLINE_DIR`, `CLINE_SESSION_DATA_DIR`",
                versions: "with native tool calls (3.35, October 2025) to 4.1, with its own sessions",
                source: "cline/cline, `sdk/packages/shared/src/llms/messages.ts`, `src/core/task` before June 2026",
                told: [YES, YES, YES, YES, YES, YES, YES, YES, NA, YES, YES, YES],
            },
            Agent::VsCodeCopilot => Capabilities {
                name: "VS Code Copilot Chat",
                places: "`workspaceStorage/*/chatSessions`, `globalStorage/emptyWindowChatSessions` and \
                         `globalStorage/transferredChatSessions` of VS Code",
                versions: "sessions of versions 1 to 3, also as logs of changes",
                source: "microsoft/vscode, `src/vs/workbench/contrib/chat/common/model`",
                told: [YES, YES, YES, YES, YES, NO, NA, YES, NA, NA, YES, YES],
            },
            Agent::Amp => Capabilities {
                name: "Amp",
                places: "`.local/share/amp/threads`, `globalStorage/sourcegraph.amp/threads3` of VS Code and of editors \
                         made from it; `XDG_DATA_HOME`",
                versions: "threads of 2025 and 2026",
                source: "the program is closed; ryoppippi/ccusage, `adapter/amp`; \
                         jonathan-kellerai/cross_agent_session_resumer, `src/providers/amp.rs`",
                told: [YES, YES, YES, NA, YES, YES, YES, YES, NA, YES, YES, YES],
            },
            Agent::Cursor => Capabilities {
                name: "Cursor",
                places: "`globalStorage/state.vscdb` of Cursor (`.config/Cursor/User` on Linux)",
                versions: "chats of the editor, 2025 and 2026",
                source: "the program is closed; michaeldhood/chatrxiv, `docs/cursor/storage-reference.md`; \
                         jverre/agents-for-cursor, `investigations`",
                told: [YES, YES, YES, NA, YES, NO, NO, YES, NA, NA, YES, YES],
            },
        }
    }
}
