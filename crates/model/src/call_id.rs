//! Ids of calls, as agents give them: whether one tells calls apart, or only counts them.

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
pub fn is_positional(id: &str, tool: &str) -> bool {
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

/// What a hash of a positional id and its message begins with.
pub const POSITIONAL_HASH: &str = "positional:";

/// True when the uuid of an event is the agent's own id of the call and tells it apart from every other: not positional,
/// and not the id of a message with a position in it. `tool` is the name of the called tool.
pub fn is_unique(uuid: &str, tool: &str) -> bool {
    !uuid.contains('/') && !uuid.starts_with(POSITIONAL_HASH) && !is_positional(uuid, tool)
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
    fn a_position_within_a_message_is_no_unique_id() {
        for uuid in ["m1/Bash_0", "positional:0a1b", "Bash_0"] {
            assert!(!is_unique(uuid, "Bash"), "{uuid}");
        }
        assert!(is_unique("toolu_01AafDmytknEUSX8P7mK2MVd", "Bash"));
    }
}
