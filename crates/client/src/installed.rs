//! The tools that are installed on this machine: names, kinds and descriptions, never their content.
//!
//! Folders and formats are those of Claude Code (<https://code.claude.com/docs/en/settings>): `skills/<name>/SKILL.md`,
//! `agents/**/*.md`, `commands/**/*.md`, `mcpServers` objects, and plugins, which have the same layout.

mod front_matter;
mod place;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use model::{
    Kind, ToolId,
    inventory::{InstalledTool, MachineInventory},
    text,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use front_matter::{Declaration, read_start};
pub(crate) use place::{Found, Place};

use model::text::hex;

use crate::{Environment, environment, project::Projects};

/// Largest settings file that is read; Claude Code's own grows to a few MB.
const MAX_SETTINGS_BYTES: u64 = 64 * 1024 * 1024;
/// Longest description that is sent.
const MAX_DESCRIPTION_BYTES: usize = 1_024;
/// Deepest level of folders that is searched for commands and agents.
const MAX_DEPTH: usize = 5;

/// The tools of the home directory, and of the projects in which sessions ran. Also when there is none: an empty list
/// tells the server that the last one was removed. `None` when the folder that lists them cannot be read.
pub(crate) fn scan(
    home: &Path,
    projects: &mut Projects,
    environment: &Environment,
) -> Option<MachineInventory> {
    let scan = declared(home, projects, environment)?;
    Some(MachineInventory {
        machine_id: machine_id(home),
        observed_at: environment::now(),
        tools: scan.tools.into_values().collect(),
    })
}

/// Every declaration of a tool on this machine, of the home directory first.
pub(crate) fn declarations(home: &Path, projects: &mut Projects, environment: &Environment) -> Vec<Found> {
    declared(home, projects, environment).map_or_else(Vec::new, |scan| scan.found)
}

/// The file of Claude Code that lists servers and projects.
pub(crate) fn state_file(home: &Path, environment: &Environment) -> PathBuf {
    let own_home = environment.home() == Some(home);
    let moved = environment.path("CLAUDE_CONFIG_DIR").filter(|_| own_home);
    moved.map_or_else(|| home.join(".claude.json"), |moved| moved.join(".claude.json"))
}

/// The folder of Claude Code's settings.
pub(crate) fn config_folder(home: &Path, environment: &Environment) -> PathBuf {
    let own_home = environment.home() == Some(home);
    let moved = environment.path("CLAUDE_CONFIG_DIR").filter(|_| own_home);
    moved.unwrap_or_else(|| home.join(".claude"))
}

fn declared(home: &Path, projects: &mut Projects, environment: &Environment) -> Option<Scan> {
    let own_home = environment.home() == Some(home);
    let mut scan = Scan {
        follow: own_home,
        tools: BTreeMap::new(),
        root: (home.to_owned(), "~"),
        plugin: None,
        found: Vec::new(),
    };
    let config = config_folder(home, environment);
    if fs::read_dir(&config).is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
        return None;
    }
    scan.claude_folder(&config, "user");
    let disabled = disabled_plugins(scan.json(&config.join("settings.json")).as_ref());
    scan.plugins(&config.join("plugins"), &disabled);
    let state_file = state_file(home, environment);
    if let Some(state) = scan.json(&state_file) {
        scan.mcp_servers(state.get("mcpServers"), "user", "", &state_file, &["mcpServers"]);
        let folders = state.get("projects").and_then(Value::as_object);
        for (folder, project) in folders.into_iter().flatten() {
            if !projects.is_folder_shared(folder) {
                continue;
            }
            let keys = ["projects", folder, "mcpServers"];
            scan.mcp_servers(project.get("mcpServers"), "local", "", &state_file, &keys);
        }
    }
    // A project's folder comes from a repository and is not trusted.
    scan.follow = false;
    for project in projects.roots() {
        scan.root = (project.to_owned(), ".");
        scan.claude_folder(&project.join(".claude"), "project");
        let file = project.join(".mcp.json");
        if let Some(declared) = scan.json(&file) {
            scan.mcp_servers(declared.get("mcpServers"), "project", "", &file, &["mcpServers"]);
        }
    }
    Some(scan)
}

/// The plugins that the settings turn off, as `<plugin>@<marketplace>`.
fn disabled_plugins(settings: Option<&Value>) -> Vec<String> {
    let plugins = settings
        .and_then(|settings| settings.get("enabledPlugins"))
        .and_then(Value::as_object);
    plugins
        .into_iter()
        .flatten()
        .filter(|(_, enabled)| **enabled == Value::Bool(false))
        .map(|(plugin, _)| plugin.clone())
        .collect()
}

