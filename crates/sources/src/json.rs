//! A cursor over JSON text that builds nothing: it walks the requested objects and skips the rest.
//!
//! A log is mostly text that no fact comes from. Its quotes and brackets are marked first, many bytes at once
//! ([`Index`]); after that a string is skipped in one step and a value that is not needed by its brackets,
//! without recursion: depth costs nothing. What is walked is held to the grammar; what is skipped only to its
//! quotes and brackets. That is lenient on purpose: a lone surrogate, a `1e400` or a control character in a text that
//! we do not read does not lose the line.

mod index;
mod text;

pub(crate) use index::Index;
pub(crate) use text::Str;

/// Digits of which every number fits into 64 bits.
const FITTING_DIGITS: usize = 19;

/// Why a text is not one JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It ends in the middle.
    Incomplete,
    /// Unexpected input at this byte.
    Syntax(usize),
    /// A whole value ends before this byte, and more follows.
    Trailing(usize),
}

/// The raw text of a value: complete, because it has been skipped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a> {
    start: Cursor<'a>,
    end: usize,
}

/// A position in a JSON text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    /// The marks that are not before `at`.
    marks: &'a [u32],
    at: usize,
}

impl<'a> Raw<'a> {
    /// A cursor at the beginning of the value.
    pub(crate) fn cursor(self) -> Cursor<'a> {
        self.start
    }

    /// The bytes of the value.
    pub(crate) fn bytes(self) -> &'a [u8] {
        &self.start.bytes[self.start.at..self.end]
    }

    /// The string, if the value is one.
    pub(crate) fn as_str(self) -> Option<Str<'a>> {
        match self.bytes() {
            [b'"', inner @ .., b'"'] => Some(Str(inner)),
            _ => None,
        }
    }
}

