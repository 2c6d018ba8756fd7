//! Finding the events in the body of `POST /v1/events`, without reading them.

use crate::limits::BATCH_EVENTS;

/// How the body contains the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `application/json`: `{"events":[…]}`, or the array alone.
    Json,
    /// `application/x-ndjson`: one event per line. Empty lines are not events.
    Ndjson,
}

/// The body cannot be split into events: nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFraming {
    /// The JSON is incomplete.
    #[error("the body is incomplete: it was cut off in transit")]
    Truncated,
    /// The last line of NDJSON neither ends in a line break nor is JSON.
    #[error("the last line has no line break and is not JSON: it was cut off in transit")]
    TruncatedLine,
    /// Neither an array nor an object with `events`.
    #[error("the body is neither `{{\"events\":[…]}}` nor an array of events")]
    NoEvents,
    /// There are more than [`BATCH_EVENTS`]. No more than that are looked for.
    #[error("the batch has more than {BATCH_EVENTS} events")]
    TooManyEvents,
    /// There is data after the end.
    #[error("trailing data after the JSON value")]
    TrailingBytes,
    /// The brackets do not match, or a comma is missing.
    #[error("the JSON is malformed at byte {0}")]
    Malformed(usize),
}

/// Splits a body into the bytes of its events.
pub fn split(body: &[u8], framing: Framing) -> Result<Vec<&[u8]>, InvalidFraming> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    match framing {
        Framing::Ndjson => split_lines(body),
        Framing::Json => split_array(body),
    }
}

