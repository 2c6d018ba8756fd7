//! The MCP servers of agents that join the names of server and tool by `_`, so that only the configuration shows where
//! the server's name ends.

use std::collections::HashMap;

use crate::{Agent, facts::FileFacts, tool_name::ToolName};

/// Names of built-in tools of OpenCode that hold an underscore: never `<server>_<tool>`.
const OPENCODE_TOOLS: [&str; 8] = [
    "apply_patch",
    "list_mcp_resource_templates",
    "list_mcp_resources",
    "lsp_diagnostics",
    "lsp_hover",
    "plan_enter",
    "plan_exit",
    "read_mcp_resource",
];

/// The MCP servers that one agent is configured with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct McpServers {
    /// The prefixes of the names of tools, the longest first.
    names: Vec<String>,
}

impl McpServers {
    /// The servers under the names in the configuration of `agent`.
    pub fn new<'a>(agent: Agent, names: impl IntoIterator<Item = &'a str>) -> McpServers {
        let mut names: Vec<String> = names
            .into_iter()
            .map(|name| as_in_tools(agent, name))
            .filter(|name| !name.is_empty())
            .collect();
        names.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        names.dedup();
        McpServers { names }
    }

    /// The server and the tool of `<server>_<tool>`, if a server is configured under a name that fits.
    fn split<'n>(&self, joined: &'n str) -> Option<(&'n str, &'n str)> {
        self.names.iter().find_map(|server| {
            let tool = joined.strip_prefix(server.as_str())?.strip_prefix('_')?;
            (!tool.is_empty()).then(|| (&joined[..server.len()], tool))
        })
    }
}

/// A server's name as it occurs in the names of its tools: OpenCode and Gemini CLI replace characters that providers
/// refuse.
pub(crate) fn as_in_tools(agent: Agent, name: &str) -> String {
    let allowed = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '_' | '-')
            || agent == Agent::GeminiCli && matches!(c, '.' | ':')
    };
    name.chars().map(|c| if allowed(c) { c } else { '_' }).collect()
}

/// True when a name of OpenCode may be `<server>_<tool>`.
pub(crate) fn may_be_joined(name: &str) -> bool {
    name.contains('_') && !OPENCODE_TOOLS.contains(&name)
}

impl FileFacts {
    /// The agent that wrote the file, if one was recognised.
    pub fn agent(&self) -> Option<Agent> {
        self.agent
    }

    /// True when calls need [`FileFacts::name_mcp_tools`].
    pub fn has_joined_names(&self) -> bool {
        !self.joined_names.is_empty()
    }

    /// The working directories that the records name: agents keep settings there, too.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        let calls = self.calls.iter().map(|call| call.context.cwd);
        let frames = self.frames.iter().map(|frame| frame.cwd);
        let mut directories: Vec<_> = calls.chain(frames).flatten().collect();
        directories.sort_unstable();
        directories.dedup();
        directories
            .into_iter()
            .map(|directory| self.strings.get(directory))
    }

    /// Splits the names of calls that join server and tool, by the agent's configuration. A name that fits no server is
    /// left as it is in the log.
    pub fn name_mcp_tools(&mut self, servers: &McpServers) {
        let mut better = HashMap::new();
        for known in std::mem::take(&mut self.joined_names) {
            let joined = self.strings.get(known.name).to_owned();
            if let Some((server, tool)) = servers.split(&joined) {
                let named = self.tool(&ToolName::mcp(server, Some(tool)));
                better.insert((known.tool, known.operation), named);
            }
        }
        for call in &mut self.calls {
            if let Some(named) = better.get(&(call.tool, call.operation)) {
                (call.tool, call.operation) = *named;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_server_that_fits_is_the_one() {
        let servers = McpServers::new(Agent::OpenCode, ["git", "git_hub", "my server", "git"]);
        for (joined, split) in [
            ("git_log", Some(("git", "log"))),
            ("git_hub_list", Some(("git_hub", "list"))),
            ("git_hub", Some(("git", "hub"))),
            ("my_server_do_it", Some(("my_server", "do_it"))),
            ("git_", None),
            ("gitlog", None),
            ("other_tool", None),
        ] {
            assert_eq!(servers.split(joined), split, "{joined}");
        }
        let gemini = McpServers::new(Agent::GeminiCli, ["a.b"]);
        assert_eq!(gemini.split("a.b_c"), Some(("a.b", "c")));
    }
}
