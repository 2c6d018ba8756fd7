//! Bytes that nobody meant: whatever a file holds, reading ends, and every event is one that the server takes.

use crate::{FIXTURES, collect, facts, joined, lines, wire};
use model::{NoticeCode, wire::read_event};
use proptest::prelude::*;
use sources::Options;

/// Reads the bytes alone and beside the file that they were made from, and checks every event. `name` is that of the
/// file: of some agents only the place tells whose a file is.
fn survives(name: &str, bytes: &[u8], original: &str) {
    let mutant = format!("{name}.mutant");
    for files in [
        vec![(mutant.as_str(), bytes)],
        vec![(mutant.as_str(), bytes), (name, original.as_bytes())],
    ] {
        let collected = collect(&files);
        let now = "2100-01-01T00:00:00Z".parse().unwrap();
        for event in collected.events() {
            if let Err(refusal) = read_event(wire(&event).as_bytes(), 0, now) {
                // Only the clock of the machine that wrote the log can be wrong.
                let clock = [NoticeCode::TimestampOutOfRange, NoticeCode::TimestampInFuture];
                assert!(clock.contains(&refusal.code), "{refusal:?} {event:?}");
            }
        }
        assert_eq!(collected.events().len() as u64, collected.totals.events);
    }
}

/// Changes that turn a log into something else: bytes overwritten, cut, doubled.
#[derive(Clone, Debug)]
enum Change {
    Overwrite(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Cut(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>();
    // Bytes that mean something to JSON, and some that mean nothing to anybody.
    let byte = prop::sample::select(b"{}[]\":,\\\n\r\0\xFF\xEF\xBB\xBFu0e-. tn".to_vec());
    prop_oneof![
        (at.clone(), byte.clone()).prop_map(|(at, byte)| Change::Overwrite(at, byte)),
        (at.clone(), prop::collection::vec(byte, 1..8)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at.clone(), 1_usize..200).prop_map(|(at, length)| Change::Cut(at, length)),
        (at, 1_usize..200).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        match change {
            Change::Overwrite(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Change::Insert(at, inserted) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, inserted.iter().copied());
            }
            Change::Cut(at, length) => {
                let at = at.index(bytes.len());
                bytes.drain(at..bytes.len().min(at + length));
            }
            Change::Repeat(at, length) => {
                let at = at.index(bytes.len());
                let repeated = bytes[at..bytes.len().min(at + length)].to_vec();
                bytes.splice(at..at, repeated);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_logs_of_every_format(
        at in 0..FIXTURES.len(),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let (name, text) = FIXTURES[at];
        survives(name, &changed(text, &changes), text);
    }

    #[test]
    fn damaged_logs_read_the_same_wherever_a_chunk_ends(
        at in 0..FIXTURES.len(),
        changes in prop::collection::vec(change(), 1..6),
        chunk in 1_usize..2_000,
    ) {
        let (name, text) = FIXTURES[at];
        let bytes = changed(text, &changes);
        let read = |chunk| {
            let read = joined(vec![facts(name, &bytes, chunk, &Options::default())]);
            let said = serde_json::to_string(&(&read.inventory, &read.problems, &read.totals)).unwrap();
            (lines(&read), said)
        };
        prop_assert_eq!(read(chunk), read(usize::MAX));
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        survives("any", &bytes, "");
        survives("roo/any", &bytes, "");
    }

    #[test]
    fn records_with_values_of_other_types(
        at in 0..FIXTURES.len(),
        key in any::<prop::sample::Index>(),
        value in prop::sample::select(vec![
            "null", "true", "0", "-1", "1e400", "\"\"", "[]", "{}", "[{}]", "\"\\ud800\"", "\"\\u0000\"",
            "18446744073709551616", "\"REDACTED\"", "\"9999-12-31T23:59:59.999Z\"", "\"0000-01-01T00:00:00.000Z\"",
        ]),
    ) {
        let (name, text) = FIXTURES[at];
        let places: Vec<usize> = text.match_indices("\":").map(|(at, _)| at + 2).collect();
        let place = places[key.index(places.len())];
        let rest = &text[place..];
        // The value ends where JSON says, so that only its type is wrong.
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
        prop_assume!(values.next().is_some_and(|value| value.is_ok()));
        let end = place + values.byte_offset();
        survives(name, format!("{}{value}{}", &text[..place], &text[end..]).as_bytes(), text);
    }
}
