//! The tools that are a part of an agent: nothing removes them.

/// Subagents and skills that Claude Code brings, versions 2.0 to 2.1. One of the same name that is installed is not the
/// agent's own.
const SHIPPED: &[&str] = &[
    "agent:Explore",
    "agent:Plan",
    "agent:claude",
    "agent:claude-code-guide",
    "agent:general-purpose",
    "agent:output-style-setup",
    "agent:statusline-setup",
    "mcp:Claude_Browser",
    "mcp:ccd_session",
    "mcp:claude-in-chrome",
    "mcp:ide",
    "skill:artifact-capabilities",
    "skill:artifact-design",
    "skill:batch",
    "skill:claude-api",
    "skill:code-review",
    "skill:dataviz",
    "skill:debug",
    "skill:deep-research",
    "skill:fewer-permission-prompts",
    "skill:init",
    "skill:keybindings-help",
    "skill:loop",
    "skill:plugin-authoring",
    "skill:review",
    "skill:run",
    "skill:schedule",
    "skill:security-review",
    "skill:simplify",
    "skill:update-config",
    "skill:verify",
    "skill:workflow-authoring",
];

/// True for a tool that comes with an agent.
pub(super) fn ships_with_agent(tool_id: &str) -> bool {
    tool_id.starts_with("builtin:") || SHIPPED.binary_search(&tool_id).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_built_in_tools_ship() {
        assert!(SHIPPED.is_sorted());
        assert!(ships_with_agent("builtin:Bash") && ships_with_agent("skill:loop"));
        assert!(!ships_with_agent("skill:pdf") && !ships_with_agent("mcp:linear"));
    }
}
