//! What Cline keeps beside the messages of a session: the directory in which it ran.
//!
//! The messages of a session and of its subagents are in `sessions/<session>/<agent>.messages.json`, the session itself
//! in `<session>.json` next to them.

use std::path::Path;

use serde_json::Value;

use crate::gemini::small_text;

/// True for the name of a file with the messages of an agent.
pub(crate) fn is_session(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.ends_with(".messages.json"))
}

/// The directory of the session that a file belongs to.
pub(crate) fn directory(log: &Path) -> Option<String> {
    if !is_session(log) {
        return None;
    }
    let folder = log.parent()?;
    let name = folder.file_name()?.to_str()?;
    let session: Value = serde_json::from_str(&small_text(&folder.join(format!("{name}.json")))?).ok()?;
    let directory = ["cwd", "workspace_root"]
        .iter()
        .find_map(|key| session.get(key)?.as_str().filter(|path| !path.is_empty()));
    directory.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_messages_of_a_session_and_of_its_subagents_are_of_its_directory() {
        let own = tempfile::tempdir().unwrap();
        let session = own.path().join("sessions/1_ab");
        fs::create_dir_all(&session).unwrap();
        fs::write(
            session.join("1_ab.json"),
            r#"{"session_id":"1_ab","cwd":"/w/api"}"#,
        )
        .unwrap();
        for name in ["1_ab.messages.json", "agent_1.messages.json"] {
            assert_eq!(
                directory(&session.join(name)).as_deref(),
                Some("/w/api"),
                "{name}"
            );
        }
        assert_eq!(directory(&session.join("1_ab.compaction.json")), None);
        assert_eq!(directory(Path::new("/w/1.messages.json")), None);
    }
}
