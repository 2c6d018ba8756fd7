//! The records of one Claude Code session log, as the agent writes them: one JSON object per line.
//!
//! The shapes are those of versions 2.1.2xx: one content block per line, every line of a message with the whole usage
//! of that message, results in `user` records, and `attachment` records for what the session has loaded.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{
    random::Random,
    team::{Call, Member, Tool},
};

/// A session log that is being written.
pub(super) struct Log {
    /// The agent's id of the session.
    pub(super) session_id: String,
    /// The time that the next record gets.
    pub(super) clock: DateTime<Utc>,
    /// The lines so far, each with its line break.
    pub(super) lines: String,
    /// Decides ids and figures.
    pub(super) random: Random,
    /// Set in the log of a subagent.
    agent_id: Option<String>,
    cwd: String,
    branch: &'static str,
    version: &'static str,
    entrypoint: &'static str,
    model: &'static str,
    parent: Option<String>,
}

/// What the lines of one assistant message have in common.
pub(super) struct Message {
    id: String,
    request_id: String,
    usage: Value,
}

impl Log {
    /// The log of a session that begins now, by `clock`.
    pub(super) fn begin(member: &Member, project: &str, clock: DateTime<Utc>, mut random: Random) -> Log {
        let branch = random.pick(&[
            "main",
            "main",
            "fix/rounding",
            "feature/refunds",
            "chore/upgrade",
            "spike/cache",
        ]);
        let version = random.pick(&["2.1.205", "2.1.212", "2.1.212", "2.1.219"]);
        Log {
            session_id: random.uuid(),
            clock,
            lines: String::new(),
            agent_id: None,
            cwd: format!("{}/{project}", member.checkouts),
            branch,
            version,
            entrypoint: if member.kind == model::team::MemberKind::Ci {
                "sdk-cli"
            } else {
                "cli"
            },
            model: member.model,
            parent: None,
            random,
        }
    }

    /// The log of a subagent that this session starts now.
    pub(super) fn begin_subagent(&mut self) -> (String, Log) {
        let agent_id = format!("a{}", &self.random.uuid().replace('-', "")[..16]);
        let log = Log {
            session_id: self.session_id.clone(),
            clock: self.clock,
            lines: String::new(),
            random: self.random.split(),
            agent_id: Some(agent_id.clone()),
            cwd: self.cwd.clone(),
            branch: self.branch,
            version: self.version,
            entrypoint: self.entrypoint,
            model: self.model,
            parent: None,
        };
        (agent_id, log)
    }

    /// The name of the folder below `projects` in which the agent keeps the log.
    pub(super) fn folder(&self) -> String {
        let flat = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        self.cwd.chars().map(flat).collect()
    }

    /// Moves the clock on by about `median_ms`.
    pub(super) fn pause(&mut self, median_ms: u32) {
        let ms = self.random.around(median_ms);
        self.clock += TimeDelta::milliseconds(i64::from(ms));
    }