/// A stable id that does not reveal the machine's name: SHA-256 of the system's machine id and of the home directory.
fn machine_id(home: &Path) -> String {
    let mut digest = Sha256::new();
    digest.update(b"toolhub machine\0");
    let id = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| {
            fs::read_to_string(path)
                .ok()
                .map(|id| id.trim().to_owned())
                .filter(|id| !id.is_empty())
        });
    digest.update(id.unwrap_or_else(host_name).as_bytes());
    digest.update([0]);
    digest.update(home.as_os_str().as_encoded_bytes());
    hex(&digest.finalize()[..16])
}

#[cfg(unix)]
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
pub(crate) fn host_name() -> String {
    Environment::of_process()
        .var("COMPUTERNAME")
        .unwrap_or_default()
        .to_owned()
}

struct Scan {
    /// Whether symbolic links are followed: many users link these folders in their home.
    follow: bool,
    tools: BTreeMap<ToolId, InstalledTool>,
    /// The folder that paths are relative to, and what it is called.
    root: (PathBuf, &'static str),
    /// The plugin that is being scanned, as `<plugin>@<marketplace>`.
    plugin: Option<String>,
    found: Vec<Found>,
}

impl Scan {
    fn add(&mut self, kind: Kind, name: &str, description: Option<&str>, source: &str, place: Option<Place>) {
        if name.is_empty() {
            return;
        }
        let tool_id = ToolId::from_log(kind, name);
        let description = description
            .map(|text| {
                text::clean_prose(text::truncate_bytes(text.trim(), MAX_DESCRIPTION_BYTES)).into_owned()
            })
            .filter(|text| !text.is_empty());
        let path = place.as_ref().and_then(|place| {
            let path = self.below(&place.path)?;
            Some(match place.line {
                Some(line) => format!("{path}:{line}"),
                None => path,
            })
        });
        let marketplace = self.plugin.as_ref().and_then(|plugin| plugin.split_once('@'));
        let marketplace = marketplace.map(|(_, marketplace)| text::clean(marketplace).into_owned());
        self.found.push(Found {
            tool_id: tool_id.clone(),
            place,
            plugin: self.plugin.clone(),
        });
        // The first declaration of a tool wins.
        self.tools.entry(tool_id.clone()).or_insert(InstalledTool {
            tool_id,
            description,
            source: Some(text::clean(source).into_owned()),
            path,
            marketplace,
        });
    }

    /// A path as the inventory names it; `None` for one that is neither below the home nor in the project.
    fn below(&self, path: &Path) -> Option<String> {
        let (root, name) = &self.root;
        let below = path.strip_prefix(root).ok()?;
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        Some(text::clean(&format!("{name}/{}", parts.join("/"))).into_owned())
    }

    /// A `.claude` folder: skills, agents and commands.
    fn claude_folder(&mut self, folder: &Path, source: &str) {
        for (name, description, path) in self.skills(&folder.join("skills")) {
            self.add(
                Kind::Skill,
                &name,
                description.as_deref(),
                source,
                Some(Place::of(&path)),
            );
        }
        for declaration in self.declarations(&folder.join("agents")) {
            self.add(
                Kind::Agent,
                declaration.declared_name(),
                declaration.description(),
                source,
                Some(Place::of(&declaration.path)),
            );
        }
        for declaration in self.declarations(&folder.join("commands")) {
            self.add(
                Kind::Command,
                &declaration.path_name,
                declaration.description(),
                source,
                Some(Place::of(&declaration.path)),
            );
        }
    }

    /// The plugins of `installed_plugins.json`. Skills and commands of a plugin are both called
    /// as `plugin:<plugin>@<name>`, its agents as `<plugin>:<name>`.
    fn plugins(&mut self, folder: &Path, disabled: &[String]) {
        let Some(list) = self.json(&folder.join("installed_plugins.json")) else {
            return;
        };
        let plugins = list
            .get("plugins")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        for (id, installs) in plugins.into_iter().filter(|(id, _)| !disabled.contains(id)) {
            let plugin = id.split('@').next().unwrap_or_default();
            let install = installs
                .as_array()
                .and_then(|all| all.first())
                .unwrap_or(&installs);
            let Some(folder) = install
                .get("installPath")
                .and_then(Value::as_str)
                .map(PathBuf::from)
            else {
                continue;
            };
            let source = format!("plugin:{plugin}");
            self.plugin = Some(id.clone());
            for (name, description, _) in self.skills(&folder.join("skills")) {
                self.add(
                    Kind::Plugin,
                    &format!("{plugin}@{name}"),
                    description.as_deref(),
                    &source,
                    None,
                );
            }
            for declaration in self.declarations(&folder.join("commands")) {
                self.add(
                    Kind::Plugin,
                    &format!("{plugin}@{}", declaration.path_name),
                    declaration.description(),
                    &source,
                    None,
                );
            }
            for declaration in self.declarations(&folder.join("agents")) {
                self.add(
                    Kind::Agent,
                    &format!("{plugin}:{}", declaration.declared_name()),
                    declaration.description(),
                    &source,
                    None,
                );
            }
            let file = folder.join(".mcp.json");
            if let Some(declared) = self.json(&file) {
                let servers = declared.get("mcpServers").unwrap_or(&declared);
                self.mcp_servers(Some(servers), &source, &format!("plugin_{plugin}_"), &file, &[]);
            }
        }
        self.plugin = None;
    }

