//! The project of a working directory, where nobody can ask the file system for the repository's root.

/// The last part of a path that names a project: `repo` of `/home/p/repo`, of `D:\work\repo`, and of the work trees
/// that agents make below it (`/home/p/repo/.worktrees/fix`, `/home/p/repo/.claude/worktrees/fix`). `None` for a root
/// or an empty path.
pub(crate) fn name_of(cwd: &str) -> Option<&str> {
    let is_separator = |c: char| c == '/' || c == '\\';
    let cut = [".claude", ".worktrees"]
        .iter()
        .filter_map(|folder| {
            let at = cwd
                .find(&format!("/{folder}/"))
                .or_else(|| cwd.find(&format!("\\{folder}\\")))?;
            let below = &cwd[at + folder.len() + 2..];
            (*folder != ".claude" || below.starts_with("worktrees")).then_some(at)
        })
        .min();
    let path = &cwd[..cut.unwrap_or(cwd.len())];
    let name = path.trim_end_matches(is_separator).rsplit(is_separator).next()?;
    // `C:` is a drive, not a project.
    let is_drive = name.len() == 2 && name.ends_with(':');
    (!name.is_empty() && !is_drive).then_some(name)
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
            ("/home/p/.claude/skills", Some("skills")),
            ("repo", Some("repo")),
            ("/", None),
            (r"C:\", None),
            ("", None),
        ] {
            assert_eq!(name_of(cwd), project, "{cwd}");
        }
    }
}
