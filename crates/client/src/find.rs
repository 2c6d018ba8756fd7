//! Finds session logs: in the agents' own folders, in a folder that looks like a home directory, or at any given path.
//!
//! Symbolic links below a root are not followed and only regular files are read: a checked-out repository must not be
//! able to point the uploader at `~/.ssh`.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use sources::Agent;
use walkdir::WalkDir;

use crate::{
    Environment, Error, cline,
    compressed::{self, is_compressed},
    error::Looked,
    gemini::Directories,
    places::{self, Os, Place},
    report::Problem,
    vscode,
};

mod stored;

pub(crate) use stored::{beside, wal};

/// Length of the beginning of a file that shows whether it may be a log, in bytes.
const SNIFFED: u64 = 4_096;

/// One log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its path.
    pub path: PathBuf,
    /// The agent, where the place shows it; otherwise the content does.
    pub agent: Option<Agent>,
    /// Its size in bytes when it was found.
    pub bytes: u64,
    /// When it was last written; unknown where that does not show whether the log is needed.
    pub modified: Option<SystemTime>,
    /// The working directory of its records, where a file next to it states that.
    pub directory: Option<String>,
}

/// The logs of one upload.
#[derive(Debug, Default)]
pub struct Found {
    /// The logs, in a stable order, each once.
    pub files: Vec<LogFile>,
    /// The places that were searched.
    pub looked: Vec<Looked>,
    /// The home directories whose agents' folders were searched.
    pub homes: Vec<PathBuf>,
    /// What was skipped although it is in a place for logs.
    pub problems: Vec<Problem>,
}

/// Finds the logs below `paths`, or in the agents' own folders when none is given. `agents` selects; empty means all.
pub fn find(paths: &[PathBuf], agents: &[Agent], environment: &Environment) -> Result<Found, Error> {
    let mut search = Search {
        agents,
        found: Found::default(),
        seen: BTreeSet::new(),
        directories: Directories::default(),
    };
    if paths.is_empty() {
        search.own_folders(environment);
    } else {
        for path in paths {
            search.named(path)?;
        }
    }
    let Search { mut found, .. } = search;
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    if found.files.is_empty() {
        return Err(Error::NoLogs { looked: found.looked });
    }
    Ok(found)
}

/// Opens a log for reading if it is still a regular file and was not replaced by a link.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        use rustix::fs::OFlags;
        // NONBLOCK: a FIFO created in the meantime must not block.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        options.custom_flags(i32::try_from(flags).map_err(io::Error::other)?);
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("not a regular file"))
    }
}

struct Search<'a> {
    agents: &'a [Agent],
    found: Found,
    seen: BTreeSet<PathBuf>,
    directories: Directories,
}

