//! Removing tools from this machine: those that the org has decided to retire, or that the member names, and nothing else.
//!
//! A file of Markdown is renamed, so that the agent no longer finds it; an entry of a JSON file is taken out, and the file as
//! it was stays beside it; a plugin is disabled in the user's settings. A journal holds what was taken out, for the way back.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use model::{
    ToolId,
    api::{Decision, Decisions, query::DecisionsQuery},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Environment, Error, Server,
    error::is_absent,
    installed::{self, Found},
    ordered_json::Node,
    project::Projects,
    read::Endpoint,
    replace::replace,
    sharing::ProjectRules,
};

/// What the name of a file gets that is no longer to be found, and that of a copy.
const BACKUP: &str = ".toolhub-backup";

/// One change on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The tools that it removes.
    pub tool_ids: Vec<String>,
    /// What it does.
    pub action: Action,
    /// The file.
    pub file: PathBuf,
    /// The line of the entry, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The keys of the entry, from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// What stood there, as JSON; absent where nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The file gets another name.
    Rename,
    /// The entry is taken out of a JSON file.
    RemoveEntry,
    /// The plugin is disabled in the settings.
    DisablePlugin,
}

/// A tool that is not removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The tool.
    pub tool_id: String,
    /// Why not.
    pub reason: String,
}

/// What is done, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// True when it was done.
    pub applied: bool,
    /// The changes.
    pub steps: Vec<Step>,
    /// The tools that stay.
    pub skipped: Vec<Skipped>,
}

