use clap::Args;
use client::{Error, Exit, digest, environment};
use model::api::Window;

use crate::{args::word, context::Context, talk};

/// Print what changed in a period: better, worse, new, failing, dead weight, savings
///
/// Made of the same answers as the boards: for a mail, a chat or a wiki. An admin's digest also names the members who
/// were not seen in the period. A change counts where it is more than chance (one in a thousand), with at least 10 calls
/// in both periods.
#[derive(Debug, Args)]
pub(crate) struct Digest {
    /// The period, and the one before it that it is compared with
    #[arg(long, default_value = "7d", value_parser = word::<Window>(["7d", "30d", "90d"]))]
    period: Window,
    /// How it is written; --json is the same as json
    #[arg(long, default_value = "markdown", value_parser = ["markdown", "json", "html"])]
    format: String,
}

impl Digest {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let server = context.server()?;
        let digest = digest::read(&server, &context.url()?, self.period, environment::now()).await?;
        let format = if context.json { "json" } else { &self.format };
        match format {
            "json" => {
                let json = serde_json::to_string(&digest).map_err(|error| Error::Output(error.into()))?;
                talk::answer_json(&json)?;
            }
            "html" => talk::answer(&digest.html())?,
            _ => talk::answer(&digest.markdown())?,
        }
        Ok(Exit::Done)
    }
}
