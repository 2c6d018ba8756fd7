//! The project of a working directory, where the root of the repository cannot be looked up in the file system.

/// Folders in which managers of work trees keep them, and which part below names the repository. The tools:
/// Cursor, Superset, T3 Code, Claude Desktop, Conductor, roborev, Codex, and layouts by the address of the origin.
const MANAGERS: [(&[&str], usize); 10] = [
    (&[".cursor", "worktrees"], 0),
    (&[".superset", "worktrees"], 0),
    (&[".t3", "worktrees"], 0),
    (&[".claude-worktrees"], 0),
    (&["conductor", "workspaces"], 0),
    (&[".roborev", "ci-worktrees"], 0),
    (&[".codex", "worktrees"], 1),
    (&["vibe-kanban", "worktrees"], 1),
    (&["worktrees", "github.com"], 1),
    (&["worktrees", "gitlab.com"], 1),
];

/// The name of the project that a path belongs to: its last part, the repository whose work tree it is, or the one that
/// the folder of a work tree's manager names. `None` for a root, an empty path, a home, and where only the manager
/// knows the repository: a person's name is not used as a project.
pub(crate) fn name_of(cwd: &str) -> Option<&str> {
    let parts: Vec<&str> = cwd
        .split(['/', '\\'])
        .filter(|part| !matches!(*part, "" | "." | "?"))
        .collect();
    let managed = MANAGERS.iter().find_map(|(folders, repository)| {
        let at = parts
            .windows(folders.len())
            .position(|window| window == *folders)?;
        // The path must reach at least the folder of one work tree.
        let below = &parts[at + folders.len()..];
        (below.len() >= 2).then(|| below[*repository])
    });
    if let Some(repository) = managed {
        return Some(repository);
    }
    if let Some(repository) = beside_work_trees(&parts) {
        return Some(repository);
    }
    let parts = &parts[..before_work_tree(&parts).unwrap_or(parts.len())];
    if home(parts) == Some(parts.len()) {
        return None;
    }
    let (name, _) = parts.split_last()?;
    // `C:` is a drive, not a project.
    let is_drive = name.len() == 2 && name.ends_with(':');
    (!is_drive).then_some(*name)
}

/// True when a project's name, as the file system gave it, is that of the person in whose home the path lies: the
/// home itself is a repository (of settings, say).
pub(crate) fn is_person(cwd: &str, name: &str) -> bool {
    let parts: Vec<&str> = cwd.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    home(&parts).and_then(|end| parts.get(end - 1)) == Some(&name)
}

/// The repository beside whose folder its work trees are (`<repository>.worktrees/<name>`).
fn beside_work_trees<'p>(parts: &[&'p str]) -> Option<&'p str> {
    let (_, folders) = parts.split_last()?;
    folders.iter().find_map(|folder| {
        let stem = folder
            .strip_suffix(".worktrees")
            .or_else(|| folder.strip_suffix("-worktrees"))?;
        // `.claude-worktrees` is the folder of a manager.
        (!stem.is_empty() && !stem.starts_with('.')).then_some(stem)
    })
}

/// How many parts lie before a work tree that managers make below the repository (`.worktrees/<name>`,
/// `.claude/worktrees/<name>`).
fn before_work_tree(parts: &[&str]) -> Option<usize> {
    (1..parts.len()).find(|&at| {
        let next = parts.get(at + 1).copied();
        match parts[at] {
            ".worktrees" | ".conductor" | ".trees" => next.is_some(),
            ".claude" | ".codex" | ".gemini" | ".qwen" | ".agents" => next == Some("worktrees"),
            _ => false,
        }
    })
}

/// How many parts a path has up to a person's home; `None` when it is not below one.
fn home(parts: &[&str]) -> Option<usize> {
    let is_drive = |part: &str| {
        let letter = part.strip_suffix(':').unwrap_or(part);
        letter.len() == 1 && letter.as_bytes()[0].is_ascii_alphabetic()
    };
    let root = match parts {
        ["root", ..] => return Some(1),
        ["var" | "export" | "usr" | "data", "home", ..] => 1,
        ["System", "Volumes", "Data", ..] => 3,
        ["mnt", drive, ..] if is_drive(drive) => 2,
        ["wsl$" | "wsl.localhost", _, ..] => 2,
        [drive, ..] if is_drive(drive) => 1,
        _ => 0,
    };
    match parts.get(root)? {
        &"home" | &"Users" | &"users" | &"Documents and Settings" if parts.len() > root + 1 => Some(root + 2),
        &"root" if root == 2 => Some(root + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_the_last_part_of_the_path_or_the_repository_of_a_work_tree() {
        for (cwd, project) in [
            ("/home/p/repo", Some("repo")),
            ("/home/p/repo/", Some("repo")),
            (r"D:\work\repo", Some("repo")),
            ("/home/p/repo/.worktrees/fix", Some("repo")),
            (r"D:\work\repo\.claude\worktrees\fix-1", Some("repo")),
            ("/home/p/repo/.claude/worktrees/fix/deep/below", Some("repo")),
            ("/home/p/.claude/skills", Some("skills")),
            ("repo", Some("repo")),
            ("/", None),
            (r"C:\", None),
            ("", None),
        ] {
            assert_eq!(name_of(cwd), project, "{cwd}");
        }
    }

    #[test]
    fn a_manager_of_work_trees_names_the_repository_in_its_folder() {
        for (cwd, project) in [
            ("/home/p/.cursor/worktrees/shop/x1y", "shop"),
            (r"C:\Users\p\.cursor\worktrees\shop\x1y\src", "shop"),
            ("/Users/p/conductor/workspaces/web/tokyo", "web"),
            ("/home/p/.superset/worktrees/site/fix-login", "site"),
            ("/home/p/.t3/worktrees/core/t3code-ab12cd34", "core"),
            ("/home/p/.codex/worktrees/ab12/cli", "cli"),
            ("/home/p/.codex/worktrees/ab12/cli/crates/x", "cli"),
            ("/home/p/.claude-worktrees/api/calm-fox", "api"),
            ("/home/p/worktrees/github.com/acme/tool/fix", "tool"),
            ("/home/p/src/api.worktrees/fix", "api"),
            (r"C:\src\api-worktrees\fix\deep", "api"),
            ("/home/p/src/api/.conductor/tokyo", "api"),
        ] {
            assert_eq!(name_of(cwd), Some(project), "{cwd}");
        }
    }

    #[test]
    fn a_persons_name_is_no_project() {
        for cwd in [
            "/home/ada",
            "/home/ada/",
            "/Users/ada",
            "/root",
            r"C:\Users\ada",
            "/c/Users/ada",
            "/mnt/c/Users/ada",
            "/var/home/ada",
            r"\\wsl.localhost\Ubuntu\home\ada",
            "/home/ada/.claude/worktrees/api-fix",
            r"C:\Users\ada\.claude\worktrees\api-fix",
            "/root/.worktrees/fix",
        ] {
            assert_eq!(name_of(cwd), None, "{cwd}");
        }
        assert!(is_person("/home/ada/notes", "ada"));
        assert!(!is_person("/home/ada/notes", "notes"));
        assert!(!is_person("/srv/ada/notes", "ada"));
        assert_eq!(name_of("/srv/home/page"), Some("page"));
    }
}