impl Search<'_> {
    fn wants(&self, agent: Agent) -> bool {
        self.agents.is_empty() || self.agents.contains(&agent)
    }

    /// The folders that the agents of this machine's user write to. The user's own links are followed: many people keep
    /// these folders elsewhere.
    fn own_folders(&mut self, environment: &Environment) {
        if let Some(home) = environment.home() {
            self.found.homes.push(home.to_owned());
        }
        for place in places::places(Os::current(), environment) {
            if !self.wants(place.agent) {
                continue;
            }
            if places::is_of_editor(&place) && !place.own.is_dir() {
                continue;
            }
            for looked in looked_for(&place) {
                self.found.looked.push(Looked {
                    path: looked,
                    variable: Some(places::variables(&place)).filter(|variable| !variable.is_empty()),
                });
            }
            if let Some(database) = place.database {
                self.database(&database, place.agent);
                continue;
            }
            for logs in place.logs {
                if let Ok(root) = place.own.join(logs).canonicalize()
                    && root.is_dir()
                {
                    self.walk(&root, Some(place.agent));
                }
            }
            if place.agent == Agent::OpenCode
                && let Ok(own) = place.own.canonicalize()
            {
                self.databases(&own);
            }
        }
    }

    /// A path that the user gave: a log, a folder that looks like a home, an agent's own folder, or a folder of logs.
    fn named(&mut self, path: &Path) -> Result<(), Error> {
        let root = path.canonicalize().map_err(Error::file(path))?;
        self.found.looked.push(Looked {
            path: root.clone(),
            variable: None,
        });
        let metadata = fs::metadata(&root).map_err(Error::file(&root))?;
        if metadata.is_file() {
            if let Some(agent) = stored::database_of(&root) {
                self.database(&root, agent);
            } else if compressed::is_archive(&root) && !is_compressed(&root) {
                let detail = "not a log that is read as it is; unpack it, then upload what it holds";
                return Err(Error::Usage(format!("{}: {detail}", path.display())));
            } else {
                self.take(root, agent_by_place(path), &metadata);
            }
            return Ok(());
        }
        let mut recognised = false;
        for (agent, own, folders) in places::below_home() {
            if real_folder(&root, Path::new(own)).is_some_and(|own| self.agent_folder(&own, agent, folders)) {
                recognised = true;
                if self.found.homes.last() != Some(&root) {
                    self.found.homes.push(root.clone());
                }
            } else if root.ends_with(own) {
                recognised |= self.agent_folder(&root, agent, folders);
            }
        }
        if !recognised {
            // An OpenCode folder that a variable moved, or a copy of one.
            let is_opencode =
                self.databases(&root) || real_folder(&root, Path::new("storage/message")).is_some();
            let agent = is_opencode.then_some(Agent::OpenCode);
            self.walk(&root, agent_by_place(&root).or(agent));
        }
        Ok(())
    }

    /// Adds the logs of an agent's folder. Returns false when it has none.
    fn agent_folder(&mut self, own: &Path, agent: Agent, folders: &[&str]) -> bool {
        let mut has_logs = false;
        for folder in folders {
            if let Some(logs) = real_folder(own, Path::new(folder)) {
                has_logs = true;
                if self.wants(agent) {
                    self.walk(&logs, Some(agent));
                }
            }
        }
        match agent {
            Agent::OpenCode => has_logs | self.databases(own),
            Agent::Cursor if self.wants(agent) => self.database(&own.join(places::DATABASE), agent),
            _ => has_logs,
        }
    }

    /// Adds the OpenCode databases in a folder, one per channel. Returns false when there is none.
    fn databases(&mut self, folder: &Path) -> bool {
        let Ok(entries) = fs::read_dir(folder) else {
            return false;
        };
        let mut databases: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| stored::is_database_name(path))
            .collect();
        databases.sort();
        databases.retain(|path| self.wants(Agent::OpenCode) && self.database(path, Agent::OpenCode));
        !databases.is_empty()
    }

    /// Adds a database, if there is one. The latest writes are in its write-ahead log.
    fn database(&mut self, path: &Path, agent: Agent) -> bool {
        let Ok(metadata) = fs::symlink_metadata(path) else {
            return false;
        };
        if metadata.is_symlink() {
            self.pass_over(path, "symbolic_link", "a symbolic link is not followed");
            return true;
        }
        if !metadata.is_file() {
            return false;
        }
        let (wal_bytes, wal_modified) = stored::wal(path)
            .and_then(|wal| fs::symlink_metadata(wal).ok())
            .map_or((0, None), |wal| (wal.len(), wal.modified().ok()));
        if self.seen.insert(path.to_owned()) {
            self.found.files.push(LogFile {
                path: path.to_owned(),
                agent: Some(agent),
                bytes: metadata.len() + wal_bytes,
                modified: metadata.modified().ok().max(wal_modified),
                directory: None,
            });
        }
        true
    }

    fn walk(&mut self, root: &Path, agent: Option<Agent>) {
        // Extensions keep many files deep in the folders of workspaces; chats are at this depth.
        let depth = match agent {
            Some(Agent::VsCodeCopilot) => 3,
            _ => usize::MAX,
        };
        for entry in WalkDir::new(root)
            .max_depth(depth)
            .follow_links(false)
            .sort_by_file_name()
        {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(root).to_owned();
                    self.pass_over(&path, "unreadable", &error.to_string());
                    continue;
                }
            };
            let kind = entry.file_type();
            let is_log = is_log_name(entry.path(), agent)
                || agent.is_none() && kind.is_file() && may_be_log(entry.path());
            if !is_log {
                if kind.is_file() && compressed::is_archive(entry.path()) {
                    let detail = "not a log that is read as it is; unpack it, then upload what it holds";
                    self.pass_over(entry.path(), "compressed", detail);
                }
                continue;
            }
            if kind.is_symlink() {
                self.pass_over(entry.path(), "symbolic_link", "a symbolic link is not followed");
            } else if kind.is_file() {
                match entry.metadata() {
                    Ok(metadata) => self.take(entry.into_path(), agent, &metadata),
                    Err(error) => self.pass_over(entry.path(), "unreadable", &error.to_string()),
                }
            } else if !kind.is_dir() {
                self.pass_over(entry.path(), "not_a_file", "not a regular file");
            }
        }
    }

    fn take(&mut self, path: PathBuf, agent: Option<Agent>, metadata: &fs::Metadata) {
        if agent.is_none_or(|agent| self.wants(agent)) && self.seen.insert(path.clone()) {
            // A session and a message contain values that their newer parts lack.
            let modified = metadata
                .modified()
                .ok()
                .filter(|_| !stored::is_context(&path, agent));
            let directory = self
                .directories
                .of(&path)
                .or_else(|| cline::directory(&path))
                .or_else(|| vscode::directory(&path));
            self.found.files.push(LogFile {
                path,
                agent,
                bytes: metadata.len(),
                modified,
                directory,
            });
        }
    }

    fn pass_over(&mut self, path: &Path, code: &str, detail: &str) {
        self.found.problems.push(Problem::of_file(path, code, detail));
    }
}

