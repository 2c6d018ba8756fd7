//! Benchmarks: each subcommand prints toolhub's throughput, the baseline's and their ratio, measured in the same run.
//!
//! Build it with `cargo build --release -p toolhub-bench`; figures of a debug build are meaningless.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the program prints its results"
)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod data;
mod ingest;
mod parse;
mod query;
mod refresh;

/// Measures toolhub against a baseline.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Events per second over HTTP, compared with COPY BINARY (baseline) and one INSERT per event (naive)
    Ingest(ingest::Arguments),
    /// Reading session logs, compared with counting lines (baseline) and parsing into JSON values (naive)
    Parse(parse::Arguments),
    /// Refreshing the scores, compared with the plain query over the same index (baseline)
    Refresh(refresh::Arguments),
    /// The read routes, with 16 concurrent clients
    Query(query::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Ingest(arguments) => ingest::run(&arguments),
        Command::Parse(arguments) => parse::run(&arguments),
        Command::Refresh(arguments) => in_runtime(refresh::run(&arguments)),
        Command::Query(arguments) => in_runtime(query::run(&arguments)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn in_runtime(bench: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(bench)
}