/// The tools that the org has decided to retire.
///
/// # Errors
/// When the server does not answer with its decisions.
pub async fn retired(server: &Server) -> Result<BTreeSet<String>, Error> {
    let mut tools = BTreeSet::new();
    let mut cursor = None;
    loop {
        let query = DecisionsQuery {
            decision: Some(Decision::Retire),
            limit: Some(500),
            cursor,
            ..DecisionsQuery::default()
        };
        let body = Endpoint::Decisions(query).get(server).await?;
        let page: Decisions = server.read(&body)?;
        let active = page.decisions.into_iter().filter(|decision| decision.active);
        tools.extend(active.map(|decision| decision.tool_id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(tools);
        }
    }
}

/// Plans the removal of tools from this machine. A plugin goes as a whole, so it stays while it brings a tool that is not
/// among them.
///
/// # Errors
/// When the home directory is unknown.
pub fn plan(environment: &Environment, tools: &BTreeSet<String>) -> Result<Plan, Error> {
    let home = environment.home().ok_or(Error::NoHome)?;
    let found = installed::declarations(home, &mut projects(home, environment), environment);
    let wanted = |tool: &ToolId| tools.contains(tool.as_str());
    let mut plan = Plan::default();
    let mut left: BTreeSet<&str> = tools.iter().map(String::as_str).collect();
    let mut plugins: BTreeMap<&str, Vec<&ToolId>> = BTreeMap::new();
    for Found { tool_id, plugin, .. } in &found {
        if let Some(plugin) = plugin {
            plugins.entry(plugin).or_default().push(tool_id);
        }
    }
    for (plugin, brings) in plugins {
        let (named, others): (Vec<&ToolId>, Vec<&ToolId>) = brings.iter().partition(|tool| wanted(tool));
        if named.is_empty() {
            continue;
        }
        let tool_ids: BTreeSet<String> = named.iter().map(|tool| tool.to_string()).collect();
        for tool in &named {
            left.remove(tool.as_str());
        }
        if others.is_empty() {
            plan.steps.push(Step {
                tool_ids: tool_ids.into_iter().collect(),
                action: Action::DisablePlugin,
                file: installed::config_folder(home, environment).join("settings.json"),
                line: None,
                keys: vec!["enabledPlugins".to_owned(), plugin.to_owned()],
                before: None,
            });
            continue;
        }
        let others: BTreeSet<&str> = others.iter().map(|tool| tool.as_str()).collect();
        let listed: Vec<&str> = others.iter().copied().take(5).collect();
        let more = if others.len() > listed.len() { ", …" } else { "" };
        let reason = format!("its plugin {plugin} also brings {}{more}", listed.join(", "));
        plan.skipped.extend(tool_ids.into_iter().map(|tool_id| Skipped {
            tool_id,
            reason: reason.clone(),
        }));
    }
    for Found { tool_id, place, .. } in found.iter().filter(|found| wanted(&found.tool_id)) {
        let Some(place) = place else { continue };
        left.remove(tool_id.as_str());
        let (action, file) = match place.keys.is_empty() {
            false => (Action::RemoveEntry, place.path.clone()),
            // The folder of a skill.
            true if place.path.is_dir() => (Action::Rename, place.path.join("SKILL.md")),
            true => (Action::Rename, place.path.clone()),
        };
        let step = Step {
            tool_ids: vec![tool_id.to_string()],
            action,
            file,
            line: place.line,
            keys: place.keys.clone(),
            before: None,
        };
        if !plan.steps.contains(&step) {
            plan.steps.push(step);
        }
    }
    plan.skipped.extend(left.into_iter().map(|tool| Skipped {
        tool_id: tool.to_owned(),
        reason: "nothing on this machine declares it".to_owned(),
    }));
    Ok(plan)
}

/// Does what a plan says. Each step is in the journal before it is done.
///
/// # Errors
/// When a file cannot be read or written: the steps before it are done, and can be undone.
pub fn apply(environment: &Environment, mut plan: Plan) -> Result<Plan, Error> {
    let mut journal = Journal::read(environment)?;
    for step in &mut plan.steps {
        match step.action {
            Action::Rename => {
                journal.add(step)?;
                rename(&step.file, &backup_of(&step.file))?;
            }
            Action::RemoveEntry => {
                let mut settings = read_object(&step.file)?;
                let (key, parents) = step.keys.split_last().expect("an entry has a key");
                let removed =
                    object_at(&mut settings, parents, false).and_then(|object| object.shift_remove(key));
                let Some(removed) = removed else { continue };
                step.before = Some(json(&removed)?);
                journal.add(step)?;
                keep_copy(&step.file)?;
                write_object(&step.file, &settings)?;
            }
            Action::DisablePlugin => {
                let mut settings = read_object(&step.file)?;
                let (key, parents) = step.keys.split_last().expect("an entry has a key");
                let object =
                    object_at(&mut settings, parents, true).ok_or_else(|| not_an_object(&step.file))?;
                let before = object.insert(key.clone(), Node::of(&false));
                step.before = before.as_ref().map(json).transpose()?;
                journal.add(step)?;
                keep_copy(&step.file)?;
                write_object(&step.file, &settings)?;
            }
        }
    }
    plan.applied = true;
    Ok(plan)
}

/// Takes back what was done: of these tools, or all. What stands in the place of something that was taken out stays.
///
/// # Errors
/// When a file cannot be read or written.
pub fn undo(environment: &Environment, tools: &BTreeSet<String>) -> Result<Plan, Error> {
    let mut journal = Journal::read(environment)?;
    let mut plan = Plan {
        applied: true,
        ..Plan::default()
    };
    let chosen = |step: &Step| tools.is_empty() || step.tool_ids.iter().any(|tool| tools.contains(tool));
    // The last one first.
    for step in journal.steps.clone().into_iter().rev().filter(chosen) {
        let stands = match step.action {
            Action::Rename => {
                let backup = backup_of(&step.file);
                let stands = step.file.exists() || !backup.exists();
                if !stands {
                    rename(&backup, &step.file)?;
                }
                stands
            }
            Action::RemoveEntry | Action::DisablePlugin => {
                let mut settings = read_object(&step.file)?;
                let (key, parents) = step.keys.split_last().expect("an entry has a key");
                let object =
                    object_at(&mut settings, parents, true).ok_or_else(|| not_an_object(&step.file))?;
                let is_ours = match step.action {
                    Action::DisablePlugin => object.get(key).is_some_and(|value| {
                        serde_json::to_value(value).is_ok_and(|value| value == Value::Bool(false))
                    }),
                    _ => !object.contains_key(key),
                };
                if is_ours {
                    match &step.before {
                        Some(before) => {
                            let before =
                                serde_json::from_str(before).map_err(|error| Error::Output(error.into()))?;
                            object.insert(key.clone(), before);
                        }
                        None => {
                            object.shift_remove(key);
                        }
                    }
                    write_object(&step.file, &settings)?;
                }
                !is_ours
            }
        };
        journal.remove(&step)?;
        if stands {
            let reason = format!("{} was changed since, and stays as it is", step.file.display());
            plan.skipped
                .extend(step.tool_ids.into_iter().map(|tool_id| Skipped {
                    tool_id,
                    reason: reason.clone(),
                }));
        } else {
            plan.steps.push(step);
        }
    }
    Ok(plan)
}

/// The projects that Claude Code knows on this machine, and the one in which the command runs.
fn projects(home: &Path, environment: &Environment) -> Projects {
    let mut projects = Projects::new(Some(home), ProjectRules::default());
    let state = fs::read(installed::state_file(home, environment)).ok();
    let state: Option<Value> = state.and_then(|state| serde_json::from_slice(&state).ok());
    let folders = state
        .as_ref()
        .and_then(|state| state.get("projects"))
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|projects| projects.keys().map(String::as_str));
    for folder in folders.chain(environment.directory().to_str()) {
        projects.is_folder_shared(folder);
    }
    projects
}

