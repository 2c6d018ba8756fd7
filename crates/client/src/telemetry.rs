//! What an agent needs to push OpenTelemetry to a server: the lines for its environment and its settings.

use serde_json::json;

/// An agent that sends OpenTelemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// Claude Code.
    ClaudeCode,
    /// Codex.
    Codex,
    /// Gemini CLI.
    GeminiCli,
    /// Qwen Code.
    QwenCode,
    /// Copilot CLI.
    CopilotCli,
}

impl Sender {
    /// Every one.
    pub const ALL: [Sender; 5] = [
        Sender::ClaudeCode,
        Sender::Codex,
        Sender::GeminiCli,
        Sender::QwenCode,
        Sender::CopilotCli,
    ];

    /// The name in events and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Sender::ClaudeCode => "claude-code",
            Sender::Codex => "codex",
            Sender::GeminiCli => "gemini-cli",
            Sender::QwenCode => "qwen-code",
            Sender::CopilotCli => "copilot-cli",
        }
    }
}

/// Lines, and where they go.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Setting {
    /// The agent.
    pub agent: &'static str,
    /// Where the lines go.
    pub goes_to: &'static str,
    /// The lines.
    pub lines: String,
}

/// The settings of an agent, each a way of its own: one of them is enough. `details` lets Claude Code send the names of MCP
/// tools, skills and subagents, and commands and inputs with them, which the server drops.
pub fn settings(sender: Sender, url: &str, token: &str, details: bool) -> Vec<Setting> {
    let endpoint = format!("{}/otlp", url.trim_end_matches('/'));
    let headers = format!("Authorization=Bearer {token}");
    let shell = |pairs: &[(&str, &str)]| Setting {
        agent: sender.as_str(),
        goes_to: "the environment of the agent (shell)",
        lines: pairs
            .iter()
            .map(|(name, value)| format!("export {name}={}\n", quoted(value)))
            .collect(),
    };
    match sender {
        Sender::ClaudeCode => {
            let mut pairs = vec![
                ("CLAUDE_CODE_ENABLE_TELEMETRY", "1"),
                ("OTEL_LOGS_EXPORTER", "otlp"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
                ("OTEL_EXPORTER_OTLP_HEADERS", &headers),
            ];
            if details {
                pairs.push(("OTEL_LOG_TOOL_DETAILS", "1"));
            }
            let env: serde_json::Map<_, _> = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect();
            let json = serde_json::to_string_pretty(&json!({ "env": env })).unwrap_or_default();
            vec![
                shell(&pairs),
                Setting {
                    agent: sender.as_str(),
                    goes_to: "settings.json of Claude Code, or the managed settings of a company",
                    lines: format!("{json}\n"),
                },
            ]
        }
        Sender::Codex => vec![Setting {
            agent: sender.as_str(),
            goes_to: "config.toml of Codex",
            lines: format!(
                "[otel]\nlog_user_prompt = false\nexporter = {{ otlp-http = {{ endpoint = {}, protocol = \"binary\", \
                 headers = {{ authorization = {} }} }} }}\n",
                json!(format!("{endpoint}/v1/logs")),
                json!(format!("Bearer {token}")),
            ),
        }],
        Sender::GeminiCli => vec![shell(&[
            ("GEMINI_TELEMETRY_ENABLED", "true"),
            ("GEMINI_TELEMETRY_TARGET", "local"),
            ("GEMINI_TELEMETRY_USE_COLLECTOR", "true"),
            ("GEMINI_TELEMETRY_TRACES_ENABLED", "true"),
            ("GEMINI_TELEMETRY_LOG_PROMPTS", "false"),
            ("GEMINI_TELEMETRY_OTLP_PROTOCOL", "http"),
            ("GEMINI_TELEMETRY_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_HEADERS", &headers),
        ])],
        Sender::QwenCode => vec![shell(&[
            ("QWEN_TELEMETRY_ENABLED", "true"),
            ("QWEN_TELEMETRY_TARGET", "local"),
            ("QWEN_TELEMETRY_LOG_PROMPTS", "false"),
            ("QWEN_TELEMETRY_OTLP_PROTOCOL", "http"),
            ("QWEN_TELEMETRY_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_HEADERS", &headers),
        ])],
        Sender::CopilotCli => vec![shell(&[
            ("COPILOT_OTEL_ENABLED", "true"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_HEADERS", &headers),
        ])],
    }
}

/// A value for a POSIX shell, in quotes where it needs them.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=".contains(c);
    if value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_every_agent_name_the_server_and_the_token() {
        for sender in Sender::ALL {
            for setting in settings(sender, "https://hub.example/", "thb_x", false) {
                assert!(setting.lines.contains("https://hub.example/otlp"), "{setting:?}");
                assert!(setting.lines.contains("Bearer thb_x"), "{setting:?}");
                assert!(!setting.lines.contains("DETAILS"), "{setting:?}");
            }
        }
    }

    #[test]
    fn a_value_is_quoted_for_the_shell() {
        assert_eq!(quoted("http/protobuf"), "http/protobuf");
        assert_eq!(quoted("it's $HOME"), "'it'\\''s $HOME'");
    }

    #[test]
    fn the_settings_of_claude_code_are_json_and_those_of_codex_are_toml() {
        let claude = settings(Sender::ClaudeCode, "http://h", "t", true);
        let json: serde_json::Value = serde_json::from_str(&claude[1].lines).unwrap();
        assert_eq!(json["env"]["OTEL_LOG_TOOL_DETAILS"], "1");
        let codex: toml::Table = settings(Sender::Codex, "http://h", "t", false)[0]
            .lines
            .parse()
            .unwrap();
        let exporter = &codex["otel"]["exporter"]["otlp-http"];
        assert_eq!(exporter["endpoint"].as_str(), Some("http://h/otlp/v1/logs"));
    }
}
