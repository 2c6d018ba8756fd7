//! The attributes that are read. Every other one is passed over while decoding, and its value is never copied.

use std::borrow::Cow;

/// A value that is longer is cut: the names and ids that are read are shorter.
const MAX_VALUE_BYTES: usize = 1_024;

macro_rules! keys {
    ($($key:ident = $name:literal),+ $(,)?) => {
        /// An attribute that is read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Key { $($key),+ }

        impl Key {
            const COUNT: usize = [$($name),+].len();

            /// The key of this name, if it is one that is read.
            pub(super) fn of(name: &str) -> Option<Key> {
                match name {
                    $($name => Some(Key::$key),)+
                    _ => None,
                }
            }
        }
    };
}

keys! {
    // Of resources and scopes.
    ServiceName = "service.name",
    ServiceVersion = "service.version",
    // Of all agents.
    EventName = "event.name",
    EventTimestamp = "event.timestamp",
    AppVersion = "app.version",
    SessionId = "session.id",
    ConversationId = "conversation.id",
    Success = "success",
    DurationMs = "duration_ms",
    Decision = "decision",
    Source = "source",
    ToolName = "tool_name",
    // Claude Code.
    ToolUseId = "tool_use_id",
    ToolParameters = "tool_parameters",
    RequestId = "request_id",
    Model = "model",
    CostUsdMicros = "cost_usd_micros",
    InputTokens = "input_tokens",
    OutputTokens = "output_tokens",
    CacheReadTokens = "cache_read_tokens",
    CacheCreationTokens = "cache_creation_tokens",
    // Codex.
    CallId = "call_id",
    ToolNamespace = "tool_namespace",
    McpServer = "mcp_server",
    // Gemini CLI and Qwen Code.
    FunctionName = "function_name",
    Status = "status",
    McpServerName = "mcp_server_name",
    GeminiCallId = "gen_ai.tool.call_id",
    // Copilot and the conventions of OpenTelemetry.
    OperationName = "gen_ai.operation.name",
    GenAiToolName = "gen_ai.tool.name",
    GenAiCallId = "gen_ai.tool.call.id",
    GenAiConversationId = "gen_ai.conversation.id",
    GenAiSkillName = "gen_ai.skill.name",
    ErrorType = "error.type",
    ExitCode = "process.exit.code",
    CopilotSkill = "github.copilot.tool.parameters.skill_name",
    CopilotServerHash = "github.copilot.tool.parameters.mcp_server_name_hash",
    // What of `tool_parameters` is read; no attribute has these names.
    ParameterServer = "tool_parameters/mcp_server_name",
    ParameterTool = "tool_parameters/mcp_tool_name",
    ParameterSkill = "tool_parameters/skill_name",
    ParameterAgent = "tool_parameters/subagent_type",
}

/// A scalar. Agents send the same attribute as a string in one event and as a number in another.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Double(f64),
    Bool(bool),
}

/// The attributes of one record, resource or scope that are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Attributes(Vec<(Key, Value<'static>)>);

impl Attributes {
    /// Keeps a value; the first of a key stands. Of `tool_parameters` only names are kept, never the text itself.
    pub(super) fn put(&mut self, key: Key, value: Value<'_>) {
        if key == Key::ToolParameters {
            if let Value::Text(text) = value {
                self.put_parameters(&text);
            }
            return;
        }
        if self.0.len() >= Key::COUNT || self.get(key).is_some() {
            return;
        }
        let value = match value {
            Value::Text(text) => Value::Text(
                model::text::truncate_bytes(&text, MAX_VALUE_BYTES)
                    .to_owned()
                    .into(),
            ),
            Value::Int(number) => Value::Int(number),
            Value::Double(number) => Value::Double(number),
            Value::Bool(is) => Value::Bool(is),
        };
        self.0.push((key, value));
    }

    fn put_parameters(&mut self, json: &str) {
        #[derive(serde::Deserialize)]
        #[serde(default)]
        #[derive(Default)]
        struct Parameters<'a> {
            #[serde(borrow)]
            mcp_server_name: Option<Cow<'a, str>>,
            #[serde(borrow)]
            mcp_tool_name: Option<Cow<'a, str>>,
            #[serde(borrow)]
            skill_name: Option<Cow<'a, str>>,
            #[serde(borrow)]
            subagent_type: Option<Cow<'a, str>>,
        }
        let parameters: Parameters<'_> = serde_json::from_str(json).unwrap_or_default();
        for (key, value) in [
            (Key::ParameterServer, parameters.mcp_server_name),
            (Key::ParameterTool, parameters.mcp_tool_name),
            (Key::ParameterSkill, parameters.skill_name),
            (Key::ParameterAgent, parameters.subagent_type),
        ] {
            if let Some(value) = value {
                self.put(key, Value::Text(value));
            }
        }
    }

    fn get(&self, key: Key) -> Option<&Value<'static>> {
        self.0
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| value)
    }

    /// A text that is not empty.
    pub(super) fn text(&self, key: Key) -> Option<&str> {
        match self.get(key)? {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A text of its own.
    pub(super) fn owned(&self, key: Key) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    /// A whole number, however it was sent.
    pub(super) fn int(&self, key: Key) -> Option<i64> {
        let whole = |number: f64| {
            let number = number.round();
            #[expect(clippy::cast_possible_truncation, reason = "checked against the bound")]
            (number.abs() < 9e15).then_some(number as i64)
        };
        match self.get(key)? {
            Value::Int(number) => Some(*number),
            Value::Double(number) => whole(*number),
            Value::Text(text) => text.parse().ok().or_else(|| whole(text.parse().ok()?)),
            Value::Bool(_) => None,
        }
    }

    /// A truth value, however it was sent.
    pub(super) fn bool(&self, key: Key) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(is) => Some(*is),
            Value::Text(text) => text.to_ascii_lowercase().parse().ok(),
            Value::Int(number) => Some(*number != 0),
            Value::Double(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_whatever_its_type() {
        let mut attributes = Attributes::default();
        attributes.put(Key::Success, Value::Text("true".into()));
        attributes.put(Key::DurationMs, Value::Text("30".into()));
        attributes.put(Key::ExitCode, Value::Double(3.0));
        assert_eq!(attributes.bool(Key::Success), Some(true));
        assert_eq!(attributes.int(Key::DurationMs), Some(30));
        assert_eq!(attributes.int(Key::ExitCode), Some(3));
        attributes.put(Key::ExitCode, Value::Int(4));
        assert_eq!(attributes.int(Key::ExitCode), Some(3), "the first stands");
    }

    #[test]
    fn of_the_parameters_of_a_tool_only_names_are_kept() {
        let mut attributes = Attributes::default();
        let text = r#"{"mcp_server_name":"linear","full_command":"curl -u secret","bash_command":"curl"}"#;
        attributes.put(Key::ToolParameters, Value::Text(text.into()));
        assert_eq!(attributes.text(Key::ParameterServer), Some("linear"));
        assert!(!format!("{attributes:?}").contains("curl"), "{attributes:?}");
        attributes.put(Key::ToolParameters, Value::Text("not json: secret".into()));
        assert!(!format!("{attributes:?}").contains("secret"));
    }
}
