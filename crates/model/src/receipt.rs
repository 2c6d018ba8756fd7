//! The receipt of an upload: what became of every event in it.

use serde::{Deserialize, Serialize};

use crate::{limits, wire::RejectionCode};

/// The answer to `POST /v1/events`.
///
/// `inserted + upgraded + duplicate + conflict + rejected = received`, always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// SHA-256 of the decoded body, in lower-case hex. A client believes an answer only if it echoes this.
    pub batch: String,
    /// True when the events are committed on a server that syncs its writes to disk.
    pub durable: bool,
    /// How many events were in the body.
    pub received: u64,
    /// New events.
    pub inserted: u64,
    /// Known events about which this upload knew more.
    pub upgraded: u64,
    /// Known events about which it knew nothing new.
    pub duplicate: u64,
    /// Events whose uuid is stored with another tool; the stored one stands.
    pub conflict: u64,
    /// Events that could not be stored.
    pub rejected: u64,
    /// Which events were rejected and why: the first 100.
    pub rejections: Vec<Rejection>,
    /// Events that were stored after something in them was changed or left out: the first 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Rejection>,
    /// How many warnings there were, also past the first 100.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warned: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Why one event was rejected, or what was changed in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rejection {
    /// Position of the event in the body, from 0.
    pub index: usize,
    /// The event's uuid, where it could be read.
    pub uuid: Option<String>,
    /// Stable code, listed in `docs/api.md`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub code: RejectionCode,
    /// The field at fault, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong and what would be right, for a person.
    pub detail: String,
}

impl Receipt {
    /// A receipt in which nothing has been counted yet.
    pub fn new(batch: String, durable: bool) -> Receipt {
        Receipt {
            batch,
            durable,
            received: 0,
            inserted: 0,
            upgraded: 0,
            duplicate: 0,
            conflict: 0,
            rejected: 0,
            rejections: Vec::new(),
            warnings: Vec::new(),
            warned: 0,
        }
    }

    /// Counts a rejection, and lists it while the list has room.
    pub fn reject(&mut self, rejection: Rejection) {
        self.rejected += 1;
        if self.rejections.len() < limits::LISTED_REJECTIONS {
            self.rejections.push(rejection);
        }
    }

    /// Counts a warning, and lists it while the list has room.
    pub fn warn(&mut self, warning: Rejection) {
        self.warned += 1;
        if self.warnings.len() < limits::LISTED_REJECTIONS {
            self.warnings.push(warning);
        }
    }

    /// The sum that must equal `received`.
    pub fn accounted(&self) -> u64 {
        self.inserted + self.upgraded + self.duplicate + self.conflict + self.rejected
    }
}
