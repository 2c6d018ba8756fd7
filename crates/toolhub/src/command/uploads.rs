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
    /// Only list uploads of CI runs
    #[arg(long)]
    ci: bool,
    /// Only list uploads of CI runs of this repository, such as acme/web
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// Only list uploads of CI runs for this pull request
    #[arg(long, value_name = "NUMBER")]
    pull_request: Option<String>,
    /// Only list uploads of this CI run
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    #[command(flatten)]
    page: Page,
}

impl Uploads {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let query = UploadsQuery {
            member: self.member,
            ci: self.ci.then_some(true),
            repository: self.repository,
            pull_request: self.pull_request,
            run_id: self.run,
            ..UploadsQuery::default()
        };
        let endpoint = Endpoint::Uploads(self.page.of(query, context));
        reading::show(endpoint, &self.page.output, context).await
    }
}
