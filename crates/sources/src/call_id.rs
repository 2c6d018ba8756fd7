//! Positional call ids: ids that only count calls.
//!
//! Most models give every call a unique id (`toolu_…`, `call_…` with random characters): it is the `uuid` of the event
//! unchanged. Some, such as Kimi, number the calls of a turn or of a session (`Bash_0`, `functions.Bash:0`) and start
//! again in the next. Such an id is a key only together with the message that made the call; never with the session or
//! the file, because forks and resumed sessions copy messages.

use std::borrow::Cow;

use model::limits;
use sha2::{Digest, Sha256};

/// Words for "a call" in ids that only count: `call_0`, `tool:1`, `function_call-2`.
const GENERIC: [&str; 16] = [
    "call",
    "calls",
    "chatcmpltool",
    "fc",
    "fn",
    "func",
    "function",
    "functioncall",
    "functions",
    "id",
    "index",
    "tool",
    "toolcall",
    "toolcallid",
    "tooluse",
    "use",
];

/// Digits up to which a number is a position; longer ones are times or random.
const POSITION_DIGITS: usize = 5;

/// True when the id of a call is positional: a number, or a number after the name of the tool, another name, or a word
/// for "a call", with or without `functions.` before it. `tool` is the name of the called tool in the log, empty when
/// it is not known.
///
/// Ids of mixed letters and digits (`call_9f3a…_0`) are unique, and so are those that Anthropic issues (`toolu_…`).
pub(crate) fn is_positional(id: &str, tool: &str) -> bool {
    // The common case: the last byte of a random id is a letter four times out of five.
    if !id.as_bytes().last().is_some_and(u8::is_ascii_digit) || id.starts_with("toolu_") {
        return false;
    }
    let plain = id.strip_prefix("functions.").unwrap_or(id);
    let head = plain.trim_end_matches(|c: char| c.is_ascii_digit() || is_separator(c));
    let number = &plain[head.len()..];
    if number.bytes().filter(u8::is_ascii_digit).count() > POSITION_DIGITS {
        return is_named(plain, tool);
    }
    // A name of letters alone, in the case of the tool's or another one.
    let separated = number.starts_with(is_separator) || plain.len() < id.len();
    head.is_empty()
        || is_generic(head)
        || is_named(plain, tool)
        || separated && head.chars().all(|c| c.is_alphabetic() || is_separator(c))
        || plain.len() < id.len()
}

/// The uuid of a call: its id unchanged where that is unique, else the id together with the message that made the call
/// (or whatever copies of that message have in common).
pub(crate) fn uuid<'i>(id: &'i str, tool: &str, message: Option<&str>) -> Cow<'i, str> {
    match message {
        Some(message) if is_positional(id, tool) => Cow::Owned(within(id, message)),
        _ => Cow::Borrowed(id),
    }
}

/// A positional id together with its message; a hash of both where they are too long for a uuid.
pub(crate) fn within(id: &str, message: &str) -> String {
    let whole = format!("{message}/{id}");
    if whole.len() <= limits::UUID_BYTES {
        return whole;
    }
    let digest = Sha256::digest(whole.as_bytes());
    format!("positional:{}", model::text::hex(&digest[..16]))
}

fn is_separator(c: char) -> bool {
    matches!(c, '_' | '-' | ':' | '.' | '#' | '/')
}

/// True for the tool's own name with a position behind it.
fn is_named(id: &str, tool: &str) -> bool {
    let rest = id
        .get(..tool.len())
        .filter(|head| !tool.is_empty() && head.eq_ignore_ascii_case(tool))
        .map(|_| &id[tool.len()..]);
    rest.is_some_and(|rest| {
        rest.chars().all(|c| c.is_ascii_digit() || is_separator(c))
            && (1..=POSITION_DIGITS).contains(&rest.bytes().filter(u8::is_ascii_digit).count())
    })
}

fn is_generic(head: &str) -> bool {
    let word: String = head.chars().filter(|c| !is_separator(*c)).collect();
    GENERIC.contains(&word.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_only_counts_is_positional() {
        for (id, tool) in [
            ("Bash_0", "Bash"),
            ("Bash:0", "Bash"),
            ("Bash-12", "Bash"),
            ("bash:3", "Bash"),
            ("functions.Bash:0", "Bash"),
            ("functions.mcp__ctx7__get:10", "mcp__ctx7__get"),
            ("mcp__ctx7__get_2", "mcp__ctx7__get"),
            ("functions.read2file:1", "another"),
            ("Bash_0_1", "Bash"),
            ("Read:7", ""),
            ("call_0", "Bash"),
            ("tool_call_1", "Bash"),
            ("call0", "Bash"),
            ("12", "Bash"),
            ("0", ""),
        ] {
            assert!(is_positional(id, tool), "{id} of {tool}");
        }
    }

    #[test]
    fn an_id_that_tells_calls_apart_is_not() {
        for id in [
            "toolu_01AafDmytknEUSX8P7mK2MVd",
            "toolu_bdrk_01AafDmytknEUSX8P7mK2MV5",
            "toolu_vrtx_01AafDmytknEUSX8P7mK2MV5",
            "call_86663c38f6004228aa43d808",
            "call_1a2b3c4d",
            "call_00_9f3aQ7zR1",
            "call_20260802030014",
            "Bash-1785640800123-0",
            "chatcmpl-tool-9b1c7e2f4d5a4c0f8e3d2b1a0c9d8e7f",
            "fc_0a1b2c3d4e5f6071",
            "17807d68-a3ef-431d-a573-4d3ef32527d9",
            "Bash",
            "",
        ] {
            assert!(!is_positional(id, "Bash"), "{id}");
        }
    }

    #[test]
    fn a_positional_id_is_a_key_together_with_its_message() {
        assert_eq!(uuid("Bash_0", "Bash", Some("m1")), "m1/Bash_0");
        assert_ne!(
            uuid("Bash_0", "Bash", Some("m1")),
            uuid("Bash_0", "Bash", Some("m2"))
        );
        assert_eq!(uuid("toolu_01Aaf", "Bash", Some("m1")), "toolu_01Aaf");
        assert_eq!(uuid("Bash_0", "Bash", None), "Bash_0");
        let long = "m".repeat(200);
        assert!(uuid("Bash_0", "Bash", Some(&long)).len() <= limits::UUID_BYTES);
        assert_ne!(
            uuid("Bash_0", "Bash", Some(&long)),
            uuid("Bash_1", "Bash", Some(&long))
        );
    }
}
