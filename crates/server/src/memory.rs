//! One budget for the bodies of all requests in flight, as they arrive and as they are decoded.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use model::OrgId;

use crate::error::ApiError;

/// The budget.
#[derive(Clone)]
pub(crate) struct Memory(Arc<Shared>);

struct Shared {
    /// In bytes, of all requests together. One org has at most two thirds.
    limit: usize,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    all: usize,
    /// Only orgs that use some.
    orgs: HashMap<OrgId, usize>,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Memory {
        Memory(Arc::new(Shared {
            limit,
            used: Mutex::default(),
        }))
    }

    /// A share of the budget for a request of an org, empty at first.
    pub(crate) fn share(&self, org: OrgId) -> Share {
        Share {
            memory: self.clone(),
            org,
            bytes: 0,
        }
    }

    /// Moves what an org uses from `before` to `after` bytes; false, and nothing is moved, when that is too much.
    fn resize(&self, org: OrgId, before: usize, after: usize) -> bool {
        let limit = self.0.limit;
        #[cfg(feature = "planted-bugs")]
        let limit = if store::planted::is("unlimited_bodies") {
            usize::MAX
        } else {
            limit
        };
        let mut used = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
        let all = used.all - before + after;
        let of_org = used.orgs.get(&org).copied().unwrap_or_default() - before + after;
        if after > before && (all > limit || of_org > limit / 3 * 2) {
            return false;
        }
        used.all = all;
        if of_org == 0 {
            used.orgs.remove(&org);
        } else {
            used.orgs.insert(org, of_org);
        }
        true
    }
}

/// What one request uses of the budget, until it is dropped.
pub(crate) struct Share {
    memory: Memory,
    org: OrgId,
    bytes: usize,
}

impl Share {
    /// Uses so many bytes from now on.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] when the org or all together would use more than there is.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<(), ApiError> {
        if !self.memory.resize(self.org, self.bytes, bytes) {
            metrics::counter!("toolhub_bodies_refused_total").increment(1);
            return Err(ApiError::Overloaded { retry_after: 1 });
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Share {
    /// What this has, for another task; this one has nothing then.
    pub(crate) fn take(&mut self) -> Share {
        let empty = self.memory.share(self.org);
        std::mem::replace(self, empty)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.resize(self.org, self.bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_org_leaves_a_third_to_others_and_gives_back_what_it_used() {
        let memory = Memory::new(300);
        let mut first = memory.share(OrgId(1));
        first.resize(150).unwrap();
        let mut second = memory.share(OrgId(1));
        assert!(second.resize(51).is_err());
        second.resize(50).unwrap();
        let mut other = memory.share(OrgId(2));
        assert!(other.resize(101).is_err());
        other.resize(100).unwrap();
        drop(first);
        second.resize(200).unwrap();
        drop((second, other));
        let used = memory.0.used.lock().unwrap();
        assert!(used.all == 0 && used.orgs.is_empty());
    }
}
