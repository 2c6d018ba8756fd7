//! The receipt of an upload: the result of every event in it.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use crate::{
    EventNotice, limits,
    words::{UnknownWord, words},
};

/// What an upload did with one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, VariantNames)]
#[strum(
    serialize_all = "snake_case",
    parse_err_ty = UnknownWord,
    parse_err_fn = UnknownWord::of::<IngestResult>
)]
pub enum IngestResult {
    /// It was new, and is stored.
    Inserted,
    /// It was stored, and the upload had more facts: the stored event was upgraded.
    Upgraded,
    /// It was stored, and the upload had no new facts.
    Duplicate,
    /// Its uuid is stored with another tool; the stored event stays.
    Conflict,
    /// It could not be stored: an [`EventNotice`] says why.
    Rejected,
}

words!(IngestResult);

/// The answer to `POST /v1/events`.
///
/// `inserted + upgraded + duplicate + conflict + rejected = received`, always.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipt {
    /// SHA-256 of the decoded body, in lower-case hex. A client accepts an answer only if it echoes this.
    pub batch: String,
    /// True when the events are committed on a server that syncs its writes to disk.
    pub durable: bool,
    /// How many events were in the body.
    pub received: u64,
    /// New events.
    pub inserted: u64,
    /// Stored events about which this upload had more facts.
    pub upgraded: u64,
    /// Stored events about which it had no new facts.
    pub duplicate: u64,
    /// Events whose uuid is stored with another tool; the stored one stays.
    pub conflict: u64,
    /// Events that could not be stored.
    pub rejected: u64,
    /// Of the new events, those that are the same call as an event of another member of the org: they count for this
    /// member, and not a second time for the org.
    #[serde(default)]
    pub already_counted: u64,
    /// Which events were rejected and why: the first 100.
    pub rejections: Vec<EventNotice>,
    /// Events that were stored after something in them was changed or left out: the first 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<EventNotice>,
    /// How many warnings there were, also past the first 100.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warned: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
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
            already_counted: 0,
            rejections: Vec::new(),
            warnings: Vec::new(),
            warned: 0,
        }
    }

    /// Counts a rejection, and lists it unless the list is full.
    pub fn reject(&mut self, rejection: EventNotice) {
        self.rejected += 1;
        if self.rejections.len() < limits::LISTED_REJECTIONS {
            self.rejections.push(rejection);
        }
    }

    /// Counts a warning, and lists it unless the list is full.
    pub fn warn(&mut self, warning: EventNotice) {
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