impl<'a> Cursor<'a> {
    /// The first byte of the next value, blanks left out.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<u8, Malformed> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Malformed::Incomplete)
    }

    /// How many bytes lie before the cursor.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Nothing but blanks may follow.
    pub(crate) fn end(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            Ok(_) => Err(Malformed::Trailing(self.at)),
            Err(_) => Ok(()),
        }
    }

    /// Walks an object: `each` gets every key with the cursor before its value, and consumes the value. Any other
    /// value is skipped.
    #[inline]
    pub(crate) fn object(
        &mut self,
        mut each: impl FnMut(&mut Cursor<'a>, &'a [u8]) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if self.peek()? != b'{' {
            return self.skip();
        }
        self.pass_mark()?;
        if self.peek()? == b'}' {
            return self.pass_mark();
        }
        loop {
            if self.peek()? != b'"' {
                return Err(Malformed::Syntax(self.at));
            }
            let key = self.quoted()?;
            if self.peek()? != b':' {
                return Err(Malformed::Syntax(self.at));
            }
            self.at += 1;
            each(self, key)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => return self.pass_mark(),
                _ => return Err(Malformed::Syntax(self.at)),
            }
        }
    }

    /// Walks an array: `each` gets the cursor before every element, and consumes it. Any other value is skipped.
    #[inline]
    pub(crate) fn array(
        &mut self,
        mut each: impl FnMut(&mut Cursor<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if self.peek()? != b'[' {
            return self.skip();
        }
        self.pass_mark()?;
        if self.peek()? == b']' {
            return self.pass_mark();
        }
        loop {
            each(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => return self.pass_mark(),
                _ => return Err(Malformed::Syntax(self.at)),
            }
        }
    }

    /// The next value if it is a string; any other is skipped.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Option<Str<'a>>, Malformed> {
        if self.peek()? == b'"' {
            return Ok(Some(Str(self.quoted()?)));
        }
        self.skip()?;
        Ok(None)
    }

    /// The next value if it is `true` or `false`; any other is skipped.
    pub(crate) fn boolean(&mut self) -> Result<Option<bool>, Malformed> {
        let first = self.peek()?;
        let rest = &self.bytes[self.at..];
        let word: &[u8] = if first == b't' { b"true" } else { b"false" };
        if rest.starts_with(word) && rest.get(word.len()).is_none_or(|byte| ends_word(*byte)) {
            self.at += word.len();
            return Ok(Some(first == b't'));
        }
        self.skip()?;
        Ok(None)
    }

    /// The next value if it is a finite number, or a string that holds one; any other is skipped.
    pub(crate) fn number(&mut self) -> Result<Option<f64>, Malformed> {
        let raw = self.raw()?;
        let digits = raw.as_str().map_or(raw.bytes(), |text| text.0);
        let number = std::str::from_utf8(digits)
            .ok()
            .and_then(|text| text.parse::<f64>().ok());
        Ok(number.filter(|number| number.is_finite()))
    }

    /// The next value if it is a count: a whole number that is not negative. Any other is skipped.
    pub(crate) fn count(&mut self) -> Result<Option<u64>, Malformed> {
        self.peek()?;
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(rest.len());
        if length == 0 || rest.get(length).is_some_and(|byte| !ends_word(*byte)) {
            self.skip()?;
            return Ok(None);
        }
        self.at += length;
        let digits = rest[..length].iter().map(|digit| u64::from(digit - b'0'));
        if length <= FITTING_DIGITS {
            return Ok(Some(digits.fold(0, |count, digit| count * 10 + digit)));
        }
        let mut digits = digits;
        Ok(digits.try_fold(0_u64, |count, digit| count.checked_mul(10)?.checked_add(digit)))
    }

    /// The next value, raw.
    #[inline]
    pub(crate) fn raw(&mut self) -> Result<Raw<'a>, Malformed> {
        self.peek()?;
        let start = *self;
        self.skip()?;
        Ok(Raw { start, end: self.at })
    }

    /// Jumps over the next value.
    #[inline]
    pub(crate) fn skip(&mut self) -> Result<(), Malformed> {
        match self.peek()? {
            b'"' => self.quoted().map(|_| ()),
            b'{' | b'[' => self.skip_nested(),
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                let rest = &self.bytes[self.at..];
                let length = rest
                    .iter()
                    .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')))
                    .unwrap_or(rest.len());
                let word = &rest[..length];
                if word[0].is_ascii_alphabetic() && !matches!(word, b"true" | b"false" | b"null") {
                    let cut = [&b"true"[..], b"false", b"null"]
                        .iter()
                        .any(|whole| whole.starts_with(word));
                    let ends = length == rest.len();
                    return Err(if cut && ends {
                        Malformed::Incomplete
                    } else {
                        Malformed::Syntax(self.at)
                    });
                }
                self.at += length;
                Ok(())
            }
            _ => Err(Malformed::Syntax(self.at)),
        }
    }

    fn skip_nested(&mut self) -> Result<(), Malformed> {
        let mut depth = 0_usize;
        while let [mark, rest @ ..] = self.marks {
            let at = *mark as usize;
            match self.bytes.get(at) {
                // The quote that ends the string is the next mark.
                Some(b'"') => self.marks = rest.get(1..).ok_or(Malformed::Incomplete)?,
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.marks = rest;
                }
                _ => {
                    self.marks = rest;
                    depth -= 1;
                    if depth == 0 {
                        self.at = at + 1;
                        return Ok(());
                    }
                }
            }
        }
        Err(Malformed::Incomplete)
    }

    /// The inside of the string whose opening quote is here.
    #[inline]
    fn quoted(&mut self) -> Result<&'a [u8], Malformed> {
        let [open, rest @ ..] = self.marks else {
            return Err(Malformed::Syntax(self.at));
        };
        // Outside of strings a backslash is no JSON; it would hide the quote behind it from the index.
        if *open as usize != self.at {
            return Err(Malformed::Syntax(self.at));
        }
        let [close, rest @ ..] = rest else {
            return Err(Malformed::Incomplete);
        };
        let close = *close as usize;
        let inside = self.bytes.get(self.at + 1..close).ok_or(Malformed::Incomplete)?;
        self.at = close + 1;
        self.marks = rest;
        Ok(inside)
    }

    /// Steps over the bracket that is here.
    #[inline]
    fn pass_mark(&mut self) -> Result<(), Malformed> {
        match self.marks {
            [mark, rest @ ..] if *mark as usize == self.at => {
                self.at += 1;
                self.marks = rest;
                Ok(())
            }
            _ => Err(Malformed::Syntax(self.at)),
        }
    }
}

