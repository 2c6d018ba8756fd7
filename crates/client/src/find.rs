//! Where session logs are: the agents' own folders, a folder that looks like somebody's home, or any path named.
//!
//! No symbolic link below a root is followed and only regular files are read: a repository that one happens to have
//! checked out must not be able to point the uploader at `~/.ssh`.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use sources::Agent;
use walkdir::WalkDir;

use crate::{Environment, Error, report::Problem};

/// One log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whose it is, where its place tells; else its content will.
    pub agent: Option<Agent>,
    /// Its size in bytes when it was found.
    pub bytes: u64,
    /// When it was last written.
    pub modified: Option<SystemTime>,
}

/// The logs of one upload.
#[derive(Debug, Default)]
pub struct Found {
    /// The logs, in a stable order, each once.
    pub files: Vec<LogFile>,
    /// Where they were looked for.
    pub looked: Vec<PathBuf>,
    /// The home directories whose agents' folders were among the places.
    pub homes: Vec<PathBuf>,
    /// What was passed over although it lies where logs lie.
    pub problems: Vec<Problem>,
}

/// A folder in which an agent keeps logs, below a home directory.
struct Place {
    agent: Agent,
    /// The agent's own folder.
    own: &'static str,
    /// The folder of logs within it.
    logs: &'static str,
}

const PLACES: [Place; 7] = [
    Place {
        agent: Agent::ClaudeCode,
        own: ".claude",
        logs: "projects",
    },
    Place {
        agent: Agent::ClaudeCode,
        own: ".config/claude",
        logs: "projects",
    },
    Place {
        agent: Agent::Codex,
        own: ".codex",
        logs: "sessions",
    },
    Place {
        agent: Agent::Codex,
        own: ".codex",
        logs: "archived_sessions",
    },
    Place {
        agent: Agent::CopilotCli,
        own: ".copilot",
        logs: "session-state",
    },
    Place {
        agent: Agent::OpenCode,
        own: ".local/share/opencode",
        logs: "storage",
    },
    Place {
        agent: Agent::GeminiCli,
        own: ".gemini",
        logs: "tmp",
    },
];