/// The folder, if no component below the root is a link.
fn real_folder(root: &Path, below: &Path) -> Option<PathBuf> {
    let mut folder = root.to_owned();
    for component in below.components() {
        folder.push(component);
        if !fs::symlink_metadata(&folder).ok()?.is_dir() {
            return None;
        }
    }
    Some(folder)
}

/// The agent whose folder contains a path.
fn agent_by_place(path: &Path) -> Option<Agent> {
    let text = path.to_string_lossy().replace('\\', "/");
    places::below_home()
        .find(|(_, own, folders)| {
            folders.iter().any(|logs| {
                let folder = format!("/{own}/{logs}");
                text.contains(&format!("{folder}/")) || text.ends_with(&folder)
            })
        })
        .map(|(agent, ..)| agent)
}

/// The places to search for logs.
fn looked_for(place: &Place) -> Vec<PathBuf> {
    match (&place.database, place.agent) {
        (Some(database), _) => vec![database.clone()],
        // A database and folders.
        (None, Agent::OpenCode) => vec![place.own.clone()],
        (None, _) => place.logs.iter().map(|logs| place.own.join(logs)).collect(),
    }
}

/// True for the file names of logs. Where the agent is not known, JSON is accepted by name only in folders named like
/// those of the agents that write JSON.
fn is_log_name(path: &Path, agent: Option<Agent>) -> bool {
    let within = |name: &str| path.iter().any(|part| part == name);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("jsonl") => match agent {
            Some(Agent::OpenCode | Agent::RooCode | Agent::KiloCode | Agent::Cline | Agent::Amp) => false,
            Some(Agent::VsCodeCopilot) => vscode::is_session(path),
            Some(Agent::GeminiCli) => within("chats"),
            // The file next to it is the input of the model, which repeats it without times.
            Some(Agent::KimiCli) => path.file_name().is_some_and(|name| name == "wire.jsonl"),
            _ => true,
        },
        Some("json") => match agent {
            Some(Agent::OpenCode) => stored::is_stored_record(path),
            Some(Agent::GeminiCli) => within("chats"),
            Some(Agent::Codex) => is_rollout(path),
            Some(Agent::RooCode | Agent::KiloCode) => path.ends_with("api_conversation_history.json"),
            Some(Agent::Cline) => path.ends_with("api_conversation_history.json") || cline::is_session(path),
            Some(Agent::VsCodeCopilot) => vscode::is_session(path),
            Some(Agent::Amp) => is_thread(path),
            Some(_) => false,
            None => {
                within("chats")
                    || vscode::is_session(path)
                    || is_thread(path)
                    || stored::is_stored_record(path)
            }
        },
        // The name without the ending of the compression decides.
        Some("gz" | "zst") => is_compressed(path) && is_log_name(&path.with_extension(""), agent),
        _ => false,
    }
}

/// True for the name of a thread of Amp.
fn is_thread(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("T-"))
}

/// True for the name of a Codex log: the first versions wrote JSON, and later ones compress old logs.
fn is_rollout(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("rollout-"))
}

/// True for a JSON file that begins like a session of any agent, known or unknown.
fn may_be_log(path: &Path) -> bool {
    const KEYS: [&str; 7] = [
        "\"messages\"",
        "\"sessionId\"",
        "\"sessionID\"",
        "\"session_id\"",
        "\"toolCalls\"",
        "\"tool_calls\"",
        "\"ses_",
    ];
    if path.extension().is_none_or(|extension| extension != "json") {
        return false;
    }
    let mut head = Vec::new();
    let read = open(path).and_then(|file| file.take(SNIFFED).read_to_end(&mut head));
    let head = String::from_utf8_lossy(&head);
    read.is_ok() && KEYS.iter().any(|key| head.contains(key))
}

#[cfg(test)]
mod tests;
