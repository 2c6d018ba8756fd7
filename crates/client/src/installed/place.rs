//! Where a tool is declared.

use std::path::{Path, PathBuf};

use model::ToolId;

/// A declaration of a tool.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) tool_id: ToolId,
    /// `None` for a part of a plugin.
    pub(crate) place: Option<Place>,
    /// The plugin that brings it, as `<plugin>@<marketplace>`.
    pub(crate) plugin: Option<String>,
}

/// Where a tool is declared.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The file, or the folder of a skill.
    pub(crate) path: PathBuf,
    /// The keys of the entry of a JSON file, from outside; none of another file.
    pub(crate) keys: Vec<String>,
    /// The line, where it is known.
    pub(crate) line: Option<usize>,
}

impl Place {
    pub(super) fn of(path: &Path) -> Place {
        Place {
            path: path.to_owned(),
            keys: Vec::new(),
            line: None,
        }
    }
}

/// The line of a key of an object that the text has once, from 1. Twice, and it is not known which.
pub(super) fn line_of(text: &[u8], key: &str) -> Option<usize> {
    let text = std::str::from_utf8(text).ok()?;
    let quoted = serde_json::to_string(key).ok()?;
    let is_key = |at: &usize| text[at + quoted.len()..].trim_start().starts_with(':');
    let mut places = text.match_indices(&quoted).map(|(at, _)| at).filter(is_key);
    let at = places.next().filter(|_| places.next().is_none())?;
    Some(1 + text[..at].matches('\n').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_server_is_known_where_its_name_is_a_key_once() {
        let text = b"{\n \"x\": {\"a\": \"db\"},\n \"db\" : {},\n \"x\": {}\n}";
        assert_eq!(line_of(text, "db"), Some(3));
        assert_eq!(line_of(text, "x"), None);
        assert_eq!(line_of(text, "none"), None);
    }
}
