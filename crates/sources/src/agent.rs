//! The agents whose logs are read.

use std::{fmt, str::FromStr};

mod capabilities;

pub use capabilities::{Capabilities, Told};

/// An agent program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Agent {
    /// Anthropic's Claude Code.
    ClaudeCode,
    /// OpenAI's Codex CLI.
    Codex,
    /// GitHub's Copilot CLI.
    CopilotCli,
    /// OpenCode.
    OpenCode,
    /// Google's Gemini CLI.
    GeminiCli,
    /// Qwen Code.
    QwenCode,
    /// pi.
    Pi,
    /// Moonshot's Kimi CLI.
    KimiCli,
    /// Factory's Droid.
    Droid,
    /// Roo Code.
    RooCode,
    /// Kilo Code.
    KiloCode,
    /// Cline.
    Cline,
    /// GitHub's Copilot Chat in VS Code.
    VsCodeCopilot,
    /// Sourcegraph's Amp.
    Amp,
    /// Cursor.
    Cursor,
}

/// A word that names no agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an agent is one of {}",
    Agent::ALL.map(Agent::as_str).join(", ")
)]
pub struct UnknownAgent;

impl Agent {
    /// Every agent.
    pub const ALL: [Agent; 15] = [
        Agent::ClaudeCode,
        Agent::Codex,
        Agent::CopilotCli,
        Agent::OpenCode,
        Agent::GeminiCli,
        Agent::QwenCode,
        Agent::Pi,
        Agent::KimiCli,
        Agent::Droid,
        Agent::RooCode,
        Agent::KiloCode,
        Agent::Cline,
        Agent::VsCodeCopilot,
        Agent::Amp,
        Agent::Cursor,
    ];

    /// The name in events and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Agent::ClaudeCode => "claude-code",
            Agent::Codex => "codex",
            Agent::CopilotCli => "copilot-cli",
            Agent::OpenCode => "opencode",
            Agent::GeminiCli => "gemini-cli",
            Agent::QwenCode => "qwen-code",
            Agent::Pi => "pi",
            Agent::KimiCli => "kimi-cli",
            Agent::Droid => "factory-droid",
            Agent::RooCode => "roo-code",
            Agent::KiloCode => "kilo-code",
            Agent::Cline => "cline",
            Agent::VsCodeCopilot => "vscode-copilot",
            Agent::Amp => "amp",
            Agent::Cursor => "cursor",
        }
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Agent {
    type Err = UnknownAgent;

    fn from_str(name: &str) -> Result<Agent, UnknownAgent> {
        Agent::ALL
            .into_iter()
            .find(|agent| agent.as_str() == name)
            .ok_or(UnknownAgent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for agent in Agent::ALL {
            assert_eq!(agent.to_string().parse(), Ok(agent));
        }
        assert_eq!("claude".parse::<Agent>(), Err(UnknownAgent));
    }
}
