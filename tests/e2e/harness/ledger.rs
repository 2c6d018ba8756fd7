//! What was sent, what was acknowledged and what is stored, against each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{Display, Write},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// What was sent and acknowledged in one case. An event is identified by any text, and by the same text when stored.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: Mutex<BTreeMap<String, bool>>,
    notes: Mutex<String>,
}

/// The result of a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    /// Events that a receipt has accounted for.
    pub(crate) acked: usize,
    /// Acknowledged, and not stored.
    pub(crate) lost: usize,
    /// Rows beyond the first of an event.
    pub(crate) duplicated: usize,
    /// Stored, and never sent.
    pub(crate) phantom: usize,
}

impl Ledger {
    /// Events are about to be sent.
    pub(crate) fn sent<T: Display>(&self, events: impl IntoIterator<Item = T>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            entries.entry(event.to_string()).or_insert(false);
        }
    }

    /// A receipt has accounted for events.
    pub(crate) fn acked<T: Display>(&self, events: impl IntoIterator<Item = T>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            entries.insert(event.to_string(), true);
        }
    }

    /// Something else to print: `kills=10`.
    pub(crate) fn note(&self, name: &str, value: impl Display) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = write!(notes, " {name}={value}");
    }

    /// Times to print: their median and their 99th percentile, which is the answer.
    pub(crate) fn times(&self, name: &str, mut times: Vec<Duration>) -> Duration {
        times.sort_unstable();
        let at = |percent: usize| {
            let index = (times.len() * percent).div_ceil(100).saturating_sub(1);
            times.get(index).copied().unwrap_or_default()
        };
        self.note(&format!("{name}_p50"), format_args!("{:.2?}", at(50)));
        self.note(&format!("{name}_p99"), format_args!("{:.2?}", at(99)));
        at(99)
    }

    /// How many events were acknowledged so far.
    pub(crate) fn acked_so_far(&self) -> usize {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.values().filter(|acked| **acked).count()
    }

    /// Events have been deleted: from now on, one that is stored without having been sent again is phantom.
    pub(crate) fn deleted<T: Display>(&self, events: impl IntoIterator<Item = T>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            entries.remove(&event.to_string());
        }
    }

    /// Compares the ledger with what is stored, and prints the line of the case.
    ///
    /// # Panics
    /// When something is lost, duplicated or phantom.
    pub(crate) fn settle(&self, case: &str, stored: &[String]) -> Balance {
        let balance = self.balance(case, stored);
        let Balance {
            lost,
            duplicated,
            phantom,
            ..
        } = balance;
        assert_eq!((lost, duplicated, phantom), (0, 0, 0), "{case}");
        balance
    }

    /// Compares the ledger with what is stored, and prints the line of the case, whatever the result.
    #[expect(clippy::print_stdout, reason = "the line that the case is asked for")]
    pub(crate) fn balance(&self, case: &str, stored: &[String]) -> Balance {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let rows: BTreeSet<&str> = stored.iter().map(String::as_str).collect();
        let acked = || entries.iter().filter(|(_, acked)| **acked);
        let balance = Balance {
            acked: acked().count(),
            lost: acked()
                .filter(|(event, _)| !rows.contains(event.as_str()))
                .count(),
            duplicated: stored.len() - rows.len(),
            phantom: rows.iter().filter(|row| !entries.contains_key(**row)).count(),
        };
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let Balance {
            acked,
            lost,
            duplicated,
            phantom,
        } = balance;
        println!(
            "{case}: acked={acked} lost={lost} duplicated={duplicated} phantom={phantom} stored={}{notes}",
            stored.len()
        );
        balance
    }
}
