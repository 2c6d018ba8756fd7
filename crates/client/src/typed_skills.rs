//! Skills that a person typed as a command where the log does not say that they are skills: older versions of Claude
//! Code neither list them nor mark their text. What is installed beside the log tells
//! (<https://code.claude.com/docs/en/skills>): `skills/<name>/SKILL.md` in Claude Code's folder or in the project.

use std::path::Path;

use sources::FileFacts;

/// Marks the typed commands of a log that are installed as skills.
pub(crate) fn mark(facts: &mut FileFacts, log: &Path) {
    if !facts.has_typed_commands() {
        return;
    }
    // `<folder>/projects/<project>/<session>.jsonl`, and deeper for subagents.
    let folder = log
        .ancestors()
        .find(|above| above.file_name().is_some_and(|name| name == "projects"))
        .and_then(Path::parent);
    facts.mark_skills(&mut |name, directory| {
        let is_in = |folder: &Path| folder.join("skills").join(name).join("SKILL.md").is_file();
        is_name(name)
            && (folder.is_some_and(is_in)
                || directory.is_some_and(|directory| is_in(&Path::new(directory).join(".claude"))))
    });
}

/// True for the name of a folder, and not of a path.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use sources::{LogReader, Options, Prices};

    use super::*;

    #[test]
    fn a_typed_command_that_is_installed_as_a_skill_is_one() {
        let home = tempfile::tempdir().unwrap();
        let project = home.path().join("api");
        for skill in [
            home.path().join(".claude/skills/own"),
            project.join(".claude/skills/shared"),
        ] {
            fs::create_dir_all(&skill).unwrap();
            fs::write(skill.join("SKILL.md"), "---\nname: x\n---\n").unwrap();
        }
        let log = home.path().join(".claude/projects/-api/s.jsonl");
        let mut reader = LogReader::new("s.jsonl", None, &Options::default());
        for (nth, name) in ["own", "shared", "neither"].iter().enumerate() {
            let line = serde_json::json!({
                "type": "user", "uuid": format!("u{nth}"), "sessionId": "s", "cwd": project,
                "timestamp": format!("2026-03-03T10:00:0{nth}.000Z"),
                "message": {"role": "user",
                    "content": format!("<command-message>{name}</command-message>\n<command-name>/{name}</command-name>")},
            });
            reader.feed(format!("{line}\n").as_bytes());
        }
        let mut facts = reader.finish();
        mark(&mut facts, &log);
        let collected = sources::join(vec![facts], &Prices::builtin(), &mut |_| None);
        let tools: Vec<String> = collected.events().map(|event| event.tool.to_string()).collect();
        assert_eq!(tools, ["skill:own", "skill:shared", "command:neither"]);
    }
}
