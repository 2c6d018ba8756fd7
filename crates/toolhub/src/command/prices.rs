use std::path::PathBuf;

use clap::Args;
use client::{
    Error, Exit, collect,
    render::{Format, rows},
};

use crate::{args::formats, context::Context, talk};

/// List what models cost: the prices by which costs are computed
#[derive(Debug, Args)]
pub(crate) struct Prices {
    /// A TOML file of `[[price]]` tables that replaces the prices of the models it names
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// How the list is laid out: table, json, csv or markdown
    #[arg(long, value_parser = formats())]
    format: Option<String>,
}

impl Prices {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Error> {
        let format = context.format(self.format.as_deref())?;
        let prices = collect::prices(self.prices.as_deref().or(context.settings.prices.as_deref()))?;
        if format == Format::Json {
            let list: Vec<_> = prices.list().collect();
            let json = serde_json::to_string(&serde_json::json!({ "prices": list }));
            talk::answer_json(&json.map_err(|error| Error::Output(error.into()))?)?;
        } else {
            talk::answer(&rows::prices(prices.list()).render(format))?;
        }
        Ok(Exit::Done)
    }
}
