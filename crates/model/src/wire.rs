//! The wire format v1: how a batch of events is written and read.
//!
//! A batch is split into its events by brackets and line ends alone ([`batch`]), and each event is read on its own
//! ([`event`]), so that malformed JSON affects only one event.

pub mod batch;
pub mod event;

pub use batch::{Framing, InvalidFraming, split};
pub use event::{Checked, EventV1, read_event};
