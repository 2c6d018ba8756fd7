//! Benchmarks: each subcommand prints our figure, the limit's and the ratio, measured in the same run.
//!
//! Build it with `cargo build --release -p toolhub-bench`; figures of a debug build mean nothing.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints its findings"
)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod data;
mod ingest;
mod parse;
mod query;
mod refresh;

/// Measures toolhub against what bounds it.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Events per second over HTTP, beside COPY BINARY of the same rows (the limit) and one INSERT each (the naive way)
    Ingest(ingest::Arguments),
    /// Reading session logs, beside counting their lines (the limit) and parsing them whole (the naive way)
    Parse(parse::Arguments),
    /// Refreshing the scores, beside the bare query over the same index
    Refresh(refresh::Arguments),
    /// The read routes, with sixteen clients at once
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
