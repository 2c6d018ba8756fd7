//! Names, ids and tools as symbols.

use model::{limits, text, wire::event::check_uuid};

use super::{FileFacts, JoinedName};
use crate::{json::Str, problem::ProblemCode, strings::Sym, tool_name::ToolName};

/// Greatest number of names that are resolved again once the configuration is known.
const JOINED_NAMES: usize = 4_096;

impl FileFacts {
    /// A name: cleaned of what terminals and databases refuse, and cut to the limit of the wire format. `None` when
    /// nothing is left.
    pub(crate) fn name(&mut self, name: Option<Str<'_>>) -> Option<Sym> {
        let name = name?.text();
        if let Some(known) = self.strings.find(&name) {
            return Some(known);
        }
        let cut = name
            .char_indices()
            .nth(limits::NAME_CHARS)
            .map_or(&*name, |(at, _)| &name[..at]);
        self.clean_name(cut)
    }

    /// A path: cleaned like a name, but of any length, because only its last part becomes a name.
    pub(crate) fn path(&mut self, path: Option<Str<'_>>) -> Option<Sym> {
        self.clean_name(&path?.text())
    }

    /// A name that is not a raw string of the log.
    pub(crate) fn clean_name(&mut self, name: &str) -> Option<Sym> {
        if name.is_empty() {
            return None;
        }
        let clean = text::clean(name);
        let known = self.strings.len();
        let sym = self.strings.intern(&clean);
        if self.strings.len() > known && clean.contains(char::REPLACEMENT_CHARACTER) {
            self.problem(
                ProblemCode::NameCleaned,
                "a name held control characters or bytes that are not text; they were replaced by U+FFFD",
            );
        }
        Some(sym)
    }

    /// The id of a call. An id that cannot distinguish calls is a problem and `None`.
    pub(crate) fn call_id(&mut self, id: Option<Str<'_>>) -> Option<Sym> {
        let text = id.map(Str::text).unwrap_or_default();
        match check_uuid(&text) {
            Ok(()) => Some(self.strings.intern(&text)),
            Err(detail) => {
                self.problem(
                    ProblemCode::InvalidId,
                    format!("a call or result was skipped: {detail}"),
                );
                None
            }
        }
    }

    /// A tool: its id and, where it has one, its operation.
    pub(crate) fn tool(&mut self, tool: &ToolName) -> (Sym, Option<Sym>) {
        let id = self.strings.intern(tool.id.as_str());
        (
            id,
            tool.operation
                .as_deref()
                .and_then(|operation| self.clean_name(operation)),
        )
    }

    /// A tool whose name joins server and tool; [`FileFacts::name_mcp_tools`] resolves it again.
    pub(crate) fn joined_tool(&mut self, joined: &str, understood: &ToolName) -> (Sym, Option<Sym>) {
        let (tool, operation) = self.tool(understood);
        let name = self.strings.intern(joined);
        let entry = JoinedName {
            name,
            tool,
            operation,
        };
        if self.joined_names.len() < JOINED_NAMES && !self.joined_names.contains(&entry) {
            self.joined_names.push(entry);
        }
        (tool, operation)
    }
}
