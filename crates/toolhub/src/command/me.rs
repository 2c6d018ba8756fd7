use clap::{Args, Subcommand};
use client::{Error, Exit, read::segment, server::Method};
use model::administration::MyChange;

use super::managing;
use crate::{context::Context, talk};

/// Your own data and what you decide about it
#[derive(Debug, Args)]
pub(crate) struct Me {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print everything that the server keeps about you, as JSON
    Export,
    /// Delete everything that you have uploaded, for good; uploading the same logs does not bring it back
    Delete {
        /// Your handle: it cannot be taken back
        #[arg(long, value_name = "HANDLE")]
        confirm: String,
    },
    /// Take events again that occurred before you deleted your data
    AcceptDeleted,
    /// Leave you out of the board of members
    OptOut,
    /// Show you on the board of members again
    OptIn,
}

impl Me {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let change = match self.command {
            Command::Export => {
                let body = context.server()?.get("/v1/me/data", &[]).await?;
                let body = String::from_utf8_lossy(&body);
                // A connection may break without saying so.
                if !body.trim_end().ends_with('}') {
                    return Err(Error::Usage(
                        "the export was cut off on the way; run it again".into(),
                    ));
                }
                talk::answer_json(&body)?;
                return Ok(Exit::Done);
            }
            Command::Delete { confirm } => {
                let server = context.server()?;
                server.authorized().await?;
                let me: model::api::Me = server.get_as("/v1/me", &[]).await?;
                managing::confirmed(&confirm, &me.member)?;
                let path = format!("/v1/me/data?confirm={}", segment(&confirm));
                return managing::send(context, Method::DELETE, &path, &serde_json::json!({}), |answer| {
                    format!(
                        "deleted {} events; what occurred before now is refused from now on",
                        answer["events"]
                    )
                })
                .await;
            }
            Command::AcceptDeleted => MyChange {
                accept_deleted: Some(true),
                ..MyChange::default()
            },
            Command::OptOut => MyChange {
                board_opt_out: Some(true),
                ..MyChange::default()
            },
            Command::OptIn => MyChange {
                board_opt_out: Some(false),
                ..MyChange::default()
            },
        };
        managing::send(context, Method::PATCH, "/v1/me/settings", &change, |answer| {
            let board = if answer["board_opt_out"] == true {
                "leave you out"
            } else {
                "show you"
            };
            let events = match answer["events_before"].as_str() {
                Some(cut) => format!("events before {cut} are refused"),
                None => "events of any time are taken".to_owned(),
            };
            format!("boards {board}; {events}")
        })
        .await
    }
}
