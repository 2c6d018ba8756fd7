//! The project of a working directory: the name of its repository on this machine. For directories of other machines
//! `sources` takes the last part of the path.
//!
//! The project rules decide here which projects are shared.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use sources::Directories;

use crate::{
    report::Problem,
    settings::{self, PROJECT_FILE},
    sharing::{Candidate, ProjectRules},
};

/// Resolves working directories to repositories on this machine, and decides which projects are shared.
#[derive(Debug, Default)]
pub(crate) struct Projects {
    home: Option<PathBuf>,
    rules: ProjectRules,
    /// The rules of projects' own files, by file. `None` for a file that cannot be used: its project is not shared.
    own_rules: BTreeMap<PathBuf, Option<ProjectRules>>,
    problems: Vec<Problem>,
    roots: BTreeSet<PathBuf>,
}

impl Projects {
    /// `home` is never a project: a repository there usually holds settings.
    pub(crate) fn new(home: Option<&Path>, rules: ProjectRules) -> Projects {
        Projects {
            home: home.map(Path::to_owned),
            rules,
            ..Projects::default()
        }
    }

    /// The repositories in which shared sessions ran.
    pub(crate) fn roots(&self) -> &BTreeSet<PathBuf> {
        &self.roots
    }

    /// Takes the problems with projects' own files.
    pub(crate) fn take_problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// True when the project in a folder of this machine may be shared.
    pub(crate) fn is_folder_shared(&mut self, folder: &str) -> bool {
        let name = self
            .project_of(folder)
            .or_else(|| Some(Path::new(folder).file_name()?.to_str()?.to_owned()));
        self.is_shared(Some(folder), name.as_deref())
    }

    /// The repository that contains a working directory, also one that was deleted.
    fn root(&self, cwd: &Path) -> Option<PathBuf> {
        if !cwd.is_absolute() {
            return None;
        }
        self.below_home(cwd)
            .find(|folder| folder.join(".git").exists())
            .map(Path::to_owned)
    }

    /// The folder and its parents, up to the home directory, which is left out.
    fn below_home<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = &'a Path> {
        folder
            .ancestors()
            .take_while(|folder| self.home.as_deref() != Some(*folder))
    }

    /// True when the file of the project itself allows to share it.
    fn own_rules_allow(&mut self, cwd: &Path, candidate: &Candidate) -> bool {
        if !cwd.is_absolute() {
            return true;
        }
        let file = self
            .below_home(cwd)
            .map(|folder| folder.join(PROJECT_FILE))
            .find(|file| file.is_file());
        let Some(file) = file else { return true };
        if !self.own_rules.contains_key(&file) {
            let rules = settings::project_rules(&file, self.home.as_deref());
            let rules = rules.map_err(|error| {
                let detail = format!("{error}; the project is not shared");
                self.problems
                    .push(Problem::of_file(&file, "invalid_project_rules", &detail));
            });
            self.own_rules.insert(file.clone(), rules.ok());
        }
        let rules = self.own_rules.get(&file).and_then(Option::as_ref);
        rules.is_some_and(|rules| rules.allow(candidate))
    }
}

impl Directories for Projects {
    fn project_of(&mut self, cwd: &str) -> Option<String> {
        let root = self.root(Path::new(cwd))?;
        let main = main_repository(&root).unwrap_or(root);
        Some(main.file_name()?.to_str()?.to_owned())
    }

    fn is_shared(&mut self, cwd: Option<&str>, project: Option<&str>) -> bool {
        let cwd = cwd.map(Path::new);
        let root = cwd.and_then(|cwd| self.root(cwd));
        let main = root.as_deref().and_then(main_repository);
        let real = cwd.and_then(real_path);
        let paths = [cwd, real.as_deref(), main.as_deref()];
        let candidate = Candidate::new(project, paths.into_iter().flatten());
        let shared = self.rules.allow(&candidate)
            && [cwd, main.as_deref()]
                .into_iter()
                .flatten()
                .all(|folder| self.own_rules_allow(folder, &candidate));
        if shared {
            self.roots.extend(root);
        }
        shared
    }
}

