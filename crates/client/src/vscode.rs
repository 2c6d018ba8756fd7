//! What VS Code keeps beside its chats: the folder that was open.
//!
//! A chat is `workspaceStorage/<workspace>/chatSessions/<session>.json` or `.jsonl`; `workspace.json` next to the folder of
//! chats names the folder that was open, or the file of a workspace with several folders.

use std::path::Path;

use serde_json::Value;

use crate::gemini::small_text;

/// True for the name of a chat.
pub(crate) fn is_session(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name);
    folder.is_some_and(|folder| {
        folder == "chatSessions" || folder == "emptyWindowChatSessions" || folder == "transferredChatSessions"
    })
}

/// The folder that was open.
pub(crate) fn directory(log: &Path) -> Option<String> {
    if !is_session(log) {
        return None;
    }
    folder(log.parent()?.parent()?)
}

/// The folder that was open in a workspace, by the folder in which the editor keeps what belongs to it.
pub(crate) fn folder(kept: &Path) -> Option<String> {
    let workspace = kept.join("workspace.json");
    let workspace: Value = serde_json::from_str(&small_text(&workspace)?).ok()?;
    path_of(workspace.get("folder")?.as_str()?)
}

/// The path in an address: `file:///w/api`, or `vscode-remote://ssh-remote+host/w/api`.
fn path_of(address: &str) -> Option<String> {
    let address = reqwest::Url::parse(address).ok()?;
    let path = percent_encoding::percent_decode_str(address.path())
        .decode_utf8()
        .ok()?;
    // `/c:/w/api` on Windows.
    let is_drive = matches!(path.as_bytes(), [_, _, b':', ..]);
    let path = if is_drive { &path[1..] } else { &path[..] };
    (!path.is_empty()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_chat_is_of_the_folder_that_was_open() {
        let own = tempfile::tempdir().unwrap();
        let workspace = own.path().join("workspaceStorage/1f");
        fs::create_dir_all(workspace.join("chatSessions")).unwrap();
        let chat = workspace.join("chatSessions/s.jsonl");
        for (workspace_json, expected) in [
            (r#"{"folder":"file:///w/my%20api"}"#, Some("/w/my api")),
            (r#"{"folder":"file:///c%3A/w/api"}"#, Some("c:/w/api")),
            (
                r#"{"folder":"vscode-remote://wsl%2Bubuntu/home/ann/api"}"#,
                Some("/home/ann/api"),
            ),
            (r#"{"workspace":"file:///w/all.code-workspace"}"#, None),
            ("{", None),
        ] {
            fs::write(workspace.join("workspace.json"), workspace_json).unwrap();
            assert_eq!(directory(&chat).as_deref(), expected, "{workspace_json}");
        }
        assert_eq!(directory(&workspace.join("other/s.json")), None);
    }
}
