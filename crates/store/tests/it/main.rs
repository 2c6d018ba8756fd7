//! What the store promises, against a real PostgreSQL.
//!
//! One program for all of it, because each test program links the driver and TLS.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy does not see that these are tests"
)]

mod boards;
mod counted_once;
mod derived;
mod ingest;
mod migrate;
mod plans;
mod random;
mod readers;
mod rollup;
mod sample;
mod schema;
mod scores;
mod source;
mod statements;
mod telemetry;
mod tls;
