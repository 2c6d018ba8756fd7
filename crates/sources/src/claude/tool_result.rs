//! The result of a call, as a block of a message.

use crate::json::{Raw, Str};

/// A `tool_result` block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ToolResult<'a> {
    pub(crate) id: Option<Str<'a>>,
    pub(crate) content: Option<Raw<'a>>,
    pub(crate) is_error: bool,
}

/// Prefixes of the results of calls that only started something.
const LAUNCHES: [&[u8]; 5] = [
    b"Command running in background with ID: ",
    b"Command was manually backgrounded by user with ID: ",
    b"Async agent launched successfully",
    b"Remote agent launched",
    b"Workflow launched in background",
];

impl<'a> ToolResult<'a> {
    /// The text of the result: the string, or the texts among its parts joined with line ends. Only the beginning
    /// of a long one.
    pub(crate) fn text(&self) -> String {
        const ENOUGH: usize = 64 * 1024;
        let Some(content) = self.content else {
            return String::new();
        };
        if let Some(text) = content.as_str() {
            return text.head(ENOUGH).into_owned();
        }
        let mut texts = String::new();
        // The content has been walked before, so it is whole.
        let _ = content.cursor().array(|cursor| {
            let (mut kind, mut text) = (None, None);
            cursor.object(|cursor, key| {
                match key {
                    b"type" => kind = cursor.string()?,
                    b"text" => text = cursor.string()?,
                    _ => cursor.skip()?,
                }
                Ok(())
            })?;
            if kind == Some(Str(b"text"))
                && texts.len() < ENOUGH
                && let Some(text) = text
            {
                if !texts.is_empty() {
                    texts.push('\n');
                }
                texts.push_str(&text.head(ENOUGH));
            }
            Ok(())
        });
        texts
    }

    /// True when the text is Claude Code's message about work that it started.
    pub(crate) fn is_launch(&self) -> bool {
        LAUNCHES.iter().any(|words| self.begins(words))
    }

    /// The task that the text of a start names.
    pub(crate) fn launched_task(&self) -> Option<Str<'a>> {
        let raw = self.content?.bytes();
        [&b"with ID: "[..], b"agentId: ", b"Task ID: "]
            .iter()
            .find_map(|label| {
                let at = memchr::memmem::find(raw, label)? + label.len();
                let length = raw[at..]
                    .iter()
                    .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')))?;
                Some(Str(&raw[at..at + length]))
            })
    }

    /// True when the text, or the first of its parts, begins with these words.
    fn begins(&self, words: &[u8]) -> bool {
        let raw = self.content.map_or(&b""[..], |content| content.bytes());
        match raw.first() {
            Some(b'"') => raw[1..].starts_with(words),
            Some(b'[') => {
                let head = &raw[..raw.len().min(64 + words.len())];
                memchr::memmem::find(head, words).is_some_and(|at| at > 0 && head[at - 1] == b'"')
            }
            _ => false,
        }
    }

    /// True when the text may begin with `### Error`, without building it.
    pub(crate) fn may_begin_with_heading(&self) -> bool {
        let raw = self.content.map_or(&b""[..], |content| content.bytes());
        memchr::memchr(b'#', &raw[..raw.len().min(64)]).is_some()
    }
}
