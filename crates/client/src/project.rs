//! The project of a working directory: the name of its repository, where that is on this machine. Of a directory
//! elsewhere `sources` takes the last part of the path.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Resolves working directories to repositories on this machine.
#[derive(Debug, Default)]
pub struct Projects {
    home: Option<PathBuf>,
    roots: BTreeSet<PathBuf>,
}

impl Projects {
    /// Knows the home directory: a repository there (of settings, usually) is no project of what lies below it.
    pub fn new(home: Option<&Path>) -> Projects {
        Projects {
            home: home.map(Path::to_owned),
            roots: BTreeSet::new(),
        }
    }

    /// The repository in which a working directory lies, or lay before it was deleted.
    pub fn of(&mut self, cwd: &str) -> Option<String> {
        let path = Path::new(cwd);
        if !path.is_absolute() {
            return None;
        }
        let below_home = |folder: &&Path| self.home.as_deref() != Some(*folder);
        let root = path
            .ancestors()
            .take_while(below_home)
            .find(|folder| folder.join(".git").exists())?;
        self.roots.insert(root.to_owned());
        let main = main_repository(root).unwrap_or_else(|| root.to_owned());
        Some(main.file_name()?.to_str()?.to_owned())
    }

    /// The repositories in which sessions ran.
    pub fn roots(&self) -> &BTreeSet<PathBuf> {
        &self.roots
    }
}

/// The repository that a worktree belongs to. A worktree's `.git` is a file that names
/// `<repository>/.git/worktrees/<name>` (gitrepository-layout(5)); a submodule's names `…/modules/…` and is a project
/// of its own.
fn main_repository(worktree: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(worktree.join(".git")).ok()?;
    let git_dir = worktree.join(text.strip_prefix("gitdir:")?.trim());
    let worktrees = git_dir.parent()?;
    if worktrees.file_name()? != "worktrees" {
        return None;
    }
    let common = worktrees.parent()?;
    let name = common.file_name()?.to_str()?;
    if name.starts_with('.') {
        // `repository/.git`, or a hidden bare repository such as `repository/.bare`.
        return common.parent().map(Path::to_owned);
    }
    Some(common.with_file_name(name.strip_suffix(".git").unwrap_or(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_names_the_project_from_any_folder_below_it() {
        let root = tempfile::tempdir().unwrap();
        let repository = root.path().join("api");
        fs::create_dir_all(repository.join(".git")).unwrap();
        fs::create_dir_all(repository.join("src/deep")).unwrap();
        let mut projects = Projects::new(None);
        let mut project = |path: PathBuf| projects.of(path.to_str().unwrap());
        assert_eq!(project(repository.join("src/deep")).as_deref(), Some("api"));
        assert_eq!(
            project(repository.join("src/deleted/since")).as_deref(),
            Some("api")
        );
        assert_eq!(project(root.path().join("plain")), None);
        assert_eq!(projects.roots().iter().collect::<Vec<_>>(), [&repository]);
    }

    #[test]
    fn a_worktree_belongs_to_its_repository_and_a_submodule_to_itself() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str, git: &str| {
            let folder = root.path().join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(".git"), format!("gitdir: {git}\n")).unwrap();
            folder.to_str().unwrap().to_owned()
        };
        let mut projects = Projects::new(None);
        for (git, expected) in [
            ("/home/a/api/.git/worktrees/fix", "api"),
            ("../api/.git/worktrees/fix", "api"),
            ("/srv/api.git/worktrees/fix", "api"),
            ("/home/a/api/.bare/worktrees/fix", "api"),
        ] {
            let path = folder(&format!("fix{}", git.len()), git);
            assert_eq!(projects.of(&path).as_deref(), Some(expected), "{git}");
        }
        let submodule = folder("vendored", "../.git/modules/vendored");
        assert_eq!(projects.of(&submodule).as_deref(), Some("vendored"));
    }

    #[test]
    fn a_directory_elsewhere_and_a_repository_of_settings_in_the_home_are_no_repository_of_ours() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".git")).unwrap();
        let mut projects = Projects::new(Some(home.path()));
        let plain = home.path().join("plain");
        for cwd in [
            "/nowhere/on/this/machine",
            r"C:\Users\ann\web",
            "web",
            "",
            plain.to_str().unwrap(),
        ] {
            assert_eq!(projects.of(cwd), None, "{cwd}");
        }
    }
}
