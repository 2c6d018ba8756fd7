//! The subcommands, one file each: arguments, one call into a library, output.

#[cfg(feature = "server")]
mod admin;
mod audit;
mod completions;
mod dead_weight;
mod decide;
#[cfg(feature = "server")]
mod demo;
mod digest;
mod doctor;
mod events;
mod healthcheck;
mod hooks;
mod leaderboard;
mod login;
mod logout;
mod man;
mod managing;
mod mcp;
mod me;
mod members;
mod open;
mod org;
mod prices;
mod prune;
mod reading;
mod rollout;
mod savings;
mod scores;
#[cfg(feature = "server")]
mod serve;
mod status;
mod telemetry;
mod tokens;
mod trusted_publishers;
mod upload;
mod uploads;
mod usage;
mod watch;
mod whoami;

use clap::Subcommand;
use client::{Error, Exit};

use crate::{
    context::{Context, GlobalArgs},
    talk,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Upload(upload::Upload),
    Scores(scores::Scores),
    Leaderboard(leaderboard::Leaderboard),
    DeadWeight(dead_weight::DeadWeight),
    Usage(usage::Usage),
    Decide(decide::Decide),
    Savings(savings::Savings),
    Prune(prune::Prune),
    Digest(digest::Digest),
    Events(events::Events),
    Uploads(uploads::Uploads),
    Login(login::Login),
    Logout(logout::Logout),
    Whoami(whoami::Whoami),
    Me(me::Me),
    Members(members::Members),
    Tokens(tokens::Tokens),
    TrustedPublishers(trusted_publishers::TrustedPublishers),
    Org(org::Org),
    Audit(audit::Audit),
    Healthcheck(healthcheck::Healthcheck),
    Hooks(hooks::Hooks),
    Watch(watch::Watch),
    Doctor(doctor::Doctor),
    Status(status::Status),
    Rollout(rollout::Rollout),
    Telemetry(telemetry::Telemetry),
    Mcp(mcp::Mcp),
    Open(open::Open),
    Prices(prices::Prices),
    Completions(completions::Completions),
    Man(man::Man),
    #[cfg(feature = "server")]
    Serve(serve::Serve),
    #[cfg(feature = "server")]
    Admin(admin::Admin),
    #[cfg(feature = "server")]
    Demo(demo::Demo),
}

/// Builds the definition of the command line, which `completions` and `man` print.
pub(crate) type BuildCli = fn() -> clap::Command;

/// Runs a command until it is done or Ctrl-C stops it, and prints the error of a failure.
pub(crate) async fn run(command: Command, global: GlobalArgs, build_cli: BuildCli) -> Exit {
    #[cfg(feature = "server")]
    if matches!(command, Command::Serve(_) | Command::Admin(_) | Command::Demo(_)) {
        // These handle Ctrl-C themselves, because they must stop their PostgreSQL.
        return operate(command, global.json).await;
    }
    let done = tokio::select! {
        // Ctrl-C first, so that it is handled before the command begins.
        biased;
        _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
        done = dispatch(command, global, build_cli) => done,
    };
    done.unwrap_or_else(|error| fail(&error))
}

async fn dispatch(command: Command, global: GlobalArgs, build_cli: BuildCli) -> Result<Exit, Error> {
    let context = Context::load(global)?;
    match command {
        Command::Upload(command) => command.run(&context).await,
        Command::Scores(command) => command.run(&context).await,
        Command::Leaderboard(command) => command.run(&context).await,
        Command::DeadWeight(command) => command.run(&context).await,
        Command::Usage(command) => command.run(&context).await,
        Command::Decide(command) => command.run(&context).await,
        Command::Savings(command) => command.run(&context).await,
        Command::Prune(command) => command.run(&context).await,
        Command::Digest(command) => command.run(&context).await,
        Command::Events(command) => command.run(&context).await,
        Command::Uploads(command) => command.run(&context).await,
        Command::Login(command) => command.run(&context).await,
        Command::Logout(command) => command.run(&context).await,
        Command::Whoami(command) => command.run(&context).await,
        Command::Me(command) => command.run(&context).await,
        Command::Members(command) => command.run(&context).await,
        Command::Tokens(command) => command.run(&context).await,
        Command::TrustedPublishers(command) => command.run(&context).await,
        Command::Org(command) => command.run(&context).await,
        Command::Audit(command) => command.run(&context).await,
        Command::Healthcheck(command) => command.run(&context).await,
        Command::Hooks(command) => command.run(&context).await,
        Command::Watch(command) => command.run(&context).await,
        Command::Doctor(command) => command.run(&context).await,
        Command::Status(command) => command.run(&context).await,
        Command::Rollout(command) => command.run(&context),
        Command::Telemetry(command) => command.run(&context),
        Command::Mcp(command) => command.run(&context).await,
        Command::Open(command) => command.run(&context).await,
        Command::Prices(command) => command.run(&context).await,
        Command::Completions(command) => command.run(build_cli),
        Command::Man(command) => command.run(build_cli),
        #[cfg(feature = "server")]
        Command::Serve(_) | Command::Admin(_) | Command::Demo(_) => {
            unreachable!("`run` passes these commands to `operate`")
        }
    }
}

/// Runs a command that uses the database directly.
#[cfg(feature = "server")]
async fn operate(command: Command, json: bool) -> Exit {
    let done = match command {
        Command::Serve(command) => command.run(json).await,
        Command::Admin(command) => command.run(json).await,
        Command::Demo(command) => command.run().await,
        _ => Ok(()),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(error) => {
            talk::error(&format!("{error:#}"));
            if let Some(error) = error.downcast_ref::<Error>() {
                return error.exit();
            }
            match error.downcast_ref::<store::StoreError>() {
                Some(error) if error.is_temporary() => Exit::TryAgain,
                Some(store::StoreError::NotAllowed(_)) => Exit::NotAllowed,
                _ => Exit::Failed,
            }
        }
    }
}

/// Prints an error and returns its exit code.
fn fail(error: &Error) -> Exit {
    if error.is_broken_pipe() {
        return Exit::Done;
    }
    talk::error(&error.to_string());
    error.exit()
}
