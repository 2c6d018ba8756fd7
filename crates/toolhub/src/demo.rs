//! The sample team of `toolhub demo` and its session logs.

pub(crate) mod logs;
mod random;
mod record;
mod result;
mod session;
pub(crate) mod team;
