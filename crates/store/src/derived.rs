//! Everything that is derived from the events, and can be counted again from them at any time.
//!
//! | what | kept by | counted from |
//! |---|---|---|
//! | `usage_days`, `usage_totals` ([`rollup`]) | each ingest and deletion, in its transaction | the events |
//! | `loaded_members` | each inventory, in its transaction | `session_tools` |
//! | `pending_changes` ([`queue`]) | the same transactions | what they changed |
//! | `board_days`, `board_scores`, `tool_medians`, `loaded_days`, `loaded_tools` ([`boards`]) | the refresh of an org | what is pending for it |
//! | `tool_scores` ([`refresh`]) | a materialized view, refreshed concurrently | the events and `usage_totals` |
//!
//! [`refresh`] does one org after the other, each in one transaction with one snapshot, and says how fresh it is.
//! [`rebuild`] compares all of it with the events.

pub(crate) mod boards;
pub(crate) mod queue;
pub mod rebuild;
pub mod refresh;
pub(crate) mod rollup;
