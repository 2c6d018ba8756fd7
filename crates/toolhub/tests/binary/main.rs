//! The binary as a newcomer has it: a home, a shell, and nothing set up.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
#[cfg(feature = "server")]
mod decisions;
#[cfg(feature = "server")]
mod export;
#[cfg(feature = "server")]
mod login;
mod machine;
#[cfg(feature = "server")]
mod members;
#[cfg(feature = "server")]
mod operator;
#[cfg(feature = "server")]
mod serve;
#[cfg(feature = "server")]
mod tokens;