    fn write(&mut self, kind: &str, at: DateTime<Utc>, fields: Value) -> String {
        let Value::Object(mut record) = fields else {
            unreachable!("every record is written as an object")
        };
        let uuid = self.random.uuid();
        let envelope: Map<String, Value> = Map::from_iter([
            ("parentUuid".to_owned(), json!(self.parent.replace(uuid.clone()))),
            ("isSidechain".to_owned(), json!(self.agent_id.is_some())),
            ("type".to_owned(), json!(kind)),
            ("uuid".to_owned(), json!(uuid)),
            (
                "timestamp".to_owned(),
                json!(at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            ),
            ("userType".to_owned(), json!("external")),
            ("entrypoint".to_owned(), json!(self.entrypoint)),
            ("cwd".to_owned(), json!(self.cwd)),
            ("sessionId".to_owned(), json!(self.session_id)),
            ("version".to_owned(), json!(self.version)),
            ("gitBranch".to_owned(), json!(self.branch)),
        ]);
        record.extend(envelope);
        if let Some(agent_id) = &self.agent_id {
            record.insert("agentId".to_owned(), json!(agent_id));
        }
        writeln!(self.lines, "{}", Value::Object(record)).expect("writing to a string cannot fail");
        uuid
    }

    /// Writes a prompt.
    pub(super) fn prompt(&mut self, text: &str) {
        self.write(
            "user",
            self.clock,
            json!({"message": {"role": "user", "content": text}}),
        );
    }

    /// Writes a slash command and its expanded text.
    pub(super) fn command(&mut self, name: &str) {
        let tags = format!(
            "<command-message>{name}</command-message>\n<command-name>/{name}</command-name>\n<command-args></command-args>"
        );
        self.write(
            "user",
            self.clock,
            json!({"message": {"role": "user", "content": tags}}),
        );
        let text = format!("Do what /{name} of this repository says.");
        let content = json!([{"type": "text", "text": text}]);
        self.write(
            "user",
            self.clock,
            json!({"isMeta": true, "message": {"role": "user", "content": content}}),
        );
    }

    /// Writes the listings of the loaded tools, from which the inventory is read.
    pub(super) fn loaded(&mut self, tools: &[&Tool]) {
        let listed = |wanted: fn(Call) -> bool| {
            tools
                .iter()
                .filter(move |tool| wanted(tool.call) && !tool.about.is_empty())
                .copied()
        };
        let mut attach = |attachment: Value| {
            self.write("attachment", self.clock, json!({"attachment": attachment}));
        };

        let deferred: Vec<String> = listed(|call| matches!(call, Call::Mcp(..)))
            .flat_map(|tool| match tool.call {
                Call::Mcp(server, operations) => operations
                    .iter()
                    .map(|operation| format!("mcp__{server}__{operation}"))
                    .collect(),
                _ => Vec::new(),
            })
            .collect();
        attach(json!({
            "type": "deferred_tools_delta", "addedNames": deferred, "addedLines": deferred, "removedNames": [],
            "readdedNames": [], "pendingMcpServers": [], "needsAuthMcpServers": [],
        }));

        let agents: Vec<&Tool> = listed(|call| matches!(call, Call::Agent(_))).collect();
        let types: Vec<&str> = agents.iter().map(|tool| tool.call.name()).collect();
        let lines: Vec<String> = agents
            .iter()
            .map(|tool| format!("- {}: {}", tool.call.name(), tool.about))
            .collect();
        attach(json!({
            "type": "agent_listing_delta", "addedTypes": types, "addedLines": lines, "removedTypes": [],
            "isInitial": true, "showConcurrencyNote": true,
        }));

        let servers: Vec<&Tool> = listed(|call| matches!(call, Call::Mcp(..))).collect();
        let names: Vec<&str> = servers.iter().map(|tool| tool.call.name()).collect();
        let blocks: Vec<String> = servers
            .iter()
            .map(|tool| format!("## {}\n{}", tool.call.name(), tool.about))
            .collect();
        attach(json!({
            "type": "mcp_instructions_delta", "addedNames": names, "addedBlocks": blocks, "removedNames": [],
        }));

        let skills: Vec<&Tool> = listed(|call| matches!(call, Call::Skill(_))).collect();
        let names: Vec<&str> = skills.iter().map(|tool| tool.call.name()).collect();
        let lines: Vec<String> = skills
            .iter()
            .map(|tool| format!("- {}: {}", tool.call.name(), tool.about))
            .collect();
        attach(json!({
            "type": "skill_listing", "content": lines.join("\n"), "skillCount": names.len(), "isInitial": true,
            "names": names,
        }));
    }

    /// Begins a message of the model with about `tokens` tokens of output.
    pub(super) fn message(&mut self, tokens: u32) -> Message {
        let output = self.random.around(tokens);
        let cache_write = self.random.around(900);
        let cache_read = self.random.around(42_000);
        Message {
            id: format!("msg_01{}", self.random.base62(22)),
            request_id: format!("req_011{}", self.random.base62(21)),
            usage: json!({
                "input_tokens": self.random.between(2, 12),
                "cache_creation_input_tokens": cache_write,
                "cache_read_input_tokens": cache_read,
                "cache_creation": {"ephemeral_5m_input_tokens": cache_write, "ephemeral_1h_input_tokens": 0},
                "output_tokens": output,
                "service_tier": "standard",
            }),
        }
    }

    /// A line of the message: one content block.
    fn block(&mut self, message: &Message, block: &Value, stop_reason: &str) -> String {
        self.clock += TimeDelta::milliseconds(i64::from(self.random.between(5, 400)));
        self.write(
            "assistant",
            self.clock,
            json!({
                "requestId": message.request_id,
                "message": {
                    "model": self.model, "id": message.id, "type": "message", "role": "assistant",
                    "content": [block], "stop_reason": stop_reason, "stop_sequence": null, "usage": message.usage,
                },
            }),
        )
    }

    /// A text of the model.
    pub(super) fn text(&mut self, message: &Message, text: &str, stop_reason: &str) {
        self.block(message, &json!({"type": "text", "text": text}), stop_reason);
    }

    /// A call of a tool: its id, and the uuid of its record.
    pub(super) fn tool_use(&mut self, message: &Message, name: &str, input: &Value) -> (String, String) {
        let id = format!("toolu_01{}", self.random.base62(22));
        let block =
            json!({"type": "tool_use", "id": id, "name": name, "input": input, "caller": {"type": "direct"}});
        let record = self.block(message, &block, "tool_use");
        (id, record)
    }

    /// The result of a call.
    pub(super) fn tool_result(&mut self, at: DateTime<Utc>, call: &(String, String), result: &ToolResult) {
        let (id, record) = call;
        let mut block = json!({"type": "tool_result", "tool_use_id": id, "content": result.content});
        if result.is_error {
            block["is_error"] = json!(true);
        }
        self.write(
            "user",
            at,
            json!({
                "message": {"role": "user", "content": [block]},
                "toolUseResult": result.detail,
                "sourceToolAssistantUUID": record,
            }),
        );
    }

    /// The text of a skill, which follows its call.
    pub(super) fn skill_body(&mut self, call: &(String, String), name: &str) {
        let text = format!(
            "Base directory for this skill: {}/.claude/skills/{name}",
            self.cwd
        );
        let content = json!([{"type": "text", "text": text}]);
        self.write(
            "user",
            self.clock,
            json!({"isMeta": true, "sourceToolUseID": call.0, "message": {"role": "user", "content": content}}),
        );
    }

    /// The person stops the agent.
    pub(super) fn interruption(&mut self) {
        let content = json!([{"type": "text", "text": "[Request interrupted by user for tool use]"}]);
        self.write(
            "user",
            self.clock,
            json!({"message": {"role": "user", "content": content}}),
        );
    }
}

/// The result of a call in the log.
pub(super) struct ToolResult {
    /// The content for the model: a text or a list of blocks.
    pub(super) content: Value,
    /// The structured result for the agent.
    pub(super) detail: Value,
    /// The mark of a failed call.
    pub(super) is_error: bool,
}
