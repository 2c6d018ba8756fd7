//! The MCP servers that OpenCode and Gemini CLI are configured with: their names alone tell which part of a tool's
//! name is the server.
//!
//! OpenCode: the keys of `mcp` in `opencode.json`, `opencode.jsonc` and `config.json`
//! (<https://opencode.ai/docs/config>). Gemini CLI: the keys of `mcpServers` in `settings.json` and in
//! `gemini-extension.json` of extensions.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use sources::{Agent, FileFacts, McpServers};

use crate::{Environment, find::LogFile};

/// Greatest settings file that is read.
const SETTINGS: u64 = 16 * 1024 * 1024;

/// Tells the servers of the calls whose names join server and tool.
pub(crate) fn name_tools(facts: &mut [FileFacts], logs: &[LogFile], environment: &Environment) {
    for (agent, key) in [(Agent::OpenCode, "mcp"), (Agent::GeminiCli, "mcpServers")] {
        let of_agent = |file: &FileFacts| file.agent() == Some(agent);
        if !facts.iter().any(|file| of_agent(file) && file.has_joined_names()) {
            continue;
        }
        let directories: BTreeSet<PathBuf> = facts
            .iter()
            .filter(|file| of_agent(file))
            .flat_map(FileFacts::directories)
            .map(PathBuf::from)
            .collect();
        let above: BTreeSet<&Path> = logs
            .iter()
            .filter(|log| log.agent.is_none_or(|known| known == agent))
            .flat_map(|log| log.path.ancestors().skip(1))
            .collect();
        let files = match agent {
            Agent::OpenCode => opencode(environment, &above, &directories),
            _ => gemini(environment, &above, &directories),
        };
        let inline = environment
            .var("OPENCODE_CONFIG_CONTENT")
            .filter(|_| agent == Agent::OpenCode);
        let names: Vec<String> = files
            .iter()
            .filter_map(|file| settings(file))
            .chain(inline.and_then(parse))
            .flat_map(|settings| keys(&settings, key))
            .collect();
        let servers = McpServers::new(agent, names.iter().map(String::as_str));
        for file in facts.iter_mut().filter(|file| of_agent(file)) {
            file.name_mcp_tools(&servers);
        }
    }
}

/// The settings of OpenCode: the user's, those of the home in which the logs lie, those of the projects.
fn opencode(
    environment: &Environment,
    above: &BTreeSet<&Path>,
    directories: &BTreeSet<PathBuf>,
) -> BTreeSet<PathBuf> {
    const NAMES: [&str; 3] = ["opencode.json", "opencode.jsonc", "config.json"];
    let user = [
        environment
            .path("XDG_CONFIG_HOME")
            .map(|config| config.join("opencode")),
        environment.home().map(|home| home.join(".config/opencode")),
        environment.path("OPENCODE_CONFIG_DIR"),
    ];
    let homes = above.iter().map(|folder| folder.join(".config/opencode"));
    let folders: BTreeSet<PathBuf> = user.into_iter().flatten().chain(homes).collect();
    let of_folders = folders
        .iter()
        .flat_map(|folder| NAMES.iter().map(|name| folder.join(name)));
    let projects: BTreeSet<&Path> = directories.iter().flat_map(|folder| folder.ancestors()).collect();
    let of_projects = projects.iter().flat_map(|project| {
        NAMES[..2]
            .iter()
            .flat_map(|name| [project.join(name), project.join(".opencode").join(name)])
    });
    of_folders
        .chain(of_projects)
        .chain(environment.path("OPENCODE_CONFIG"))
        .collect()
}

/// The settings of Gemini CLI: those beside the logs and those of the projects.
fn gemini(
    environment: &Environment,
    above: &BTreeSet<&Path>,
    directories: &BTreeSet<PathBuf>,
) -> BTreeSet<PathBuf> {
    let beside = above
        .iter()
        .filter(|folder| folder.ends_with("tmp"))
        .filter_map(|folder| folder.parent().map(Path::to_owned));
    let home = environment
        .path("GEMINI_CLI_HOME")
        .or_else(|| environment.home().map(Path::to_owned));
    let own: BTreeSet<PathBuf> = beside.chain(home.map(|home| home.join(".gemini"))).collect();
    let extensions = own
        .iter()
        .filter_map(|own| fs::read_dir(own.join("extensions")).ok())
        .flatten()
        .filter_map(|extension| Some(extension.ok()?.path().join("gemini-extension.json")));
    let projects = directories
        .iter()
        .map(|project| project.join(".gemini/settings.json"));
    own.iter()
        .map(|own| own.join("settings.json"))
        .chain(extensions)
        .chain(projects)
        .collect()
}

/// Settings, with the comments that both agents allow. The user's own links are followed: only keys are used.
fn settings(path: &Path) -> Option<Value> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > SETTINGS {
        return None;
    }
    parse(&fs::read_to_string(path).ok()?)
}

fn parse(text: &str) -> Option<Value> {
    // Editors of Windows put a byte order mark before it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    jsonc_parser::parse_to_serde_value(text, &jsonc_parser::ParseOptions::default()).ok()
}

fn keys(settings: &Value, key: &str) -> Vec<String> {
    let servers = settings.get(key).and_then(Value::as_object);
    servers
        .map(|servers| servers.keys().cloned().collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_comments_and_may_begin_with_a_byte_order_mark() {
        for text in [
            r#"{"mcp": {"git_hub": {}}}"#,
            "\u{feff}{\"mcp\": {\"git_hub\": {}}}",
            "// mine\n{\"mcp\": {\"git_hub\": {},}}",
        ] {
            assert_eq!(keys(&parse(text).unwrap(), "mcp"), ["git_hub"], "{text}");
        }
    }
}