/// The path without symbolic links, as far as its folders exist on this machine.
fn real_path(path: &Path) -> Option<PathBuf> {
    if !path.is_absolute() {
        return None;
    }
    path.ancestors().find_map(|folder| {
        let real = folder.canonicalize().ok()?;
        Some(real.join(path.strip_prefix(folder).ok()?))
    })
}

/// The main repository of a worktree. The `.git` of a worktree is a file that names
/// `<repository>/.git/worktrees/<name>` (gitrepository-layout(5)); that of a submodule names `…/modules/…`, and the
/// submodule is its own project.
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
        let mut projects = Projects::new(None, ProjectRules::default());
        let mut project = |path: PathBuf| projects.project_of(path.to_str().unwrap());
        assert_eq!(project(repository.join("src/deep")).as_deref(), Some("api"));
        assert_eq!(
            project(repository.join("src/deleted/since")).as_deref(),
            Some("api")
        );
        assert_eq!(project(root.path().join("plain")), None);
        assert!(projects.is_shared(repository.join("src").to_str(), Some("api")));
        assert!(projects.is_shared(root.path().join("plain").to_str(), Some("plain")));
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
        let mut projects = Projects::new(None, ProjectRules::default());
        for (git, expected) in [
            ("/home/a/api/.git/worktrees/fix", "api"),
            ("../api/.git/worktrees/fix", "api"),
            ("/srv/api.git/worktrees/fix", "api"),
            ("/home/a/api/.bare/worktrees/fix", "api"),
        ] {
            let path = folder(&format!("fix{}", git.len()), git);
            assert_eq!(projects.project_of(&path).as_deref(), Some(expected), "{git}");
        }
        let submodule = folder("vendored", "../.git/modules/vendored");
        assert_eq!(projects.project_of(&submodule).as_deref(), Some("vendored"));
    }

    #[test]
    fn a_directory_of_another_machine_and_a_repository_in_the_home_directory_name_no_project() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join(".git")).unwrap();
        let mut projects = Projects::new(Some(home.path()), ProjectRules::default());
        let plain = home.path().join("plain");
        for cwd in [
            "/nowhere/on/this/machine",
            r"C:\Users\ann\web",
            "web",
            "",
            plain.to_str().unwrap(),
        ] {
            assert_eq!(projects.project_of(cwd), None, "{cwd}");
        }
    }

    fn rules(toml: &str, folder: &Path) -> ProjectRules {
        let table: toml::Table = toml.parse().unwrap();
        let mut rules = ProjectRules::default();
        let origin = crate::sharing::Origin { home: None, folder };
        rules.add_table(&toml::Value::Table(table), origin).unwrap();
        rules
    }

    #[test]
    fn a_worktree_is_shared_like_its_repository() {
        let root = tempfile::tempdir().unwrap();
        let fix = root.path().join("fix");
        fs::create_dir_all(&fix).unwrap();
        let main = root.path().join("clients/acme");
        fs::write(
            fix.join(".git"),
            format!("gitdir: {}/.git/worktrees/fix\n", main.display()),
        )
        .unwrap();
        for pattern in ["acme", "./clients", "./fix"] {
            let rules = rules(&format!("exclude = ['{pattern}']"), root.path());
            let mut projects = Projects::new(None, rules);
            assert!(!projects.is_folder_shared(fix.to_str().unwrap()), "{pattern}");
            assert!(projects.roots().is_empty());
        }
    }

    #[test]
    fn a_projects_own_file_excludes_it_wherever_the_uploader_runs() {
        let root = tempfile::tempdir().unwrap();
        let api = root.path().join("api/src");
        fs::create_dir_all(&api).unwrap();
        let file = root.path().join("api").join(PROJECT_FILE);
        let shared = |text: &str| {
            fs::write(&file, text).unwrap();
            let mut projects = Projects::new(Some(root.path()), ProjectRules::default());
            (
                projects.is_folder_shared(api.to_str().unwrap()),
                projects.take_problems().len(),
            )
        };
        assert_eq!(shared("limit = 5"), (true, 0));
        assert_eq!(shared("[projects]\nexclude = ['.']"), (false, 0));
        assert_eq!(shared("[projects]\ninclude = ['web']"), (false, 0));
        assert_eq!(
            shared("[projects]\nexclud = ['.']"),
            (false, 1),
            "an invalid rule fails closed"
        );
        assert_eq!(shared("[projects"), (false, 1));
    }
}
