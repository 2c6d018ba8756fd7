//! What removes a tool, and what goes with it.

use super::shipped;

/// Where a tool is declared, over the machines of an org.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    /// `user`, `project`, `local`, `plugin:<name>`.
    pub(super) sources: Vec<String>,
    pub(super) paths: Vec<String>,
}

/// The plugin that brings a tool, by the name of the tool: Claude Code puts it in front.
pub(super) fn plugin_of<'t>(tool_id: &'t str, declared: Option<&'t Declared>) -> Option<&'t str> {
    let (kind, name) = tool_id.split_once(':')?;
    let named = declared
        .into_iter()
        .flat_map(|declared| &declared.sources)
        .find_map(|source| source.strip_prefix("plugin:"));
    if named.is_some() {
        return named;
    }
    match kind {
        "plugin" => name.split_once('@').map(|(plugin, _)| plugin),
        "agent" => name.split_once(':').map(|(plugin, _)| plugin),
        "mcp" => {
            let rest = name.strip_prefix("plugin_")?;
            // The server often has the name of its plugin: `plugin_<name>_<name>`.
            let half = rest.len() / 2;
            let is_doubled = rest.len() % 2 == 1
                && rest.is_char_boundary(half)
                && rest.is_char_boundary(half + 1)
                && rest[..half] == rest[half + 1..];
            match is_doubled {
                true => Some(&rest[..half]),
                false => rest.split_once('_').map(|(plugin, _)| plugin),
            }
        }
        _ => None,
    }
}

/// What one step removes: the plugin, or else the tool itself.
pub(super) fn group_of(tool_id: &str, declared: Option<&Declared>) -> String {
    match plugin_of(tool_id, declared) {
        Some(plugin) => format!("plugin:{plugin}"),
        None => tool_id.to_owned(),
    }
}

/// What removes a tool; `None` for what ships with the agent.
pub(super) fn remove(tool_id: &str, declared: Option<&Declared>) -> Option<String> {
    let is_installed = declared.is_some_and(|declared| !declared.sources.is_empty());
    if !is_installed && shipped::ships_with_agent(tool_id) {
        return None;
    }
    if let Some(plugin) = plugin_of(tool_id, declared) {
        return Some(format!("claude plugin disable {}", quoted(plugin)));
    }
    let (kind, name) = tool_id.split_once(':')?;
    let is_of_project = declared.is_some_and(|declared| {
        !declared.sources.is_empty() && declared.sources.iter().all(|source| source == "project")
    });
    let base = if is_of_project { "./.claude" } else { "~/.claude" };
    let path = declared
        .and_then(|declared| declared.paths.first())
        .map(String::as_str);
    let file = |otherwise: String| path.map_or(otherwise, str::to_owned);
    Some(match kind {
        "mcp" if is_of_project => format!("entry {name} of {}", file("./.mcp.json".to_owned())),
        "mcp" => {
            let command = format!("claude mcp remove {}", quoted(name));
            path.map_or(command.clone(), |path| format!("{command} ({path})"))
        }
        "skill" => format!("folder {}", file(format!("{base}/skills/{name}"))),
        "agent" => format!("file {}", file(format!("{base}/agents/{name}.md"))),
        "command" => format!(
            "file {}",
            file(format!("{base}/commands/{}.md", name.replace(':', "/")))
        ),
        "doc" => format!("document {name}"),
        _ => format!("the declaration of {tool_id}"),
    })
}

/// What removes a group.
pub(super) fn remove_group(group: &str) -> Option<String> {
    match group.strip_prefix("plugin:") {
        Some(plugin) => Some(format!("claude plugin disable {}", quoted(plugin))),
        None => remove(group, None),
    }
}

/// A name as one word of a shell: names come from logs, and people paste commands.
pub(super) fn quoted(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | ':' | '/');
    if !name.is_empty() && !name.starts_with('-') && name.chars().all(is_plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(source: &str, path: Option<&str>) -> Declared {
        Declared {
            sources: vec![source.to_owned()],
            paths: path.into_iter().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn a_plugin_goes_as_a_whole_and_anything_else_where_it_is_declared() {
        let of = |tool: &str| remove(tool, None).unwrap();
        for tool in [
            "plugin:caveman@compress",
            "agent:caveman:builder",
            "mcp:plugin_caveman_caveman",
        ] {
            assert_eq!(of(tool), "claude plugin disable caveman", "{tool}");
            assert_eq!(group_of(tool, None), "plugin:caveman", "{tool}");
        }
        assert_eq!(of("mcp:linear"), "claude mcp remove linear");
        assert_eq!(of("skill:pdf"), "folder ~/.claude/skills/pdf");
        assert_eq!(of("command:git:push"), "file ~/.claude/commands/git/push.md");
        assert_eq!(group_of("mcp:linear", None), "mcp:linear");
        let project = declared("project", Some("./.mcp.json:3"));
        assert_eq!(
            remove("mcp:x", Some(&project)).unwrap(),
            "entry x of ./.mcp.json:3"
        );
        let user = declared("user", Some("~/.claude.json:40"));
        assert_eq!(
            remove("mcp:x", Some(&user)).unwrap(),
            "claude mcp remove x (~/.claude.json:40)"
        );
        let plugin = declared("plugin:my-db", None);
        assert_eq!(
            remove("mcp:plugin_my-db_sql", Some(&plugin)).unwrap(),
            "claude plugin disable my-db"
        );
    }

    #[test]
    fn what_ships_has_no_removal_unless_it_is_installed() {
        assert_eq!(remove("builtin:Bash", None), None);
        assert_eq!(remove("agent:Explore", None), None);
        let own = declared("user", Some("~/.claude/agents/Explore.md"));
        assert_eq!(
            remove("agent:Explore", Some(&own)).unwrap(),
            "file ~/.claude/agents/Explore.md"
        );
    }

    #[test]
    fn a_name_cannot_become_a_second_command() {
        assert_eq!(
            remove("mcp:x; rm -rf ~", None).unwrap(),
            "claude mcp remove 'x; rm -rf ~'"
        );
        assert_eq!(remove("mcp:it's", None).unwrap(), r"claude mcp remove 'it'\''s'");
        assert_eq!(remove("mcp:--all", None).unwrap(), "claude mcp remove '--all'");
    }
}
