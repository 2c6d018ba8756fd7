//! The binary as a newcomer has it: a home, a shell, and nothing set up.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod machine;
#[cfg(feature = "server")]
mod serve;