/// Finds the logs below `paths`, or in the agents' own folders when none is given. `agents` selects; empty means all.
pub fn find(paths: &[PathBuf], agents: &[Agent], environment: &Environment) -> Result<Found, Error> {
    let mut search = Search {
        agents,
        found: Found::default(),
        seen: BTreeSet::new(),
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

/// Opens a log for reading, if it still is a regular file and no link has taken its place.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;

        use rustix::fs::OFlags;
        // NONBLOCK: a FIFO put there in the meantime must not hang us.
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
}

impl Search<'_> {
    fn wants(&self, agent: Agent) -> bool {
        self.agents.is_empty() || self.agents.contains(&agent)
    }

    /// The folders that the agents of this machine's user write to. The user's own links are trusted: many keep these
    /// folders elsewhere.
    fn own_folders(&mut self, environment: &Environment) {
        if let Some(home) = environment.home() {
            self.found.homes.push(home.to_owned());
        }
        for place in &PLACES {
            if !self.wants(place.agent) {
                continue;
            }
            let moved = match place.own {
                ".claude" => environment.path("CLAUDE_CONFIG_DIR"),
                ".codex" => environment.path("CODEX_HOME"),
                _ => None,
            };
            let Some(own) = moved.or_else(|| Some(environment.home()?.join(place.own))) else {
                continue;
            };
            let root = own.join(place.logs);
            self.found.looked.push(root.clone());
            if let Ok(root) = root.canonicalize()
                && root.is_dir()
            {
                self.walk(&root, Some(place.agent));
            }
        }
    }

    /// A path that somebody named: a log, a folder that looks like a home, an agent's own folder, or a folder of logs.
    fn named(&mut self, path: &Path) -> Result<(), Error> {
        let root = path.canonicalize().map_err(Error::file(path))?;
        self.found.looked.push(root.clone());
        let metadata = fs::metadata(&root).map_err(Error::file(&root))?;
        if metadata.is_file() {
            self.take(root, agent_by_place(path), &metadata);
            return Ok(());
        }
        let mut recognised = false;
        for place in &PLACES {
            let below_home = real_folder(&root, &Path::new(place.own).join(place.logs));
            let own = if root.ends_with(place.own) {
                real_folder(&root, Path::new(place.logs))
            } else {
                None
            };
            if below_home.is_some() && self.found.homes.last() != Some(&root) {
                self.found.homes.push(root.clone());
            }
            if let Some(logs) = below_home.or(own) {
                recognised = true;
                if self.wants(place.agent) {
                    self.walk(&logs, Some(place.agent));
                }
            }
        }
        if !recognised {
            self.walk(&root, agent_by_place(&root));
        }
        Ok(())
    }

    fn walk(&mut self, root: &Path, agent: Option<Agent>) {
        for entry in WalkDir::new(root).follow_links(false).sort_by_file_name() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(root).to_owned();
                    self.pass_over(&path, "unreadable", &error.to_string());
                    continue;
                }
            };
            if !is_log_name(entry.path(), agent) {
                continue;
            }
            let kind = entry.file_type();
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
            let modified = metadata.modified().ok();
            self.found.files.push(LogFile {
                path,
                agent,
                bytes: metadata.len(),
                modified,
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

/// The agent in whose folder a path lies.
fn agent_by_place(path: &Path) -> Option<Agent> {
    let text = path.to_string_lossy().replace('\\', "/");
    PLACES
        .iter()
        .find(|place| {
            let folder = format!("{}/{}", place.own, place.logs);
            text.contains(&format!("{folder}/")) || text.ends_with(&folder)
        })
        .map(|place| place.agent)
}

/// True for names under which logs are written. Where the agent is not known, JSON is taken only from folders that
/// are called like those of the agents that write JSON.
fn is_log_name(path: &Path, agent: Option<Agent>) -> bool {
    let within = |name: &str| path.iter().any(|part| part == name);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("jsonl") => !matches!(agent, Some(Agent::OpenCode)),
        Some("json") => match agent {
            Some(Agent::OpenCode) => true,
            Some(Agent::GeminiCli) => within("chats"),
            Some(_) => false,
            None => within("chats") || within("storage"),
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}\n").unwrap();
        }
        root
    }

    fn names(found: &Found, root: &Path) -> Vec<(String, Option<Agent>)> {
        let root = root.canonicalize().unwrap();
        found
            .files
            .iter()
            .map(|file| {
                (
                    file.path.strip_prefix(&root).unwrap().display().to_string(),
                    file.agent,
                )
            })
            .collect()
    }

    const HOME: [&str; 9] = [
        ".claude/projects/-work-api/a.jsonl",
        ".claude/projects/-work-api/a/subagents/agent-1.jsonl",
        ".claude/projects/-work-api/a/tool-results/x.txt",
        ".claude/history.jsonl",
        ".codex/sessions/2026/11/23/rollout-1.jsonl",
        ".copilot/session-state/s/events.jsonl",
        ".gemini/tmp/hash/chats/session-1.json",
        ".gemini/tmp/hash/logs.json",
        "notes.jsonl",
    ];

    #[test]
    fn a_home_gives_the_logs_of_every_agent_and_nothing_else() {
        let home = tree(&HOME);
        let expected: Vec<(String, Option<Agent>)> = [
            (HOME[1], Agent::ClaudeCode),
            (HOME[0], Agent::ClaudeCode),
            (HOME[4], Agent::Codex),
            (HOME[5], Agent::CopilotCli),
            (HOME[6], Agent::GeminiCli),
        ]
        .map(|(name, agent)| (name.to_owned(), Some(agent)))
        .to_vec();
        let own = Environment::new(home.path(), home.path(), []);
        assert_eq!(names(&find(&[], &[], &own).unwrap(), home.path()), expected);
        let other = find(&[home.path().to_owned()], &[], &Environment::default()).unwrap();
        assert_eq!(names(&other, home.path()), expected);
        assert_eq!(other.homes, [home.path().canonicalize().unwrap()]);
        let codex = find(&[], &[Agent::Codex], &own).unwrap();
        assert_eq!(names(&codex, home.path()), expected[2..3]);
    }

    #[test]
    fn variables_move_the_folders() {
        let root = tree(&[
            "claude/projects/p/a.jsonl",
            "codex/archived_sessions/rollout-2.jsonl",
        ]);
        let claude = root.path().join("claude");
        let codex = root.path().join("codex");
        let variables = [
            ("CLAUDE_CONFIG_DIR", claude.to_str().unwrap()),
            ("CODEX_HOME", codex.to_str().unwrap()),
        ];
        let environment = Environment::new(Path::new("/nowhere"), root.path(), variables);
        assert_eq!(find(&[], &[], &environment).unwrap().files.len(), 2);
    }

    #[test]
    fn a_file_an_agents_folder_and_any_folder_can_be_named_and_a_log_counts_once() {
        let home = tree(&HOME);
        let named = |below: &[&str]| {
            let paths: Vec<PathBuf> = below.iter().map(|below| home.path().join(below)).collect();
            names(&find(&paths, &[], &Environment::default()).unwrap(), home.path()).len()
        };
        assert_eq!(named(&[HOME[0]]), 1);
        assert_eq!(named(&[".claude"]), 2);
        assert_eq!(named(&[".claude/projects/-work-api"]), 2);
        assert_eq!(named(&[".claude/projects", HOME[0], "."]), 5);
    }

    #[test]
    fn an_empty_folder_says_where_it_looked_and_a_missing_one_is_named() {
        let root = tree(&["readme.md"]);
        let error = find(&[root.path().to_owned()], &[], &Environment::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&root.path().canonicalize().unwrap().display().to_string())
        );
        let home = Environment::new(root.path(), root.path(), []);
        let error = find(&[], &[], &home).unwrap_err().to_string();
        assert!(
            error.contains(".claude/projects") && error.contains(".copilot/session-state"),
            "{error}"
        );
        let error = find(&[root.path().join("gone")], &[], &home).unwrap_err();
        assert!(error.to_string().contains("gone"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_pipes_are_passed_over_with_a_reason() {
        use std::os::unix::fs::symlink;
        let secret = tree(&["id.jsonl"]);
        let home = tree(&[".claude/projects/p/a.jsonl"]);
        let project = home.path().join(".claude/projects/p");
        symlink(secret.path().join("id.jsonl"), project.join("b.jsonl")).unwrap();
        symlink(secret.path(), project.join("linked")).unwrap();
        symlink(&project, project.join("loop")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            project.join("pipe.jsonl"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let found = find(&[home.path().to_owned()], &[], &Environment::default()).unwrap();
        assert_eq!(found.files.len(), 1);
        let codes: Vec<&str> = found
            .problems
            .iter()
            .map(|problem| problem.code.as_str())
            .collect();
        assert_eq!(codes, ["symbolic_link", "not_a_file"]);
        assert!(open(&project.join("b.jsonl")).is_err());
        assert!(open(&project.join("pipe.jsonl")).is_err());

        let trap = tree(&["src/main.rs"]);
        fs::create_dir(trap.path().join(".claude")).unwrap();
        symlink(secret.path(), trap.path().join(".claude/projects")).unwrap();
        assert!(find(&[trap.path().to_owned()], &[], &Environment::default()).is_err());
    }
}
