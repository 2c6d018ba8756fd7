use clap::Args;
use client::{Error, Exit, read::Endpoint};
use model::api::query::UploadsQuery;

use super::reading;
use crate::{args::Page, context::Context};

/// List uploads with their receipts, newest first
#[derive(Debug, Args)]
pub(crate) struct Uploads {
    /// Only list uploads of this member
    #[arg(long, value_name = "HANDLE")]
    member: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Uploads {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let query = UploadsQuery {
            member: self.member,
            ..UploadsQuery::default()
        };
        let endpoint = Endpoint::Uploads(self.page.of(query, context));
        reading::show(endpoint, &self.page.output, context).await
    }
}
