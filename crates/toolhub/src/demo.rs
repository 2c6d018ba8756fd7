//! `toolhub demo`: a sample team, whose logs go the whole way from the agents' folders to the boards.

pub(crate) mod logs;
mod random;
mod record;
mod session;
pub(crate) mod team;