    /// MCP servers, by the name in their calls: any character but letters, digits, `_` and `-` becomes `_`.
    /// `keys` lead to `servers` within the file; a plugin's own file is not changed on its own.
    fn mcp_servers(
        &mut self,
        servers: Option<&Value>,
        source: &str,
        prefix: &str,
        file: &Path,
        keys: &[&str],
    ) {
        let text = match servers.and_then(Value::as_object) {
            Some(servers) if !servers.is_empty() && prefix.is_empty() => {
                read_start(file, MAX_SETTINGS_BYTES, self.follow).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        for name in servers.and_then(Value::as_object).into_iter().flat_map(Map::keys) {
            let called: String = format!("{prefix}{name}")
                .chars()
                .map(|c| {
                    if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                        c
                    } else {
                        '_'
                    }
                })
                .collect();
            let place = prefix.is_empty().then(|| Place {
                path: file.to_owned(),
                keys: keys
                    .iter()
                    .copied()
                    .chain([name.as_str()])
                    .map(str::to_owned)
                    .collect(),
                line: place::line_of(&text, name),
            });
            self.add(Kind::Mcp, &called, None, source, place);
        }
    }

    fn skills(&self, folder: &Path) -> Vec<(String, Option<String>, PathBuf)> {
        let walk = WalkDir::new(folder)
            .min_depth(1)
            .max_depth(1)
            .follow_links(self.follow)
            .follow_root_links(self.follow);
        walk.into_iter()
            .flatten()
            .filter(|entry| entry.file_type().is_dir())
            .filter_map(|entry| {
                let declaration = Declaration::read(&entry.path().join("SKILL.md"), self.follow)?;
                let name = declaration.fields.get("name").cloned();
                let name = name.unwrap_or_else(|| entry.file_name().to_string_lossy().into_owned());
                let description = declaration.fields.get("description").cloned();
                Some((name, description, entry.path().to_owned()))
            })
            .collect()
    }

    fn declarations(&self, folder: &Path) -> Vec<Declaration> {
        let walk = WalkDir::new(folder)
            .max_depth(MAX_DEPTH)
            .follow_links(self.follow)
            .follow_root_links(self.follow)
            .sort_by_file_name();
        walk.into_iter()
            .flatten()
            .filter(|entry| {
                entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "md")
            })
            .filter_map(|entry| {
                let below = entry.path().strip_prefix(folder).ok()?.with_extension("");
                let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
                let mut declaration = Declaration::read(entry.path(), self.follow)?;
                declaration.path_name = parts.join(":");
                declaration.path = entry.path().to_owned();
                Some(declaration)
            })
            .collect()
    }

