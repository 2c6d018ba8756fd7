use clap::{Args, Subcommand};
use client::{
    Error, Exit,
    read::{Endpoint, segment},
    server::Method,
};
use model::{administration::PublisherRequest, api::query::PublishersQuery};

use super::{managing, reading};
use crate::{args::Page, context::Context};

/// CI that may upload without a secret; for admins of the org
#[derive(Debug, Args)]
pub(crate) struct TrustedPublishers {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the CI that the org trusts
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Trust the CI of a repository
    Add {
        /// `owner/name`
        repository: String,
        /// github or gitlab
        #[arg(long, default_value = "github")]
        provider: String,
        /// The number of the owner: `id` in `https://api.github.com/users/OWNER`, or of the GitLab namespace
        #[arg(long)]
        owner_id: String,
        /// Only this workflow file, such as `ci.yml`
        #[arg(long)]
        workflow: Option<String>,
        /// Only this environment
        #[arg(long)]
        environment: Option<String>,
        /// Who signs, where it is not the provider itself; the server has to know it
        #[arg(long)]
        issuer: Option<String>,
        /// The CI member as which it uploads [default: `ci-OWNER-NAME`]
        #[arg(long, value_name = "HANDLE")]
        member: Option<String>,
    },
    /// End the trust, and the tokens that came of it
    Remove {
        /// The id, as `trusted-publishers list` shows it
        publisher_id: String,
    },
}

impl TrustedPublishers {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Command::List { page } => {
                let query = page.of(PublishersQuery::default(), context);
                reading::show(
                    Endpoint::TrustedPublishers(query),
                    page.format.as_deref(),
                    context,
                )
                .await
            }
            Command::Add {
                repository,
                provider,
                owner_id,
                workflow,
                environment,
                issuer,
                member,
            } => {
                let request = PublisherRequest {
                    provider,
                    repository,
                    owner_id,
                    workflow,
                    environment,
                    issuer,
                    member,
                };
                managing::send(
                    context,
                    Method::POST,
                    "/v1/trusted-publishers",
                    &request,
                    |answer| {
                        format!(
                            "runs of {} upload as `{}`",
                            managing::text(answer, "repository"),
                            managing::text(answer, "member")
                        )
                    },
                )
                .await
            }
            Command::Remove { publisher_id } => {
                let path = format!("/v1/trusted-publishers/{}", segment(&publisher_id));
                managing::send(context, Method::DELETE, &path, &serde_json::json!({}), |_| {
                    format!("removed {publisher_id}")
                })
                .await
            }
        }
    }
}
