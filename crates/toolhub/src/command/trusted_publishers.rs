use clap::{Args, Subcommand};
use client::{
    Error, Exit,
    read::{Endpoint, segment},
    server::Method,
};
use model::{administration::PublisherRequest, api::query::PublishersQuery};

use super::{managing, reading};
use crate::{args::Page, context::Context};

/// Manage the CI repositories that may upload without a secret (admins only)
#[derive(Debug, Args)]
pub(crate) struct TrustedPublishers {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the trusted repositories
    List {
        #[command(flatten)]
        page: Page,
    },
    /// Trust the CI runs of a repository
    Add {
        /// Repository as OWNER/NAME
        repository: String,
        /// CI provider: github or gitlab
        #[arg(long, default_value = "github")]
        provider: String,
        /// Numeric id of the owner: `id` in `https://api.github.com/users/OWNER`, or the id of the GitLab namespace
        #[arg(long)]
        owner_id: String,
        /// Only trust this workflow file, such as `ci.yml` [default: any]
        #[arg(long)]
        workflow: Option<String>,
        /// Only trust this environment [default: any]
        #[arg(long)]
        environment: Option<String>,
        /// Issuer of the identity tokens, which the server must trust [default: that of the provider]
        #[arg(long)]
        issuer: Option<String>,
        /// CI member that owns the uploads [default: ci-OWNER-NAME]
        #[arg(long, value_name = "HANDLE")]
        member: Option<String>,
    },
    /// Remove a trusted repository and revoke its tokens
    Remove {
        /// Id of the entry, as printed by `trusted-publishers list`
        publisher_id: String,
    },
}

impl TrustedPublishers {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Command::List { page } => {
                let query = page.of(PublishersQuery::default(), context);
                reading::show(Endpoint::TrustedPublishers(query), &page.output, context).await
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
