//! Strings: unescaping.

use std::borrow::Cow;

/// The raw bytes of a string between its quotes, with its escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Str<'a>(pub(crate) &'a [u8]);

impl<'a> Str<'a> {
    /// The text. Bytes that are not UTF-8, lone surrogates and escapes that JSON does not know become U+FFFD.
    pub(crate) fn text(self) -> Cow<'a, str> {
        if memchr::memchr(b'\\', self.0).is_some() {
            return Cow::Owned(unescape(self.0));
        }
        match std::str::from_utf8(self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(self.0),
        }
    }

    /// The text of the first `bytes` bytes, to look at how a long text begins. Where it is cut, its last few
    /// characters may be wrong.
    pub(crate) fn head(self, bytes: usize) -> Cow<'a, str> {
        Str(&self.0[..self.0.len().min(bytes)]).text()
    }

    /// True when the text is `text`, however it is escaped: programs in Go escape `<`, `>` and `&`.
    pub(crate) fn is(self, text: &str) -> bool {
        self.0 == text.as_bytes() || self.has_escape(self.0.len()) && self.text() == text
    }

    /// True when the text begins with `words`, however they are escaped. A long text is not built for it.
    pub(crate) fn begins_with(self, words: &str) -> bool {
        // The longest escape has six bytes.
        let bytes = 6 * words.len();
        self.0.starts_with(words.as_bytes()) || self.has_escape(bytes) && self.head(bytes).starts_with(words)
    }

    fn has_escape(self, bytes: usize) -> bool {
        memchr::memchr(b'\\', &self.0[..self.0.len().min(bytes)]).is_some()
    }
}

fn unescape(raw: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(slash) = memchr::memchr(b'\\', rest) {
        text.push_str(&String::from_utf8_lossy(&rest[..slash]));
        let Some(&escape) = rest.get(slash + 1) else {
            text.push(char::REPLACEMENT_CHARACTER);
            return text;
        };
        rest = &rest[slash + 2..];
        text.push(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => code_point(&mut rest),
            _ => char::REPLACEMENT_CHARACTER,
        });
    }
    text.push_str(&String::from_utf8_lossy(rest));
    text
}

/// The character of a `\u` escape whose digits come next, with its second half where it is a surrogate pair.
fn code_point(rest: &mut &[u8]) -> char {
    fn unit(digits: Option<&[u8]>) -> Option<u32> {
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    let Some(first) = unit(rest.get(..4)) else {
        return char::REPLACEMENT_CHARACTER;
    };
    *rest = &rest[4..];
    if let Some(c) = char::from_u32(first) {
        return c;
    }
    if first < 0xDC00
        && rest.starts_with(b"\\u")
        && let Some(second) = unit(rest.get(2..6))
        && (0xDC00..0xE000).contains(&second)
    {
        *rest = &rest[6..];
        let c = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER);
    }
    char::REPLACEMENT_CHARACTER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(inside: &[u8]) -> String {
        Str(inside).text().into_owned()
    }

    #[test]
    fn escapes_are_read_and_lone_surrogates_replaced() {
        assert_eq!(text(br#"a\"\\\/\b\f\n\r\tz"#), "a\"\\/\u{8}\u{c}\n\r\tz");
        assert_eq!(text(br"\u0041\ud83d\ude00\u00e9"), "A😀é");
        assert_eq!(text(br"\ud800x\udc00\ud83d\u0041"), "\u{FFFD}x\u{FFFD}\u{FFFD}A");
        assert_eq!(text(br"\u12\x"), "\u{FFFD}12\u{FFFD}");
        assert_eq!(text(b"a\xFFb"), "a\u{FFFD}b");
    }

    #[test]
    fn the_head_of_a_text_is_its_beginning() {
        let long = format!("Exit code 1\\n{}", "\\ud83d\\ude00é".repeat(100));
        for bytes in 13..60 {
            assert!(
                Str(long.as_bytes()).head(bytes).starts_with("Exit code 1\n"),
                "{bytes}"
            );
        }
    }
}
