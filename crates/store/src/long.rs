//! Requests that may run for minutes: exports and deletions. They have connections of their own and a bound on how many
//! run at the same time, so that they never take the connections of short requests.

use std::sync::{Arc, Mutex, PoisonError};

use model::OrgId;

use crate::StoreError;

/// Long requests at the same time, in this process.
pub(crate) const ALL: usize = 4;
const OF_ORG: usize = 2;
const OF_ACTOR: usize = 1;

/// The long requests that run.
#[derive(Clone, Default)]
pub(crate) struct LongRequests(Arc<Mutex<Vec<(OrgId, String)>>>);

impl LongRequests {
    /// A place for a long request of an actor, until it is dropped.
    ///
    /// # Errors
    /// [`StoreError::TooMany`] when the actor, their org or everybody has as many as may run.
    pub(crate) fn start(&self, org: OrgId, actor: &str) -> Result<Place, StoreError> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "planted-bugs")]
        if crate::planted::is("exports_in_the_pool") {
            let place = (org, actor.to_owned());
            running.push(place.clone());
            return Ok(Place(self.clone(), place));
        }
        let of_org = running.iter().filter(|(other, _)| *other == org).count();
        let of_actor = running
            .iter()
            .filter(|(other, name)| *other == org && name == actor)
            .count();
        let detail = if of_actor >= OF_ACTOR {
            "an export or deletion of yours is running; wait for its end"
        } else if of_org >= OF_ORG {
            "your org has two exports or deletions running"
        } else if running.len() >= ALL {
            "the server has as many exports and deletions running as it allows"
        } else {
            let place = (org, actor.to_owned());
            running.push(place.clone());
            return Ok(Place(self.clone(), place));
        };
        Err(StoreError::TooMany(detail.to_owned()))
    }
}

/// The place of one long request.
pub(crate) struct Place(LongRequests, (OrgId, String));

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = running.iter().position(|place| *place == self.1) {
            running.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_has_one_an_org_two_and_the_process_four() {
        let long = LongRequests::default();
        let first = long.start(OrgId(1), "ann").unwrap();
        assert!(long.start(OrgId(1), "ann").is_err());
        let _second = long.start(OrgId(1), "ben").unwrap();
        assert!(long.start(OrgId(1), "cat").is_err());
        let _others = [
            long.start(OrgId(2), "ann").unwrap(),
            long.start(OrgId(2), "ben").unwrap(),
        ];
        assert!(long.start(OrgId(3), "ann").is_err());
        drop(first);
        assert!(long.start(OrgId(3), "ann").is_ok());
    }
}
