//! The inventory: which tools a session had loaded, and which are installed on a machine. The body of
//! `PUT /v1/inventory`, and the denominator of dead weight.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ToolId;

/// The loaded and installed tools that one upload reports. Sending it again changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Inventory {
    /// The tools that sessions had loaded, from their logs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<SessionInventory>,
    /// The tools that are installed on the machine that uploads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineInventory>,
}

/// The tools that one session had loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionInventory {
    /// The agent's id of the session.
    pub session_id: String,
    /// The project in which the session ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The agent program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// When the session first listed its loaded tools.
    pub observed_at: DateTime<Utc>,
    /// The tools.
    pub tools: Vec<LoadedTool>,
    /// MCP servers that the session waited for, or that needed a sign-in, and that it never got.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreachable: Vec<ToolId>,
}

/// One tool in one session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoadedTool {
    /// The tool.
    pub tool_id: ToolId,
    /// UTF-8 bytes of the text that brought the tool into the session's context, over all its records.
    #[serde(default)]
    pub context_bytes: i64,
    /// Tokens that its listing added to each request, estimated by the rule of the agent's family. Without it the server
    /// estimates them from the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<i64>,
    /// Requests to the model that carried the listing. Absent where the log does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<i64>,
    /// Tokens of the listing over all these requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried_tokens: Option<i64>,
    /// What these tokens cost, in millionths of a USD. Absent where no request has a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<i64>,
    /// Tokens of the longest text that a call of the tool loaded, estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoke_tokens: Option<i64>,
}

impl LoadedTool {
    /// A tool of which only the size of its listing is known.
    pub fn new(tool_id: ToolId, context_bytes: i64) -> LoadedTool {
        LoadedTool {
            tool_id,
            context_bytes,
            context_tokens: None,
            requests: None,
            carried_tokens: None,
            cost_micro_usd: None,
            invoke_tokens: None,
        }
    }
}

/// What is installed on one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MachineInventory {
    /// A stable, opaque id of the machine, chosen by the client.
    pub machine_id: String,
    /// When the machine was scanned.
    pub observed_at: DateTime<Utc>,
    /// The tools. A tool that is no longer listed is no longer installed.
    pub tools: Vec<InstalledTool>,
}

/// One tool on one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InstalledTool {
    /// The tool.
    pub tool_id: ToolId,
    /// The tool's own description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it was declared: `user`, `project`, `plugin:<name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The file or folder that declares it, relative to the home directory (`~/…`) or to its project (`./…`), with the
    /// line where that is known: `~/.claude.json:42`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The marketplace that its plugin is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marketplace: Option<String>,
}

/// The answer to `PUT /v1/inventory`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InventoryReceipt {
    /// Sessions in the request.
    pub sessions: u64,
    /// Loaded tools in the request, over all its sessions.
    pub loaded: u64,
    /// Installed tools in the request.
    pub installed: u64,
    /// Rows that the request changed: 0 when everything was stored already.
    pub changed: u64,
    /// Tools that were left out: they are new, and the org has got as many new tools today as it may.
    #[serde(default)]
    pub too_many_tools: u64,
}
