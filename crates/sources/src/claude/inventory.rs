//! The tools that a session had loaded: the attachment records in which Claude Code lists skills, agents, deferred
//! tools and MCP instructions, with the size of the text that each adds to the context.

use std::collections::BTreeMap;

use crate::{
    facts::ListingKind,
    json::{Cursor, Malformed, Raw, Str},
    tool_name::ToolName,
};

/// Tools with the UTF-8 bytes of their texts, by tool id and the kind of the list.
pub(crate) type Listed = BTreeMap<(String, ListingKind), u64>;

/// The tools that an attachment loads, and the servers that it waits for. An attachment of another kind gives its kind
/// instead. What is removed later was loaded all the same; a server that is only pending was not.
pub(crate) fn loaded(attachment: Raw<'_>) -> Result<Listed, Option<Str<'_>>> {
    // The record has been walked before, so the attachment is whole.
    let listing = Listing::read(attachment).map_err(|_| None)?;
    let mut loaded = Loaded::default();
    let mut add = |tool: &ToolName, kind, bytes| loaded.add(tool, kind, bytes);
    match listing.kind.map_or(&b""[..], |kind| kind.0) {
        b"skill_listing" => {
            let content = listing
                .content
                .map(|content| content.text().into_owned())
                .unwrap_or_default();
            for (name, bytes) in skill_items(&content, &listing.names) {
                add(&ToolName::skill(name), ListingKind::Skills, bytes);
            }
        }
        b"agent_listing_delta" => {
            for (at, name) in listing.added_types.iter().enumerate() {
                add(
                    &ToolName::agent(name),
                    ListingKind::Agents,
                    listing.added_lines.get(at).map_or(0, String::len),
                );
            }
        }
        b"deferred_tools_delta" => {
            for name in &listing.added_names {
                if let Some(tool) = ToolName::mcp_prefixed(name) {
                    add(&tool, ListingKind::DeferredTools, 0);
                }
            }
            for line in &listing.added_lines {
                let name = line.split([':', ' ', '\n']).next().unwrap_or_default();
                if let Some(tool) = ToolName::mcp_prefixed(name) {
                    add(&tool, ListingKind::DeferredTools, line.len());
                }
            }
            for name in &listing.waiting {
                add(
                    &ToolName::mcp(&server_in_tool_names(name), None),
                    ListingKind::Unreachable,
                    0,
                );
            }
        }
        b"mcp_instructions_delta" => {
            for (at, name) in listing.added_names.iter().enumerate() {
                let bytes = listing.added_blocks.get(at).map_or(0, String::len);
                add(
                    &ToolName::mcp(&server_in_tool_names(name), None),
                    ListingKind::Instructions,
                    bytes,
                );
            }
        }
        _ => return Err(listing.kind),
    }
    Ok(loaded.0)
}

#[derive(Default)]
struct Loaded(Listed);

impl Loaded {
    fn add(&mut self, tool: &ToolName, kind: ListingKind, bytes: usize) {
        *self.0.entry((tool.id.to_string(), kind)).or_default() += bytes as u64;
    }
}

/// A server's name in the form that is used in the names of its tools.
fn server_in_tool_names(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

/// The fields of the attachments that load something.
#[derive(Default)]
struct Listing<'a> {
    kind: Option<Str<'a>>,
    content: Option<Str<'a>>,
    names: Vec<String>,
    added_types: Vec<String>,
    added_names: Vec<String>,
    added_lines: Vec<String>,
    added_blocks: Vec<String>,
    /// Servers that are pending, or that need a sign-in.
    waiting: Vec<String>,
}

impl<'a> Listing<'a> {
    fn read(attachment: Raw<'a>) -> Result<Listing<'a>, Malformed> {
        let mut listing = Listing::default();
        attachment.cursor().object(|cursor, key| {
            match key {
                b"type" => listing.kind = cursor.string()?,
                b"content" => listing.content = cursor.string()?,
                b"names" => listing.names = texts(cursor)?,
                b"addedTypes" => listing.added_types = texts(cursor)?,
                b"addedNames" => listing.added_names = texts(cursor)?,
                b"addedLines" => listing.added_lines = texts(cursor)?,
                b"addedBlocks" => listing.added_blocks = texts(cursor)?,
                b"pendingMcpServers" | b"needsAuthMcpServers" => listing.waiting.extend(texts(cursor)?),
                _ => cursor.skip()?,
            }
            Ok(())
        })?;
        Ok(listing)
    }
}

/// The strings of an array. Other elements count as empty, so that two arrays stay side by side.
fn texts(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Malformed> {
    let mut texts = Vec::new();
    cursor.array(|cursor| {
        texts.push(
            cursor
                .string()?
                .map(|text| text.text().into_owned())
                .unwrap_or_default(),
        );
        Ok(())
    })?;
    Ok(texts)
}

/// The items of a skill listing with their bytes, from `- <name>` up to the line break before the next item. A text
/// may go on below its item and look like one, so where the names are listed beside it, a line begins an item only
/// if it begins with the name that comes next.
fn skill_items<'t>(content: &'t str, names: &'t [String]) -> Vec<(&'t str, usize)> {
    let mut items: Vec<(&str, usize)> = Vec::new();
    let mut expected = names.iter();
    let mut next = expected.next();
    for line in content.split('\n') {
        let name = if names.is_empty() {
            line.strip_prefix("- ")
                .map(|item| item.split_once(": ").map_or(item, |(name, _)| name))
        } else {
            next.filter(|name| begins_item(line, name)).map(String::as_str)
        };
        match (name, items.last_mut()) {
            (Some(name), _) => {
                items.push((name, line.len()));
                next = expected.next();
            }
            (None, Some((_, bytes))) => *bytes += 1 + line.len(),
            (None, None) => {}
        }
    }
    // A listing that was cut still says what was loaded.
    items.extend(next.into_iter().chain(expected).map(|name| (name.as_str(), 0)));
    items
}

/// True for `- <name>` and `- <name>: …`.
fn begins_item(line: &str, name: &str) -> bool {
    let rest = line.strip_prefix("- ").and_then(|item| item.strip_prefix(name));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;

    fn read(attachment: &str) -> Option<Listed> {
        super::loaded(Index::default().of(attachment.as_bytes()).raw().unwrap()).ok()
    }

    fn loaded(attachment: &str) -> Vec<(String, u64)> {
        let is_loaded = |kind| kind != ListingKind::Unreachable;
        let listed = read(attachment).unwrap().into_iter();
        listed
            .filter(|((_, kind), _)| is_loaded(*kind))
            .map(|((tool, _), bytes)| (tool, bytes))
            .collect()
    }

    fn pairs(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected
            .iter()
            .map(|(tool, bytes)| ((*tool).to_owned(), *bytes))
            .collect()
    }

    #[test]
    fn a_skill_listing_loads_its_names_and_text_below_an_item_belongs_to_it() {
        let listing = r#"{"type":"skill_listing","content":"- a: one\n- not: an item\n\n- p:b: twö\n- c","names":["a","p:b","c"]}"#;
        assert_eq!(
            loaded(listing),
            pairs(&[("plugin:p@b", 11), ("skill:a", 8 + 1 + 14 + 1), ("skill:c", 3)])
        );
    }

    #[test]
    fn an_older_skill_listing_has_no_names_beside_it() {
        let listing = r#"{"type":"skill_listing","content":"- a: one\nmore\n- p:b: two\n- c"}"#;
        assert_eq!(
            loaded(listing),
            pairs(&[("plugin:p@b", 10), ("skill:a", 13), ("skill:c", 3)])
        );
    }

    #[test]
    fn agents_cost_their_line() {
        let listing = r#"{"type":"agent_listing_delta","addedTypes":["Explore","p:g:n"],"addedLines":["- Explore: x"],"removedTypes":["Plan"]}"#;
        assert_eq!(
            loaded(listing),
            pairs(&[("agent:Explore", 12), ("agent:p:g:n", 0)])
        );
    }

    #[test]
    fn deferred_tools_load_their_server_and_pending_servers_nothing() {
        let delta = r#"{"type":"deferred_tools_delta","addedNames":["CronList","mcp__s__a","mcp__s__b"],"addedLines":["CronList","mcp__s__a","mcp__s__b: does b"],"pendingMcpServers":["other"]}"#;
        assert_eq!(loaded(delta), pairs(&[("mcp:s", 9 + 17)]));
        let waited_for = ("mcp:other".to_owned(), ListingKind::Unreachable);
        assert_eq!(read(delta).unwrap().get(&waited_for), Some(&0));
    }

    #[test]
    fn mcp_instructions_load_the_server_under_the_name_of_its_tools() {
        let delta = r###"{"type":"mcp_instructions_delta","addedNames":["Claude Browser"],"addedBlocks":["## Claude Browser\nuse it"]}"###;
        assert_eq!(loaded(delta), pairs(&[("mcp:Claude_Browser", 24)]));
    }

    #[test]
    fn other_attachments_load_nothing() {
        assert_eq!(read(r#"{"type":"queued_command","prompt":"private"}"#), None);
        assert_eq!(read("[]"), None);
    }
}
