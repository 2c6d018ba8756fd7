//! Cuts events into batches that respect the server's limits. Pure: bytes in, batches out.

use bytes::Bytes;
use model::limits::Limits;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The first 8 bytes of the SHA-256 of an event's bytes on the wire. Two different events of one member share one with a
/// probability of about n²/2⁶⁵: one in 37 million for a million events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint(pub [u8; 8]);

impl Fingerprint {
    /// Of an event's bytes, without the line break.
    pub(crate) fn of(event: &[u8]) -> Fingerprint {
        let digest: [u8; 32] = Sha256::digest(event).into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Fingerprint([a, b, c, d, e, f, g, h])
    }

    /// Of what is sent as a part of a body of JSON; `None` for what is no JSON.
    pub(crate) fn of_json(part: &impl Serialize) -> Option<Fingerprint> {
        serde_json::to_vec(part).ok().map(|json| Fingerprint::of(&json))
    }
}

/// Events as they are sent: NDJSON, each line ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    body: Bytes,
    /// Where each event's line ends, counted from the start of `body`.
    ends: Vec<usize>,
}

impl Batch {
    /// The body before compression.
    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    /// How many events are in it.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// What the receipt must echo: SHA-256 of the body in lower-case hex.
    pub(crate) fn hash(&self) -> String {
        model::text::hex(&Sha256::digest(&self.body))
    }

    /// The events, without line breaks.
    pub(crate) fn events(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.body[start..end - 1])
    }

    /// The first and the second half of the events; `None` when there is only one.
    pub(crate) fn halve(&self) -> Option<(Batch, Batch)> {
        let middle = self.len() / 2;
        if middle == 0 {
            return None;
        }
        let cut = self.ends[middle - 1];
        let first = Batch {
            body: self.body.slice(..cut),
            ends: self.ends[..middle].to_vec(),
        };
        let second = Batch {
            body: self.body.slice(cut..),
            ends: self.ends[middle..].iter().map(|end| end - cut).collect(),
        };
        Some((first, second))
    }
}

/// Fills batches, one event after the other.
#[derive(Debug)]
pub(crate) struct Planner {
    max_events: usize,
    max_bytes: usize,
    body: Vec<u8>,
    ends: Vec<usize>,
}

impl Planner {
    /// Batches within `limits`, and of at max_events `max_events` events if given.
    pub(crate) fn new(limits: &Limits, max_events: Option<usize>) -> Planner {
        Planner {
            max_events: max_events.unwrap_or(usize::MAX).min(limits.batch_events).max(1),
            max_bytes: limits.decoded_bytes,
            body: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Adds an event; answers the batch before it when that is full.
    pub(crate) fn push(&mut self, event: &[u8]) -> Option<Batch> {
        let full = self.ends.len() >= self.max_events
            || (!self.ends.is_empty() && self.body.len() + event.len() + 1 > self.max_bytes);
        let done = if full { self.finish() } else { None };
        self.body.extend_from_slice(event);
        self.body.push(b'\n');
        self.ends.push(self.body.len());
        done
    }

    /// The last batch; `None` when nothing is left.
    pub(crate) fn finish(&mut self) -> Option<Batch> {
        if self.ends.is_empty() {
            return None;
        }
        let body = Bytes::from(std::mem::take(&mut self.body));
        Some(Batch {
            body,
            ends: std::mem::take(&mut self.ends),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan(events: &[Vec<u8>], limits: &Limits, max_events: Option<usize>) -> Vec<Batch> {
        let mut planner = Planner::new(limits, max_events);
        let mut batches: Vec<Batch> = events.iter().filter_map(|event| planner.push(event)).collect();
        batches.extend(planner.finish());
        batches
    }

    fn all(batches: &[Batch]) -> Vec<Vec<u8>> {
        batches
            .iter()
            .flat_map(|batch| batch.events().map(<[u8]>::to_vec).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn no_events_make_no_batch_and_a_limit_of_zero_still_sends() {
        assert_eq!(plan(&[], &Limits::default(), None), []);
        let none = Limits {
            batch_events: 0,
            decoded_bytes: 0,
            ..Limits::default()
        };
        assert_eq!(plan(&[b"{}".to_vec(), b"{}".to_vec()], &none, None).len(), 2);
    }

    proptest! {
        #[test]
        fn batches_hold_every_event_once_in_order_and_within_the_limits(
            sizes in proptest::collection::vec(2_usize..60, 0..200),
            batch_events in 1_usize..50,
            decoded_bytes in 1_usize..500,
            max_events in proptest::option::of(1_usize..80),
        ) {
            let events: Vec<Vec<u8>> =
                sizes.iter().enumerate().map(|(at, &size)| format!("{at:0size$}").into_bytes()).collect();
            let limits = Limits { batch_events, decoded_bytes, ..Limits::default() };
            let batches = plan(&events, &limits, max_events);
            prop_assert_eq!(all(&batches), events);
            for batch in &batches {
                prop_assert!(batch.len() <= batch_events.min(max_events.unwrap_or(usize::MAX)));
                prop_assert!(batch.len() == 1 || batch.body().len() <= decoded_bytes);
                prop_assert!(batch.body().ends_with(b"\n"));
            }
        }

        #[test]
        fn halving_goes_down_to_single_events_and_loses_none(count in 1_usize..100) {
            let events: Vec<Vec<u8>> = (0..count).map(|at| format!("{{\"n\":{at}}}").into_bytes()).collect();
            let mut queue = plan(&events, &Limits::default(), None);
            let mut single = Vec::new();
            while let Some(batch) = queue.pop() {
                match batch.halve() {
                    Some((first, second)) => queue.extend([second, first]),
                    None => single.push(batch),
                }
            }
            prop_assert_eq!(single.len(), count);
            prop_assert_eq!(all(&single), events);
        }
    }

    #[test]
    fn the_hash_is_that_of_the_body() {
        let batch = plan(&[b"{}".to_vec()], &Limits::default(), None).remove(0);
        // printf '{}\n' | sha256sum
        assert_eq!(
            batch.hash(),
            "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"
        );
    }
}
