//! Markdown files that declare a tool: the name and the description in their front matter.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// Bytes of a Markdown file that are searched for front matter.
const MAX_FRONT_MATTER_BYTES: u64 = 16 * 1024;

/// A Markdown file that declares a tool.
pub(super) struct Declaration {
    /// Its path below the folder with `:` as separator: the name of a command.
    pub(super) path_name: String,
    pub(super) path: PathBuf,
    pub(super) fields: BTreeMap<String, String>,
}

impl Declaration {
    pub(super) fn read(path: &Path, follow: bool) -> Option<Declaration> {
        let bytes = read_start(path, MAX_FRONT_MATTER_BYTES, follow)?;
        Some(Declaration {
            path_name: String::new(),
            path: PathBuf::new(),
            fields: front_matter(&String::from_utf8_lossy(&bytes)),
        })
    }

    pub(super) fn declared_name(&self) -> &str {
        self.fields.get("name").unwrap_or(&self.path_name)
    }

    pub(super) fn description(&self) -> Option<&str> {
        self.fields.get("description").map(String::as_str)
    }
}

/// The first bytes of a regular file.
pub(super) fn read_start(path: &Path, bytes: u64, follow: bool) -> Option<Vec<u8>> {
    let metadata = if follow {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    };
    if !metadata.ok()?.is_file() {
        return None;
    }
    let mut content = Vec::new();
    fs::File::open(path)
        .ok()?
        .take(bytes)
        .read_to_end(&mut content)
        .ok()?;
    Some(content)
}

/// The top-level strings of YAML front matter: `key: value`, quoted values, and block values as one line.
fn front_matter(text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut lines = text.trim_start_matches('\u{FEFF}').lines();
    if lines.next().map(str::trim_end) != Some("---") {
        return fields;
    }
    let mut current: Option<String> = None;
    for line in lines {
        if line.trim_end() == "---" {
            break;
        }
        if line.starts_with([' ', '\t']) {
            if let Some(value) = current.as_ref().and_then(|key| fields.get_mut(key)) {
                let value: &mut String = value;
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(line.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            let value = value.trim();
            let quoted = ['"', '\'']
                .into_iter()
                .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
            let block = matches!(value.trim_end_matches(['-', '+']), ">" | "|");
            fields.insert(
                key.to_owned(),
                if block {
                    String::new()
                } else {
                    quoted.unwrap_or(value).to_owned()
                },
            );
            current = Some(key.to_owned());
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_descriptions_of_front_matter_are_read() {
        let text = "---\nname: pdf\ndescription: >-\n  Reads\n  PDFs: all\nallowed: 'x'\n---\nname: body";
        let fields = front_matter(text);
        assert_eq!(fields["name"], "pdf");
        assert_eq!(fields["description"], "Reads PDFs: all");
        assert_eq!(fields["allowed"], "x");
        for none in ["", "name: pdf", "# Title\n---\nname: pdf\n---"] {
            assert!(front_matter(none).is_empty(), "{none}");
        }
    }
}
