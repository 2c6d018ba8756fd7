//! The command line of toolhub: arguments in, one call into the client or the server, an exit code out.

#![warn(missing_docs)]

mod args;
mod command;
mod context;
#[cfg(feature = "server")]
mod database;
#[cfg(feature = "server")]
mod demo;
mod talk;

use std::process::ExitCode;

use clap::Parser;
use client::Exit;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            talk::complain(&format!("cannot start: {error}"));
            return code(Exit::Failed);
        }
    };
    let exit = runtime.block_on(command::run(cli));
    // A log may be half read when Ctrl-C comes: nobody waits for it.
    runtime.shutdown_background();
    code(exit)
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}