fn split_lines(body: &[u8]) -> Result<Vec<&[u8]>, InvalidFraming> {
    let terminated = body.ends_with(b"\n");
    let lines: Vec<&[u8]> = body
        .split(|&b| b == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .take(BATCH_EVENTS + 1)
        .collect();
    if lines.len() > BATCH_EVENTS {
        return Err(InvalidFraming::TooManyEvents);
    }
    if !terminated
        && let Some(last) = lines.last()
        && serde_json::from_slice::<serde::de::IgnoredAny>(last).is_err()
    {
        return Err(InvalidFraming::TruncatedLine);
    }
    Ok(lines)
}

fn split_array(body: &[u8]) -> Result<Vec<&[u8]>, InvalidFraming> {
    let mut scan = Scan { body, at: 0 };
    match scan.next_token() {
        Some(b'[') => {
            let items = scan.items()?;
            scan.end()?;
            Ok(items)
        }
        Some(b'{') => {
            let mut events = None;
            if scan.peek_token() == Some(b'}') {
                return Err(InvalidFraming::NoEvents);
            }
            loop {
                let key = scan.value(b":")?;
                if scan.next_token() != Some(b':') {
                    return Err(scan.broken());
                }
                if key == b"\"events\"" && events.is_none() {
                    if scan.next_token() != Some(b'[') {
                        return Err(InvalidFraming::NoEvents);
                    }
                    events = Some(scan.items()?);
                } else {
                    scan.value(b",}")?;
                }
                match scan.next_token() {
                    Some(b',') => {}
                    Some(b'}') => break,
                    _ => return Err(scan.broken()),
                }
            }
            scan.end()?;
            events.ok_or(InvalidFraming::NoEvents)
        }
        Some(_) => Err(InvalidFraming::NoEvents),
        None => Err(InvalidFraming::Truncated),
    }
}

struct Scan<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek_token(&mut self) -> Option<u8> {
        while self.body.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.body.get(self.at).copied()
    }

    fn next_token(&mut self) -> Option<u8> {
        let token = self.peek_token();
        self.at += 1;
        token
    }

    fn broken(&self) -> InvalidFraming {
        if self.at > self.body.len() {
            InvalidFraming::Truncated
        } else {
            InvalidFraming::Malformed(self.at)
        }
    }

    fn end(&mut self) -> Result<(), InvalidFraming> {
        if self.peek_token().is_some() {
            Err(InvalidFraming::TrailingBytes)
        } else {
            Ok(())
        }
    }

    /// The elements of an array whose `[` has been read.
    fn items(&mut self) -> Result<Vec<&'a [u8]>, InvalidFraming> {
        let mut items = Vec::new();
        if self.peek_token() == Some(b']') {
            self.at += 1;
            return Ok(items);
        }
        loop {
            if items.len() == BATCH_EVENTS {
                return Err(InvalidFraming::TooManyEvents);
            }
            items.push(self.value(b",]")?);
            match self.next_token() {
                Some(b',') => {}
                Some(b']') => return Ok(items),
                _ => return Err(self.broken()),
            }
        }
    }

    /// The bytes up to the next of `ends` outside of strings and brackets, trimmed. They may not be
    /// JSON.
    fn value(&mut self, ends: &[u8]) -> Result<&'a [u8], InvalidFraming> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.body.get(self.at).copied() {
                None => return Err(InvalidFraming::Truncated),
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b) if depth == 0 && ends.contains(&b) => {
                    return Ok(self.body[start..self.at].trim_ascii());
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => {
                    depth = depth.checked_sub(1).ok_or(InvalidFraming::Malformed(self.at))?;
                }
                Some(_) => {}
            }
            self.at += 1;
        }
    }

    /// Moves past a string whose opening quote is next.
    fn string(&mut self) -> Result<(), InvalidFraming> {
        self.at += 1;
        loop {
            let rest = self.body.get(self.at..).unwrap_or_default();
            let Some(skip) = memchr::memchr2(b'"', b'\\', rest) else {
                return Err(InvalidFraming::Truncated);
            };
            self.at += skip + 1;
            if rest[skip] == b'"' {
                return Ok(());
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &str) -> Result<Vec<&str>, InvalidFraming> {
        split(body.as_bytes(), Framing::Json).map(|items| {
            items
                .into_iter()
                .map(|item| std::str::from_utf8(item).unwrap())
                .collect()
        })
    }

    #[test]
    fn an_array_is_found_bare_or_under_events_beside_other_keys() {
        let items = vec![r#"{"a":"]},"}"#, "2", r#"[1,{"b":"\"\\"}]"#];
        let array = format!("[ {} , {},{} ]", items[0], items[1], items[2]);
        assert_eq!(json(&array), Ok(items.clone()));
        assert_eq!(
            json(&format!(r#"{{"v":[1,{{}}],"events":{array},"x":"]"}}"#)),
            Ok(items)
        );
        assert_eq!(json(" [ ] "), Ok(vec![]));
        assert_eq!(json(r#"{"events":[]}"#), Ok(vec![]));
        assert_eq!(json("\u{FEFF}[1]"), Ok(vec!["1"]));
    }

    #[test]
    fn an_item_that_is_not_json_is_split_off_all_the_same() {
        assert_eq!(
            json("[NaN, 1e400,, {\"a\":1,}]"),
            Ok(vec!["NaN", "1e400", "", "{\"a\":1,}"])
        );
        let raw = split(b"[\"\xFF\",1]", Framing::Json).unwrap();
        assert_eq!(raw, [b"\"\xFF\"".as_slice(), b"1"]);
    }

    #[test]
    fn a_body_with_too_many_events_is_refused_whatever_follows() {
        let mut body = format!("[{}", "1,".repeat(BATCH_EVENTS - 1));
        assert_eq!(
            json(&format!("{body}1]")).map(|items| items.len()),
            Ok(BATCH_EVENTS)
        );
        body.push_str("1,2, }{ not even JSON");
        assert_eq!(json(&body), Err(InvalidFraming::TooManyEvents));
        let lines = |n: usize| split("1\n".repeat(n).as_bytes(), Framing::Ndjson).map(|lines| lines.len());
        assert_eq!(lines(BATCH_EVENTS), Ok(BATCH_EVENTS));
        assert_eq!(lines(BATCH_EVENTS + 1), Err(InvalidFraming::TooManyEvents));
    }

    #[test]
    fn an_incomplete_body_is_refused() {
        let whole = r#"{"events":[{"a":"b"},{"c":[1,2]}]}"#;
        for cut in 0..whole.len() {
            assert!(json(&whole[..cut]).is_err(), "{}", &whole[..cut]);
        }
        assert_eq!(json("[1] x"), Err(InvalidFraming::TrailingBytes));
        assert_eq!(json("{}"), Err(InvalidFraming::NoEvents));
        assert_eq!(json(r#"{"events":3}"#), Err(InvalidFraming::NoEvents));
        assert_eq!(json("3"), Err(InvalidFraming::NoEvents));
    }

    #[test]
    fn lines_are_events_and_only_a_cut_last_line_is_refused() {
        let lines = |body| split(body, Framing::Ndjson).map(|lines| lines.len());
        assert_eq!(lines(b"{}\r\n\n{oops\n{}\n"), Ok(3));
        assert_eq!(lines(b"{}\n{}"), Ok(2));
        assert_eq!(lines(b""), Ok(0));
        assert_eq!(lines(b"{}\n{\"a\":"), Err(InvalidFraming::TruncatedLine));
    }

    proptest::proptest! {
        #[test]
        fn splitting_never_panics(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = split(&body, Framing::Json);
            let _ = split(&body, Framing::Ndjson);
        }

        #[test]
        fn splitting_finds_what_serde_finds(items in proptest::collection::vec("[ -~]{0,20}", 0..8)) {
            let body = serde_json::json!({ "note": items, "events": items }).to_string();
            let found = split(body.as_bytes(), Framing::Json).unwrap();
            let read: Vec<String> = found.iter().map(|item| serde_json::from_slice(item).unwrap()).collect();
            proptest::prop_assert_eq!(read, items);
        }
    }
}
