//! The binary: parses the arguments, calls the client or the server, and returns the exit code.

#![warn(missing_docs)]

mod args;
mod cli;
mod command;
mod context;
#[cfg(feature = "server")]
mod database;
#[cfg(feature = "server")]
mod demo;
mod talk;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use client::Exit;

fn main() -> ExitCode {
    let cli::Cli { global, command } = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            talk::error(&format!("cannot start: {error}"));
            return code(Exit::Failed);
        }
    };
    let exit = runtime.block_on(command::run(command, global, cli::Cli::command));
    // After Ctrl-C a thread may still read a log: do not wait for it.
    runtime.shutdown_background();
    code(exit)
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}
