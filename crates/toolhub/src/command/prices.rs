use std::path::PathBuf;

use clap::{Args, Subcommand};
use client::{
    Error, Exit, prices,
    render::{Format, rows},
    server::Method,
};
use model::api::PricesChange;
use serde_json::Value;

use super::{managing, reading};
use crate::{args::Output, context::Context, talk};

/// List the prices of models, from which costs are computed
///
/// When logged in, lists the prices that the server uses; otherwise the built-in prices. Prices of the org and of a file
/// override the built-in ones.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Prices {
    #[command(subcommand)]
    command: Option<Command>,
    /// TOML file with `[[price]]` tables that take precedence over all other prices [default: none]
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Replace the org's own prices with those of FILE (admins only)
    Set {
        /// TOML file with `[[price]]` tables
        file: PathBuf,
    },
    /// Remove the org's own prices, so that the built-in ones apply again (admins only)
    Unset,
}

impl Prices {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let change = match &self.command {
            Some(Command::Set { file }) => prices::change_of(file)?,
            Some(Command::Unset) => PricesChange::default(),
            None => return self.list(context).await,
        };
        managing::send(context, Method::PUT, "/v1/prices", &change, describe).await
    }

    async fn list(self, context: &Context) -> Result<Exit, Error> {
        let format = context.format(self.output.format.as_deref())?;
        let file = self.prices.as_deref().or(context.settings.prices.as_deref());
        let server = context.server()?;
        if format == Format::Json {
            let body = prices::body(&server, file).await?;
            talk::answer_json(&String::from_utf8_lossy(&body))?;
            return Ok(Exit::Done);
        }
        let found = prices::find(Some(&server), file, &context.environment).await?;
        for note in &found.notes {
            talk::warn(note);
        }
        reading::print(&rows::prices(found.prices.list()), format, self.output.wide)?;
        Ok(Exit::Done)
    }
}

fn describe(answer: &Value) -> String {
    match answer["overrides"].as_array().map_or(0, Vec::len) {
        0 => "the org has no prices of its own".to_owned(),
        1 => "the org has 1 price of its own; the next upload uses it".to_owned(),
        count => format!("the org has {count} prices of its own; the next upload uses them"),
    }
}
