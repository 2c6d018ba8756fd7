//! What Gemini CLI keeps beside its chats: which project they are of.
//!
//! A chat is `<own folder>/tmp/<project>/chats/…`. The project's root is in `.project_root` there, else in
//! `projects.json` of the own folder; before 2026 the project was the SHA-256 of its root.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use sha2::{Digest, Sha256};

use model::text::hex;

/// Greatest file that is read.
const SETTINGS: u64 = 16 * 1024 * 1024;

/// The working directories of projects, each asked for once.
#[derive(Debug, Default)]
pub(crate) struct Directories {
    known: HashMap<PathBuf, Option<String>>,
}

impl Directories {
    /// The project's root, of a file below `chats`.
    pub(crate) fn of(&mut self, log: &Path) -> Option<String> {
        let project = log
            .ancestors()
            .find(|folder| folder.ends_with("chats"))?
            .parent()?
            .to_owned();
        if let Some(known) = self.known.get(&project) {
            return known.clone();
        }
        let directory = root_of(&project);
        self.known.insert(project, directory.clone());
        directory
    }
}

fn root_of(project: &Path) -> Option<String> {
    let root = project.join(".project_root");
    if let Some(text) = small_text(&root)
        && !text.trim().is_empty()
    {
        return Some(text.trim().to_owned());
    }
    let own = project.parent()?.parent()?;
    let name = project.file_name()?.to_str()?;
    let registry: Value = serde_json::from_str(&small_text(&own.join("projects.json"))?).ok()?;
    let projects = registry.get("projects")?.as_object()?;
    let is_it = |root: &str, known: &Value| {
        known.as_str() == Some(name) || hex(&Sha256::digest(root.as_bytes())) == name
    };
    projects
        .iter()
        .find(|(root, known)| is_it(root, known))
        .map(|(root, _)| root.clone())
}

/// A text file that is no link and not large.
pub(crate) fn small_text(path: &Path) -> Option<String> {
    let metadata = fs::symlink_metadata(path).ok()?;
    (metadata.is_file() && metadata.len() <= SETTINGS)
        .then(|| fs::read_to_string(path).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_of_the_project_that_stands_beside_it() {
        let own = tempfile::tempdir().unwrap();
        let hash = hex(&Sha256::digest(b"/w/old"));
        let chat = |project: &str| {
            let chats = own.path().join("tmp").join(project).join("chats");
            fs::create_dir_all(&chats).unwrap();
            chats.join("parent/session.jsonl")
        };
        fs::write(
            own.path().join("projects.json"),
            r#"{"projects":{"/w/web":"web","/w/old":"old-1"}}"#,
        )
        .unwrap();
        let (api, web, old, none) = (chat("api"), chat("web"), chat(&hash), chat("none"));
        fs::write(own.path().join("tmp/api/.project_root"), "/w/api\n").unwrap();
        let mut directories = Directories::default();
        assert_eq!(directories.of(&api).as_deref(), Some("/w/api"));
        assert_eq!(directories.of(&web).as_deref(), Some("/w/web"));
        assert_eq!(directories.of(&old).as_deref(), Some("/w/old"));
        assert_eq!(directories.of(&none), None);
        assert_eq!(directories.of(Path::new("/w/session.jsonl")), None);
    }
}
