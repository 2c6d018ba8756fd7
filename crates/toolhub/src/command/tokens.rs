use clap::{Args, Subcommand};
use client::{
    Error, Exit,
    read::{Endpoint, segment},
    server::Method,
};
use model::{
    administration::{RotateRequest, TokenRequest},
    api::query::TokensQuery,
};
use serde_json::Value;

use super::{managing, reading};
use crate::{
    args::{self, Page, Scopes},
    context::Context,
    talk,
};

/// Manage your tokens, or as an admin those of other members
#[derive(Debug, Args)]
pub(crate) struct Tokens {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List valid tokens, newest first
    List {
        /// List the tokens of this member [default: yours]
        #[arg(long, value_name = "HANDLE")]
        member: Option<String>,
        /// List the tokens of all members
        #[arg(long, conflicts_with = "member")]
        all: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Create a token and print it to stdout; it is not shown again
    Create {
        /// Name of the token
        name: String,
        /// Member of the token [default: you]
        #[arg(long, value_name = "HANDLE")]
        member: Option<String>,
        /// Comma-separated scopes: upload, read, admin [default: upload,read, as far as your token has them]
        #[arg(long, value_name = "SCOPES", value_parser = args::scopes)]
        scope: Option<Scopes>,
        /// Expire after DAYS days, 0 for never [default: 90]
        #[arg(long, value_name = "DAYS")]
        expires_in: Option<u32>,
    },
    /// Replace a token and print the new one to stdout; it is not shown again
    ///
    /// To replace the stored token of this machine: `toolhub tokens rotate ID | toolhub login --with-token`
    Rotate {
        /// Id of the token, as printed by `tokens list`
        token_id: String,
        /// Keep the old token valid for HOURS hours [default: 24]
        #[arg(long, value_name = "HOURS")]
        overlap: Option<u32>,
    },
    /// Revoke a token, effective from the next request
    Revoke {
        /// Id of the token, as printed by `tokens list`
        token_id: String,
    },
}

impl Tokens {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Command::List { member, all, page } => {
                let query = TokensQuery {
                    member,
                    all: all.then_some(true),
                    ..TokensQuery::default()
                };
                let endpoint = Endpoint::Tokens(page.of(query, context));
                reading::show(endpoint, &page.output, context).await
            }
            Command::Create {
                name,
                member,
                scope,
                expires_in,
            } => {
                let request = TokenRequest {
                    name: Some(name),
                    member,
                    scopes: scope.map(|Scopes(scopes)| scopes),
                    expires_in_days: expires_in,
                };
                managing::send(context, Method::POST, "/v1/tokens", &request, issued).await
            }
            Command::Rotate { token_id, overlap } => {
                let path = format!("/v1/tokens/{}/rotate", segment(&token_id));
                let request = RotateRequest {
                    overlap_hours: overlap,
                    name: None,
                };
                managing::send(context, Method::POST, &path, &request, issued).await
            }
            Command::Revoke { token_id } => {
                let path = format!("/v1/tokens/{}", segment(&token_id));
                managing::send(context, Method::DELETE, &path, &serde_json::json!({}), |_| {
                    format!("revoked {token_id}")
                })
                .await
            }
        }
    }
}

/// Returns the token, and prints a note about it to stderr.
fn issued(answer: &Value) -> String {
    let end = managing::text(answer, "expires_at")
        .split('T')
        .next()
        .unwrap_or_default();
    let end = if end.is_empty() {
        "it does not expire".to_owned()
    } else {
        format!("it expires on {end}")
    };
    let note = format!(
        "token {} of {}: {end}",
        managing::text(answer, "token_id"),
        managing::text(answer, "member")
    );
    talk::note(&model::text::clean(&note));
    managing::text(answer, "token").to_owned()
}
