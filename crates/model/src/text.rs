//! Cleaning names: they come from logs and other programs, and are shown in terminals, pages and CSV.

use std::borrow::Cow;

/// True for characters that change how the text around them is shown, or that PostgreSQL refuses: C0 and C1 controls
/// (NUL, escape, line breaks), and the bidirectional overrides and isolates of Unicode (UAX #9, section 2).
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// True when a text has no unsafe character.
pub fn is_clean(text: &str) -> bool {
    // Nearly every name is printable ASCII. A loop without an early exit checks many bytes at once.
    let printable = text
        .bytes()
        .fold(true, |printable, byte| printable & matches!(byte, b' '..=b'~'));
    printable || !text.chars().any(is_unsafe)
}

/// The text with every unsafe character replaced by U+FFFD. Borrowed when nothing had to change.
pub fn clean(text: &str) -> Cow<'_, str> {
    if is_clean(text) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(
            text.chars()
                .map(|c| if is_unsafe(c) { '\u{FFFD}' } else { c })
                .collect(),
        )
    }
}

/// Like [`clean`], but line breaks and tabs stay: for prose such as task text.
pub fn clean_prose(text: &str) -> Cow<'_, str> {
    let bad = |c: char| is_unsafe(c) && c != '\n' && c != '\t';
    if text.chars().any(bad) {
        Cow::Owned(
            text.chars()
                .map(|c| if bad(c) { '\u{FFFD}' } else { c })
                .collect(),
        )
    } else {
        Cow::Borrowed(text)
    }
}

/// Equivalent JSON without unsafe characters other than line feeds: within strings they become escapes, and
/// between values spaces.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    let bad = |c: char| is_unsafe(c) && c != '\n';
    if !json.chars().any(bad) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match c {
            // Unescaped only between values (RFC 8259, sections 2 and 7).
            '\t' | '\r' => escaped.push(' '),
            // Every unsafe character has four hexadecimal digits at most.
            c if bad(c) => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// The longest prefix of at most `bytes` bytes that ends between two characters.
pub fn truncate_bytes(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_escapes_and_bidi_overrides_are_replaced_and_emoji_joiners_stay() {
        assert_eq!(clean("a\u{0}b\u{1b}[31m\nc"), "a\u{FFFD}b\u{FFFD}[31m\u{FFFD}c");
        assert_eq!(clean("\u{202E}gnp.exe"), "\u{FFFD}gnp.exe");
        assert_eq!(clean("👩\u{200D}💻"), "👩\u{200D}💻");
        assert!(matches!(clean("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn prose_keeps_its_lines() {
        assert_eq!(clean_prose("one\n\ttwo\u{7}"), "one\n\ttwo\u{FFFD}");
    }

    #[test]
    fn escaped_json_means_the_same_and_has_no_control_character() {
        let value =
            serde_json::json!({ "a\u{9b}31m": ["\u{85}", "\u{202E}", "\u{1b}", "plain\n", "\\u009b"] });
        let json = value.to_string().replace(',', ",\t\r\n");
        let escaped = escape_json(&json);
        assert!(escaped.chars().all(|c| c == '\n' || !is_unsafe(c)), "{escaped:?}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&escaped).unwrap(),
            value
        );
        assert!(matches!(escape_json("{\"a\":\n1}"), Cow::Borrowed(_)));
    }

    #[test]
    fn truncation_never_splits_a_character() {
        assert_eq!(truncate_bytes("aé", 2), "a");
        assert_eq!(truncate_bytes("aé", 3), "aé");
    }

    #[test]
    fn hex_has_two_digits_for_each_byte() {
        assert_eq!(hex(&[]), "");
        assert_eq!(hex(&[0, 0x0f, 0xa5, 0xff]), "000fa5ff");
    }
}