    fn json(&self, path: &Path) -> Option<Value> {
        serde_json::from_slice(&read_start(path, MAX_SETTINGS_BYTES, self.follow)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, content) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    /// The projects after a session in a repository.
    fn sessions_in(repository: &Path) -> Projects {
        fs::create_dir_all(repository.join(".git")).unwrap();
        let mut projects = Projects::default();
        assert!(projects.is_folder_shared(repository.to_str().unwrap()));
        projects
    }

    fn ids(machine: &MachineInventory) -> Vec<(&str, &str)> {
        machine
            .tools
            .iter()
            .map(|tool| (tool.tool_id.as_str(), tool.source.as_deref().unwrap_or_default()))
            .collect()
    }

    #[test]
    fn skills_agents_commands_servers_and_plugins_are_found_with_their_source() {
        let home = tempfile::tempdir().unwrap();
        let plugin = home.path().join(".claude/plugins/cache/caveman");
        let list = format!(
            r#"{{"version":2,"plugins":{{"caveman@market":[{{"scope":"user","installPath":"{}"}}]}}}}"#,
            plugin.display()
        );
        write(
            home.path(),
            &[
                (
                    ".claude/skills/pdf/SKILL.md",
                    "---\nname: pdf\ndescription: \"Reads: PDFs\"\n---\nbody",
                ),
                (".claude/skills/empty/readme.md", "no skill"),
                (
                    ".claude/agents/reviewer.md",
                    "---\nname: code-reviewer\ndescription: >\n  Reviews\n  code\n---",
                ),
                (".claude/commands/front/build.md", "Build it"),
                (
                    ".claude.json",
                    r#"{"mcpServers":{"linear server":{}},"projects":{"/w":{"mcpServers":{"local":{}}}}}"#,
                ),
                (".claude/plugins/installed_plugins.json", &list),
                (
                    ".claude/plugins/cache/caveman/skills/compress/SKILL.md",
                    "---\ndescription: short\n---",
                ),
                (".claude/plugins/cache/caveman/agents/grunt.md", ""),
                (
                    ".claude/plugins/cache/caveman/.mcp.json",
                    r#"{"mcpServers":{"fire":{}}}"#,
                ),
                ("work/api/.mcp.json", r#"{"mcpServers":{"db":{}}}"#),
                ("work/api/.claude/commands/deploy.md", ""),
            ],
        );
        let environment = Environment::new(home.path(), home.path(), []);
        let mut projects = sessions_in(&home.path().join("work/api"));
        let machine = scan(home.path(), &mut projects, &environment).unwrap();
        assert_eq!(
            ids(&machine),
            [
                ("agent:caveman:grunt", "plugin:caveman"),
                ("agent:code-reviewer", "user"),
                ("command:deploy", "project"),
                ("command:front:build", "user"),
                ("mcp:db", "project"),
                ("mcp:linear_server", "user"),
                ("mcp:local", "local"),
                ("mcp:plugin_caveman_fire", "plugin:caveman"),
                ("plugin:caveman@compress", "plugin:caveman"),
                ("skill:pdf", "user"),
            ]
        );
        let of = |id: &str| {
            machine
                .tools
                .iter()
                .find(|tool| tool.tool_id.as_str() == id)
                .unwrap()
        };
        assert_eq!(of("skill:pdf").description.as_deref(), Some("Reads: PDFs"));
        let paths = [
            "skill:pdf",
            "command:front:build",
            "mcp:linear_server",
            "mcp:db",
            "command:deploy",
        ];
        assert_eq!(
            paths.map(|id| of(id).path.as_deref().unwrap_or_default()),
            [
                "~/.claude/skills/pdf",
                "~/.claude/commands/front/build.md",
                "~/.claude.json:1",
                "./.mcp.json:1",
                "./.claude/commands/deploy.md"
            ]
        );
        assert_eq!(
            of("plugin:caveman@compress").path,
            None,
            "it goes with its plugin"
        );
        let marketplaces = ["plugin:caveman@compress", "mcp:plugin_caveman_fire", "skill:pdf"];
        assert_eq!(
            marketplaces.map(|id| of(id).marketplace.as_deref()),
            [Some("market"), Some("market"), None]
        );
        assert_eq!(
            of("agent:code-reviewer").description.as_deref(),
            Some("Reviews code")
        );
    }

    #[test]
    fn the_machine_has_a_stable_id_that_is_no_name() {
        let here = machine_id(Path::new("/home/ann"));
        assert_eq!(here, machine_id(Path::new("/home/ann")));
        assert_ne!(here, machine_id(Path::new("/home/bob")));
        assert_eq!(here.len(), 32);
        assert!(here.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn a_bare_machine_has_an_empty_inventory_and_an_unreadable_one_has_none() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::new(home.path(), home.path(), []);
        let machine = scan(home.path(), &mut Projects::default(), &environment).unwrap();
        assert_eq!(ids(&machine), []);
        // A file in place of the folder cannot be listed either, also by root.
        write(home.path(), &[(".claude", "")]);
        assert_eq!(scan(home.path(), &mut Projects::default(), &environment), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_projects_links_are_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let secrets = tempfile::tempdir().unwrap();
        write(
            secrets.path(),
            &[
                ("diary/SKILL.md", "---\ndescription: secret\n---"),
                ("private.md", "secret"),
            ],
        );
        let claude = home.path().join("api/.claude");
        fs::create_dir_all(&claude).unwrap();
        std::os::unix::fs::symlink(secrets.path(), claude.join("skills")).unwrap();
        fs::create_dir_all(claude.join("commands")).unwrap();
        std::os::unix::fs::symlink(secrets.path().join("private.md"), claude.join("commands/x.md")).unwrap();
        let environment = Environment::new(home.path(), home.path(), []);
        let mut projects = sessions_in(&home.path().join("api"));
        let machine = scan(home.path(), &mut projects, &environment).unwrap();
        assert_eq!(ids(&machine), []);
    }
}
