//! The real binary: alone, and as a newcomer has it, with a home, a shell and nothing set up.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "server")]
mod backup;
mod bad_input;
mod cli;
mod machine;
mod messages;

// What needs a server to talk to.
#[cfg(feature = "server")]
mod decisions;
#[cfg(feature = "server")]
mod digest;
#[cfg(feature = "server")]
mod dripping;
mod dry_run;
mod erase;
#[cfg(feature = "server")]
mod export;
mod gates;
#[cfg(feature = "server")]
mod healthcheck;
#[cfg(feature = "server")]
mod login;
#[cfg(feature = "server")]
mod mcp;
mod members;
#[cfg(feature = "server")]
mod operator;
mod prune;
#[cfg(feature = "server")]
mod serve;
#[cfg(feature = "server")]
mod sharing;
#[cfg(all(feature = "server", unix))]
mod terminal;
#[cfg(feature = "server")]
mod tokens;
