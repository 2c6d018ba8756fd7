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

/// Show, make, rotate and revoke tokens: your own, or as an admin those of others
#[derive(Debug, Args)]
pub(crate) struct Tokens {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the tokens that work, newest first
    List {
        /// Those of this member
        #[arg(long, value_name = "HANDLE")]
        member: Option<String>,
        /// Those of everybody
        #[arg(long, conflicts_with = "member")]
        all: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Make a token; prints it, alone, on standard output. It is not shown again
    Create {
        /// What to call it
        name: String,
        /// Whom it speaks for [default: you]
        #[arg(long, value_name = "HANDLE")]
        member: Option<String>,
        /// What it may do: upload, read, admin, separated by commas [default: upload,read, as far as allowed]
        #[arg(long, value_name = "SCOPES", value_parser = args::scopes)]
        scope: Option<Scopes>,
        /// After how many days it ends; 0 for never
        #[arg(long, value_name = "DAYS")]
        expires_in: Option<u32>,
    },
    /// Make a fresh token in place of another; prints it, alone, on standard output
    ///
    /// To replace the one that this machine keeps: `toolhub tokens rotate ID | toolhub login --with-token`
    Rotate {
        /// The id of the token, as `tokens list` shows it
        token_id: String,
        /// Hours for which the old one goes on working
        #[arg(long, value_name = "HOURS")]
        overlap: Option<u32>,
    },
    /// End a token, from the next request on
    Revoke {
        /// The id of the token, as `tokens list` shows it
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
                reading::show(endpoint, page.format.as_deref(), context).await
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

/// The token alone; what is known about it beside.
fn issued(answer: &Value) -> String {
    let end = managing::text(answer, "expires_at")
        .split('T')
        .next()
        .unwrap_or_default();
    let end = if end.is_empty() {
        "it never ends".to_owned()
    } else {
        format!("it ends on {end}")
    };
    let note = format!(
        "token {} of {}: {end}",
        managing::text(answer, "token_id"),
        managing::text(answer, "member")
    );
    talk::note(&model::text::clean(&note));
    managing::text(answer, "token").to_owned()
}
