//! How many of something each key has at the moment.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts by key. Keys that have none are not remembered.
pub(crate) struct Counts<K>(Arc<Mutex<HashMap<K, usize>>>);

impl<K> Default for Counts<K> {
    fn default() -> Counts<K> {
        Counts(Arc::default())
    }
}

impl<K> Clone for Counts<K> {
    fn clone(&self) -> Counts<K> {
        Counts(self.0.clone())
    }
}

impl<K: Clone + Eq + Hash> Counts<K> {
    /// One more for the key, until it is dropped; `None` when the key has `most` already.
    pub(crate) fn enter(&self, key: K, most: usize) -> Option<Counted<K>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted(self.clone(), key))
    }
}

/// One that is counted.
pub(crate) struct Counted<K: Eq + Hash>(Counts<K>, K);

impl<K: Eq + Hash> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_bound_and_a_place_is_free_again_after_its_end() {
        let counts = Counts::default();
        let first = counts.enter("a", 2).unwrap();
        let _second = counts.enter("a", 2).unwrap();
        assert!(counts.enter("a", 2).is_none());
        assert!(counts.enter("b", 2).is_some());
        drop(first);
        assert!(counts.enter("a", 2).is_some());
        assert_eq!(counts.0.lock().unwrap().len(), 1, "b is forgotten");
    }
}
