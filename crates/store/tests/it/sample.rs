//! What most tests send.

use model::{Event, MemberId, event::Source};
use store::ingest::Batch;
use uuid::Uuid;

/// An upload of a member, as the API receives it.
pub(crate) fn batch(member: MemberId, events: Vec<Event>) -> Batch {
    Batch {
        member,
        upload_id: Uuid::now_v7(),
        source: Source::Api,
        client: None,
        ci: None,
        hash: String::new(),
        rejected: 0,
        events,
        unnamed: Vec::new(),
        unkeyed: 0,
    }
}
