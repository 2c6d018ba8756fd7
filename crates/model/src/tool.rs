//! Tools and their kinds. A tool id is text: `<kind>:<name>`, for example `skill:design-md`.

use std::{fmt, str::FromStr};

use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use crate::{
    limits, text,
    words::{UnknownWord, words},
};

/// What a tool is: the part of its id before the first `:`.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<Kind>
)]
pub enum Kind {
    /// A skill of the agent (`skill:design-md`).
    Skill,
    /// A skill that came with a plugin (`plugin:caveman@compress`).
    Plugin,
    /// An MCP server (`mcp:linear-server`).
    Mcp,
    /// A subagent (`agent:code-reviewer`).
    Agent,
    /// A slash command (`command:review`).
    Command,
    /// A tool that the agent ships with (`builtin:Bash`).
    Builtin,
    /// A command line program.
    Cli,
    /// A document.
    Doc,
}

words!(Kind);

/// The id of a tool: a known kind, `:`, and a name that is not empty. Holds no control characters and at most
/// [`limits::NAME_CHARS`] characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolId(String);

/// Why a text is not a tool id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToolId {
    /// No `:` in it.
    #[error("a tool id is `<kind>:<name>`, for example `skill:design-md`")]
    NoKind,
    /// The part before `:` is not a kind.
    #[error("the kind of a tool id is one of skill, plugin, mcp, agent, command, builtin, cli, doc")]
    UnknownKind,
    /// Nothing after `:`.
    #[error("the name after the kind is empty")]
    EmptyName,
    /// Too long.
    #[error("a tool id has at most {} characters", limits::NAME_CHARS)]
    TooLong,
}

impl ToolId {
    /// Builds the id of a tool found in a log. The name is cleaned of control characters and cut to the limit, so
    /// that a hallucinated or malformed name still becomes an event.
    pub fn from_log(kind: Kind, name: &str) -> ToolId {
        let name = if name.is_empty() { "unknown" } else { name };
        let max_chars = limits::NAME_CHARS - kind.as_str().len() - 1;
        let cut = name
            .char_indices()
            .nth(max_chars)
            .map_or(name, |(at, _)| &name[..at]);
        ToolId(format!("{kind}:{}", text::clean(cut)))
    }

    /// Reads an id. Unsafe characters in the name are replaced by U+FFFD.
    pub fn parse(id: &str) -> Result<ToolId, InvalidToolId> {
        let (kind, name) = id.split_once(':').ok_or(InvalidToolId::NoKind)?;
        kind.parse::<Kind>().map_err(|_| InvalidToolId::UnknownKind)?;
        if name.is_empty() {
            return Err(InvalidToolId::EmptyName);
        }
        if id.len() > limits::NAME_CHARS && id.chars().count() > limits::NAME_CHARS {
            return Err(InvalidToolId::TooLong);
        }
        Ok(ToolId(text::clean(id).into_owned()))
    }

    /// The kind of the tool.
    pub fn kind(&self) -> Kind {
        let (kind, _) = self.0.split_once(':').expect("a tool id has a kind");
        kind.parse().expect("a tool id has a known kind")
    }

    /// The part after the kind.
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, name)| name)
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ToolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ToolId {
    type Err = InvalidToolId;

    fn from_str(id: &str) -> Result<ToolId, InvalidToolId> {
        ToolId::parse(id)
    }
}

impl serde::Serialize for ToolId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for ToolId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ToolId, D::Error> {
        let id = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        ToolId::parse(&id).map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ToolId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ToolId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "maxLength": crate::limits::NAME_CHARS, "examples": ["mcp:linear", "skill:design-md"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_a_known_kind_and_a_name() {
        let tool = ToolId::parse("plugin:caveman@compress").unwrap();
        assert_eq!((tool.kind(), tool.name()), (Kind::Plugin, "caveman@compress"));
        assert_eq!(ToolId::parse("mcp:a:b").unwrap().name(), "a:b");
        assert_eq!(ToolId::parse("Bash"), Err(InvalidToolId::NoKind));
        assert_eq!(ToolId::parse("tool:Bash"), Err(InvalidToolId::UnknownKind));
        assert_eq!(ToolId::parse("skill:"), Err(InvalidToolId::EmptyName));
        assert_eq!(
            ToolId::parse(&format!("skill:{}", "x".repeat(251))),
            Err(InvalidToolId::TooLong)
        );
    }

    #[test]
    fn a_malformed_name_in_a_log_still_becomes_a_tool() {
        assert_eq!(
            ToolId::from_log(Kind::Builtin, "a\"><b\n").as_str(),
            "builtin:a\"><b\u{FFFD}"
        );
        assert_eq!(ToolId::from_log(Kind::Skill, "").as_str(), "skill:unknown");
        let long = ToolId::from_log(Kind::Mcp, &"é".repeat(500));
        assert_eq!(long.as_str().chars().count(), limits::NAME_CHARS);
        assert_eq!(ToolId::parse(long.as_str()).as_ref(), Ok(&long));
    }
}