/// What was done on this machine and not taken back.
struct Journal {
    path: PathBuf,
    steps: Vec<Step>,
}

impl Journal {
    fn read(environment: &Environment) -> Result<Journal, Error> {
        let path = environment.state_dir()?.join("pruned.json");
        let steps = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| Error::BadFile {
                path: path.clone(),
                detail: error.to_string(),
            })?,
            Err(error) if is_absent(&error) => Vec::new(),
            Err(source) => return Err(Error::File { path, source }),
        };
        Ok(Journal { path, steps })
    }

    fn add(&mut self, step: &Step) -> Result<(), Error> {
        self.steps.push(step.clone());
        self.write()
    }

    fn remove(&mut self, step: &Step) -> Result<(), Error> {
        self.steps.retain(|known| known != step);
        self.write()
    }

    fn write(&self) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(&self.steps).map_err(|error| Error::Output(error.into()))?;
        replace(&self.path, &text, None).map_err(Error::file(&self.path))
    }
}

fn backup_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(BACKUP);
    PathBuf::from(name)
}

/// Keeps the file as it is beside it, unless an earlier copy is there.
fn keep_copy(file: &Path) -> Result<(), Error> {
    let file = &real(file);
    let backup = backup_of(file);
    if backup.exists() || !file.exists() {
        return Ok(());
    }
    let content = fs::read(file).map_err(Error::file(file))?;
    let permissions = fs::metadata(file).ok().map(|metadata| metadata.permissions());
    replace(&backup, &content, permissions).map_err(Error::file(&backup))
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(Error::file(from))
}

/// The file itself, where a link points to it.
fn real(file: &Path) -> PathBuf {
    file.canonicalize().unwrap_or_else(|_| file.to_owned())
}

fn read_object(file: &Path) -> Result<Node, Error> {
    let text = match fs::read_to_string(file) {
        Ok(text) if text.trim().is_empty() => "{}".to_owned(),
        Ok(text) => text,
        Err(error) if is_absent(&error) => "{}".to_owned(),
        Err(source) => {
            return Err(Error::File {
                path: file.to_owned(),
                source,
            });
        }
    };
    match serde_json::from_str(&text) {
        Ok(object @ Node::Object(_)) => Ok(object),
        Ok(_) => Err(not_an_object(file)),
        Err(error) => Err(Error::BadFile {
            path: file.to_owned(),
            detail: format!("not valid JSON, so it was not changed: {error}"),
        }),
    }
}

fn not_an_object(file: &Path) -> Error {
    Error::BadFile {
        path: file.to_owned(),
        detail: "not a JSON object where one is expected, so it was not changed".to_owned(),
    }
}

fn write_object(file: &Path, object: &Node) -> Result<(), Error> {
    let file = &real(file);
    let mut text = serde_json::to_string_pretty(object).map_err(|error| Error::Output(error.into()))?;
    text.push('\n');
    let permissions = fs::metadata(file).ok().map(|metadata| metadata.permissions());
    replace(file, text.as_bytes(), permissions).map_err(Error::file(file))
}

/// The object below these keys; with `make`, made where there is none.
fn object_at<'n>(node: &'n mut Node, keys: &[String], make: bool) -> Option<&'n mut IndexMap<String, Node>> {
    let object = node.object()?;
    let Some((key, rest)) = keys.split_first() else {
        return Some(object);
    };
    if make && !object.contains_key(key) {
        object.insert(key.clone(), Node::Object(IndexMap::new()));
    }
    object_at(object.get_mut(key)?, rest, make)
}

fn json(node: &Node) -> Result<String, Error> {
    serde_json::to_string(node).map_err(|error| Error::Output(error.into()))
}
