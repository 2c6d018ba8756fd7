//! The domain types, without any I/O: tools, events, outcomes, the wire format v1 and its limits.
//!
//! Every other crate uses these types. Nothing here opens a file or a socket, uses the database, or reads the clock:
//! where the time matters (an event from the future), `now` is a parameter.

#![warn(missing_docs)]

pub mod administration;
pub mod api;
pub mod call_id;
pub mod cell;
pub mod event;
mod gate;
pub mod ids;
pub mod inventory;
pub mod limits;
pub mod mcp;
pub mod money;
pub mod notice;
pub mod outcome;
pub mod problem;
pub mod receipt;
pub mod team;
pub mod text;
pub mod token;
mod token_estimate;
pub mod tool;
pub mod usage;
pub mod wire;
pub mod words;

pub use event::Event;
pub use gate::{Gate, InvalidGate};
pub use ids::{MemberId, OrgId};
pub use money::MicroUsd;
pub use notice::{EventNotice, NoticeCode};
pub use outcome::{CallResult, Outcome, Reason};
pub use receipt::{IngestResult, Receipt};
pub use token_estimate::TokenRule;
pub use tool::{Kind, ToolId};