/// True for a byte that may follow a number or a word.
#[inline]
fn ends_word(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(text: &str) -> Result<(), Malformed> {
        let mut index = Index::default();
        let mut cursor = index.of(text.as_bytes());
        cursor.skip()?;
        cursor.end()
    }

    #[test]
    fn a_whole_value_is_told_from_a_cut_one_and_from_two() {
        for whole in [
            "{}",
            "[1,\"]\"]",
            "\"a\\\\\"",
            " {\"a\":{\"b\":[]}} ",
            "1e400",
            "null",
        ] {
            assert_eq!(skip(whole), Ok(()), "{whole}");
        }
        for cut in ["{", "[1,", "\"a", "\"a\\\"", "{\"a\":\"}\"", "", "nul"] {
            assert_eq!(skip(cut), Err(Malformed::Incomplete), "{cut}");
        }
        assert_eq!(skip("{}{}"), Err(Malformed::Trailing(2)));
        assert_eq!(skip("nil"), Err(Malformed::Syntax(0)));
        assert_eq!(skip("}"), Err(Malformed::Syntax(0)));
        assert_eq!(skip(" \\{}"), Err(Malformed::Syntax(1)));
        assert_eq!(skip("\\\"a\""), Err(Malformed::Syntax(0)));
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(skip(&deep), Ok(()));
    }

    #[test]
    fn walking_holds_to_the_grammar() {
        let walk = |text: &str| {
            Index::default()
                .of(text.as_bytes())
                .object(|cursor, _| cursor.skip())
        };
        assert_eq!(walk("{\"a\":1,\"b\":[2]}"), Ok(()));
        assert_eq!(walk("{\"a\":1 \"b\":2}"), Err(Malformed::Syntax(7)));
        assert_eq!(walk("{\"a\" 1}"), Err(Malformed::Syntax(5)));
        assert_eq!(walk("{\"a\":1,}"), Err(Malformed::Syntax(7)));
        assert_eq!(walk("{a:1}"), Err(Malformed::Syntax(1)));
    }

    #[test]
    fn numbers_are_read_from_strings_too_and_infinity_is_none() {
        let number = |text: &str| Index::default().of(text.as_bytes()).number().unwrap();
        assert_eq!(number("12.5"), Some(12.5));
        assert_eq!(number("\"12\""), Some(12.0));
        assert_eq!(number("1e400"), None);
        assert_eq!(number("[1]"), None);
        let count = |text: &str| Index::default().of(text.as_bytes()).count().unwrap();
        assert_eq!(count("-1"), None);
        assert_eq!(count("12.5"), None);
        assert_eq!(count("18446744073709551615"), Some(u64::MAX));
        assert_eq!(count("18446744073709551616"), None);
        assert_eq!(count("00000000000000000000000007"), Some(7));
        assert_eq!(count("9999999999999999999"), Some(9_999_999_999_999_999_999));
    }

    #[test]
    fn a_word_is_read_as_a_whole() {
        let boolean = |text: &str| Index::default().of(text.as_bytes()).boolean();
        assert_eq!(boolean(" true"), Ok(Some(true)));
        assert_eq!(boolean("false]"), Ok(Some(false)));
        assert_eq!(boolean("null"), Ok(None));
        assert_eq!(boolean("\"true\""), Ok(None));
        assert_eq!(boolean("tru"), Err(Malformed::Incomplete));
        assert_eq!(boolean("truely"), Err(Malformed::Syntax(0)));
    }

    proptest::proptest! {
        #[test]
        fn what_serde_json_accepts_is_accepted_and_its_strings_read_the_same(
            strings in proptest::collection::vec(proptest::prelude::any::<String>(), 0..8)
        ) {
            let json = serde_json::to_string(&strings).unwrap();
            let mut index = Index::default();
            let mut cursor = index.of(json.as_bytes());
            let mut read = Vec::new();
            cursor.array(|cursor| {
                read.extend(cursor.string()?.map(|text| text.text().into_owned()));
                Ok(())
            }).unwrap();
            proptest::prop_assert_eq!(cursor.end(), Ok(()));
            proptest::prop_assert_eq!(read, strings);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let mut index = Index::default();
            let mut cursor = index.of(&bytes);
            let mut again = cursor;
            let _ = cursor.object(|cursor, key| {
                let _ = Str(key).text();
                let _ = Str(key).head(3);
                cursor.skip()
            });
            let _ = again.raw();
        }
    }
}
