//! What is stored, and the result: one batch, its counts and its notices.

use model::{Event, IngestResult, MemberId, NoticeCode, api::CiContext, event::Source, limits};
use uuid::Uuid;

/// One upload: the events that passed the checks, and what its receipt needs to know about those that did not.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Who sent it.
    pub member: MemberId,
    /// Id of the upload, made by the caller (UUIDv7, so that ids sort by time).
    pub upload_id: Uuid,
    /// Where the events come from.
    pub source: Source,
    /// The program that sent it, as it calls itself.
    pub client: Option<String>,
    /// Facts about the CI run.
    pub ci: Option<CiContext>,
    /// SHA-256 of the decoded body, hex.
    pub hash: String,
    /// Events that were rejected before they came here.
    pub rejected: u64,
    /// The events to store.
    pub events: Vec<Event>,
}

/// How many events of one batch had which result. The sum is the number of events in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New.
    pub inserted: u64,
    /// Stored before, and the batch had more facts about them.
    pub upgraded: u64,
    /// Stored before, with all that the batch says.
    pub duplicate: u64,
    /// Stored before as a call of another tool; the stored event stays.
    pub conflict: u64,
    /// Refused by a setting of the org or of the member.
    pub refused: u64,
}

/// The result of storing a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchResult {
    /// The results of its events.
    pub counts: Counts,
    /// Which events were refused: the first 100.
    pub refused: Vec<BatchNotice>,
    /// How many events were stored without one of their values.
    pub warned: u64,
    /// Which ones: the first 100.
    pub warnings: Vec<BatchNotice>,
}

/// An event that was refused, or stored without one of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchNotice {
    /// Its position in the batch, from 0.
    pub position: usize,
    /// Its uuid, where it has one.
    pub uuid: Option<String>,
    /// Why.
    pub code: NoticeCode,
}

impl Counts {
    /// True when the batch changed something.
    pub fn changed(self) -> bool {
        self.inserted + self.upgraded > 0
    }

    pub(super) fn add(&mut self, result: IngestResult) {
        match result {
            IngestResult::Inserted => self.inserted += 1,
            IngestResult::Upgraded => self.upgraded += 1,
            IngestResult::Duplicate => self.duplicate += 1,
            IngestResult::Conflict => self.conflict += 1,
            IngestResult::Rejected => self.refused += 1,
        }
    }
}

impl BatchResult {
    pub(super) fn refuse(&mut self, position: usize, event: &Event, code: NoticeCode) {
        self.counts.refused += 1;
        note(&mut self.refused, position, event, code);
    }

    pub(super) fn warn(&mut self, position: usize, event: &Event, code: NoticeCode) {
        self.warned += 1;
        note(&mut self.warnings, position, event, code);
    }
}

fn note(list: &mut Vec<BatchNotice>, position: usize, event: &Event, code: NoticeCode) {
    if list.len() < limits::LISTED_REJECTIONS {
        list.push(BatchNotice {
            position,
            uuid: event.uuid.clone(),
            code,
        });
    }
}
